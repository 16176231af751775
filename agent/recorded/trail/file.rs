//! Trail files: finds them in folders and reads them record by record, in bounded memory.
//!
//! A file is untrusted: it may be cut short, be packed to unpack to terabytes, or hold one
//! endless record. Each record is handed on as text; what is in it is `body`'s business.

use std::cell::Cell;
use std::fmt;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::gunzip;

/// The most that one record may take; CloudTrail's own limit is 256 KiB, a message's 1 MiB.
const MAX_RECORD_BYTES: u64 = 16 << 20;
/// The most that one file may unpack to; CloudTrail's files stay under 50 MB.
const MAX_FILE_BYTES: u64 = 4 << 30;
const BUFFER_BYTES: usize = 128 << 10;

/// How the records of a file are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One on each line.
    Lines,
    /// JSON values one after the other: log files (`{"Records": […]}`), arrays, records.
    Document,
}

impl Layout {
    /// What a file's name promises: `*.json`, `*.jsonl` or `*.ndjson`, packed (`.gz`) or not.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let (_, extension) = name.strip_suffix(".gz").unwrap_or(&name).rsplit_once('.')?;
        match extension {
            "json" => Some(Self::Document),
            "jsonl" | "ndjson" => Some(Self::Lines),
            _ => None,
        }
    }
}

/// One record of a file, or a line of it.
#[derive(Debug)]
pub struct Piece<'a> {
    /// Its line in a file of lines; otherwise how many-th record of the file it is. From 1.
    pub number: u64,
    /// Its text, or why there is none.
    pub text: Result<&'a str, FileError>,
}

/// Why a part of a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be opened or ends in disorder; the rest of it is not read.
    #[error("cannot be read further: {0}")]
    Io(#[from] io::Error),
    /// It is not JSON from some place on; the rest of the file is not read.
    #[error("not JSON from here on: {0}")]
    NotJson(serde_json::Error),
    /// The line is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// The line is longer than any record; the rest of it is passed over.
    #[error("a line of more than 16 MiB")]
    TooLong,
}

/// What is done with each piece.
pub type Sink<'a> = dyn FnMut(Piece<'_>) + 'a;

/// Visits the trail files under a path in the order of their names: `*.json` and `*.jsonl`,
/// gzipped or not. A path that is itself a file is visited whatever its name. Other files
/// under a folder come as `None`.
///
/// # Errors
/// When a folder cannot be listed or the path does not exist.
pub fn walk(path: &Path, visit: &mut dyn FnMut(Option<&Path>) -> ControlFlow<()>) -> io::Result<ControlFlow<()>> {
    if fs::metadata(path)?.is_dir() { walk_folder(path, visit) } else { Ok(visit(Some(path))) }
}

fn walk_folder(path: &Path, visit: &mut dyn FnMut(Option<&Path>) -> ControlFlow<()>) -> io::Result<ControlFlow<()>> {
    let mut entries = fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let below = entry.path();
        // A link to a folder is not followed: it may lead back up.
        let flow = if entry.file_type()?.is_dir() {
            walk_folder(&below, visit)?
        } else {
            visit(Some(below.as_path()).filter(|file| is_trail_file(file)))
        };
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn is_trail_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| Layout::of(&name.to_string_lossy()).is_some())
}

/// Reads a file's content and hands on each of its records. Trouble is handed on too, as a
/// piece. Whether it is packed is seen from the content: some tools unpack and keep the name.
pub fn read(layout: Layout, content: &mut dyn Read, sink: &mut Sink<'_>) {
    let mut pieces = Pieces { number: 0, sink, record_bytes: Rc::default() };
    if let Err(error) = pieces.read(layout, content) {
        pieces.hand_on(Err(error));
    }
}

/// The reading of one file.
struct Pieces<'a, 'b> {
    number: u64,
    sink: &'a mut Sink<'b>,
    /// Bytes read since the last record ended.
    record_bytes: Rc<Cell<u64>>,
}

impl Pieces<'_, '_> {
    fn read(&mut self, layout: Layout, content: &mut dyn Read) -> Result<(), FileError> {
        let mut content = BufReader::with_capacity(BUFFER_BYTES, content);
        let packed = content.fill_buf()?.starts_with(gunzip::MAGIC);
        let inner: Box<dyn Read + '_> = if packed { Box::new(MultiGzDecoder::new(content)) } else { Box::new(content) };
        let metered = Metered { inner, file_left: MAX_FILE_BYTES, record_bytes: Rc::clone(&self.record_bytes) };
        let reader = BufReader::with_capacity(BUFFER_BYTES, metered);
        match layout {
            Layout::Lines => self.lines(reader),
            Layout::Document => self.document(reader),
        }
    }

