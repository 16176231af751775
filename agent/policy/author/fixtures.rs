//! A rule's own examples: every document in its `fires.json` must lead to findings, one of them as
//! expected, and none in its `silent.json` may lead to any.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;

use super::Lint;
use super::documents::{self, Example};
use crate::policy::Policies;
use crate::policy::catalogue::Entry;

/// The file of what a rule must find.
pub const FIRES: &str = "fires.json";
/// The file of what a rule must pass over.
pub const SILENT: &str = "silent.json";

/// Tries the examples of every rule in the agent's engine, and tells which ones are wrong.
#[must_use]
pub fn check(folder: &Path, policies: &Policies) -> Vec<Lint> {
    policies.rules().iter().flat_map(|entry| wrong(folder, policies, entry)).collect()
}

/// The examples in a file of a rule.
///
/// # Errors
/// When they cannot be read.
pub fn read(folder: &Path, place: &str, name: &str) -> Result<Vec<Example>, Box<Lint>> {
    let path = folder.join(place).join(name);
    let text = fs::read_to_string(&path)
        .map_err(|error| Box::new(lint(place, name, 1, format!("it cannot be read: {error}"))))?;
    documents::examples(&text).map_err(|(line, problem)| Box::new(lint(place, name, line, problem)))
}

/// A lint in an example.
pub(super) fn lint(place: &str, name: &str, line: u64, what: String) -> Lint {
    Lint {
        file: format!("{place}/{name}"),
        line,
        column: 1,
        lint: "examples".to_owned(),
        what,
        why: "a rule that was never tried on an event may never fire on it".to_owned(),
        next: "make it a JSON array of CloudTrail records or resources, `[]` for none".to_owned(),
    }
}

fn wrong(folder: &Path, policies: &Policies, entry: &Entry) -> Vec<Lint> {
    let place = entry.entrypoint.trim_end_matches("/findings");
    let mut wrong = Vec::new();
    for name in [FIRES, SILENT] {
        let examples = match read(folder, place, name) {
            Ok(examples) => examples,
            Err(lint) => {
                wrong.push(*lint);
                continue;
            }
        };
        if examples.is_empty() && name == FIRES {
            wrong.push(lint(place, name, 1, "no document: nothing shows that the rule can fire".to_owned()));
        }
        for (example, number) in examples.iter().zip(1..) {
            if let Some((what, next)) = problem(policies, entry, example, name == FIRES) {
                let what = format!("document {number} {what}");
                wrong.push(Lint { next, ..lint(place, name, example.line, what) });
            }
        }
    }
    wrong
}

/// What is wrong with what a rule makes of an example, and what to do.
fn problem(policies: &Policies, entry: &Entry, example: &Example, fires: bool) -> Option<(String, String)> {
    let Example { document, expect, .. } = example;
    let ask = format!("`keepwatch policy explain --rule {}` says where it stopped", entry.rule.id);
    let found = match policies.evaluate_strictly(entry, document, moment(document)) {
        Ok(found) => found,
        Err(failure) => return Some((format!("cannot be evaluated: {failure}"), "correct the rule".to_owned())),
    };
    let said = |what: &str| Some((what.to_owned(), ask.clone()));
    match (fires, found.is_empty()) {
        (true, true) => said("leads to no finding"),
        (false, false) => said("leads to a finding"),
        (false, true) if expect.is_said() => said("expects a finding, and stands in `silent.json`"),
        (true, false) if !found.iter().any(|finding| expect.is_met_by(finding)) => {
            let found = serde_json::to_string(&found).unwrap_or_default();
            Some(("leads to no finding as it expects".to_owned(), format!("compare: {found}")))
        }
        (true, false) | (false, true) => None,
    }
}

/// The moment of a document.
pub(super) fn moment(document: &Value) -> Timestamp {
    let now = document.get("now").and_then(Value::as_str).and_then(|now| now.parse().ok());
    now.unwrap_or(Timestamp::UNIX_EPOCH)
}
