//! Whether a rule says what the agent and its readers must know: METADATA, runbook, examples.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize as _;
use serde_json::Value;

use super::ast;
use super::ast::Module;
use super::{Lint, Work, fixtures};
use crate::policy::bundle::build::places;
use crate::policy::bundle::{Annotation, Entrypoint};
use crate::policy::catalogue;
use crate::policy::catalogue::{Entry, EventPattern, Name, Subscription};
use crate::policy::error::PolicyError;

/// A rule whose METADATA can be read.
pub(super) struct Described {
    /// The file that its METADATA stands in.
    pub file: String,
    /// The line on which the METADATA begins.
    pub line: u64,
    /// The line on which it declares its events.
    pub events_line: u64,
    /// What it says.
    pub entry: Entry,
    /// The lines of its METADATA that name an event.
    events: Vec<(String, u64)>,
}

impl Described {
    /// The line on which it declares an event, written as `source:Name`.
    pub fn line_of_event(&self, event: &str) -> u64 {
        self.events.iter().find(|(name, _)| name == event).map_or(self.events_line, |(_, line)| *line)
    }
}

/// Reads the METADATA of every rule that is meant, and tells what is wrong with it.
pub(super) fn read(work: &Work, modules: &[Module]) -> (Vec<Described>, Vec<Lint>) {
    let (mut described, mut lints) = (Vec::new(), Vec::new());
    for place in work.places() {
        let own: Vec<&Module> = modules.iter().filter(|module| module.package() == place).collect();
        let entrypoint = own.iter().find_map(|module| Some((*module, entrypoint(module)?)));
        match (entrypoint, own.first()) {
            (Some((module, annotation)), _) => match entry(&place, module, annotation) {
                Ok(rule) => {
                    lints.extend(completeness(&work.folder, module, annotation, &rule));
                    described.push(rule);
                }
                Err(lint) => lints.push(*lint),
            },
            (None, Some(module)) => lints.push(unmarked(module)),
            (None, None) => lints.extend(misplaced(&place, modules)),
        }
    }
    lints.extend(duplicate_ids(&described));
    (described, lints)
}

fn entrypoint(module: &Module) -> Option<&Value> {
    module.annotations().iter().find(|annotation| annotation["entrypoint"] == true)
}

fn metadata(file: &str, line: u64, what: String, next: &str) -> Lint {
    let why = "what is not said here the agent does not know: the bundle is refused, or a responder reads nothing";
    let (file, lint) = (file.to_owned(), "metadata".to_owned());
    Lint { file, line, column: 1, lint, what, why: why.to_owned(), next: next.to_owned() }
}

fn unmarked(module: &Module) -> Lint {
    let what = "no METADATA block with `entrypoint: true`".to_owned();
    metadata(&module.file, 1, what, "put one on `findings`; `keepwatch policy new` writes one to copy")
}

/// A folder for a rule whose files are of another package.
fn misplaced(place: &str, modules: &[Module]) -> Option<Lint> {
    let module = modules.iter().find(|module| module.file.starts_with(&format!("{place}/")))?;
    let what = format!("package `{}` in the folder of `{place}`", module.package().replace('/', "."));
    let next = format!("say `package {}`: a rule is found by its place", place.replace('/', "."));
    Some(metadata(&module.file, ast::line(ast::at(&module.tree, "/package")), what, &next))
}

fn entry(place: &str, module: &Module, annotation: &Value) -> Result<Described, Box<Lint>> {
    let line = ast::line(annotation);
    let flawed = |detail: String| {
        let names: Vec<&str> = detail.split('`').filter(|part| is_name(part)).take(2).collect();
        let names = names.iter().filter_map(|name| name.rsplit('.').next());
        let lines =
            names.flat_map(|name| [format!("{name}:"), format!(": {name}")].map(|text| module.line_with(&text, line)));
        let at = lines.max().unwrap_or(line);
        Box::new(metadata(&module.file, at, detail, "write `custom` as the other rules do"))
    };
    let read = Annotation::deserialize(annotation).map_err(|error| flawed(error.to_string()))?;
    let entrypoint = Entrypoint { path: format!("{place}/findings"), annotations: vec![read] };
    let entry = catalogue::entry(&entrypoint, Some(0)).map_err(flawed)?;
    let events_line = module.line_with("events:", line);
    let declared = ast::list(ast::at(annotation, "/custom/events")).iter().filter_map(Value::as_str);
    let events = declared.map(|event| (event.to_owned(), module.line_with(event, events_line))).collect();
    Ok(Described { file: module.file.clone(), line, events_line, entry, events })
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '.')
}

