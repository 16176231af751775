//! Whether what rules name in `data` is there: a rule, a function, or a place in the documents.
//!
//! OPA takes any name below `data` for a document that may be put there later, so a misspelt one is
//! well typed and always undefined: under `not` it is a guard that never guards.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ast::{self, Module, list};
use super::{Lint, Work, style};
use crate::domain::spelling::nearest;

/// The documents that the agent reads by their names, which a folder need not have.
const OPTIONAL: [&str; 4] = ["approved", "lifecycle", "protected", "strategies"];

/// What there is below `data`: names to what is below them; nothing where anything may be.
#[derive(Debug, Clone, PartialEq)]
enum Known {
    Anything,
    Names(BTreeMap<String, Known>),
}

impl Known {
    fn of(document: &Value) -> Self {
        match document {
            Value::Object(fields) => {
                Self::Names(fields.iter().map(|(name, value)| (name.clone(), Self::of(value))).collect())
            }
            // An index is no name, and a name in anything else than an object is undefined.
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Self::Names(BTreeMap::new())
            }
        }
    }

    /// Adds a place at which anything may be.
    fn open(&mut self, place: &[String]) {
        match (self, place.split_first()) {
            (this, None) => *this = Self::Anything,
            (Self::Names(names), Some((first, rest))) => {
                names.entry(first.clone()).or_insert_with(|| Self::Names(BTreeMap::new())).open(rest);
            }
            (Self::Anything, Some(_)) => {}
        }
    }

    /// How many of these names are there, and what else there is in the place of the first that is not.
    fn missing<'a>(&'a self, place: &[String]) -> Option<(usize, &'a BTreeMap<String, Self>)> {
        let mut at = self;
        for (number, name) in place.iter().enumerate() {
            let Self::Names(names) = at else { return None };
            match names.get(name) {
                Some(inner) => at = inner,
                None => return Some((number, names)),
            }
        }
        None
    }
}

/// The references of the rules and libraries that are meant to what is not there. `modules` are
/// all of them; `data` is what the documents hold.
pub(super) fn lints(work: &Work, modules: &[Module], data: &Value) -> Vec<Lint> {
    let known = known(work, modules, data);
    let mut lints = Vec::new();
    for module in modules.iter().filter(|module| work.rule.is_none() || !module.is_library()) {
        // What an import lacks is said of the import, and not of each use of its name.
        let mut imported = BTreeSet::new();
        for (node, place) in imports(module) {
            if let Some((number, there)) = known.missing(&place) {
                lints.push(lint(module, node, &place, number, there));
                imported.insert(place.into_iter().take(number + 1).collect::<Vec<_>>());
            }
        }
        for (node, place) in references(module) {
            if let Some((number, there)) = known.missing(&place)
                && place.get(..=number).is_none_or(|missing| !imported.contains(missing))
            {
                lints.push(lint(module, node, &place, number, there));
            }
        }
    }
    lints
}

fn known(work: &Work, modules: &[Module], data: &Value) -> Known {
    let mut known = Known::of(data);
    for name in OPTIONAL.iter().filter(|name| data.get(**name).is_none()) {
        known.open(&[(*name).to_owned()]);
    }
    // Whoever works on one rule has not read the others.
    if work.rule.is_some() {
        ["events", "resources"].iter().for_each(|part| known.open(&[(*part).to_owned()]));
    }
    for module in modules {
        let package: Vec<String> = module.package().split('/').map(str::to_owned).collect();
        for rule in module.rules() {
            let head = list(ast::at(rule, "/head/ref"));
            let name = head.first().and_then(|first| first["value"].as_str()).map(str::to_owned);
            let rest = head.iter().skip(1).map_while(constant).map(str::to_owned);
            known.open(&[package.clone(), name.into_iter().chain(rest).collect()].concat());
        }
    }
    known
}

/// What a file imports from `data`.
fn imports(module: &Module) -> impl Iterator<Item = (&Value, Vec<String>)> {
    let imports = list(ast::at(&module.tree, "/imports")).iter().map(|import| &import["path"]);
    imports.filter_map(|path| Some((path, below_data(path, &BTreeMap::new())?)))
}

/// What the rules of a file name below `data`, in full or by the name of an import.
fn references(module: &Module) -> Vec<(&Value, Vec<String>)> {
    let mut found = Vec::new();
    let imports = module.imports();
    for rule in module.rules() {
        let own: BTreeSet<&str> =
            style::declared(rule).into_iter().filter_map(|variable| variable["value"].as_str()).collect();
        let named: BTreeMap<&str, &str> = imports
            .iter()
            .map(|(name, path)| (name.as_str(), path.as_str()))
            .filter(|(name, _)| !own.contains(name))
            .collect();
        ast::walk(rule, &mut |node| {
            found.extend(below_data(node, &named).map(|place| (node, place)));
            true
        });
    }
    found
}

/// The names below `data` that a term begins with.
fn below_data(term: &Value, imports: &BTreeMap<&str, &str>) -> Option<Vec<String>> {
    let parts = list(&term["value"]);
    let first = parts.first().filter(|first| term["type"] == "ref" && first["type"] == "var")?["value"].as_str()?;
    let mut place: Vec<String> = match imports.get(first) {
        Some(path) => path.split('.').map(str::to_owned).collect(),
        None if first == "data" => Vec::new(),
        None => return None,
    };
    place.extend(parts.iter().skip(1).map_while(constant).map(str::to_owned));
    Some(place)
}

fn constant(part: &Value) -> Option<&str> {
    part["value"].as_str().filter(|_| part["type"] == "string")
}

fn lint(module: &Module, node: &Value, place: &[String], number: usize, there: &BTreeMap<String, Known>) -> Lint {
    let (before, after) = place.split_at(number);
    let misspelt = after.first().map_or("", String::as_str);
    let holder = std::iter::once("data").chain(before.iter().map(String::as_str)).collect::<Vec<_>>().join(".");
    let meant = nearest(misspelt, there.keys().map(String::as_str));
    let next = match (meant, before.first().map(String::as_str)) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, Some("lib" | "events" | "resources")) => format!("write the rule or function in `{}`", before.join("/")),
        (None, _) => format!("write it below `data/`, so that `{holder}` has it"),
    };
    let what = format!("`{holder}` has no `{misspelt}`");
    let why = "what is not there is always undefined: a condition on it never holds, and under `not` always".to_owned();
    Lint::of(module, node, "data-reference", [what, why, next])
}
