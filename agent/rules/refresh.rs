//! Keeps the rules fresh while the agent runs: looks at their source, tries what is new aside,
//! and puts it in force between two events.
//!
//! What cannot be used leaves the rules as they are; people are told of it once. It judges
//! nothing, and it never stops the agent.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tracing::{error, info, warn};

use super::active;
use super::active::{Fetched, RuleSet, RulesError};
use crate::domain::account::{AccountId, Mode};
use crate::domain::cloud::{Clouds, ObjectStore};
use crate::domain::finding::{Finding, Rule, Severity};
use crate::domain::hash;
use crate::domain::outcome::Outcome;
use crate::domain::plan::Plan;
use crate::ledger::shadow::Watched;
use crate::ledger::{Adopted, Case, Incident, Ledger, LedgerError, Recurrence, State};
use crate::notify::context::Context;
use crate::notify::notification::{Notification, NotificationKind};
use crate::ops::metrics::Metrics;
use crate::policy::Policies;
use crate::policy::bundle::signature::Trust;
use crate::policy::bundle::source::{Fingerprint, Source};
use crate::policy::engine::compiler::Compiler;
use crate::respond::agent::Agent;

/// The id under which people are told about the rules themselves.
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
    /// The account that the agent itself is in, for what people are told.
    pub home: AccountId,
    /// A bundle that is only watched.
    pub candidate: Option<Source>,
    seen_beside: Option<Fingerprint>,
    noted: Option<Vec<Watched>>,
    tended: Timestamp,
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
            seen_beside: None,
            noted: None,
            tended: now,
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
    pub async fn refresh<C: Clouds, L: Ledger>(
        &mut self,
        agent: &Agent<C, L>,
        shelf: &impl ObjectStore,
    ) -> Result<Looked, LedgerError> {
        let known: Vec<&Fingerprint> = self.seen.iter().chain(&self.refused).collect();
        let looked = match active::fetch_if_changed(&self.source, &known, shelf).await {
            Ok(Fetched { fingerprint, content: None }) if self.refused.as_ref() == Some(&fingerprint) => {
                Looked::Refused("it is still the one that was refused".to_owned())
            }
            Ok(Fetched { content: None, .. }) => Looked::Same,
            Ok(Fetched { fingerprint, content: Some(content) }) => {
                match active::compile(content, &self.source, self.trust.as_ref(), &self.compiler).await {
                    Ok(set) => self.take(agent, fingerprint, set).await?,
                    Err(problem) => self.refuse(agent, fingerprint, &problem).await?,
                }
            }
            Err(problem) => {
                warn!("cannot look for new policies at `{}`: {}", self.source, problem.chain());
                Looked::Unreachable(problem.chain())
            }
        };
        let now = agent.clock.now();
        match looked {
            Looked::Same | Looked::Swapped { .. } => self.good = now,
            Looked::Doubtful(_) | Looked::Refused(_) | Looked::Unreachable(_) => {
                self.complain_of_age(agent, now).await?
            }
        }
        agent.metrics.rules_checked(self.good);
        self.shadow(agent, shelf).await?;
        Ok(looked)
    }

    /// Brings up to date what is only watched: the bundle beside, and what people promoted.
    async fn shadow<C: Clouds, L: Ledger>(
        &mut self,
        agent: &Agent<C, L>,
        shelf: &impl ObjectStore,
    ) -> Result<(), LedgerError> {
        let before = agent.rules.now();
        let mut set = agent.shadowing(RuleSet::clone(&before)).await?;
        if let Some(source) = self.candidate.clone()
            && let Some(policies) = self.look_beside(&source, shelf, &agent.metrics).await
        {
            set = set.with_candidate(Some(policies));
        }
        let watched = set.watched();
        if watched != before.watched() {
            info!("{} rule(s) are in shadow", watched.len());
            agent.rules.swap(set);
        }
        let now = agent.clock.now();
        if self.noted.as_ref() != Some(&watched) {
            agent.ledger.watch(&watched, now).await?;
            self.noted = Some(watched.clone());
        }
        let elapsed = now.duration_since(self.tended);
        if elapsed >= CLEAN_TIME_INTERVAL && !watched.is_empty() {
            agent.ledger.went_on(elapsed.min(LONGEST).as_secs(), now).await?;
        }
        if elapsed >= CLEAN_TIME_INTERVAL {
            self.tended = now;
        }
        Ok(())
    }

    /// The bundle beside, when there is a new one that can be used. One that cannot be is
    /// logged and counted; it would not have acted anyway.
    async fn look_beside(&mut self, source: &Source, shelf: &impl ObjectStore, metrics: &Metrics) -> Option<Policies> {
        let known: Vec<&Fingerprint> = self.seen_beside.iter().collect();
        let seen = active::fetch_if_changed(source, &known, shelf).await;
        let compiled = match seen {
            Ok(Fetched { content: None, .. }) => return None,
            Ok(Fetched { fingerprint, content: Some(content) }) => {
                self.seen_beside = Some(fingerprint);
                active::compile(content, source, self.trust.as_ref(), &self.compiler).await
            }
            Err(problem) => Err(problem),
        };
        compiled
            .inspect_err(|problem| {
                Metrics::add(&metrics.count.policy_refusals, 1);
                warn!("the policies beside at `{source}` are not watched: {}", problem.chain());
            })
            .ok()
            .map(|set| set.policies)
    }

    async fn take<C: Clouds, L: Ledger>(
        &mut self,
        agent: &Agent<C, L>,
        fingerprint: Fingerprint,
        set: RuleSet,
    ) -> Result<Looked, LedgerError> {
        let (from, to) = (agent.rules.now().policies.digest().to_owned(), set.policies.digest().to_owned());
        (self.seen, self.doubted, self.refused) = (Some(fingerprint), None, None);
        if from == to {
            return Ok(Looked::Same);
        }
        let candidate = agent.rules.now().candidate().cloned();
        let set = agent.shadowing(set).await?.with_candidate(candidate);
        // Noted before it judges: whatever it leads to, the ledger knows the bundle already.
        agent.adopt(&set, &self.source).await?;
        agent.rules.swap(set);
        Metrics::add(&agent.metrics.count.policy_swaps, 1);
        info!(from, to, "new policies from `{}` are in force", self.source);
        Ok(Looked::Swapped { from, to })
    }

    async fn refuse<C: Clouds, L: Ledger>(
        &mut self,
        agent: &Agent<C, L>,
        fingerprint: Fingerprint,
        problem: &RulesError,
    ) -> Result<Looked, LedgerError> {
        let problem = problem.chain();
        if self.doubted.as_ref() != Some(&fingerprint) {
            warn!("policies at `{}` cannot be used, looking again soon: {problem}", self.source);
            self.doubted = Some(fingerprint);
            return Ok(Looked::Doubtful(problem));
        }
        error!("policies at `{}` are refused, the ones before stay in force: {problem}", self.source);
        Metrics::add(&agent.metrics.count.policy_refusals, 1);
        let message = format!("the policies at `{}` are refused, those before stay in force: {problem}", self.source);
        let case = format!("policies:refused:{}:{fingerprint}", self.source);
        self.notify(agent, case, ("The policy bundle was refused", message)).await?;
        self.refused = Some(fingerprint);
        Ok(Looked::Refused(problem))
    }

    /// Tells people, once for each stretch without a successful look, that the rules may be
    /// out of date.
    async fn complain_of_age<C: Clouds, L: Ledger>(
        &self,
        agent: &Agent<C, L>,
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
        let case = format!("policies:old:{}:{}", self.source, self.good);
        self.notify(agent, case, ("The policies may be out of date", message)).await
    }

    /// Tells people through the same outbox as everything else; a case is told once.
    async fn notify<C: Clouds, L: Ledger>(
        &self,
        agent: &Agent<C, L>,
        key: String,
        (title, message): (&str, String),
    ) -> Result<(), LedgerError> {
        let now = agent.clock.now();
        let id: String = hash::digest(&key).chars().take(8).collect();
        let incident = Incident {
            id: format!("KW-{}", id.to_uppercase()),
            correlation: key.clone(),
            account: self.home.clone(),
            title: title.to_owned(),
            opened: now,
        };
        let plan = Plan { account: self.home.clone(), steps: Vec::new(), proposed: false };
        let notification = self.notification(agent, finding(title, message));
        let case = Case { key, repeat: Recurrence::Once, incident };
        if let Some(stored) = agent.ledger.claim(&case, &plan, &notification, now).await? {
            agent.ledger.record(&stored, &Outcome::default(), State::Done, Some(&notification), now).await?;
            agent.told.notify_one();
        }
        Ok(())
    }

    fn notification<C: Clouds, L: Ledger>(&self, agent: &Agent<C, L>, finding: Finding) -> Notification {
        Notification {
            kind: NotificationKind::Policies,
            at: agent.clock.now(),
            account: self.home.clone(),
            account_name: "keepwatch".to_owned(),
            region: agent.config.intake.region.clone(),
            bundle: Some(agent.rules.now().policies.digest().to_owned()),
            event: None,
            findings: vec![finding],
            reasons: Vec::new(),
            plan: None,
            steps: Vec::new(),
            at_stake: Vec::new(),
            context: Context::default(),
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
    Finding { rule, message, resource: None, propose: Vec::new(), evidence: Value::Null }
}

impl<C: Clouds, L: Ledger> Agent<C, L> {
    /// The same rules, those in shadow that accounts.toml, METADATA and people's word leave there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn shadowing(&self, set: RuleSet) -> Result<RuleSet, LedgerError> {
        let promoted = self.ledger.promoted().await?;
        Ok(set.shadowing(&self.config.policies.shadow_rules, &promoted))
    }

    /// Notes in the ledger which bundle judges from now on, unless it is noted already.
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
