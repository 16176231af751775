//! What the organisation forbids: Rego rules compiled to wasm, and the findings they return.
//!
//! A rule is evaluated on one document and can reach nothing else. This module never decides
//! what happens next: a [`Finding`] proposes, [`crate::respond::decision`] disposes.

pub mod bundle;
pub mod catalogue;
pub mod data;
pub mod engine;
pub mod error;
pub mod input;

mod findings;
pub(crate) mod refused;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::domain::finding::Finding;
use crate::domain::resource::Kind;
use bundle::Bundle;
use catalogue::{Catalogue, Entry};
use data::{Declarations, Strategy};
use engine::{Compiler, Engine, EntrypointId, Failure, Limits, Parts, Reads};
use input::EventInput;

pub use error::PolicyError;

/// The answer of a rule that finds nothing.
const NOTHING: &[u8] = b"[{\"result\":[]}]";

/// The rules in force, compiled and ready. Cheap to clone; every clone is the same set.
#[derive(Clone)]
pub struct Policies(Arc<Loaded>);

struct Loaded {
    catalogue: Catalogue,
    engine: Engine,
    data: Value,
    declared: Declarations,
    reads: Reads,
    digest: String,
    revision: String,
}

/// The rules that ask for one kind of event, and what they read of it.
#[derive(Debug)]
pub struct Subscribers<'a> {
    policies: &'a Policies,
    rules: Vec<EntrypointId>,
    reads: Parts,
}

/// A document, written down, and the rules that it concerns.
#[derive(Debug)]
pub struct EvaluationJob {
    policies: Policies,
    rules: Vec<EntrypointId>,
    json: Vec<u8>,
    now: Timestamp,
}

impl EvaluationJob {
    /// Evaluates the rules: computing from beginning to end.
    #[must_use]
    pub fn run(self) -> Vec<Finding> {
        let Self { policies, rules, json, now } = self;
        policies.evaluate_json(policies.rules().iter().filter(|entry| rules.contains(&entry.id)), json, now)
    }
}

impl Subscribers<'_> {
    /// What they read of it.
    #[must_use]
    pub const fn reads(&self) -> &Parts {
        &self.reads
    }

    /// Whether the rules all find nothing in a document, which need hold only what they read.
    #[must_use]
    pub fn is_silent(&self, document: Vec<u8>, now: Timestamp) -> bool {
        let mut evaluation = self.policies.0.engine.evaluation(document, nanoseconds(now));
        self.rules.iter().all(|rule| evaluation.evaluate(*rule).is_ok_and(|answer| answer == NOTHING))
    }
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policies").field("digest", &self.0.digest).finish_non_exhaustive()
    }
}

