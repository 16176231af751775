//! Keeps the rules fresh while the agent runs: looks at their source, tests what is new, and
//! activates it between two events.
//!
//! What cannot be used leaves the rules as they are; that is reported once. It evaluates
//! nothing, and it never stops the agent.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::Notify;
use tracing::{error, info, warn};

use super::active;
use super::active::{ActiveRules, Fetched, RuleSet, RulesError};
use crate::config::Config;
use crate::domain::account::{AccountId, Mode};
use crate::domain::case::{CaseRecord, CaseSubject, CaseUpdate, DedupKey};
use crate::domain::clock::Clock;
use crate::domain::cloud::ObjectStore;
use crate::domain::enrichment::Enrichment;
use crate::domain::finding::{Finding, Rule, Severity};
use crate::domain::outcome::Outcome;
use crate::domain::plan::Plan;
use crate::ledger::shadow::Watched;
use crate::ledger::{Adopted, Claim, Incident, Ledger, LedgerError, Record, State};
use crate::ops::metrics::Metrics;
use crate::policy::Policies;
use crate::policy::bundle::signature::Trust;
use crate::policy::bundle::source::{Fingerprint, Source};
use crate::policy::engine::compiler::Compiler;

/// The id under which the rules themselves are reported.
const RULE: &str = "KW-POLICIES";

/// How often it is noted that rules in shadow are still watched.
const CLEAN_TIME_INTERVAL: SignedDuration = SignedDuration::from_mins(10);
/// The most that counts as watched from one note to the next: longer ones mean that the
/// machine slept.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// What a look at the source led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// There is nothing new.
    Same,
    /// Another set is in force now.
    Swapped {
        /// Digest of the bundle before.
        from: String,
        /// Digest of the bundle now.
        to: String,
    },
    /// What is there cannot be used; it may still be being written, and is looked at again.
    Doubtful(String),
    /// What is there cannot be used, twice in a row; the set before stays in force.
    Refused(String),
    /// The source could not be looked at.
    Unreachable(String),
}

/// Looks at one source, again and again.
#[derive(Debug)]
pub struct Refresher {
    /// Where the rules come from.
    pub source: Source,
    /// Whom to trust with them.
    pub trust: Option<Trust>,
    /// Where they are compiled.
    pub compiler: Compiler,
    /// How long they may go without a successful look.
    pub max_age: Duration,
    /// The account that the agent itself is in, for notifications.
    pub home: AccountId,
    /// A bundle that is only watched.
    pub candidate: Option<Source>,
    seen_candidate: Option<Fingerprint>,
    noted: Option<Vec<Watched>>,
    clean_time_noted: Timestamp,
    seen: Option<Fingerprint>,
    doubted: Option<Fingerprint>,
    refused: Option<Fingerprint>,
    good: Timestamp,
}

impl Refresher {
    /// Begins at a moment at which what was seen at the source is in force.
    #[must_use]
    pub const fn new(source: Source, home: AccountId, seen: Fingerprint, now: Timestamp) -> Self {
        let max_age = Duration::from_secs(24 * 3600);
        Self {
            source,
            trust: None,
            compiler: Compiler::here(),
            max_age,
            home,
            candidate: None,
            seen_candidate: None,
            noted: None,
            clean_time_noted: now,
            seen: Some(seen),
            doubted: None,
            refused: None,
            good: now,
        }
    }

