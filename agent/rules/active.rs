//! The rules in force: compiled policies and the strategies of the same bundle, which are
//! loaded, evaluated and swapped together.
//!
//! A new set is built and tested before it replaces the active one. An evaluation uses one set
//! from beginning to end. It decides nothing about findings.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinError;

use super::strategy::Strategies;
use crate::domain::cloud::{CloudError, Object, ObjectStore};
use crate::domain::finding::Finding;
use crate::domain::resource::Kind;
use crate::domain::spelling::nearest;
use crate::ledger::shadow::Watched;
use crate::policy::bundle::signature::Trust;
use crate::policy::bundle::source::{Fingerprint, PolicyContent, Source};
use crate::policy::catalogue::{Entry, Name, Subscription};
use crate::policy::engine::{Compiler, Failure};
use crate::policy::input::{EventInput, ResourceInput};
use crate::policy::{EvaluationJob, Policies, PolicyError};

/// Why rules cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The policies cannot be built, trusted or loaded.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A rule fails on the simplest document.
    #[error("rule `{rule}` cannot be evaluated at all: {failure}")]
    FailsSmokeTest {
        /// The rule's id.
        rule: String,
        /// What happened.
        failure: Failure,
    },
    /// The bundle cannot be fetched.
    #[error("cannot fetch `{from}`")]
    Fetch {
        /// Where it is.
        from: Source,
        /// Why not.
        source: Box<CloudError>,
    },
    /// Loading came to no end.
    #[error("loading failed: {0}")]
    Broken(#[from] JoinError),
}

impl RulesError {
    /// The error with all its causes, in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |error| error.source());
        causes.fold(self.to_string(), |text, cause| {
            let cause = cause.to_string();
            if text.contains(&cause) { text } else { format!("{text}: {cause}") }
        })
    }
}

/// One bundle's rules and strategies, and what is only watched.
#[derive(Debug, Clone)]
pub struct RuleSet {
    /// The rules.
    pub policies: Policies,
    /// What should be true.
    pub strategies: Strategies,
    shadow: BTreeSet<String>,
    candidate: Option<Policies>,
    threads: Arc<Semaphore>,
}

/// A rule in shadow that a document concerns.
#[derive(Debug)]
pub struct Watch {
    /// The bundle that it is in.
    pub policies: Policies,
    /// The rule.
    pub entry: Entry,
    /// Whether that is the candidate bundle.
    pub candidate: bool,
}