    fn lines(&mut self, mut reader: impl BufRead) -> Result<(), FileError> {
        let mut line = Vec::new();
        loop {
            self.record_bytes.set(0);
            line.clear();
            if reader.by_ref().take(MAX_RECORD_BYTES).read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            self.number += 1;
            if line.len() as u64 == MAX_RECORD_BYTES && !line.ends_with(b"\n") {
                self.pass_over_line(&mut reader)?;
                self.emit(Err(FileError::TooLong));
            } else if !line.trim_ascii().is_empty() {
                self.emit(std::str::from_utf8(&line).map(str::trim).map_err(|_| FileError::NotUtf8));
            }
        }
    }

    fn pass_over_line(&self, reader: &mut impl BufRead) -> io::Result<()> {
        loop {
            self.record_bytes.set(0);
            let (used, ended) = {
                let seen = reader.fill_buf()?;
                let newline = seen.iter().position(|byte| *byte == b'\n');
                (newline.map_or(seen.len(), |at| at + 1), newline.is_some() || seen.is_empty())
            };
            reader.consume(used);
            if ended {
                return Ok(());
            }
        }
    }

    fn document(&mut self, reader: impl BufRead) -> Result<(), FileError> {
        let mut values = serde_json::Deserializer::from_reader(reader);
        while values.end().is_err() {
            match TopLevel(self).deserialize(&mut values) {
                Err(error) if error.is_io() => return Err(FileError::Io(error.into())),
                Err(error) => return Err(FileError::NotJson(error)),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Hands on the next piece of a document, or the trouble after the last one.
    fn hand_on(&mut self, text: Result<&str, FileError>) {
        self.number += 1;
        self.record_bytes.set(0);
        self.emit(text);
    }

    fn emit(&mut self, text: Result<&str, FileError>) {
        (self.sink)(Piece { number: self.number, text });
    }
}

/// Limits what may be read of a file, and between the ends of two records.
struct Metered<'a> {
    inner: Box<dyn Read + 'a>,
    file_left: u64,
    record_bytes: Rc<Cell<u64>>,
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let too_large = || io::Error::other("the file unpacks to more than 4 GiB");
        self.file_left = self.file_left.checked_sub(count as u64).ok_or_else(too_large)?;
        self.record_bytes.set(self.record_bytes.get() + count as u64);
        if self.record_bytes.get() > MAX_RECORD_BYTES + BUFFER_BYTES as u64 {
            return Err(io::Error::other("a record of more than 16 MiB"));
        }
        Ok(count)
    }
}

/// One value of a document: `{"Records": […]}` and arrays are taken apart as they are read,
/// any other object is one piece.
struct TopLevel<'p, 'a, 'b>(&'p mut Pieces<'a, 'b>);

impl<'de> DeserializeSeed<'de> for TopLevel<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TopLevel<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut members: Vec<(String, Box<RawValue>)> = Vec::new();
        let mut had_records = false;
        while let Some(name) = map.next_key::<String>()? {
            if name == "Records" {
                map.next_value_seed(TopLevel(&mut *self.0))?;
                had_records = true;
            } else {
                members.push((name, map.next_value()?));
            }
        }
        if !had_records {
            self.0.hand_on(Ok(&joined(&members)));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<Box<RawValue>>()? {
            self.0.hand_on(Ok(item.get()));
        }
        Ok(())
    }
}

