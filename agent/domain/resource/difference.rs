//! What is different, as lines of `- before` and `+ after`, for every kind alike.
//!
//! Policy documents are never shown whole, only which statements come and go.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::domain::hash::digest;

/// How many actions of a statement are named.
const ACTIONS: usize = 3;

/// One value for another.
#[must_use]
pub fn replaced(what: &str, old: &str, new: &str) -> Vec<String> {
    vec![format!("- {what}: {old}"), format!("+ {what}: {new}")]
}

/// What was there and is not any more, then what is new; what stays is left out.
#[must_use]
pub fn come_and_go(old: &BTreeSet<String>, new: &BTreeSet<String>) -> Vec<String> {
    let gone = old.difference(new).map(|line| format!("- {line}"));
    gone.chain(new.difference(old).map(|line| format!("+ {line}"))).collect()
}

/// A switch in words.
#[must_use]
pub const fn on(is: bool) -> &'static str {
    if is { "on" } else { "off" }
}

/// Tells apart what looks the same in short.
#[must_use]
pub fn mark(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    digest(&text).chars().take(6).collect()
}

/// The statements of a policy, each in a line that does not show the whole of it.
#[must_use]
pub fn statements(policy: Option<&Value>) -> BTreeSet<String> {
    let all = match policy.and_then(|policy| policy.get("Statement")) {
        Some(Value::Array(all)) => all.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    all.into_iter().map(statement).collect()
}

/// A statement by name, effect and actions. What else is in it shows in a short digest, so
/// that one whose condition or principal changed is not taken for the same.
fn statement(statement: &Value) -> String {
    let word = |name: &str| statement.get(name).and_then(Value::as_str);
    let (key, except) = if statement.get("NotAction").is_some() { ("NotAction", "all but ") } else { ("Action", "") };
    let actions = match statement.get(key) {
        Some(Value::Array(actions)) => actions.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(action)) => vec![action.as_str()],
        Some(_) | None => Vec::new(),
    };
    let named = actions.iter().take(ACTIONS).copied().collect::<Vec<_>>().join(", ");
    let more = match actions.len().saturating_sub(ACTIONS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let sid = word("Sid").map(|sid| format!(" `{sid}`")).unwrap_or_default();
    let effect = word("Effect").unwrap_or("no effect");
    format!("statement{sid}: {effect} {except}{named}{more} (#{})", mark(statement))
}