impl RuleSet {
    /// The set that policies make with the strategies in their data.
    ///
    /// # Errors
    /// When a rule cannot be evaluated at all.
    pub fn new(policies: Policies) -> Result<Self, RulesError> {
        smoke_test(&policies)?;
        let strategies = Strategies::of(policies.strategies());
        let shadow = asking(&policies);
        let threads = Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)));
        Ok(Self { policies, strategies, shadow, candidate: None, threads })
    }

    /// The same rules, where besides those that ask for it these are in shadow, those that people
    /// promoted are not, and those that people demoted are.
    #[must_use]
    pub fn shadowing(self, chosen: &BTreeSet<String>, promoted: &BTreeSet<String>, demoted: &BTreeSet<String>) -> Self {
        let mut shadow = asking(&self.policies);
        shadow.extend(chosen.iter().cloned());
        shadow.retain(|rule| !promoted.contains(rule));
        shadow.extend(demoted.iter().cloned());
        Self { shadow, ..self }
    }

    /// The same rules with a candidate bundle that is only watched.
    #[must_use]
    pub fn with_candidate(self, candidate: Option<Policies>) -> Self {
        Self { candidate, ..self }
    }

    /// The candidate bundle.
    #[must_use]
    pub const fn candidate(&self) -> Option<&Policies> {
        self.candidate.as_ref()
    }

    /// What is wrong with an id, if no rule has it.
    #[must_use]
    pub fn unknown_id(&self, id: &str) -> Option<String> {
        let mut ids = self.policies.rules().iter().map(|entry| entry.rule.id.as_str());
        if ids.clone().any(|known| known == id) {
            return None;
        }
        let meant = nearest(id, &mut ids).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
        Some(format!("the policies have no rule `{id}`{meant}"))
    }

    /// What is wrong with the ids of accounts.toml's `shadow_rules`: the rule that is meant by one
    /// that no rule has acts.
    #[must_use]
    pub fn unknown_shadow(&self, ids: &BTreeSet<String>) -> Option<String> {
        let unknown = ids.iter().find_map(|id| self.unknown_id(id))?;
        Some(format!("`shadow_rules` in accounts.toml is not right: {unknown}"))
    }

    /// Every rule that is in shadow.
    #[must_use]
    pub fn watched(&self) -> Vec<Watched> {
        let watched = |policies: &Policies, entry: &Entry, candidate| Watched {
            rule: entry.rule.id.clone(),
            candidate,
            bundle: policies.digest().to_owned(),
            title: entry.rule.title.clone(),
        };
        let own = self.policies.rules().iter().filter(|entry| !self.is_active(entry));
        let other =
            self.candidate.iter().flat_map(|candidate| candidate.rules().iter().map(move |entry| (candidate, entry)));
        let own = own.map(|entry| watched(&self.policies, entry, false));
        own.chain(other.map(|(candidate, entry)| watched(candidate, entry, true))).collect()
    }

    /// Evaluates what somebody did, by the rules that are acted on.
    #[must_use]
    pub async fn evaluate_event(&self, input: &EventInput<'_>) -> Vec<Finding> {
        let entries = self.policies.subscribers_of_event(input).filter(|entry| self.is_active(entry));
        self.evaluate(self.policies.job(entries, input, input.now)).await
    }

    /// Evaluates what is true of a resource, by the rules that are acted on.
    #[must_use]
    pub async fn evaluate_resource(&self, input: &ResourceInput<'_>) -> Vec<Finding> {
        let entries = self.policies.rules_of_kind(input.resource.kind).filter(|entry| self.is_active(entry));
        self.evaluate(self.policies.job(entries, input, input.now)).await
    }

    /// Evaluates off the runtime's threads, which wait for AWS and must not compute. No more run
    /// at once than there are cores, or each would eat the others' deadlines. A document that
    /// concerns no rule never leaves its thread.
    async fn evaluate(&self, job: Option<EvaluationJob>) -> Vec<Finding> {
        let Some(job) = job else { return Vec::new() };
        let permit = Arc::clone(&self.threads).acquire_owned().await;
        let evaluated = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            job.run()
        });
        match evaluated.await.map_err(JoinError::try_into_panic) {
            Ok(findings) => findings,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            Err(Err(_)) => std::future::pending().await, // the runtime ends, and this with it
        }
    }

    /// Whether rules that do not end are stopped.
    #[must_use]
    pub fn keeps_deadlines(&self) -> bool {
        self.policies.keeps_deadlines() && self.candidate.as_ref().is_none_or(Policies::keeps_deadlines)
    }

    /// The rules in shadow that an event concerns.
    #[must_use]
    pub fn watches_of_event(&self, input: &EventInput<'_>) -> Vec<Watch> {
        let own = self.policies.subscribers_of_event(input).filter(|entry| !self.is_active(entry));
        let candidate = self.candidate.iter().flat_map(|candidate| candidate.subscribers_of_event(input));
        self.watches(own, candidate)
    }

    /// The rules in shadow for a kind of resource.
    #[must_use]
    pub fn watches_of_kind(&self, kind: Kind) -> Vec<Watch> {
        let own = self.policies.rules_of_kind(kind).filter(|entry| !self.is_active(entry));
        let candidate = self.candidate.iter().flat_map(|candidate| candidate.rules_of_kind(kind));
        self.watches(own, candidate)
    }

    fn watches<'a>(
        &self,
        own: impl Iterator<Item = &'a Entry>,
        candidate: impl Iterator<Item = &'a Entry>,
    ) -> Vec<Watch> {
        let own = own.map(|entry| Watch { policies: self.policies.clone(), entry: entry.clone(), candidate: false });
        let other = self.candidate.as_ref();
        let watch = |entry: &Entry| Some(Watch { policies: other?.clone(), entry: entry.clone(), candidate: true });
        own.chain(candidate.filter_map(watch)).collect()
    }

    /// Whether what a rule finds is acted on.
    fn is_active(&self, entry: &Entry) -> bool {
        !self.shadow.contains(&entry.rule.id)
    }
}

/// The rules whose METADATA asks that they be in shadow.
fn asking(policies: &Policies) -> BTreeSet<String> {
    policies.rules().iter().filter(|entry| entry.shadow).map(|entry| entry.rule.id.clone()).collect()
}

/// How often a rule may miss its deadline before it is put in force.
const SMOKE_TEST_ATTEMPTS: u32 = 5;

/// Tries every rule on a document that is as small as can be. What it finds does not matter,
/// only that it comes to an end.
fn smoke_test(policies: &Policies) -> Result<(), RulesError> {
    for entry in policies.rules() {
        let document = smallest(entry);
        let attempt = || policies.evaluate(entry, &document, Timestamp::UNIX_EPOCH);
        // A deadline is the wall's time: a machine that is busy starting is no reason to refuse.
        let tried = (1..SMOKE_TEST_ATTEMPTS).fold(attempt(), |tried, _| match tried {
            Err(Failure::Deadline(_)) => attempt(),
            other @ (Ok(_) | Err(_)) => other,
        });
        tried.map_err(|failure| RulesError::FailsSmokeTest { rule: entry.rule.id.clone(), failure })?;
    }
    Ok(())
}