/// The text of an object again, whose members were read one by one.
fn joined(members: &[(String, Box<RawValue>)]) -> String {
    let member =
        |(name, value): &(String, Box<RawValue>)| format!("{}:{}", serde_json::Value::from(name.as_str()), value);
    format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// The pieces of a file of this name and content: number and text, or the complaint.
    fn pieces(name: &str, content: &[u8]) -> Vec<(u64, String)> {
        let mut found = Vec::new();
        read(Layout::of(name).unwrap(), &mut &*content, &mut |piece| {
            found.push((piece.number, piece.text.map_or_else(|error| format!("error: {error}"), str::to_owned)));
        });
        found
    }

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn texts(pieces: &[(u64, String)]) -> Vec<&str> {
        pieces.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn a_log_file_is_read_record_by_record() {
        let found = pieces("a.json", br#"{"Records": [{"a": 1}, {"b": 2}]}"#);
        assert_eq!(found, [(1, r#"{"a": 1}"#.to_owned()), (2, r#"{"b": 2}"#.to_owned())]);
    }

    #[test]
    fn arrays_records_and_several_of_them_are_read() {
        assert_eq!(texts(&pieces("a.json", b"[{\"a\":1},7]")), ["{\"a\":1}", "7"]);
        assert_eq!(texts(&pieces("a.json", b"{\"a\":\n[1]}\n{\"b\":2} ")), ["{\"a\":[1]}", "{\"b\":2}"]);
        assert!(pieces("a.json", b" \n").is_empty());
    }

    #[test]
    fn a_line_is_one_piece_and_knows_its_number() {
        let found = pieces("a.jsonl", b"{\"a\":1}\r\n\nnot json\n\xff\n{\"b\":2}");
        assert_eq!(found.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 3, 4, 5]);
        assert_eq!(texts(&found), ["{\"a\":1}", "not json", "error: not UTF-8", "{\"b\":2}"]);
    }

    #[test]
    fn packed_files_of_several_members_are_read_to_their_end() {
        let mut two = packed(b"{\"a\":1}\n");
        two.extend(packed(b"{\"b\":2}\n"));
        for name in ["a.jsonl.gz", "a.json.gz"] {
            assert_eq!(texts(&pieces(name, &two)), ["{\"a\":1}", "{\"b\":2}"], "{name}");
        }
    }

    #[test]
    fn a_file_that_ends_too_soon_gives_what_it_has_and_a_complaint() {
        let cut = packed(&b"{\"a\":1}\n".repeat(1000));
        let found = pieces("a.jsonl.gz", &cut[..cut.len() - 9]);
        assert!(found.last().unwrap().1.starts_with("error: cannot be read further"));
        let found = pieces("a.json", br#"{"Records":[{"a":1},{"b""#);
        assert_eq!(found[0].1, r#"{"a":1}"#);
        assert!(found[1].1.starts_with("error: not JSON from here on"), "{}", found[1].1);
    }

    #[test]
    fn a_record_nested_too_deep_does_not_spoil_its_file() {
        let deep = "[".repeat(5000) + &"]".repeat(5000);
        let found = pieces("a.json", format!(r#"{{"Records":[{{"a":{deep}}},{{"b":2}}]}}"#).as_bytes());
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].1, r#"{"b":2}"#);
    }

    #[test]
    fn an_endless_record_is_a_complaint_and_no_memory() {
        let bomb = packed(&vec![b'['; 40 << 20]);
        let found = pieces("a.json.gz", &bomb);
        assert_eq!(found.len(), 1);
        let bomb = packed(&[vec![b'x'; 40 << 20], b"\n{\"a\":1}".to_vec()].concat());
        assert_eq!(texts(&pieces("a.jsonl.gz", &bomb)), ["error: a line of more than 16 MiB", "{\"a\":1}"]);
        let bomb = packed(&[b"{\"Records\":[{\"a\":\"".to_vec(), vec![b'x'; 40 << 20], b"\"}]}".to_vec()].concat());
        let found = pieces("a.json.gz", &bomb);
        assert_eq!(texts(&found), ["error: cannot be read further: a record of more than 16 MiB"]);
    }

    #[test]
    fn folders_are_searched_for_trail_files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        for name in ["c.json", "a.jsonl.gz", "b/x.JSON.GZ", "README.md", "b/plain"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let mut found = Vec::new();
        let flow = walk(folder.path(), &mut |file| {
            found.push(file.map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string()));
            ControlFlow::Continue(())
        });
        assert!(flow.unwrap().is_continue());
        let names: Vec<_> = found.iter().flatten().map(String::as_str).collect();
        assert_eq!(names, ["a.jsonl.gz", "b/x.JSON.GZ", "c.json"]);
        assert_eq!(found.iter().filter(|file| file.is_none()).count(), 2);
        assert!(walk(&folder.path().join("nowhere"), &mut |_| ControlFlow::Continue(())).is_err());
    }
}
