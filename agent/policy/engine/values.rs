//! Lays a document out as OPA's own values, byte for byte what `opa_value_parse` makes of its
//! text, without a parser that runs in wasm.
//!
//! The layout is no part of OPA's ABI (`wasm/src/value.h` and `value.c` of OPA have it), so
//! [`super::instance`] tries it on [`PROBE`] against the module's own parser before it trusts
//! it. This module knows no wasm: it fills bytes that begin at an address. What it does not
//! read as JSON is `None`, never half a value.

use std::cmp::Ordering;

use memchr::memchr2;

/// A document with all that is special about the layout: more members than a first table
/// takes, two names in one bucket, a name twice, escapes, other scripts, every kind of value.
pub(super) const PROBE: &str = r#" {"event": {"a": 1, "b": -2.50, "c": 1e3, "d": true, "e": false, "f": null, "g": {},
  "h": [], "i": [[0, "1"], {"x": "y"}], "j": "\u00e9\n\"\\ \ud83d\ude00", "k\t": "é", "ключ": "значение", "l": "", "a": 7,
  "m": 12345678901234567890}, "principal": {"arn": "arn:aws:iam::111122223333:user/eve"}, "": ["now"]} "#;

const NULL: u32 = 1;
const BOOLEAN: u32 = 2;
const NUMBER: u32 = 3;
const STRING: u32 = 4;
const ARRAY: u32 = 5;
const OBJECT: u32 = 6;
/// A value's second byte: `true` of a boolean, and how a number is kept.
const TRUE: u32 = 1 << 8;
const INTEGER: u32 = 1 << 8;
const DIGITS: u32 = 2 << 8;

const WORD: u32 = 4;
/// What a number takes, however it is kept.
const NUMBER_BYTES: u32 = 6 * WORD;
/// An object's smallest table. It is doubled when more than seven tenths were taken.
const LEAST_BUCKETS: u32 = 8;
/// OPA's hash of a string: 32 bits of FNV-1, which multiplies first.
const HASH_START: u32 = 0x811c_9dc5;
const HASH_FACTOR: u32 = 0x0100_0193;

const MAX_DEPTH: u32 = 128;
/// Longer documents are rare, and left to the module. A byte of text becomes 27 of values at most.
const MAX_BYTES: usize = 1024 * 1024;

/// Documents as values, one after the other in the same bytes.
#[derive(Debug, Default)]
pub(super) struct Values {
    bytes: Vec<u8>,
    base: u32,
    /// The members of the objects that are being read, the innermost last.
    members: Vec<Member>,
    /// The elements of the arrays that are being read, likewise.
    elements: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    hash: u32,
    key: u32,
    value: u32,
}

impl Values {
    /// Lays out a JSON document for this address on, and says where its value lies.
    pub fn lay_out(&mut self, json: &[u8], base: u32) -> Option<u32> {
        if json.len() > MAX_BYTES {
            return None;
        }
        self.base = base;
        self.bytes.clear();
        self.bytes.extend_from_slice(json);
        self.members.clear();
        self.elements.clear();
        let mut reading = Reading { text: json, at: 0, values: self };
        let root = reading.value(MAX_DEPTH)?;
        reading.next().is_none().then_some(root)
    }

    /// What belongs at the address.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    // INVARIANT: `MAX_BYTES` keeps every address within 32 bits.
    fn end(&self) -> u32 {
        self.base + self.bytes.len() as u32
    }

    /// Appends a value, or a part of one.
    fn put<const N: usize>(&mut self, words: [u32; N]) -> u32 {
        let at = self.end();
        for word in words {
            self.bytes.extend_from_slice(&word.to_le_bytes());
        }
        at
    }

    fn at(&self, address: u32) -> Option<&[u8]> {
        self.bytes.get(address.checked_sub(self.base)? as usize..)
    }

    fn word(&self, address: u32) -> Option<u32> {
        self.at(address)?.first_chunk().copied().map(u32::from_le_bytes)
    }

