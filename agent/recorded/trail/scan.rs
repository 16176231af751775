//! Finds the records of a log file and what routes each of them, without parsing the rest.
//!
//! Most events concern no rule. Of those it reads the fields at the record's own level and
//! passes over what is nested in them, minding only that brackets and quotes match. It never
//! evaluates: whatever is unusual about a record, [`crate::intake::message`] reads whole.
//!
//! The text is taken 64 bytes at a time, as bit masks of its quotes and brackets, after
//! G. Langdale and D. Lemire, "Parsing Gigabytes of JSON per Second" (2019).

use memchr::memchr;
use memchr::memmem::Finder;
use wide::u8x16;

/// How the fields of a route begin.
const FIELDS: &[u8] = b"\"event";
const BLOCK: usize = 64;
/// Deeper than anything AWS sends; the bits of the stack of open brackets.
const MAX_DEPTH: u32 = 64;

/// A record, as it lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The whole of it.
    pub text: &'a str,
    /// What routes it. `None` when something about it is unusual, so that only reading it
    /// whole tells what it is.
    pub route: Option<Route<'a>>,
}

/// The fields that decide whether anybody wants an event. Each is as CloudTrail writes it,
/// without escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Route<'a> {
    /// `eventSource`, in lower case.
    pub source: &'a str,
    /// `eventName`.
    pub name: &'a str,
    /// `eventTime`, as `2026-01-02T03:04:05Z`: as text it sorts as time does.
    pub time: &'a str,
}

/// The text is not one log file of `Records`, or is broken somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotALogFile;

/// Finds records and their routes.
#[derive(Debug)]
pub struct Scanner {
    /// How the names of the fields begin that are looked for.
    fields: Finder<'static>,
}

impl Default for Scanner {
    fn default() -> Self {
        Self { fields: Finder::new(FIELDS) }
    }
}

impl Scanner {
    /// Hands on each record of `{"Records": […]}`, in their order.
    ///
    /// # Errors
    /// When the text is anything else. What was handed on before must then be forgotten.
    pub fn log_file<'a>(&self, text: &'a str, mut visit: impl FnMut(Record<'a>)) -> Result<(), NotALogFile> {
        let mut end = opening(text.as_bytes()).ok_or(NotALogFile)?;
        let mut brackets = Brackets::new(text.as_bytes(), end);
        let mut separator = b"".as_slice();
        loop {
            let at = brackets.next().ok_or(NotALogFile)?;
            let between = text.as_bytes().get(end..at).ok_or(NotALogFile)?.trim_ascii();
            match brackets.byte(at) {
                b'{' if between == separator => {
                    let record = self.record(text, &mut brackets, at).ok_or(NotALogFile)?;
                    visit(record);
                    (end, separator) = (at + record.text.len(), b",");
                }
                b']' if between.is_empty() => {
                    let rest = text.as_bytes().get(at + 1..).unwrap_or_default();
                    return if rest.trim_ascii() == b"}" { Ok(()) } else { Err(NotALogFile) };
                }
                _ => return Err(NotALogFile),
            }
        }
    }

    /// What routes a text that is one record.
    #[must_use]
    pub fn route<'a>(&self, text: &'a str) -> Option<Route<'a>> {
        let mut brackets = Brackets::new(text.as_bytes(), 0);
        let begins = text.starts_with('{') && brackets.next() == Some(0);
        let record = begins.then(|| self.record(text, &mut brackets, 0)).flatten()?;
        record.route.filter(|_| record.text.len() == text.len())
    }

    /// The record that begins at `start`, if its brackets match.
    fn record<'a>(&self, text: &'a str, brackets: &mut Brackets<'_>, start: usize) -> Option<Record<'a>> {
        let mut fields = Fields::default();
        let mut from = start + 1;
        loop {
            let at = brackets.next()?;
            fields.read(text.get(from..at)?, &self.fields);
            fields.unusual |= brackets.backslash_since(from) && text.get(from..at)?.contains('\\');
            match brackets.byte(at) {
                b'{' | b'[' => from = brackets.closing(at)? + 1,
                b'}' => return Some(Record { text: text.get(start..=at)?, route: fields.route() }),
                _ => return None,
            }
        }
    }
}