    /// Looks once, and puts in force what is new. The rules are fresh when the source could be
    /// read and what is there is in force: a bundle carries no time of its own, since the same
    /// policies always make the same bytes.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn refresh<L: Ledger>(
        &mut self,
        context: &RefreshContext<'_, L>,
        objects: &impl ObjectStore,
    ) -> Result<Looked, LedgerError> {
        let known: Vec<&Fingerprint> = self.seen.iter().chain(&self.refused).collect();
        let looked = match active::fetch_if_changed(&self.source, &known, objects).await {
            Ok(Fetched { fingerprint, content: None }) if self.refused.as_ref() == Some(&fingerprint) => {
                Looked::Refused("it is still the one that was refused".to_owned())
            }
            Ok(Fetched { content: None, .. }) => Looked::Same,
            Ok(Fetched { fingerprint, content: Some(content) }) => {
                match active::compile(content, &self.source, self.trust.as_ref(), &self.compiler).await {
                    Ok(set) => self.take(context, fingerprint, set).await?,
                    Err(problem) => self.refuse(context, fingerprint, &problem).await?,
                }
            }
            Err(problem) => {
                warn!("cannot look for new policies at `{}`: {}", self.source, problem.chain());
                Looked::Unreachable(problem.chain())
            }
        };
        let now = context.clock.now();
        match looked {
            Looked::Same | Looked::Swapped { .. } => self.good = now,
            Looked::Doubtful(_) | Looked::Refused(_) | Looked::Unreachable(_) => {
                self.complain_of_age(context, now).await?
            }
        }
        context.metrics.rules_checked(self.good);
        self.shadow(context, objects).await?;
        Ok(looked)
    }

    /// Brings up to date what is only watched: the candidate bundle, and what people promoted or demoted.
    async fn shadow<L: Ledger>(
        &mut self,
        context: &RefreshContext<'_, L>,
        objects: &impl ObjectStore,
    ) -> Result<(), LedgerError> {
        let before = context.rules.now();
        let mut set = context.shadowing(RuleSet::clone(&before)).await?;
        if let Some(source) = self.candidate.clone()
            && let Some(policies) = self.fetch_candidate(&source, objects, context.metrics).await
        {
            set = set.with_candidate(Some(policies));
        }
        let watched = set.watched();
        if watched != before.watched() {
            info!("{} rule(s) are in shadow", watched.len());
            context.rules.swap(set);
        }
        let now = context.clock.now();
        if self.noted.as_ref() != Some(&watched) {
            context.ledger.watch(&watched, now).await?;
            self.noted = Some(watched.clone());
        }
        let elapsed = now.duration_since(self.clean_time_noted);
        if elapsed >= CLEAN_TIME_INTERVAL && !watched.is_empty() {
            context.ledger.went_on(elapsed.min(LONGEST).as_secs(), now).await?;
        }
        if elapsed >= CLEAN_TIME_INTERVAL {
            self.clean_time_noted = now;
        }
        Ok(())
    }

    /// The candidate bundle, when there is a new one that can be used. One that cannot be is
    /// logged and counted; it would not have acted anyway.
    async fn fetch_candidate(
        &mut self,
        source: &Source,
        objects: &impl ObjectStore,
        metrics: &Metrics,
    ) -> Option<Policies> {
        let known: Vec<&Fingerprint> = self.seen_candidate.iter().collect();
        let seen = active::fetch_if_changed(source, &known, objects).await;
        let compiled = match seen {
            Ok(Fetched { content: None, .. }) => return None,
            Ok(Fetched { fingerprint, content: Some(content) }) => {
                self.seen_candidate = Some(fingerprint);
                active::compile(content, source, self.trust.as_ref(), &self.compiler).await
            }
            Err(problem) => Err(problem),
        };
        compiled
            .inspect_err(|problem| {
                metrics.count.policy_refusals.inc();
                warn!("the candidate policies at `{source}` are not watched: {}", problem.chain());
            })
            .ok()
            .map(|set| set.policies)
    }

    async fn take<L: Ledger>(
        &mut self,
        context: &RefreshContext<'_, L>,
        fingerprint: Fingerprint,
        set: RuleSet,
    ) -> Result<Looked, LedgerError> {
        let (from, to) = (context.rules.now().policies.digest().to_owned(), set.policies.digest().to_owned());
        (self.seen, self.doubted, self.refused) = (Some(fingerprint), None, None);
        if from == to {
            return Ok(Looked::Same);
        }
        let candidate = context.rules.now().candidate().cloned();
        let set = context.shadowing(set).await?.with_candidate(candidate);
        let missing = set.unknown_shadow(&context.config.policies.shadow_rules);
        // Noted before it evaluates: whatever it leads to, the ledger knows the bundle already.
        context.adopt(&set, &self.source).await?;
        context.rules.swap(set);
        if let Some(missing) = missing {
            self.complain_of_shadow(context, &to, &missing).await?;
        }
        context.metrics.count.policy_swaps.inc();
        info!(from, to, "new policies from `{}` are active", self.source);
        Ok(Looked::Swapped { from, to })
    }

    async fn refuse<L: Ledger>(
        &mut self,
        context: &RefreshContext<'_, L>,
        fingerprint: Fingerprint,
        problem: &RulesError,
    ) -> Result<Looked, LedgerError> {
        let problem = problem.chain();
        if self.doubted.as_ref() != Some(&fingerprint) {
            warn!("policies at `{}` cannot be used, looking again soon: {problem}", self.source);
            self.doubted = Some(fingerprint);
            return Ok(Looked::Doubtful(problem));
        }
        error!("policies at `{}` are refused, the active ones stay: {problem}", self.source);
        context.metrics.count.policy_refusals.inc();
        let message = format!("the policies at `{}` are refused, the active ones stay: {problem}", self.source);
        let case = DedupKey::PoliciesRefused { source: self.source.to_string(), fingerprint: fingerprint.to_string() };
        self.notify(context, case, ("The policy bundle was refused", message)).await?;
        self.refused = Some(fingerprint);
        Ok(Looked::Refused(problem))
    }

    /// Reports, once for each bundle, that it lacks a rule that is to be in shadow. It stays
    /// active: a fix must not wait for accounts.toml, and the rule, if it has another name now, is
    /// no reason to go without all others.
    async fn complain_of_shadow<L: Ledger>(
        &self,
        context: &RefreshContext<'_, L>,
        bundle: &str,
        missing: &str,
    ) -> Result<(), LedgerError> {
        let message = format!(
            "the policies of `{}` are active, and {missing}. If the rule has another id now, it acts: `keepwatch policy \
             demote` stops it. Correct accounts.toml: the agent does not start with it",
            self.source
        );
        warn!("{message}");
        let case = DedupKey::ShadowRuleMissing { bundle: bundle.to_owned() };
        self.notify(context, case, ("A rule that is to be in shadow is missing", message)).await
    }

    /// Reports, once for each stretch without a successful look, that the rules may be
    /// out of date.
    async fn complain_of_age<L: Ledger>(
        &self,
        context: &RefreshContext<'_, L>,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let age = now.duration_since(self.good);
        if age < SignedDuration::try_from(self.max_age).unwrap_or(SignedDuration::MAX) {
            return Ok(());
        }
        let message = format!(
            "since {} no usable policies were read from `{}`; those in force may be out of date",
            self.good, self.source
        );
        let case = DedupKey::PoliciesOutdated { source: self.source.to_string(), since: self.good };
        self.notify(context, case, ("The policies may be out of date", message)).await
    }

    /// Reports through the same outbox as everything else; a case is reported once.
    async fn notify<L: Ledger>(
        &self,
        context: &RefreshContext<'_, L>,
        key: DedupKey,
        (title, message): (&str, String),
    ) -> Result<(), LedgerError> {
        let now = context.clock.now();
        let correlation = key.to_string();
        let incident = Incident::new(&correlation, correlation.clone(), self.home.clone(), title.to_owned(), now);
        let plan = Plan { account: self.home.clone(), steps: Vec::new(), proposed: false };
        let case = self.case(context, finding(title, message));
        let claim = Claim { key, incident, plan, case };
        if let Some(stored) = context.ledger.claim(&claim, now).await? {
            let report = Some(stored.case.clone());
            let record = Record { state: State::Done, outcome: Outcome::default(), report };
            context.ledger.record(&stored, record, now).await?;
            context.reports.notify_one();
        }
        Ok(())
    }

    fn case<L: Ledger>(&self, context: &RefreshContext<'_, L>, finding: Finding) -> CaseRecord {
        CaseRecord {
            subject: CaseSubject::Policies,
            update: CaseUpdate::Response,
            at: context.clock.now(),
            account: self.home.clone(),
            account_name: "keepwatch".to_owned(),
            region: Some(context.config.intake.region.clone()),
            bundle: Some(context.rules.now().policies.digest().to_owned()),
            findings: vec![finding],
            reasons: Vec::new(),
            plan: None,
            steps: Vec::new(),
            enrichment: Enrichment::default(),
            people: Vec::new(),
        }
    }
}

