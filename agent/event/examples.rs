//! Messages for tests: our own, which every clone has, and the records that others published,
//! which lie outside the project.

use std::fs;
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

/// Where the published records lie: `KEEPWATCH_SHARED`, else beside the project. `None`, said
/// aloud, where nobody has put them.
pub fn shared() -> Option<PathBuf> {
    let candidate = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let data = std::env::var_os("KEEPWATCH_SHARED").map_or_else(candidate, PathBuf::from).join("data/cloudtrail");
    if !data.is_dir() {
        eprintln!("skipped: no published records at `{}`", data.display());
        return None;
    }
    Some(data)
}

/// Every published record with its file and line.
pub fn published() -> Vec<(String, Value)> {
    let Some(data) = shared() else {
        return Vec::new();
    };
    ["invictus-aws_dataset", "panther-analysis"].iter().flat_map(|folder| lines(&data, folder)).collect()
}

fn lines(data: &Path, folder: &str) -> Vec<(String, Value)> {
    let text = fs::read_to_string(data.join(folder).join("events.jsonl")).unwrap();
    let named = |(index, line): (usize, &str)| (format!("{folder}:{}", index + 1), serde_json::from_str(line).unwrap());
    text.lines().enumerate().map(named).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cloudtrail")
}
