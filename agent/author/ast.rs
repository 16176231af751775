//! Rego as OPA's own parser reads it. Nothing here knows Rego's syntax; it walks OPA's tree.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::at_once;
use crate::policy::bundle::build;
use crate::policy::error::PolicyError;

/// A file of Rego, parsed.
#[derive(Debug, Clone)]
pub struct Module {
    /// The file, from the folder of policies.
    pub file: String,
    /// Its text.
    pub text: String,
    /// OPA's tree of it.
    pub tree: Value,
}

/// Parses files of a folder. A file that OPA cannot read is left out: `opa check` says why.
///
/// # Errors
/// When `opa` or a file is missing.
pub fn parse(folder: &Path, files: &[String]) -> Result<Vec<Module>, PolicyError> {
    let parsed: Result<Vec<_>, _> = at_once(files, |file| parse_one(folder, file)).into_iter().collect();
    Ok(parsed?.into_iter().flatten().collect())
}

fn parse_one(folder: &Path, file: &str) -> Result<Option<Module>, PolicyError> {
    let path = folder.join(file);
    let text = fs::read_to_string(&path).map_err(|source| PolicyError::Io { operation: "read", path, source })?;
    let mut command = build::command(folder, "parse")?;
    command.args(["--format=json", "--json-include=locations,-comments", file]);
    let output = build::output(folder, command)?;
    let tree = serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success());
    Ok(tree.map(|tree| Module { file: file.to_owned(), text, tree }))
}

/// The Rego files below a part of a folder, tests left out, in order.
#[must_use]
pub fn files(folder: &Path, part: &str) -> Vec<String> {
    let mut found = rego(folder, part);
    found.retain(|file| !file.ends_with("_test.rego"));
    found
}

/// The files of tests below a part of a folder, in order.
#[must_use]
pub fn tests(folder: &Path, part: &str) -> Vec<String> {
    let mut found = rego(folder, part);
    found.retain(|file| file.ends_with("_test.rego"));
    found
}

fn rego(folder: &Path, part: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in super::names(&folder.join(part)) {
        let file = format!("{part}/{name}");
        if folder.join(&file).is_dir() {
            found.extend(rego(folder, &file));
        } else if name.ends_with(".rego") {
            found.push(file);
        }
    }
    found
}

impl Module {
    /// The package, with `/` between its parts.
    #[must_use]
    pub fn package(&self) -> String {
        let parts = list(at(&self.tree, "/package/path")).iter().skip(1).filter_map(|part| part["value"].as_str());
        parts.collect::<Vec<_>>().join("/")
    }

    /// What the file calls the packages that it imports: name to path without `data`.
    #[must_use]
    pub fn imports(&self) -> BTreeMap<String, String> {
        let import = |import: &Value| {
            let path = path(&import["path"])?;
            let name = import["alias"].as_str().or_else(|| path.rsplit('.').next())?.to_owned();
            Some((name, path.strip_prefix("data.")?.to_owned()))
        };
        list(at(&self.tree, "/imports")).iter().filter_map(import).collect()
    }

    /// The rules, without their METADATA. The rest of an `if … else` is inside its rule.
    pub fn rules(&self) -> impl Iterator<Item = &Value> {
        list(at(&self.tree, "/rules")).iter()
    }

    /// The METADATA blocks.
    #[must_use]
    pub fn annotations(&self) -> &[Value] {
        list(at(&self.tree, "/annotations"))
    }

    /// Whether it holds tests.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.file.ends_with("_test.rego")
    }

    /// Whether rules share it.
    #[must_use]
    pub fn is_library(&self) -> bool {
        self.file.starts_with("lib/")
    }

    /// Its text from where a node begins to the end of the line.
    #[must_use]
    pub fn text_at(&self, node: &Value) -> &str {
        let line = usize::try_from(line(node)).unwrap_or(1).saturating_sub(1);
        let column = usize::try_from(column(node)).unwrap_or(1).saturating_sub(1);
        self.text.lines().nth(line).and_then(|text| text.get(column..)).unwrap_or_default()
    }

    /// The first line from `start` on that has a text; `start` when none has.
    #[must_use]
    pub fn line_with(&self, text: &str, start: u64) -> u64 {
        let from = usize::try_from(start).unwrap_or(1).max(1);
        let found = self.text.lines().enumerate().skip(from - 1).find(|(_, line)| line.contains(text));
        found.map_or(start, |(at, _)| at as u64 + 1)
    }
}

/// What stands at a JSON pointer; `null` when nothing does.
#[must_use]
pub fn at<'a>(node: &'a Value, pointer: &str) -> &'a Value {
    node.pointer(pointer).unwrap_or(&Value::Null)
}

/// The members of an array; none of anything else.
#[must_use]
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The line that a node begins on, from 1.
#[must_use]
pub fn line(node: &Value) -> u64 {
    at(node, "/location/row").as_u64().unwrap_or(1).max(1)
}

/// The column that a node begins at, from 1; OPA's parser says 0 of the end of a file.
#[must_use]
pub fn column(node: &Value) -> u64 {
    at(node, "/location/col").as_u64().unwrap_or(1).max(1)
}

/// The name of a reference up to its first part that is no plain name: `input.event.eventName`.
#[must_use]
pub fn path(term: &Value) -> Option<String> {
    if term["type"] == "var" {
        return term["value"].as_str().map(str::to_owned);
    }
    (term["type"] == "ref").then(|| plain(list(&term["value"])))
}

/// The leading parts that are names, with dots between them.
fn plain(parts: &[Value]) -> String {
    let first = parts.first().filter(|first| first["type"] == "var");
    let rest = parts.iter().skip(1).take_while(|part| part["type"] == "string");
    first.into_iter().chain(rest).filter_map(|part| part["value"].as_str()).collect::<Vec<_>>().join(".")
}

/// What an expression or a call term calls, and with what; a bare term calls nothing.
#[must_use]
pub fn call(node: &Value) -> Option<(String, &[Value])> {
    let terms = if node["type"] == "call" { list(&node["value"]) } else { list(&node["terms"]) };
    let (operator, arguments) = terms.split_first()?;
    Some((path(operator)?, arguments))
}

/// Whether an array is a body: expressions one after the other.
#[must_use]
pub fn is_body(node: &Value) -> bool {
    let body = list(node);
    !body.is_empty() && body.iter().all(|expression| expression["index"].is_u64() && expression.get("terms").is_some())
}

/// Visits a node and everything in it but METADATA; a node that answers `false` is not entered.
pub fn walk<'a>(node: &'a Value, visit: &mut impl FnMut(&'a Value) -> bool) {
    if !visit(node) {
        return;
    }
    match node {
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Object(fields) => {
            let inner = fields.iter().filter(|(name, _)| *name != "annotations" && *name != "location");
            inner.for_each(|(_, field)| walk(field, visit));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
