//! `policy explain`: why a rule fired on a document, or did not.
//!
//! OPA traces the original Rego on the very document that the agent's engine evaluates. Both must
//! come to the same findings; where they do not, that is said and not smoothed over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Work;
use super::ast;
use super::ast::list;
use crate::policy::Policies;
use crate::policy::bundle::build;
use crate::policy::catalogue::{Entry, Name, Subscription};
use crate::policy::error::PolicyError;

/// How long OPA may take to trace a rule.
const TIMEOUT: &str = "--timeout=10s";

/// How deep reasons have reasons.
const DEPTH: usize = 4;

/// What a rule made of a document.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The rule's id.
    pub rule: String,
    /// Whether it asked for documents like this one.
    pub asked_for_it: bool,
    /// What it asks for.
    pub asks_for: String,
    /// Findings in the agent's engine; nothing when it was not asked.
    pub findings: Option<Vec<Value>>,
    /// Why the agent's engine could make nothing of its answer, or stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Whether `opa` finds the same.
    pub agrees: bool,
    /// Each body of the rule.
    pub bodies: Vec<Body>,
}

/// A body of a rule.
#[derive(Debug, Serialize)]
pub struct Body {
    /// Where it begins.
    pub at: Place,
    /// Why it led to nothing; nothing when it led to a finding.
    pub failed: Option<Reason>,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file, from the folder of policies.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// What stands there.
    pub text: String,
}

/// An expression that did not hold.
#[derive(Debug, Serialize)]
pub struct Reason {
    /// Where it stands.
    pub at: Place,
    /// What its names stand for; `"(undefined)"` for what is not there.
    pub values: BTreeMap<String, Value>,
    /// What did not hold in the rules that it asks.
    pub because: Vec<Reason>,
    /// How many expressions of its body held before it.
    pub passed: u64,
}

impl Explanation {
    /// Its place among others: what failed or fired, then what was asked, then the rest.
    #[must_use]
    pub fn rank(&self) -> u8 {
        match &self.findings {
            _ if self.failure.is_some() || !self.agrees => 0,
            Some(findings) if !findings.is_empty() => 1,
            Some(_) => 2,
            None => 3,
        }
    }
}

/// An event of OPA's trace.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Step {
    op: String,
    #[serde(rename = "QueryID")]
    query: u64,
    #[serde(rename = "ParentID")]
    parent: u64,
    node: Value,
    location: Option<SourceLocation>,
    locals: Option<Vec<Value>>,
    local_metadata: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct SourceLocation {
    file: String,
    row: u64,
}

#[derive(Deserialize)]
struct Traced {
    #[serde(default)]
    result: Value,
    #[serde(default)]
    explanation: Vec<Step>,
}

/// Whether a rule asks for a document like this.
#[must_use]
pub fn is_subscribed(entry: &Entry, document: &Value) -> bool {
    let text = |pointer: &str| ast::at(document, pointer).as_str().unwrap_or_default();
    match &entry.subscription {
        Subscription::Events(patterns) => patterns.iter().any(|pattern| {
            pattern.source == text("/event/eventSource")
                && pattern.name.covers(&Name::Is(text("/event/eventName").to_owned()))
        }),
        Subscription::Resources(kind) => kind.to_string() == text("/resource/kind"),
    }
}

/// A rule that was not shown the document.
#[must_use]
pub fn unasked(entry: &Entry) -> Explanation {
    Explanation {
        rule: entry.rule.id.clone(),
        asked_for_it: false,
        asks_for: asks_for(entry),
        findings: None,
        failure: None,
        agrees: true,
        bodies: Vec::new(),
    }
}

fn asks_for(entry: &Entry) -> String {
    match &entry.subscription {
        Subscription::Events(patterns) => patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        Subscription::Resources(kind) => format!("the state of a {kind}"),
    }
}

