//! What a rule says that it found: the keys of a finding, and the responses that it proposes.
//!
//! The engine looks at what a rule returns; this looks at what it writes, and so knows the line.
//! What a rule computes only the examples can show.

use serde_json::Value;

use super::ast::{self, Module, list};
use super::{Lint, nearest, style};
use crate::domain::finding::ResponseKind;

/// What a finding may hold.
const KEYS: [&str; 4] = ["evidence", "message", "propose", "resource"];

/// The lints in the findings that a file writes down.
pub(super) fn lints(module: &Module) -> Vec<Lint> {
    let mut lints = Vec::new();
    for rule in module.rules().filter(|rule| style::name(rule) == Some("findings")) {
        ast::walk(rule, &mut |node| {
            let finding = node["type"] == "object" && (has(node, "message") || has(node, "propose"));
            if finding {
                keys(module, node, &mut lints);
                responses(module, node, &mut lints);
            }
            !finding
        });
    }
    lints
}

fn entries(object: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    list(&object["value"]).iter().filter_map(|entry| match list(entry) {
        [key, value] => Some((key, value)),
        _ => None,
    })
}

fn has(object: &Value, key: &str) -> bool {
    entries(object).any(|(name, _)| name["value"] == key)
}

fn keys(module: &Module, finding: &Value, into: &mut Vec<Lint>) {
    let unknown = entries(finding).filter_map(|(key, _)| Some((key, key["value"].as_str()?)));
    for (node, key) in unknown.filter(|(_, key)| !KEYS.contains(key)) {
        let what = format!("a finding has no `{key}`");
        let why = "the agent refuses a finding with a key that it does not know: nothing would come of it";
        into.push(Lint::of(module, node, "finding", [what, why.to_owned(), meant(key, &KEYS)]));
    }
}

fn responses(module: &Module, finding: &Value, into: &mut Vec<Lint>) {
    let proposed = entries(finding).filter(|(key, _)| key["value"] == "propose");
    let proposed = proposed.filter(|(_, value)| value["type"] == "array" || value["type"] == "set");
    for response in proposed.flat_map(|(_, value)| list(&value["value"])).filter(|one| one["type"] == "string") {
        let Some(word) = response["value"].as_str() else { continue };
        let Err(refused) = serde_json::from_value::<ResponseKind>(response["value"].clone()) else { continue };
        // The error lists what there is, so that the list stands in one place.
        let refused = refused.to_string();
        let known: Vec<&str> = refused.split('`').skip(3).step_by(2).collect();
        let what = format!("`{word}` is no response");
        let why = "the agent refuses a finding that proposes it: nothing would come of it".to_owned();
        into.push(Lint::of(module, response, "finding", [what, why, meant(word, &known)]));
    }
}

fn meant(misspelt: &str, known: &[&str]) -> String {
    match nearest(misspelt, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there are {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    }
}
