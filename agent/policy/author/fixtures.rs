//! A rule's own examples: every document in its `fires.json` must lead to a finding of the
//! rule, and none in its `silent.json` may.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value;

use crate::policy::catalogue::Entry;
use crate::policy::{Policies, PolicyError};

/// Tries the examples of every rule in the agent's engine, and tells which ones are wrong.
///
/// # Errors
/// When an example cannot be read.
pub fn check(folder: &Path, policies: &Policies) -> Result<Vec<String>, PolicyError> {
    let mut wrong = Vec::new();
    for entry in policies.rules() {
        let place = folder.join(entry.entrypoint.trim_end_matches("/findings"));
        let fires = documents(&place.join("fires.json"))?;
        if fires.is_empty() {
            wrong
                .push(format!("{}: `fires.json` has no document: nothing shows that the rule can fire", entry.rule.id));
        }
        for (number, document) in fires.iter().enumerate() {
            if !fires_on(policies, entry, document) {
                wrong.push(format!("{}: document {} of `fires.json` leads to no finding", entry.rule.id, number + 1));
            }
        }
        for (number, document) in documents(&place.join("silent.json"))?.iter().enumerate() {
            if fires_on(policies, entry, document) {
                wrong.push(format!("{}: document {} of `silent.json` leads to a finding", entry.rule.id, number + 1));
            }
        }
    }
    Ok(wrong)
}

fn fires_on(policies: &Policies, entry: &Entry, document: &Value) -> bool {
    let now = document.get("now").and_then(Value::as_str).and_then(|now| now.parse().ok());
    !policies.judge_by(entry, document, now.unwrap_or(Timestamp::UNIX_EPOCH)).is_empty()
}

fn documents(path: &PathBuf) -> Result<Vec<Value>, PolicyError> {
    let text = fs::read(path).map_err(|source| PolicyError::Io { deed: "read", path: path.clone(), source })?;
    serde_json::from_slice(&text)
        .map_err(|error| PolicyError::Example { path: path.clone(), detail: error.to_string() })
}