impl Policies {
    /// Loads a bundle; of a folder, builds one first.
    ///
    /// # Errors
    /// When the bundle cannot be built, read or run, or one of its rules does not say what it
    /// must.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        Self::load_within(path, Limits::default())
    }

    /// Loads a bundle or a folder, with limits of one's own.
    ///
    /// # Errors
    /// As [`Policies::load`].
    pub fn load_within(path: &Path, limits: Limits) -> Result<Self, PolicyError> {
        let bundle = if path.is_dir() { bundle::build::in_passing(path)? } else { Bundle::read(path)? };
        Self::of(bundle, limits, &Compiler::here())
    }

    /// Compiles a bundle that was read.
    ///
    /// # Errors
    /// When it cannot be run, one of its rules does not say what it must, or its data are not what
    /// the agent reads there.
    pub fn of(bundle: Bundle, limits: Limits, compiler: &Compiler) -> Result<Self, PolicyError> {
        let engine = Engine::new(&bundle, limits, compiler)?;
        let catalogue = Catalogue::read(&bundle.manifest, |path| engine.entrypoint(path))?;
        let Bundle { data, digest, manifest, reads, .. } = bundle;
        let declared = Declarations::read(&data)?;
        catalogue.entries().iter().try_for_each(|entry| approval(entry, &declared))?;
        let revision = manifest.revision;
        let policies = Self(Arc::new(Loaded { catalogue, engine, data, declared, reads, digest, revision }));
        if !policies.lays_out() {
            tracing::warn!(
                "the rules' module keeps values in a way of its own and has to parse each document itself, which takes longer; was it built by another `opa`?"
            );
        }
        Ok(policies)
    }

    /// Every rule, in the order of their ids.
    #[must_use]
    pub fn rules(&self) -> &[Entry] {
        self.0.catalogue.entries()
    }

    /// SHA-256 of the bundle: which rules these are.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// What the bundle calls its version.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.0.revision
    }

    /// The bundle's data, which rules and agent share.
    #[must_use]
    pub fn data(&self) -> &Value {
        &self.0.data
    }

    /// What should be true, as the bundle declares it.
    #[must_use]
    pub fn strategies(&self) -> &BTreeMap<String, Strategy> {
        &self.0.declared.strategies
    }

    /// How many calls of builtins were undefined because of their arguments.
    #[must_use]
    pub fn refused_builtins(&self) -> u64 {
        self.0.engine.refused()
    }

    /// Whether deadlines pass: the thread that makes them pass is alive.
    #[must_use]
    pub fn keeps_deadlines(&self) -> bool {
        self.0.engine.keeps_deadlines()
    }

    /// Whether documents are laid out for the rules' module, and not parsed by it: faster, and
    /// so with every module of an `opa` that is known.
    #[must_use]
    pub fn lays_out(&self) -> bool {
        self.0.engine.lays_out()
    }

    /// Whether a rule asks for events of this `eventSource` and `eventName`.
    #[must_use]
    pub fn is_subscribed(&self, source: &str, name: &str) -> bool {
        self.0.catalogue.subscribers_of_event(source, name).next().is_some()
    }

    /// The rules that ask for such events, if it is known of each what it reads of them.
    #[must_use]
    pub fn subscribers(&self, source: &str, name: &str) -> Option<Subscribers<'_>> {
        let mut subscribers = Subscribers { policies: self, rules: Vec::new(), reads: Parts::new() };
        for entry in self.0.catalogue.subscribers_of_event(source, name) {
            for (part, fields) in self.0.reads.of(&entry.entrypoint)? {
                subscribers.reads.entry(part.clone()).or_default().extend(fields.iter().cloned());
            }
            subscribers.rules.push(entry.id);
        }
        Some(subscribers)
    }

    /// The rules that ask for an event.
    pub fn subscribers_of_event(&self, input: &EventInput<'_>) -> impl Iterator<Item = &Entry> {
        let (source, name) = input.route();
        self.0.catalogue.subscribers_of_event(source, name)
    }

    /// The rules for a kind of resource.
    pub fn rules_of_kind(&self, kind: Kind) -> impl Iterator<Item = &Entry> {
        self.0.catalogue.rules_of_kind(kind)
    }

    /// Evaluates what somebody did by the rules that asked for it.
    #[must_use]
    pub fn evaluate_event(&self, input: &EventInput<'_>) -> Vec<Finding> {
        self.evaluate_entries(self.subscribers_of_event(input), input, input.now)
    }

    /// Whether the list that a rule names holds the principal of a document.
    fn approves(&self, entry: &Entry, document: &[u8]) -> bool {
        let Some(list) = &entry.approved else { return false };
        let document: Value = serde_json::from_slice(document).unwrap_or_default();
        let principal = document.pointer("/principal/arn").and_then(Value::as_str);
        let members = self.0.declared.approved.get(list);
        principal.is_some_and(|arn| members.is_some_and(|members| members.iter().any(|member| member == arn)))
    }

    /// Evaluates a document by one rule, whether it asked for it or not: how a rule's own
    /// examples are tried. `now` is what `time.now_ns` answers.
    #[must_use]
    pub fn evaluate_rule(&self, entry: &Entry, document: &Value, now: Timestamp) -> Vec<Finding> {
        self.evaluate_entries(std::iter::once(entry), document, now)
    }

    /// A rule's bare answer to a document: OPA's result set as JSON.
    ///
    /// # Errors
    /// When the rule does not come to its end.
    pub fn evaluate(&self, entry: &Entry, document: &Value, now: Timestamp) -> Result<Vec<u8>, Failure> {
        self.0.engine.evaluation(document.to_string().into_bytes(), nanoseconds(now)).evaluate(entry.id)
    }

    /// What a rule finds in a document; whatever the agent could make nothing of is an error.
    ///
    /// # Errors
    /// When the rule does not come to its end, or returns anything but findings.
    pub fn evaluate_strictly(&self, entry: &Entry, document: &Value, now: Timestamp) -> Result<Vec<Finding>, Failure> {
        findings::strictly(&entry.rule, &self.evaluate(entry, document, now)?)
    }

    /// The bare answer of any entry point of the module, a rule or not; nothing when it has
    /// none of this path.
    pub(crate) fn answer(&self, path: &str, document: &Value, now: Timestamp) -> Option<Result<Vec<u8>, Failure>> {
        let id = self.0.engine.entrypoint(path)?;
        Some(self.0.engine.evaluation(document.to_string().into_bytes(), nanoseconds(now)).evaluate(id))
    }

    /// Evaluates a document by some of the rules that it concerns.
    #[must_use]
    pub fn evaluate_entries<'a>(
        &self,
        entries: impl Iterator<Item = &'a Entry>,
        document: &impl Serialize,
        now: Timestamp,
    ) -> Vec<Finding> {
        let mut entries = entries.peekable();
        if entries.peek().is_none() {
            return Vec::new();
        }
        self.evaluate_json(entries, serde_json::to_vec(document).unwrap_or_default(), now)
    }

    /// The evaluation of a document by rules that it concerns, for another thread to do; nothing
    /// when it concerns none.
    #[must_use]
    pub fn job<'a>(
        &self,
        entries: impl Iterator<Item = &'a Entry>,
        document: &impl Serialize,
        now: Timestamp,
    ) -> Option<EvaluationJob> {
        let rules: Vec<EntrypointId> = entries.map(|entry| entry.id).collect();
        let json = || serde_json::to_vec(document).unwrap_or_default();
        (!rules.is_empty()).then(|| EvaluationJob { policies: self.clone(), rules, json: json(), now })
    }

    fn evaluate_json<'a>(
        &self,
        entries: impl Iterator<Item = &'a Entry>,
        json: Vec<u8>,
        now: Timestamp,
    ) -> Vec<Finding> {
        let mut evaluation = self.0.engine.evaluation(json, nanoseconds(now));
        let mut found = Vec::new();
        for entry in entries {
            let mut own = findings::findings(&entry.rule, evaluation.evaluate(entry.id));
            if !own.is_empty() && self.approves(entry, evaluation.document()) {
                own.iter_mut().for_each(|finding| finding.approved.clone_from(&entry.approved));
            }
            found.append(&mut own);
        }
        findings::sort(&mut found);
        found
    }
}

/// Whether the list that a rule's METADATA names is in the bundle's data.
fn approval(entry: &Entry, declared: &Declarations) -> Result<(), PolicyError> {
    let Some(list) = entry.approved.as_ref().filter(|list| !declared.approved.contains_key(*list)) else {
        return Ok(());
    };
    let detail = format!("its METADATA names the list `{list}`, and `data.approved` has no such list");
    Err(PolicyError::Rule { entrypoint: entry.entrypoint.clone(), detail })
}

/// A moment as `time.now_ns` answers it; those that do not fit are beyond the year 2262.
fn nanoseconds(moment: Timestamp) -> i64 {
    i64::try_from(moment.as_nanosecond()).unwrap_or(i64::MAX)
}
