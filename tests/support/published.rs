//! The CloudTrail records that others published, as `tests/fixtures/published` ships them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::Value;

/// The folders of records.
const FOLDERS: [&str; 2] = ["invictus-aws_dataset", "panther-analysis"];

/// Where all of them are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/published")
}

/// Every record with its folder and line.
pub fn records() -> Vec<(String, Value)> {
    FOLDERS.into_iter().flat_map(lines).collect()
}

fn lines(of: &str) -> Vec<(String, Value)> {
    let mut text = String::new();
    let packed = File::open(folder().join(of).join("events.jsonl.gz")).unwrap();
    GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    text.lines()
        .zip(1..)
        .map(|(record, line)| (format!("{of}:{line}"), serde_json::from_str(record).unwrap()))
        .collect()
}