    fn set(&mut self, address: u32, word: u32) -> Option<()> {
        let place = address.checked_sub(self.base)? as usize;
        *self.bytes.get_mut(place..)?.first_chunk_mut()? = word.to_le_bytes();
        Some(())
    }

    /// The bytes of a string.
    fn string(&self, address: u32) -> Option<&[u8]> {
        let (length, text) = (self.word(address + WORD)?, self.word(address + 2 * WORD)?);
        self.at(text)?.get(..length as usize)
    }

    fn array(&mut self, mark: usize) -> u32 {
        let count = (self.elements.len() - mark) as u32;
        if count == 0 {
            return self.put([ARRAY, 0, 0, 0]);
        }
        let indices = self.end();
        for index in 0..count {
            self.put([NUMBER | INTEGER, 0, index, 0, 0, 0]);
        }
        let table = self.end();
        let mut index = indices;
        for place in mark..self.elements.len() {
            let element = self.elements.get(place).copied().unwrap_or_default();
            self.put([index, element]);
            index += NUMBER_BYTES;
        }
        self.elements.truncate(mark);
        self.put([ARRAY, table, count, count])
    }

    fn object(&mut self, mark: usize) -> Option<u32> {
        let size = buckets(self.members.len() - mark);
        let table = self.end();
        self.bytes.resize(self.bytes.len() + (size * WORD) as usize, 0);
        let mut count = 0;
        for place in mark..self.members.len() {
            let member = *self.members.get(place)?;
            count += u32::from(self.insert(table + WORD * (member.hash % size), member)?);
        }
        self.members.truncate(mark);
        Some(self.put([OBJECT, table, size, count]))
    }

    /// Puts a member among those of its bucket, in the order of their names; `false` when it
    /// only replaces the value of one that is there.
    fn insert(&mut self, bucket: u32, Member { key, value, .. }: Member) -> Option<bool> {
        let mut link = bucket;
        let next = loop {
            let other = self.word(link)?;
            if other == 0 {
                break other;
            }
            match self.string(key)?.cmp(self.string(self.word(other)?)?) {
                Ordering::Less => break other,
                Ordering::Equal => return self.set(other + WORD, value).map(|()| false),
                Ordering::Greater => link = other + 2 * WORD,
            }
        };
        let element = self.put([key, value, next]);
        self.set(link, element).map(|()| true)
    }
}

/// How many buckets an object's table has.
const fn buckets(members: usize) -> u32 {
    let mut size = LEAST_BUCKETS;
    while members * 10 > size as usize * 7 {
        size *= 2;
    }
    size
}

fn hash(text: &[u8]) -> u32 {
    text.iter().fold(HASH_START, |hash, byte| hash.wrapping_mul(HASH_FACTOR) ^ u32::from(*byte))
}

/// A document that is being read.
struct Reading<'v, 't> {
    text: &'t [u8],
    at: usize,
    values: &'v mut Values,
}

impl Reading<'_, '_> {
    /// The next byte that means something; it is not taken.
    fn next(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.at)? {
                b' ' | b'\n' | b'\t' | b'\r' => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let taken = self.next() == Some(byte);
        self.at += usize::from(taken);
        taken
    }

    fn value(&mut self, depth: u32) -> Option<u32> {
        match self.next()? {
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.array(depth.checked_sub(1)?),
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true", BOOLEAN | TRUE),
            b'f' => self.word("false", BOOLEAN),
            b'n' => self.word("null", NULL),
            _ => None,
        }
    }

    fn word(&mut self, word: &str, value: u32) -> Option<u32> {
        self.text.get(self.at..)?.starts_with(word.as_bytes()).then(|| {
            self.at += word.len();
            self.values.put([value])
        })
    }

    /// A number stays as it is written; it lies in the text.
    fn number(&mut self) -> Option<u32> {
        let rest = self.text.get(self.at..)?;
        let digit = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let (start, length) = (self.at, rest.iter().take_while(digit).count());
        self.at += length;
        Some(self.values.put([NUMBER | DIGITS, 0, self.values.base + start as u32, length as u32, 0, 0]))
    }

