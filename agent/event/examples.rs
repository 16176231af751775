//! Messages for tests: our own, and the records that others published.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The text of one of our own messages.
pub fn text(name: &str) -> String {
    fs::read_to_string(folder().join(name).with_extension("json")).unwrap()
}

/// One of our own messages.
pub fn read(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap()
}

/// All of our own messages with their names.
pub fn all() -> Vec<(String, Value)> {
    let files = fs::read_dir(folder()).unwrap();
    let stems = files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    let mut all: Vec<(String, Value)> = stems.map(|name| (name.clone(), read(&name))).collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

/// Those of our own messages that are bare records.
pub fn records() -> Vec<(String, Value)> {
    let bare = |value: &Value| value.get("eventID").is_some();
    all().into_iter().filter(|(_, value)| bare(value)).collect()
}

/// Where the records are that others published.
pub fn published_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/published")
}

/// Every published record with its file and line.
pub fn published() -> Vec<(String, Value)> {
    ["invictus-aws_dataset", "panther-analysis"].into_iter().flat_map(lines).collect()
}

fn lines(folder: &str) -> Vec<(String, Value)> {
    let packed = fs::File::open(published_folder().join(folder).join("events.jsonl.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let named = |(index, line): (usize, &str)| (format!("{folder}:{}", index + 1), serde_json::from_str(line).unwrap());
    text.lines().enumerate().map(named).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cloudtrail")
}