/// Explains a rule's answer to a document. `now` is what `time.now_ns` answers in the agent's
/// engine.
///
/// # Errors
/// When `opa` is missing or refuses the rule.
pub fn explain(
    work: &Work,
    policies: &Policies,
    entry: &Entry,
    document: &Value,
    now: Timestamp,
) -> Result<Explanation, PolicyError> {
    // A rule that takes too long here would take long there, too, with a trace of all of it.
    let answer = match policies.evaluate(entry, document, now) {
        Ok(answer) => answer,
        Err(failure) => {
            let failure = Some(failure.to_string());
            return Ok(Explanation { asked_for_it: is_subscribed(entry, document), failure, ..unasked(entry) });
        }
    };
    let failure = policies.evaluate_strictly(entry, document, now).err().map(|failure| failure.to_string());
    let traced = trace(work, entry, document)?;
    let theirs = in_order(ast::at(&traced.result, "/0/expressions/0/value"));
    let ours: Value = serde_json::from_slice(&answer).unwrap_or_default();
    let ours = in_order(ast::at(&ours, "/0/result"));
    let trace = Trace { work, document, steps: traced.explanation };
    Ok(Explanation {
        asked_for_it: is_subscribed(entry, document),
        agrees: ours == theirs,
        findings: Some(ours),
        failure,
        bodies: trace.bodies(),
        ..unasked(entry)
    })
}

/// The members of a set, in an order that both engines share.
fn in_order(set: &Value) -> Vec<Value> {
    let mut members = list(set).to_vec();
    members.sort_by_cached_key(Value::to_string);
    members
}

fn trace(work: &Work, entry: &Entry, document: &Value) -> Result<Traced, PolicyError> {
    let workshop = tempfile::NamedTempFile::new().and_then(|file| {
        fs::write(file.path(), document.to_string())?;
        Ok(file)
    });
    let input = workshop.map_err(|source| PolicyError::Io {
        operation: "write the document in",
        path: std::env::temp_dir(),
        source,
    })?;
    let mut command = build::command(&work.folder, "eval")?;
    // With its index OPA passes over bodies without a trace of them.
    command.args(["--explain=full", "--format=json", "--disable-indexing", "--disable-early-exit", TIMEOUT, "--input"]);
    command.arg(input.path()).args(build::rules_only());
    let place = entry.entrypoint.trim_end_matches("/findings");
    for part in [place, "lib", "data"].iter().filter(|part| work.folder.join(part).is_dir()) {
        command.args(["--data", part]);
    }
    command.arg(format!("data.{}", entry.entrypoint.replace('/', ".")));
    let output = build::output(&work.folder, command)?;
    serde_json::from_slice(&output.stdout).map_err(|_| PolicyError::Compile {
        folder: work.folder.clone(),
        detail: String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).trim().to_owned(),
    })
}

struct Trace<'a> {
    work: &'a Work,
    document: &'a Value,
    steps: Vec<Step>,
}