    /// A string lies in the text too, unless something in it is escaped.
    fn string(&mut self) -> Option<u32> {
        let start = self.at + 1;
        let mut end = start;
        let mut escaped = false;
        loop {
            end += memchr2(b'"', b'\\', self.text.get(end..)?)?;
            if self.text.get(end) == Some(&b'"') {
                break;
            }
            escaped = true;
            end += 2;
        }
        let quoted = self.text.get(self.at..=end)?;
        self.at = end + 1;
        if escaped {
            let text: String = serde_json::from_slice(quoted).ok()?;
            let at = self.values.end();
            self.values.bytes.extend_from_slice(text.as_bytes());
            return Some(self.values.put([STRING, text.len() as u32, at]));
        }
        Some(self.values.put([STRING, (end - start) as u32, self.values.base + start as u32]))
    }

    fn array(&mut self, depth: u32) -> Option<u32> {
        self.at += 1;
        let mark = self.values.elements.len();
        if !self.take(b']') {
            loop {
                let element = self.value(depth)?;
                self.values.elements.push(element);
                if self.take(b']') {
                    break;
                }
                self.take(b',').then_some(())?;
            }
        }
        Some(self.values.array(mark))
    }

    fn object(&mut self, depth: u32) -> Option<u32> {
        self.at += 1;
        let mark = self.values.members.len();
        if !self.take(b'}') {
            loop {
                let member = self.member(depth)?;
                self.values.members.push(member);
                if self.take(b'}') {
                    break;
                }
                self.take(b',').then_some(())?;
            }
        }
        self.values.object(mark)
    }

    fn member(&mut self, depth: u32) -> Option<Member> {
        (self.next()? == b'"').then_some(())?;
        let key = self.string()?;
        let hash = hash(self.values.string(key)?);
        self.take(b':').then_some(())?;
        let value = self.value(depth)?;
        Some(Member { hash, key, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u32 = 4096;

    #[test]
    fn a_document_lies_as_opa_s_value_h_has_it() {
        let mut values = Values::default();
        let root = values.lay_out(br#"{"a":7}"#, BASE).unwrap();
        let word = |address| values.word(address).unwrap();
        let (table, size, count) = (word(root + 4), word(root + 8), word(root + 12));
        assert_eq!((word(root), size, count), (OBJECT, 8, 1));
        let taken: Vec<u32> =
            (0..size).map(|bucket| word(table + 4 * bucket)).filter(|element| *element != 0).collect();
        let [element] = taken[..] else { panic!("{taken:?}") };
        let (key, value) = (word(element), word(element + 4));
        assert_eq!(word(element + 8), 0, "nothing behind it in its bucket");
        assert_eq!((word(key), word(key + 4), word(key + 8)), (STRING, 1, BASE + 2));
        assert_eq!((word(value), word(value + 8), word(value + 12)), (NUMBER | DIGITS, BASE + 5, 1));
    }

    #[test]
    fn tables_grow_as_opa_s_do() {
        assert_eq!([0, 5, 6, 11, 12, 22, 23].map(buckets), [8, 8, 16, 16, 32, 32, 64]);
    }

    #[test]
    fn what_is_not_json_is_nothing() {
        let mut values = Values::default();
        for broken in [
            "",
            " ",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "[1,]",
            "[1 2]",
            "\"",
            "\"\\",
            "\"\\ud800\"",
            "tru",
            "1 2",
            "{}x",
        ] {
            assert_eq!(values.lay_out(broken.as_bytes(), BASE), None, "{broken}");
        }
        assert_eq!(values.lay_out("[".repeat(200).as_bytes(), BASE), None);
        assert_eq!(values.lay_out(&vec![b' '; MAX_BYTES + 1], BASE), None);
        assert!(values.lay_out(PROBE.as_bytes(), BASE).is_some());
    }
}
