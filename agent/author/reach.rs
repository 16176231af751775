//! Whether a rule's declared events are the ones that it looks at.
//!
//! OPA evaluates a rule with all of its input unknown. What remains is a list of conjunctions,
//! with helpers and data filled in; each must be about an event that the rule declares, or the
//! agent never shows it one. A test that stays opaque, such as a regular expression, accepts
//! every declared event: only the author can know better.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::ast;
use super::ast::list;
use super::described::Described;
use super::{Lint, Work};
use crate::policy::bundle::build;
use crate::policy::catalogue::{EventPattern, Name, Subscription};
use crate::policy::error::PolicyError;

/// How long OPA may take to work a rule out: one that takes longer is checked by its examples.
const TIMEOUT: &str = "--timeout=10s";

#[derive(Deserialize, Default)]
struct Output {
    #[serde(default)]
    partial: Partial,
}

#[derive(Deserialize, Default)]
struct Partial {
    #[serde(default)]
    queries: Vec<Vec<Expression>>,
}

/// An expression of a conjunction. Only what names an event is kept of it.
#[derive(Deserialize)]
struct Expression {
    terms: Value,
    #[serde(default)]
    negated: bool,
}

/// What a conjunction asks of an event: every test must hold, and a test holds for any of its
/// names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Conjunction {
    source: Vec<Vec<Name>>,
    name: Vec<Vec<Name>>,
}

/// Tells which events a rule looks at without asking for them, and which it asks for in vain.
///
/// # Errors
/// When `opa` is missing.
pub(super) fn lints(work: &Work, rule: &Described) -> Result<Vec<Lint>, PolicyError> {
    let Subscription::Events(declared) = &rule.entry.subscription else { return Ok(Vec::new()) };
    let Some(conjunctions) = conjunctions(work, &rule.entry.entrypoint)? else { return Ok(Vec::new()) };
    let lint = |lint: &str, what: String, why: &str, next: String| Lint {
        file: rule.file.clone(),
        line: rule.events_line,
        column: 1,
        lint: lint.to_owned(),
        what,
        why: why.to_owned(),
        next,
    };
    if conjunctions.is_empty() {
        let next = "look for tests that contradict each other, and for names that `data` does not have";
        let why = "OPA finds no input for which it would return a finding";
        return Ok(vec![lint("never-fires", "the rule cannot fire".to_owned(), why, next.to_owned())]);
    }
    let mut lints = Vec::new();
    for undeclared in undeclared(&conjunctions, declared) {
        let what = format!("the rule looks at `{undeclared}`, which `events` does not declare");
        let why = "the agent shows a rule only the events that it declares: this part never runs";
        lints.push(lint("undeclared-event", what, why, format!("add `{undeclared}` to `events`, or drop the test")));
    }
    for idle in declared.iter().filter(|pattern| !conjunctions.iter().any(|one| one.admits(pattern))) {
        let what = format!("`{idle}` is declared, and no part of the rule can match it");
        let why = "either the rule misses what it was declared for, or it costs an evaluation for nothing";
        lints.push(lint("idle-event", what, why, format!("test for it, or drop `{idle}` from `events`")));
    }
    Ok(lints)
}

/// The conjunctions of a rule; nothing when it does not compile, which `opa check` tells.
fn conjunctions(work: &Work, entrypoint: &str) -> Result<Option<Vec<Conjunction>>, PolicyError> {
    let mut command = build::command(&work.folder, "eval")?;
    let place = entrypoint.trim_end_matches("/findings");
    let query = format!("data.{}[x]", entrypoint.replace('/', "."));
    // INVARIANT: all of the input is unknown. With only its names unknown, rules that read
    // other fields would vanish.
    command.args(["--partial", &query, "--unknowns=input", "--format=json", TIMEOUT]).args(build::rules_only());
    for part in [place, "lib", "data"].iter().filter(|part| work.folder.join(part).is_dir()) {
        command.args(["--data", part]);
    }
    let output = build::output(&work.folder, command)?;
    let Ok(Output { partial }) = serde_json::from_slice(&output.stdout) else { return Ok(None) };
    let found = partial.queries.iter().map(|query| Conjunction::read(query)).filter(Conjunction::can_hold);
    Ok(output.status.success().then(|| found.collect()))
}

/// What an event's field is compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Source,
    Name,
}