/// What the agent could do without, but its readers and `opa check` could not.
fn completeness(folder: &Path, module: &Module, annotation: &Value, rule: &Described) -> Vec<Lint> {
    let mut lints = Vec::new();
    let mut miss = |field: &str, what: String, next: &str| {
        let line = module.line_with(&format!("{field}:"), rule.line);
        lints.push(metadata(&module.file, line, what, next));
    };
    if rule.entry.description.trim().is_empty() {
        miss("description", "no `description`".to_owned(), "say in a sentence what is wrong and why it matters");
    }
    if !ast::at(annotation, "/custom/controls").is_array() {
        miss("custom", "no `controls`".to_owned(), "list the controls that the rule supports, `[]` for none");
    }
    let schema = schema(&rule.entry.subscription);
    if !annotation["schemas"].to_string().contains(&format!("\"{schema}\"")) {
        let next = format!("add `schemas: [{{input: schema.{schema}}}]`: without it no field is checked");
        miss("schemas", format!("its input is not typed by `schema.{schema}`"), &next);
    }
    // The path in METADATA is the project's, which holds the folder of policies.
    let project = crate::policy::bundle::build::absolute(folder);
    let project = project.parent().unwrap_or(folder);
    match &rule.entry.rule.runbook {
        None => miss("custom", "no `runbook`".to_owned(), "write `docs/runbooks/<rule>.md` and name it here"),
        Some(runbook) if !project.join(runbook).is_file() => {
            let what = format!("its runbook `{runbook}` is not in `{}`", project.display());
            miss("runbook", what, "write it: what to check, what to do, how to undo");
        }
        Some(_) => {}
    }
    lints
}

/// The schema of a rule's input.
pub(super) fn schema(subscription: &Subscription) -> String {
    match subscription {
        Subscription::Events(_) => "event".to_owned(),
        Subscription::Resources(kind) => kind.to_string(),
    }
}

/// Rules that share an id with an earlier one.
fn duplicate_ids(described: &[Described]) -> Vec<Lint> {
    let mut first: BTreeMap<&str, &Described> = BTreeMap::new();
    let mut lints = Vec::new();
    for rule in described {
        let id = rule.entry.rule.id.as_str();
        match first.get(id) {
            Some(other) => lints.push(same_id(rule, &other.file)),
            None => drop(first.insert(id, rule)),
        }
    }
    lints
}

fn same_id(rule: &Described, other: &str) -> Lint {
    Lint {
        file: rule.file.clone(),
        line: rule.line,
        column: 1,
        lint: "same-id".to_owned(),
        what: format!("id `{}` is that of `{other}` too", rule.entry.rule.id),
        why: "ids name rules in exemptions, incidents and the ledger".to_owned(),
        next: "give one of them another id".to_owned(),
    }
}

/// The ids of these rules that a rule has which is not among them.
pub(super) fn ids_of_others(work: &Work, rules: &[Described]) -> Result<Vec<Lint>, PolicyError> {
    let mut lints = Vec::new();
    for rule in rules {
        let twin = twin(work, &rule.entry.rule.id)?;
        lints.extend(twin.map(|file| same_id(rule, &file)));
    }
    Ok(lints)
}

/// The file of a rule that has an id, of those that are not meant; all are read when all are meant.
pub(super) fn twin(work: &Work, id: &str) -> Result<Option<String>, PolicyError> {
    let Some(meant) = &work.rule else { return Ok(None) };
    let others = places(&work.folder).into_iter().filter(|place| place != meant);
    let mut files: Vec<String> = others.flat_map(|place| ast::files(&work.folder, &place)).collect();
    files.retain(|file| std::fs::read_to_string(work.folder.join(file)).is_ok_and(|text| text.contains(id)));
    let modules = ast::parse(&work.folder, &files)?;
    let has_id = |module: &&Module| entrypoint(module).is_some_and(|said| ast::at(said, "/custom/id") == id);
    Ok(modules.iter().find(has_id).map(|module| module.file.clone()))
}

/// The events of a rule that none of its examples is of. What is wrong with an example itself is
/// reported by whoever tries it.
pub(super) fn examples(folder: &Path, rule: &Described) -> Option<Lint> {
    let place = rule.entry.entrypoint.trim_end_matches("/findings");
    let Subscription::Events(patterns) = &rule.entry.subscription else { return None };
    let read = |name| fixtures::read(folder, place, name).unwrap_or_default();
    let documents = [read(fixtures::FIRES), read(fixtures::SILENT)].concat();
    let missing = patterns.iter().filter(|pattern| !documents.iter().any(|one| is_of(&one.document, pattern)));
    let missing: Vec<String> = missing.map(ToString::to_string).collect();
    (!missing.is_empty()).then(|| {
        let what = format!("events not covered: {}", missing.join(", "));
        let next = "add a record of each, here or to `silent.json`".to_owned();
        Lint { next, ..fixtures::lint(place, fixtures::FIRES, 1, what) }
    })
}

fn is_of(document: &Value, pattern: &EventPattern) -> bool {
    let text = |field: &str| ast::at(document, &format!("/event/{field}")).as_str().unwrap_or_default();
    text("eventSource") == pattern.source && pattern.name.covers(&Name::Is(text("eventName").to_owned()))
}
