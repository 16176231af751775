//! The request parameters that a rule may name: those of the calls that it declares, in
//! CloudTrail's spelling, from `schema/calls/<service>.json`.
//!
//! A call that is not in there has any parameters: a wrong complaint would teach authors to
//! ignore right ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::ast;
use super::ast::{Module, list};
use super::described::Described;
use super::{Lint, nearest};
use crate::policy::catalogue::{EventPattern, Name, Subscription};

/// What CloudTrail writes instead of parameters of more than 100 KB.
const OMITTED: [&str; 3] = ["omitted", "originalSize", "reason"];

/// What is known of the calls of services.
pub(super) struct Calls {
    /// The parameters of every call of the services that rules declare, by event source.
    calls: BTreeMap<String, Map<String, Value>>,
    /// Every event source that AWS has; empty when that is not known.
    sources: Vec<String>,
}

impl Calls {
    /// Reads the services that these rules declare.
    pub(super) fn read(folder: &Path, rules: &[Described]) -> Self {
        let patterns = rules.iter().flat_map(|rule| match &rule.entry.subscription {
            Subscription::Events(patterns) => patterns.as_slice(),
            Subscription::Resources(_) => &[],
        });
        let mut calls = BTreeMap::new();
        for EventPattern { source, .. } in patterns {
            if let Some(service) = source.strip_suffix(".amazonaws.com").filter(|_| !calls.contains_key(source)) {
                let text = fs::read(folder.join(format!("schema/calls/{service}.json"))).unwrap_or_default();
                calls.insert(source.clone(), serde_json::from_slice(&text).unwrap_or_default());
            }
        }
        let sources = fs::read_to_string(folder.join("schema/sources.txt")).unwrap_or_default();
        Self { calls, sources: sources.lines().map(str::to_owned).collect() }
    }

    /// The names of a source's calls; nothing when they are not known.
    pub(super) fn names(&self, source: &str) -> Option<impl Iterator<Item = &str>> {
        self.calls.get(source).filter(|calls| !calls.is_empty()).map(|calls| calls.keys().map(String::as_str))
    }

    /// The event sources that AWS has; empty when that is not known.
    pub(super) fn sources(&self) -> &[String] {
        &self.sources
    }

    /// The parameters that any of a rule's events has; nothing when they may have any.
    pub(super) fn of(&self, rule: &Described) -> Option<Value> {
        let Subscription::Events(patterns) = &rule.entry.subscription else { return None };
        let mut union = json!({});
        for pattern in patterns {
            let calls = self.calls.get(&pattern.source)?;
            let mut known = calls.iter().filter(|(name, _)| pattern.name.covers(&Name::Is((*name).clone()))).peekable();
            known.peek()?;
            known.for_each(|(_, parameters)| union = merged(&union, parameters));
        }
        let fields = union.as_object_mut()?;
        fields.extend(OMITTED.map(|name| (name.to_owned(), Value::Null)));
        Some(union)
    }
}

/// Both; what one of them leaves open stays open.
fn merged(one: &Value, other: &Value) -> Value {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let mut both = one.clone();
            for (name, value) in other {
                let value = both.get(name).map_or_else(|| value.clone(), |known| merged(known, value));
                both.insert(name.clone(), value);
            }
            Value::Object(both)
        }
        (Value::Array(one), Value::Array(other)) => {
            let item = one.first().zip(other.first()).map(|(one, other)| merged(one, other));
            Value::Array(item.into_iter().collect())
        }
        _ => Value::Null,
    }
}

/// The parameters as a JSON schema that OPA understands.
pub(super) fn schema(parameters: &Value) -> Value {
    match parameters {
        Value::Array(items) => json!({"type": "array", "items": items.first().map_or(Value::Bool(true), schema)}),
        Value::Object(fields) => match fields.get("*") {
            Some(value) => json!({"type": "object", "additionalProperties": schema(value)}),
            None => {
                let properties: Map<_, _> = fields.iter().map(|(name, it)| (name.clone(), schema(it))).collect();
                json!({"type": "object", "additionalProperties": false, "properties": properties})
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Value::Bool(true),
    }
}

/// References in a file to parameters that none of the rule's events has.
pub(super) fn lints(module: &Module, rule: &Described, parameters: &Value) -> Vec<Lint> {
    let imports = module.imports();
    let act = imports.iter().find(|(_, path)| *path == "lib.event").map(|(name, _)| name.as_str());
    let mut lints = Vec::new();
    for body in module.rules() {
        ast::walk(body, &mut |node| {
            let below = if node["type"] == "ref" { below_parameters(list(&node["value"]), act) } else { None };
            if let Some((misspelt, known)) = below.and_then(|parts| first_unknown(parts, parameters)) {
                lints.push(lint(module, rule, ast::line(node), misspelt, known));
            }
            true
        });
    }
    lints
}

/// What stands behind `input.event.requestParameters` or `event.parameters` in a reference.
fn below_parameters<'a>(parts: &'a [Value], act: Option<&str>) -> Option<&'a [Value]> {
    let names: Vec<&str> = parts.iter().take(3).map(|part| part["value"].as_str().unwrap_or_default()).collect();
    match names.as_slice() {
        ["input", "event", "requestParameters"] => parts.get(3..),
        [alias, "parameters", ..] if Some(*alias) == act => parts.get(2..),
        _ => None,
    }
}

/// The first name that is not among those known in its place, and those.
fn first_unknown<'a>(parts: &'a [Value], known: &'a Value) -> Option<(&'a str, &'a Map<String, Value>)> {
    let (part, rest) = parts.split_first()?;
    match known {
        Value::Array(items) => first_unknown(rest, items.first()?),
        Value::Object(fields) => match (fields.get("*"), part["value"].as_str().filter(|_| part["type"] == "string")) {
            (Some(value), _) => first_unknown(rest, value),
            (None, Some(name)) => match fields.get(name) {
                Some(value) => first_unknown(rest, value),
                None => Some((name, fields)),
            },
            (None, None) => None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn lint(module: &Module, rule: &Described, line: u64, misspelt: &str, known: &Map<String, Value>) -> Lint {
    let names = || known.keys().map(String::as_str).filter(|name| !OMITTED.contains(name));
    let next = match nearest(misspelt, names()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there are {}", names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    };
    Lint {
        file: module.file.clone(),
        line,
        column: 1,
        lint: "parameter".to_owned(),
        what: format!("no event of `{}` has the parameter `{misspelt}`", rule.entry.rule.id),
        why: "CloudTrail spells parameters in its own way, and a name that it never writes is always undefined"
            .to_owned(),
        next,
    }
}