impl Conjunction {
    fn read(query: &[Expression]) -> Self {
        let positive: Vec<_> = query.iter().filter(|one| !one.negated).filter_map(called).collect();
        let mut aliases = BTreeMap::new();
        for (operator, arguments) in &positive {
            if let ("eq", [one, other]) = (operator.as_str(), *arguments) {
                for (alias, reference) in [(one, other), (other, one)] {
                    let name = alias["value"].as_str().filter(|_| alias["type"] == "var");
                    name.zip(field(reference, &aliases)).map(|(name, field)| aliases.insert(name, field));
                }
            }
        }
        let mut found = Self::default();
        for (operator, arguments) in &positive {
            if let Some((field, names)) = test(operator, arguments, &aliases) {
                match field {
                    Field::Source => found.source.push(names),
                    Field::Name => found.name.push(names),
                }
            }
        }
        found
    }

    fn can_hold(&self) -> bool {
        [&self.source, &self.name].iter().all(|tests| tests.is_empty() || !named(tests).is_empty())
    }

    fn admits(&self, pattern: &EventPattern) -> bool {
        let source = Name::Is(pattern.source.clone());
        passes(&self.source, &source) && passes(&self.name, &pattern.name)
    }
}

/// What an expression calls; a comparison with `=` is `eq`.
fn called(expression: &Expression) -> Option<(String, &[Value])> {
    let (operator, arguments) = list(&expression.terms).split_first()?;
    Some((ast::path(operator)?, arguments))
}

fn field(term: &Value, aliases: &BTreeMap<&str, Field>) -> Option<Field> {
    if term["type"] == "var" {
        return aliases.get(term["value"].as_str()?).copied();
    }
    match ast::path(term)?.as_str() {
        "input.event.eventSource" => Some(Field::Source),
        "input.event.eventName" => Some(Field::Name),
        _ => None,
    }
}

/// The field that a test is about, and the names that it accepts.
fn test(operator: &str, arguments: &[Value], aliases: &BTreeMap<&str, Field>) -> Option<(Field, Vec<Name>)> {
    let [first, second] = arguments else { return None };
    match operator {
        "eq" | "equal" => {
            let (field, other) =
                field(first, aliases).map(|field| (field, second)).or(field(second, aliases).map(|it| (it, first)))?;
            Some((field, vec![Name::Is(text(other)?)]))
        }
        "internal.member_2" => {
            let names: Option<Vec<_>> = list(&second["value"]).iter().map(|item| text(item).map(Name::Is)).collect();
            Some((field(first, aliases)?, names.filter(|_| second["type"] == "set" || second["type"] == "array")?))
        }
        "startswith" => Some((field(first, aliases)?, vec![Name::BeginsWith(text(second)?)])),
        _ => None,
    }
}

fn text(term: &Value) -> Option<String> {
    term["value"].as_str().filter(|_| term["type"] == "string").map(str::to_owned)
}

fn overlap(one: &Name, other: &Name) -> bool {
    one.covers(other) || other.covers(one)
}

fn passes(tests: &[Vec<Name>], name: &Name) -> bool {
    tests.iter().all(|test| test.iter().any(|accepted| overlap(accepted, name)))
}

/// The names that pass every test.
fn named(tests: &[Vec<Name>]) -> Vec<&Name> {
    let narrowest = tests.iter().min_by_key(|test| test.iter().any(|name| matches!(name, Name::BeginsWith(_))));
    narrowest.into_iter().flatten().filter(|name| passes(tests, name)).collect()
}

/// The events that conjunctions name and no pattern covers, as `source:Name`.
fn undeclared(conjunctions: &[Conjunction], declared: &[EventPattern]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for one in conjunctions {
        let (sources, names) = (optional(&one.source), optional(&one.name));
        for source in &sources {
            for name in &names {
                let fits = |pattern: &EventPattern| {
                    source.is_none_or(|source| overlap(source, &Name::Is(pattern.source.clone())))
                        && name.is_none_or(|name| overlap(name, &pattern.name))
                };
                if !declared.iter().any(fits) {
                    found.insert(format!("{}:{}", shown(*source), shown(*name)));
                }
            }
        }
    }
    found
}

/// The names of a field, or one that stands for any.
fn optional(tests: &[Vec<Name>]) -> Vec<Option<&Name>> {
    if tests.is_empty() { vec![None] } else { named(tests).into_iter().map(Some).collect() }
}

fn shown(name: Option<&Name>) -> String {
    match name {
        None => "*".to_owned(),
        Some(Name::Is(name)) => name.clone(),
        Some(Name::BeginsWith(start)) => format!("{start}*"),
    }
}