/// The fields of a [`Route`], as far as they are found.
#[derive(Default)]
struct Fields<'a> {
    source: Option<&'a str>,
    name: Option<&'a str>,
    time: Option<&'a str>,
    unusual: bool,
}

impl<'a> Fields<'a> {
    /// Reads a stretch of a record in which nothing is nested.
    ///
    /// INVARIANT: the stretch begins and ends outside of strings, and without backslashes no
    /// quote in it is escaped. So a name right between two quotes, with a colon behind it, is
    /// a key of the record.
    fn read(&mut self, flat: &'a str, fields: &Finder<'_>) {
        for at in fields.find_iter(flat.as_bytes()) {
            let Some(rest) = flat.get(at + FIELDS.len()..) else { return };
            let (field, rest) = if let Some(rest) = rest.strip_prefix("Name\"") {
                (&mut self.name, rest)
            } else if let Some(rest) = rest.strip_prefix("Source\"") {
                (&mut self.source, rest)
            } else if let Some(rest) = rest.strip_prefix("Time\"") {
                (&mut self.time, rest)
            } else {
                continue;
            };
            self.unusual |= field.is_some();
            *field = value(rest);
        }
    }

    fn route(self) -> Option<Route<'a>> {
        let route = Route { source: self.source?, name: self.name?, time: self.time? };
        (!self.unusual && route.is_usual()).then_some(route)
    }
}

/// The string that follows a key; `rest` begins behind the key's closing quote.
fn value(rest: &str) -> Option<&str> {
    let text = rest.trim_ascii_start().strip_prefix(':')?.trim_ascii_start().strip_prefix('"')?;
    text.get(..memchr(b'"', text.as_bytes())?)
}

impl Route<'_> {
    fn is_usual(&self) -> bool {
        let Self { source, name, time } = self;
        let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
        !source.is_empty() && source.bytes().all(lower) && !name.is_empty() && is_time(time.as_bytes())
    }
}

/// Whether it is a moment that certainly exists, to the second and in UTC.
fn is_time(text: &[u8]) -> bool {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2, b'Z'] = text else {
        return false;
    };
    let number = |a: u8, b: u8| (a.is_ascii_digit() && b.is_ascii_digit()).then(|| (a - b'0') * 10 + (b - b'0'));
    let within = |value: Option<u8>, least: u8, most: u8| value.is_some_and(|value| (least..=most).contains(&value));
    [y1, y2, y3, y4].iter().all(u8::is_ascii_digit)
        && within(number(m1, m2), 1, 12)
        && within(number(d1, d2), 1, 28)
        && within(number(h1, h2), 0, 23)
        && within(number(i1, i2), 0, 59)
        && within(number(s1, s2), 0, 59)
}

/// Where the first record of `{"Records": [` may begin.
fn opening(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    for part in [b"{".as_slice(), b"\"Records\"", b":", b"["] {
        at += text.get(at..)?.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        at += text.get(at..)?.starts_with(part).then_some(part.len())?;
    }
    Some(at)
}

/// The brackets of a text that are not in strings.
struct Brackets<'a> {
    text: &'a [u8],
    /// Where the block of the mask begins.
    base: usize,
    /// Those of the block that were not returned yet.
    ahead: u64,
    /// All ones when a string reaches into the next block.
    in_string: u64,
    /// One when the next block's first byte is escaped.
    escaped: u64,
    /// Where the last block with a backslash in it ends.
    backslash: usize,
}

impl<'a> Brackets<'a> {
    /// Begins at a place outside of any string.
    fn new(text: &'a [u8], start: usize) -> Self {
        let mut brackets = Self { text, base: start, ahead: 0, in_string: 0, escaped: 0, backslash: 0 };
        brackets.read();
        brackets
    }