/// A document of the kind that a rule asks for, with next to nothing in it.
fn smallest(entry: &Entry) -> Value {
    let account = json!({"id": "000000000000", "name": "none", "class": "production", "mode": "observe", "tags": {}});
    let now = Timestamp::UNIX_EPOCH;
    match &entry.subscription {
        Subscription::Events(patterns) => {
            let source = patterns.first().map(|pattern| pattern.source.as_str());
            let name = patterns.first().map(|pattern| match &pattern.name {
                Name::Is(name) | Name::BeginsWith(name) => name.as_str(),
            });
            let event = json!({"eventSource": source, "eventName": name, "requestParameters": {}});
            json!({"event": event, "principal": {"kind": "unknown", "flags": {}}, "account": account, "now": now})
        }
        Subscription::Resources(kind) => {
            let resource =
                json!({"kind": kind, "arn": "", "account": "000000000000", "region": "", "tags": {}, "live": {}});
            json!({"resource": resource, "desired": null, "account": account, "now": now})
        }
    }
}

/// What a look at a source brought.
#[derive(Debug)]
pub struct Fetched {
    /// How the source looked.
    pub fingerprint: Fingerprint,
    /// What is there; `None` when it looks as it did before.
    pub content: Option<PolicyContent>,
}

/// Looks at a source, and brings what is there unless it looks as it is known to look.
///
/// # Errors
/// When it cannot be looked at or fetched.
pub async fn fetch_if_changed(
    source: &Source,
    known: &[&Fingerprint],
    objects: &impl ObjectStore,
) -> Result<Fetched, RulesError> {
    match source {
        Source::Path(path) => fetch_path_if_changed(path.clone(), known).await,
        Source::S3 { bucket, key } => {
            let failed = |error| RulesError::Fetch { from: source.clone(), source: Box::new(error) };
            let fingerprint = Fingerprint::of_object(&objects.tag(bucket, key).await.map_err(failed)?);
            if known.contains(&&fingerprint) {
                return Ok(Fetched { fingerprint, content: None });
            }
            let Object { tag, bytes } = objects.object(bucket, key).await.map_err(failed)?;
            Ok(Fetched { fingerprint: Fingerprint::of_object(&tag), content: Some(PolicyContent::Bytes(bytes)) })
        }
    }
}

/// As [`fetch_if_changed`], of a file or a folder.
///
/// # Errors
/// When it cannot be looked at.
pub async fn fetch_path_if_changed(path: PathBuf, known: &[&Fingerprint]) -> Result<Fetched, RulesError> {
    let of = path.clone();
    let fingerprint = tokio::task::spawn_blocking(move || Fingerprint::of_path(&of)).await??;
    let content = (!known.contains(&&fingerprint)).then_some(PolicyContent::Path(path));
    Ok(Fetched { fingerprint, content })
}

/// Makes a set of what was found, on a thread that may take its time.
///
/// # Errors
/// When it is not trusted, or cannot be put in force.
pub async fn compile(
    content: PolicyContent,
    source: &Source,
    trust: Option<&Trust>,
    compiler: &Compiler,
) -> Result<RuleSet, RulesError> {
    let (source, trust, compiler) = (source.clone(), trust.cloned(), compiler.clone());
    let make = move || RuleSet::new(content.compile(&source, trust.as_ref(), &compiler)?);
    tokio::task::spawn_blocking(make).await?
}

/// The set that evaluates now.
#[derive(Debug)]
pub struct ActiveRules {
    set: ArcSwap<RuleSet>,
    refused_before: AtomicU64,
}

impl ActiveRules {
    /// Begins with a set.
    #[must_use]
    pub fn new(set: RuleSet) -> Self {
        Self { set: ArcSwap::from_pointee(set), refused_before: AtomicU64::new(0) }
    }

    /// The set that is in force at this moment. Whoever evaluates holds on to it: what is asked
    /// for later may be another.
    #[must_use]
    pub fn now(&self) -> Arc<RuleSet> {
        self.set.load_full()
    }

    /// Puts another set in force, and gives back the one before.
    pub fn swap(&self, set: RuleSet) -> Arc<RuleSet> {
        let digest = set.policies.digest().to_owned();
        let before = self.set.swap(Arc::new(set));
        if before.policies.digest() != digest {
            self.refused_before.fetch_add(before.policies.refused_builtins(), Ordering::Relaxed);
        }
        before
    }

    /// How many calls of builtins were undefined because of their arguments, in this set and
    /// those before it.
    #[must_use]
    pub fn refused_builtins(&self) -> u64 {
        self.refused_before.load(Ordering::Relaxed) + self.now().policies.refused_builtins()
    }
}
