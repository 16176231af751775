//! Whether what rules share as data can be read, and what the agent reads of it means something.

use std::path::Path;

use serde_json::{Map, Value};

use super::Lint;
use crate::policy::bundle::build::names;
use crate::policy::bundle::files;
use crate::policy::data::{DataError, Declarations, placed};

/// A file of data.
pub(super) struct Document {
    /// The file, from the folder of policies.
    file: String,
    /// The names that lead to it in `data`.
    place: Vec<String>,
    /// Its text, or why there is none.
    text: Result<String, String>,
}

impl Document {
    fn value(&self) -> Option<Value> {
        self.text.as_ref().ok().and_then(|text| serde_json::from_str(text).ok())
    }
}

/// Every file of data in a folder: those below `data/`, and those beside rules.
pub(super) fn documents(folder: &Path) -> Vec<Document> {
    let mut found = Vec::new();
    collect(folder, "data", &[], &mut found);
    for part in ["events", "resources", "lib"] {
        collect(folder, part, &[part.to_owned()], &mut found);
    }
    found
}

fn collect(folder: &Path, below: &str, place: &[String], into: &mut Vec<Document>) {
    for name in names(&folder.join(below)) {
        let file = format!("{below}/{name}");
        if folder.join(&file).is_dir() {
            collect(folder, &file, &[place, &[name]].concat(), into);
        } else if name == "data.json" {
            let text = std::fs::read_to_string(folder.join(&file)).map_err(|error| error.to_string());
            into.push(Document { file, place: place.to_owned(), text });
        }
    }
}

/// What `data` is when all of them are in it; nothing when one cannot be read.
pub(super) fn merged(documents: &[Document]) -> Option<Value> {
    let mut whole = Value::Object(Map::new());
    for document in documents {
        merge(&mut whole, placed(&document.place, document.value()?));
    }
    Some(whole)
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

/// What is wrong with the files of a folder, and with their data.
pub(super) fn lints(folder: &Path, documents: &[Document]) -> Vec<Lint> {
    let misplaced = files::misplaced(folder).into_iter();
    let mut lints: Vec<Lint> =
        misplaced.map(|files::Misplaced { file, what, next }| lint(&file, 1, 1, what, next)).collect();
    let lifecycle = documents.iter().find(|document| document.place == ["lifecycle"]).and_then(Document::value);
    lints.extend(documents.iter().filter_map(|document| wrong(document, lifecycle.as_ref())));
    lints
}

fn lint(file: &str, line: usize, column: usize, what: String, next: String) -> Lint {
    Lint {
        file: file.to_owned(),
        line: line.max(1) as u64,
        column: column.max(1) as u64,
        lint: "data".to_owned(),
        what,
        why: "the agent refuses the bundle, and the rules of before stay active".to_owned(),
        next,
    }
}

fn wrong(document: &Document, lifecycle: Option<&Value>) -> Option<Lint> {
    let Document { file, place, text } = document;
    let text = match text {
        Ok(text) => text,
        Err(error) => {
            return Some(lint(file, 1, 1, format!("it cannot be read: {error}"), "make it a file of UTF-8".to_owned()));
        }
    };
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => {
            let what = format!("it is no JSON: {error}");
            return Some(lint(file, error.line(), error.column(), what, "correct it there".to_owned()));
        }
    };
    let mut data = placed(place, value);
    if let (Some(data), Some(lifecycle)) = (data.as_object_mut(), lifecycle) {
        data.entry("lifecycle").or_insert_with(|| lifecycle.clone());
    }
    let error = Declarations::read(&data).err()?;
    let (line, column) = if error.place == *place { error.position(text) } else { None }.unwrap_or((1, 1));
    let DataError { place, problem, next } = error;
    Some(lint(file, line, column, format!("`data.{}`: {problem}", place.join(".")), next))
}