impl Trace<'_> {
    fn bodies(&self) -> Vec<Body> {
        let entered = self.steps.iter().filter(|step| step.op == "Enter" && step.parent == 0 && step.query != 0);
        let body = |step: &Step| {
            let at = self.place(step)?;
            Some(Body { at, failed: if self.held(step.query) { None } else { self.reason(step.query, DEPTH) } })
        };
        let mut bodies: Vec<Body> = entered.filter_map(body).collect();
        // What led to a finding, then what got furthest.
        bodies.sort_by_key(|body| std::cmp::Reverse(body.failed.as_ref().map_or(u64::MAX, |reason| reason.passed)));
        bodies
    }

    fn held(&self, query: u64) -> bool {
        self.steps.iter().any(|step| step.op == "Exit" && step.query == query)
    }

    /// The expression that a query did not get past: the furthest of those that failed.
    fn reason(&self, query: u64, depth: usize) -> Option<Reason> {
        let failed = self.steps.iter().enumerate().filter(|(_, step)| step.op == "Fail" && step.query == query);
        let (at, step) = failed.max_by_key(|(_, step)| ast::at(&step.node, "/index").as_u64())?;
        let because = if depth == 0 { Vec::new() } else { self.because(at, step, depth) };
        let passed = ast::at(&step.node, "/index").as_u64().unwrap_or_default();
        Some(Reason { at: self.place(step)?, values: self.values(step), because, passed })
    }

    /// Why the rules that an expression asked did not hold either.
    fn because(&self, failed: usize, expression: &Step, depth: usize) -> Vec<Reason> {
        let index = ast::at(&expression.node, "/index");
        let before = self.steps.iter().take(failed);
        let begun = before.clone().rposition(|step| {
            step.op == "Eval" && step.query == expression.query && ast::at(&step.node, "/index") == index
        });
        let asked = before.skip(begun.unwrap_or(failed));
        let entered = asked.filter(|step| step.op == "Enter" && step.parent == expression.query);
        let mut entered: Vec<&Step> = entered.collect();
        if entered.is_empty() {
            entered = self.remembered(&expression.node);
        }
        let mut reasons: Vec<Reason> = Vec::new();
        for step in entered.into_iter().filter(|step| !self.held(step.query)) {
            let reason = self.reason(step.query, depth - 1);
            reasons.extend(reason.filter(|reason| !reasons.iter().any(|known| known.at == reason.at)));
        }
        reasons
    }

    /// Where a rule was entered that OPA asked before and remembers the answer of.
    fn remembered(&self, expression: &Value) -> Vec<&Step> {
        let path = ast::path(ast::at(expression, "/terms")).unwrap_or_default();
        let Some((package, name)) = path.strip_prefix("data.").and_then(|path| path.rsplit_once('.')) else {
            return Vec::new();
        };
        let package = package.replace('.', "/");
        let of_rule = |step: &&Step| {
            let here = step.location.as_ref().is_some_and(|location| location.file.starts_with(&package));
            here && step.op == "Enter" && ast::at(&step.node, "/head/name") == name
        };
        self.steps.iter().filter(of_rule).collect()
    }

    fn place(&self, step: &Step) -> Option<Place> {
        let SourceLocation { file, row } = step.location.as_ref().filter(|location| !location.file.is_empty())?;
        let text = fs::read_to_string(self.work.folder.join(file)).unwrap_or_default();
        let line = text.lines().nth(usize::try_from(*row).ok()?.saturating_sub(1)).unwrap_or_default();
        Some(Place { file: file.clone(), line: *row, text: line.trim().to_owned() })
    }

    /// What stands behind the names on an expression's line: the author's variables, and what
    /// it reads of the document. OPA reads arguments in expressions of its own on that line.
    fn values(&self, failed: &Step) -> BTreeMap<String, Value> {
        let row = failed.location.as_ref().map(|location| location.row);
        let same =
            |step: &&Step| step.query == failed.query && step.location.as_ref().map(|location| location.row) == row;
        let mut names = BTreeSet::new();
        for step in self.steps.iter().filter(same).filter(|step| step.op == "Eval" || step.op == "Fail") {
            ast::walk(&step.node, &mut |node| {
                if node["type"] == "ref" {
                    names.extend(ast::path(node));
                }
                true
            });
        }
        let mut values: BTreeMap<String, Value> =
            names.into_iter().filter_map(|name| Some((name.clone(), self.read(&name)?))).collect();
        values.extend(variables(failed));
        values
    }

    /// What a reference to the document stands for; nothing of other references.
    fn read(&self, name: &str) -> Option<Value> {
        let parameters =
            name.strip_prefix("data.lib.event.parameters.").map(|rest| format!("event.requestParameters.{rest}"));
        let path = parameters.or_else(|| name.strip_prefix("input.").map(str::to_owned))?;
        let found = self.document.pointer(&format!("/{}", path.replace('.', "/")));
        Some(found.map_or_else(|| json!("(undefined)"), Clone::clone))
    }
}

/// The variables that the author named, and what they hold.
fn variables(step: &Step) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let known = step.local_metadata.iter().flatten();
    let names: BTreeMap<&str, &str> =
        known.filter_map(|(local, of)| Some((local.as_str(), of.get("name")?.as_str()?))).collect();
    for local in step.locals.iter().flatten() {
        let Some(own) = local.get("name").and_then(Value::as_str) else { continue };
        let name = names.get(own).copied().unwrap_or(own);
        if !name.starts_with(['_', '$']) {
            found.insert(name.to_owned(), plain(local));
        }
    }
    found
}

/// A term of OPA's as plain JSON; what is no constant as `null`.
fn plain(term: &Value) -> Value {
    let value = ast::at(term, "/value");
    match ast::at(term, "/type").as_str().unwrap_or_default() {
        "string" | "number" | "boolean" => value.clone(),
        "array" | "set" => list(value).iter().map(plain).collect(),
        "object" => {
            let entry = |entry: &Value| {
                let [key, value] = list(entry) else { return None };
                let key = plain(key);
                Some((key.as_str().map_or_else(|| key.to_string(), str::to_owned), plain(value)))
            };
            Value::Object(list(value).iter().filter_map(entry).collect())
        }
        _ => Value::Null,
    }
}