fn finding(title: &str, message: String) -> Finding {
    let rule = Rule {
        id: RULE.to_owned(),
        title: title.to_owned(),
        severity: Severity::High,
        mode: Mode::Alert,
        controls: Vec::new(),
        attack: Vec::new(),
        runbook: None,
    };
    Finding { rule, message, resource: None, propose: Vec::new(), evidence: Value::Null, approved: None }
}

/// What a refresh works on.
pub struct RefreshContext<'a, L> {
    /// The rules that are active.
    pub rules: &'a ActiveRules,
    /// accounts.toml.
    pub config: &'a Config,
    /// The store.
    pub ledger: &'a L,
    /// Time.
    pub clock: &'a dyn Clock,
    /// What the agent measures.
    pub metrics: &'a Metrics,
    /// Wakes the delivery of reports.
    pub reports: &'a Notify,
}

impl<L: Ledger> RefreshContext<'_, L> {
    /// The same rules, those in shadow that accounts.toml, METADATA and promotions leave there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn shadowing(&self, set: RuleSet) -> Result<RuleSet, LedgerError> {
        let promoted = self.ledger.promoted().await?;
        let demoted = self.ledger.demoted().await?;
        Ok(set.shadowing(&self.config.policies.shadow_rules, &promoted, &demoted))
    }

    /// Notes in the ledger which bundle evaluates from now on, unless it is noted already.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn adopt(&self, set: &RuleSet, source: &Source) -> Result<(), LedgerError> {
        let adopted = Adopted {
            digest: set.policies.digest().to_owned(),
            revision: set.policies.revision().to_owned(),
            source: source.to_string(),
            signed: self.config.policies.verification_key.is_some(),
        };
        self.ledger.adopt(&adopted, self.clock.now()).await
    }
}