    #[inline]
    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or_default()
    }

    /// Whether there may be a backslash between this place and the last bracket.
    #[inline]
    const fn backslash_since(&self, start: usize) -> bool {
        self.backslash > start
    }

    /// The next bracket.
    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.ahead == 0 {
            self.base += BLOCK;
            if self.base >= self.text.len() {
                return None;
            }
            self.read();
        }
        let place = self.ahead.trailing_zeros();
        self.ahead &= self.ahead - 1;
        Some(self.base + place as usize)
    }

    /// The bracket that closes the one at `open`, which was the last to be returned.
    #[inline]
    fn closing(&mut self, open: usize) -> Option<usize> {
        let mut stack = u64::from(self.byte(open) == b'{');
        let mut depth = 1;
        loop {
            let at = self.next()?;
            let byte = self.byte(at);
            if matches!(byte, b'{' | b'[') {
                depth += 1;
                stack = stack << 1 | u64::from(byte == b'{');
                if depth > MAX_DEPTH {
                    return None;
                }
            } else {
                if stack & 1 != u64::from(byte == b'}') {
                    return None;
                }
                stack >>= 1;
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
    }

    /// Makes the masks of the block at `base`.
    #[inline]
    fn read(&mut self) {
        let mut last = [b' '; BLOCK];
        let rest = self.text.get(self.base..).unwrap_or_default();
        let block = rest.first_chunk().unwrap_or_else(|| {
            for (to, from) in last.iter_mut().zip(rest) {
                *to = *from;
            }
            &last
        });
        let Masks { quotes, backslashes, brackets } = Masks::of(block);
        if backslashes != 0 {
            self.backslash = self.base + BLOCK;
        }
        let inside = between_pairs(quotes & !self.escapes(backslashes)) ^ self.in_string;
        self.ahead = brackets & !inside;
        self.in_string = 0_u64.wrapping_sub(inside >> 63);
    }

    /// The bytes that a backslash escapes: those behind an odd one in a row of backslashes.
    #[inline]
    fn escapes(&mut self, backslashes: u64) -> u64 {
        const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;
        if backslashes == 0 {
            return std::mem::take(&mut self.escaped);
        }
        let starts = backslashes & !self.escaped;
        let behind = starts << 1;
        let series = (behind | ODD).wrapping_sub(starts) ^ ODD;
        let escaped = series ^ (backslashes | self.escaped);
        self.escaped = (series & backslashes) >> 63;
        escaped
    }
}

/// Bit masks of 64 bytes.
struct Masks {
    quotes: u64,
    backslashes: u64,
    brackets: u64,
}

impl Masks {
    #[inline]
    fn of(block: &[u8; BLOCK]) -> Self {
        let mut masks = Self { quotes: 0, backslashes: 0, brackets: 0 };
        for (part, bytes) in block.as_chunks::<16>().0.iter().enumerate() {
            let bytes = u8x16::new(*bytes);
            let shift = part * 16;
            // `[` and `{`, like `]` and `}`, differ by one bit.
            let folded = bytes | u8x16::splat(0x20);
            let bracket = folded.simd_eq(u8x16::splat(b'{')) | folded.simd_eq(u8x16::splat(b'}'));
            masks.quotes |= u64::from(bytes.simd_eq(u8x16::splat(b'"')).to_bitmask()) << shift;
            masks.backslashes |= u64::from(bytes.simd_eq(u8x16::splat(b'\\')).to_bitmask()) << shift;
            masks.brackets |= u64::from(bracket.to_bitmask()) << shift;
        }
        masks
    }
}

/// Ones from each odd bit that is set to the next one: from an opening quote to its closing one.
#[inline]
const fn between_pairs(mut bits: u64) -> u64 {
    let mut width = 1;
    while width < 64 {
        bits ^= bits << width;
        width *= 2;
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;
    use serde_json::{Map, Value, json};

    use super::*;

    fn records(text: &str) -> Option<Vec<Record<'_>>> {
        let mut found = Vec::new();
        Scanner::default().log_file(text, |record| found.push(record)).ok().map(|()| found)
    }

    fn route(record: &Value) -> Option<(String, String)> {
        Scanner::default().route(&record.to_string()).map(|route| (route.source.to_owned(), route.name.to_owned()))
    }

    fn record() -> Value {
        json!({"userIdentity": {"arn": "a", "list": [1, {"b": "}"}]}, "eventTime": "2026-01-02T03:04:05Z",
            "eventSource": "s3.amazonaws.com", "eventName": "PutObject", "requestParameters": null})
    }

    fn with(field: &str, value: Value) -> Value {
        let mut record = record();
        record[field] = value;
        record
    }

    #[test]
    fn a_record_is_routed_by_the_fields_of_its_own_level() {
        let expected = Some(("s3.amazonaws.com".to_owned(), "PutObject".to_owned()));
        assert_eq!(route(&record()), expected);
        assert_eq!(
            route(&with("requestParameters", json!({"eventName": "StopLogging", "eventSource": "x"}))),
            expected
        );
        assert_eq!(
            Scanner::default().route(&serde_json::to_string_pretty(&record()).unwrap()).unwrap().name,
            "PutObject"
        );
    }

    #[test]
    fn what_is_unusual_is_left_to_be_read_whole() {
        for odd in [
            with("userAgent", json!("eventName")),
            with("eventName", json!(7)),
            with("eventName", json!("")),
            with("eventName", json!("Put\\Object")),
            with("eventSource", json!("S3.amazonaws.com")),
            with("eventSource", json!("aws:s3")),
            with("eventTime", json!("2026-01-02 03:04:05")),
            with("eventTime", json!("2026-13-02T03:04:05Z")),
            with("userAgent", json!("\",\"eventName\":\"StopLogging")),
            json!({"eventName": "x"}),
        ] {
            assert_eq!(route(&odd), None, "{odd}");
        }
        let text = record().to_string();
        for odd in [
            text.replacen('{', r#"{"eventName":"StopLogging","#, 1),
            text.replacen('{', r#"{"event\u004eame":"StopLogging","#, 1),
            format!("{text} "),
            format!("{text}{text}"),
            text[..text.len() - 1].to_owned(),
            text.replacen("}]}", "]}}", 1),
            String::new(),
        ] {
            assert_eq!(Scanner::default().route(&odd), None, "{odd}");
        }
    }

    #[test]
    fn only_a_whole_log_file_is_read() {
        let text = record().to_string();
        for (file, count) in [
            ("{\"Records\":[]}".to_owned(), 0),
            (format!("{{\"Records\":[{text}]}}"), 1),
            (format!(" {{ \"Records\" :\n[ {text} ,\n{text}] }}\n"), 2),
        ] {
            assert_eq!(records(&file).map(|found| found.len()), Some(count), "{file}");
        }
        for other in [
            String::new(),
            text.clone(),
            format!("[{text}]"),
            format!("{{\"Records\":[{text}"),
            format!("{{\"Records\":[{text}]"),
            format!("{{\"Records\":[{text},]}}"),
            format!("{{\"Records\":[{text}{text}]}}"),
            format!("{{\"Records\":[,{text}]}}"),
            format!("{{\"Records\":[7,{text}]}}"),
            format!("{{\"Records\":[[{text}]]}}"),
            format!("{{\"Records\":[{text}],\"more\":1}}"),
            format!("{{\"Records\":[{text}]}}{{\"Records\":[{text}]}}"),
        ] {
            assert_eq!(records(&other), None, "{other}");
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let text = proptest::collection::vec(
            prop_oneof![
                Just("\\"),
                Just("\""),
                Just("{"),
                Just("]"),
                Just("}"),
                Just("eventName"),
                Just("ä"),
                Just(":"),
                Just("word word word")
            ],
            0..12,
        );
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            text.prop_map(|parts| Value::from(parts.concat()))
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-z\"{\\\\]{0,9}", inner, 0..4)
                    .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_finds_the_records_that_a_parser_finds(values in proptest::collection::vec((any_value(), any_value(), any_value()), 0..6)) {
            let made: Vec<Value> = values.into_iter().map(|(before, after, odd)| {
                json!({"a": before, "eventTime": "2026-01-02T03:04:05Z", "eventSource": "s3.amazonaws.com", "eventName": "PutObject", "z": after, "odd": odd})
            }).collect();
            let text = json!({"Records": made}).to_string();
            let found = records(&text).unwrap();
            let parsed: std::collections::BTreeMap<String, Vec<&RawValue>> = serde_json::from_str(&text).unwrap();
            let expected: Vec<&str> = parsed["Records"].iter().map(|record| record.get()).collect();
            prop_assert_eq!(found.iter().map(|record| record.text).collect::<Vec<_>>(), expected);
            for record in found {
                if let Some(route) = record.route {
                    prop_assert_eq!(route, Route { source: "s3.amazonaws.com", name: "PutObject", time: "2026-01-02T03:04:05Z" });
                }
            }
        }
    }
}
