//! Whether what rules share as data can be read, and the strategies in it mean something.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::author::Lint;
use crate::rules::strategy::Strategies;

/// What is wrong with the files below `data/`.
pub(super) fn lints(folder: &Path) -> Vec<Lint> {
    let mut files = Vec::new();
    collect(&folder.join("data"), &mut files);
    files.sort();
    files.iter().filter_map(|file| lint(folder, file)).collect()
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().into_iter().flatten().filter_map(Result::ok) {
        if entry.path().is_dir() {
            collect(&entry.path(), into);
        } else if entry.path().extension().is_some_and(|extension| extension == "json") {
            into.push(entry.path());
        }
    }
}

fn lint(folder: &Path, path: &Path) -> Option<Lint> {
    let said = |line: usize, column: usize, what: String, next: &str| Lint {
        file: path.strip_prefix(folder).unwrap_or(path).display().to_string(),
        line: line.max(1) as u64,
        column: column.max(1) as u64,
        lint: "data".to_owned(),
        what,
        why: "the agent refuses the bundle, and the rules of before stay active".to_owned(),
        next: next.to_owned(),
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return Some(said(1, 1, format!("it cannot be read: {error}"), "make it a file of UTF-8")),
    };
    let value: Value = match serde_json::from_str(&text) {
        Ok(value) => value,
        Err(error) => {
            return Some(said(error.line(), error.column(), format!("it is no JSON: {error}"), "correct it there"));
        }
    };
    let refused = strategies(folder, path, value).into_iter().find_map(|(name, strategy)| {
        let refused = Strategies::from_data(&json!({"strategies": {name: strategy}})).err()?;
        let cause = std::error::Error::source(&refused).map(|cause| format!(": {cause}")).unwrap_or_default();
        Some(format!("{refused}{cause}"))
    });
    refused.map(|what| said(1, 1, what, "write it as the other strategies are written"))
}

/// The strategies in a file: OPA puts what it holds where its folder says.
fn strategies(folder: &Path, path: &Path, value: Value) -> Vec<(String, Value)> {
    let below = path.parent().and_then(|parent| parent.strip_prefix(folder.join("data")).ok());
    let parts: Vec<String> =
        below.into_iter().flat_map(Path::iter).map(|part| part.to_string_lossy().into_owned()).collect();
    let whole = parts.into_iter().rev().fold(value, |inner, part| json!({ part: inner }));
    let strategies = whole.get("strategies").and_then(Value::as_object);
    strategies.into_iter().flatten().map(|(name, strategy)| (name.clone(), strategy.clone())).collect()
}
