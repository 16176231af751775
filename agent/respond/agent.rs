//! From findings to consequences: decide, plan, claim, execute, record, tell.
//!
//! Events and resources both come through here, so that an attack seen in an event and
//! drift found by a sweep are dealt with in one way.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tracing::{info, warn};

use super::decision::{Decision, DecisionContext, RecentRepairs, decide};
use super::dry_run::DryRun;
use super::enrichment::LookupThrottle;
use super::execute::Executor;
use super::keyed_lock::KeyedLock;
use super::plan::{DesiredStates, Planner};
use super::shadow::Backlog;
use crate::config::Config;
use crate::domain::account::Account;
use crate::domain::clock::Clock;
use crate::domain::cloud::{CloudError, Clouds};
use crate::domain::event::Event;
use crate::domain::finding::Finding;
use crate::domain::hash;
use crate::domain::outcome::Outcome;
use crate::domain::plan::{Plan, Step};
use crate::domain::reason::Reason;
use crate::domain::resource::{Desired, Live, Place};
use crate::domain::response::Response;
use crate::ledger::{ACT, Case, Incident, Ledger, LedgerError, PlanRecord, Recurrence, State};
use crate::notify::context::Context;
use crate::notify::geoip::Origins;
use crate::notify::notification::{EventFacts, Notification, NotificationKind, StepReport};
use crate::ops::fault;
use crate::ops::metrics::{Metrics, Stopwatch};
use crate::ops::supervise::Panicked;
use crate::rules::active::{ActiveRules, RuleSet};

/// The span in which budgets count and cases join an incident.
pub const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The span in which a repair that people took back is not repeated without their word.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Why a message or a resource was not dealt with.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// The account is not in accounts.toml.
    #[error("account {0} is not in accounts.toml")]
    UnknownAccount(crate::domain::account::AccountId),
    /// An account could not be read.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// The store failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A step may succeed later; its claim stays open.
    #[error("a step was postponed: {0}")]
    Postponed(String),
    /// Something in the agent panicked over it.
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

impl HandleError {
    /// Whether another try cannot help.
    #[must_use]
    pub const fn is_hopeless(&self) -> bool {
        match self {
            Self::UnknownAccount(_) => true,
            Self::Cloud(_) | Self::Ledger(_) | Self::Postponed(_) | Self::Panicked(_) => false,
        }
    }
}

/// The agent's working parts, shared by everything that responds.
pub struct Agent<C, L> {
    /// The accounts and how far the agent may go.
    pub config: Config,
    /// The rules, and what should be true.
    pub rules: ActiveRules,
    /// The way into accounts.
    pub clouds: C,
    /// The store.
    pub ledger: L,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What the agent measures.
    pub metrics: Metrics,
    /// Wakes the delivery of notices.
    pub told: Notify,
    /// One at a time for each actor or resource.
    pub locks: KeyedLock,
    /// When each incident's principal was last asked about.
    pub asked: LookupThrottle,
    /// Where addresses are from.
    pub origins: Origins,
    /// What rules in shadow still have to judge.
    pub shadows: Backlog,
}

/// What a case is about.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// What somebody did.
    Event(&'a Event),
    /// What is true of a resource, and the event that led there, if one did.
    Resource(&'a Place, Option<&'a Event>),
}

impl<'a> Subject<'a> {
    /// The event behind it.
    pub(super) const fn event(&self) -> Option<&'a Event> {
        match self {
            Self::Event(event) => Some(event),
            Self::Resource(_, event) => *event,
        }
    }

    /// What joins cases into an incident.
    #[must_use]
    pub fn correlation(&self, account: &Account) -> String {
        let actor = self.event().and_then(|event| event.principal.correlation());
        let subject = actor.unwrap_or_else(|| match self {
            Self::Event(event) => event.id.clone(),
            Self::Resource(place, _) => place.arn(),
        });
        format!("{}/{subject}", account.id)
    }

    /// The identity under which the case is claimed.
    fn case(&self, plan: &Plan, findings: &[Finding]) -> (String, Recurrence) {
        match (self, plan.proposed, plan.steps.is_empty()) {
            (Self::Event(event), false, _) => (format!("{ACT}{}", event.key()), Recurrence::Once),
            (Self::Event(event), true, _) => (format!("ask:{}", event.key()), Recurrence::Once),
            (Self::Resource(place, _), false, false) => (format!("state:{}", place.arn()), Recurrence::WhenFinished),
            (Self::Resource(place, _), true, _) => (format!("ask:{}", place.arn()), Recurrence::WhenFinished),
            // Drift that nobody repairs is told once, not at every sweep.
            (Self::Resource(place, _), false, true) => {
                let said: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
                (format!("drift:{}:{}", place.arn(), hash::digest(&said.join("\n"))), Recurrence::Once)
            }
        }
    }

    fn region(&self) -> &str {
        match self {
            Self::Event(event) => &event.region,
            Self::Resource(place, _) => &place.region,
        }
    }
}

/// Something to respond to.
#[derive(Debug, Clone, Copy)]
pub struct Detection<'a> {
    /// The account it happened in.
    pub account: &'a Account,
    /// What it is about.
    pub subject: Subject<'a>,
    /// The rules that judged it: all that follows goes by them, whatever is in force by then.
    pub rules: &'a RuleSet,
    /// What they found.
    pub findings: &'a [Finding],
    /// The resource as the rules saw it, when it is about one.
    pub live: Option<&'a Live>,
    /// Measures how long containment took to begin.
    pub stopwatch: &'a Stopwatch<'a>,
}

impl<C: Clouds, L: Ledger> Agent<C, L> {
    /// Deals with findings. `Ok` means that their consequences are stored.
    ///
    /// # Errors
    /// When it must be tried again: an account or the store could not be reached.
    pub async fn respond(&self, detection: Detection<'_>) -> Result<(), HandleError> {
        if detection.findings.is_empty() {
            return Ok(());
        }
        self.metrics.count.found(detection.findings);
        let correlation = detection.subject.correlation(detection.account);
        let _turn = self.locks.take(&correlation).await; // the second of two sees what the first did
        let decision = decide(
            detection.findings,
            &self.decision_context(&detection, &self.past(detection.findings).await?).await?,
        );
        let incident = self.incident(&detection, correlation).await?;

        let (urgent, rest) = decision.by_urgency();
        let mut notification = self.draft(&detection, &decision);
        let steps = self.plan(detection.rules, &urgent, &incident.id, &mut notification).await?;
        fault::point("planned");
        let plan = Plan { account: detection.account.id.clone(), steps, proposed: false };
        let Some(mut stored) = self.claim(&detection, &incident, &plan, &notification).await? else {
            return Ok(()); // an earlier delivery finished it
        };
        fault::point("claimed");
        let mut outcome = self.execute(&stored, &stored.plan, detection.stopwatch).await;
        let (known, more) = tokio::join!(
            self.enrichment(&detection, &stored.incident.id, &decision), // nothing waits for it but the notice
            self.go_on(&detection, &stored, &rest, &mut notification),
        );
        if let Some((extended, mut more)) = more? {
            stored = extended;
            outcome.steps.append(&mut more.steps);
        }
        known.tell_in(&mut notification);
        self.ask(&detection, &incident, &decision, &notification).await?;
        stored.notification = Notification { at: stored.notification.at, ..notification }; // the first attempt knew first
        self.finish(&stored, &outcome).await
    }

    /// Plans, stores and takes the steps that need not come first; `None` when there are none.
    async fn go_on(
        &self,
        detection: &Detection<'_>,
        stored: &PlanRecord,
        rest: &[Response],
        notification: &mut Notification,
    ) -> Result<Option<(PlanRecord, Outcome)>, HandleError> {
        let steps = self.plan(detection.rules, rest, &stored.incident.id, notification).await?;
        if steps.is_empty() {
            return Ok(None);
        }
        let added = Plan { steps, ..stored.plan.clone() };
        let stored = self.ledger.extend(stored, &added.steps, self.clock.now()).await?;
        let outcome = self.execute(&stored, &added, detection.stopwatch).await;
        Ok(Some((stored, outcome)))
    }

    /// What would be done about findings, read from the account and changing nothing.
    ///
    /// # Errors
    /// When an account or the store could not be reached.
    pub async fn dry_run(&self, detection: &Detection<'_>) -> Result<DryRun, HandleError> {
        let decision =
            decide(detection.findings, &self.decision_context(detection, &self.past(detection.findings).await?).await?);
        let incident = self.incident(detection, detection.subject.correlation(detection.account)).await?;
        let mut notification = self.draft(detection, &decision);
        let act = self.plan(detection.rules, &decision.act, &incident.id, &mut notification).await?;
        let ask = self.plan(detection.rules, &decision.ask, &incident.id, &mut notification).await?;
        let plan = |steps, proposed| Plan { account: detection.account.id.clone(), steps, proposed };
        Ok(DryRun {
            findings: detection.findings.to_vec(),
            reasons: notification.reasons,
            act: plan(act, false),
            ask: plan(ask, true),
        })
    }

    /// Records what came of a plan and what people must be told, in one transaction.
    ///
    /// # Errors
    /// When a step is worth another try, or the store fails.
    pub async fn finish(&self, stored: &PlanRecord, outcome: &Outcome) -> Result<(), HandleError> {
        if let Some(error) = outcome.worth_retrying() {
            return Err(HandleError::Postponed(error.to_owned())); // the claim stays open
        }
        fault::point("executed");
        let notification = report(stored, outcome);
        let told = notification.is_told().then_some(&notification);
        self.ledger.record(stored, outcome, State::Done, told, self.clock.now()).await?;
        fault::point("recorded");
        self.told.notify_one();
        Ok(())
    }

    /// Carries out steps of a stored plan.
    pub async fn execute(&self, stored: &PlanRecord, plan: &Plan, stopwatch: &Stopwatch<'_>) -> Outcome {
        let incident = &stored.incident.id;
        let begun = stored.resumed;
        let executor = Executor { clouds: &self.clouds, config: &self.config, incident, stopwatch, begun };
        let outcome = executor.execute(plan).await;
        for (step, result) in plan.steps.iter().zip(&outcome.steps) {
            self.metrics.count.step(result);
            info!(incident, plan = stored.id, account.id = %step.account, result = ?result, "{}", step.action);
        }
        outcome
    }

    /// Carries out what an agent that died had begun. What the queue brings back is only
    /// carried out here: there may be more to it, and its message finishes it.
    ///
    /// # Errors
    /// When the store fails; a plan that cannot be carried out now is left for the next start.
    pub async fn resume(&self) -> Result<(), LedgerError> {
        for stored in self.ledger.unfinished().await? {
            warn!(plan = stored.id, "carrying out a plan that an earlier run began");
            let outcome = self.execute(&stored, &stored.plan, &Stopwatch::idle()).await;
            if stored.is_redelivered() {
                continue;
            }
            match self.finish(&stored, &outcome).await {
                Err(HandleError::Ledger(error)) => return Err(error),
                Err(error) => warn!(plan = stored.id, "not finished: {error}"),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Stores what only a person may start, and asks.
    async fn ask(
        &self,
        detection: &Detection<'_>,
        incident: &Incident,
        decision: &Decision,
        notification: &Notification,
    ) -> Result<(), HandleError> {
        let mut notification = notification.clone();
        let steps = self.plan(detection.rules, &decision.ask, &incident.id, &mut notification).await?;
        if steps.is_empty() {
            return Ok(());
        }
        let plan = Plan { account: detection.account.id.clone(), steps, proposed: true };
        if let Some(stored) = self.claim(detection, incident, &plan, &notification).await? {
            let notification = report(&stored, &Outcome::default());
            let now = self.clock.now();
            self.ledger.record(&stored, &Outcome::default(), State::Proposed, Some(&notification), now).await?;
            self.told.notify_one();
        }
        Ok(())
    }

    async fn claim(
        &self,
        detection: &Detection<'_>,
        incident: &Incident,
        plan: &Plan,
        notification: &Notification,
    ) -> Result<Option<PlanRecord>, LedgerError> {
        let (key, repeat) = detection.subject.case(plan, detection.findings);
        let case = Case { key, repeat, incident: incident.clone() };
        self.ledger.claim(&case, plan, notification, self.clock.now()).await
    }

    /// The steps that deeds need. What will never be possible becomes a reason, so that
    /// people hear of it; what may be possible later is an error.
    async fn plan(
        &self,
        rules: &RuleSet,
        responses: &[Response],
        incident: &str,
        notification: &mut Notification,
    ) -> Result<Vec<Step>, CloudError> {
        let desired_states = &DesiredByRules { agent: self, rules };
        let planner =
            Planner { clouds: &self.clouds, config: &self.config, desired_states, incident, now: self.clock.now() };
        let mut steps = Vec::new();
        for response in responses {
            match planner.steps(response).await {
                Ok(mut more) => steps.append(&mut more),
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => {
                    notification.reasons.push(Reason::failure(format!("{} is not possible: {error}", response.verb())))
                }
            }
        }
        Ok(steps)
    }

    async fn incident(&self, detection: &Detection<'_>, correlation: String) -> Result<Incident, LedgerError> {
        let now = self.clock.now();
        if let Some(incident) = self.ledger.open_incident(&correlation, now).await? {
            return Ok(incident);
        }
        let seed = detection
            .subject
            .event()
            .map_or_else(|| format!("{correlation}@{now}"), |event| format!("{correlation}@{}", event.id));
        let id: String = hash::digest(&seed).chars().take(8).collect();
        let title = detection.findings.first().map(|finding| finding.rule.title.clone()).unwrap_or_default();
        Ok(Incident {
            id: format!("KW-{}", id.to_uppercase()),
            correlation,
            account: detection.account.id.clone(),
            title,
            opened: now,
        })
    }

    async fn past(&self, findings: &[Finding]) -> Result<BTreeMap<String, RecentRepairs>, LedgerError> {
        let now = self.clock.now();
        let mut past = BTreeMap::new();
        for arn in findings.iter().filter_map(|finding| finding.resource.as_ref()) {
            let repairs = self.ledger.repairs_of(arn, before(now, HOUR)).await?;
            let taken_back = self.ledger.taken_back(arn, before(now, DAY)).await?;
            past.insert(arn.clone(), RecentRepairs { repairs, taken_back });
        }
        Ok(past)
    }

    async fn decision_context<'a>(
        &'a self,
        detection: &Detection<'a>,
        past: &'a BTreeMap<String, RecentRepairs>,
    ) -> Result<DecisionContext<'a>, LedgerError> {
        let now = self.clock.now();
        Ok(DecisionContext {
            config: &self.config,
            account: detection.account,
            principal: detection.subject.event().map(|event| &event.principal),
            usage: self.ledger.usage(Some(&detection.account.id), before(now, HOUR)).await?,
            usage_everywhere: self.ledger.usage(None, before(now, HOUR)).await?,
            past,
            now,
        })
    }

    /// What a resource should be: what the strategies declare, else its last approved baseline.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn desired(&self, place: &Place, rules: &RuleSet) -> Result<Desired, CloudError> {
        let unavailable =
            |error: LedgerError| CloudError::Unavailable { call: "baseline".to_owned(), detail: error.to_string() };
        let baseline = self.ledger.baseline(place).await.map_err(unavailable)?;
        Ok(rules.strategies.desired(place).unwrap_or_default().or(baseline.unwrap_or_default()))
    }

    /// What will be told, as far as it is known before anything is done.
    fn draft(&self, detection: &Detection<'_>, decision: &Decision) -> Notification {
        Notification {
            kind: NotificationKind::Response,
            at: self.clock.now(),
            account: detection.account.id.clone(),
            account_name: detection.account.name.clone(),
            region: detection.subject.region().to_owned(),
            bundle: Some(detection.rules.policies.digest().to_owned()),
            event: detection.subject.event().map(EventFacts::of),
            findings: detection.findings.to_vec(),
            reasons: decision.reasons.clone(),
            plan: None,
            steps: Vec::new(),
            at_stake: Vec::new(),
            context: Context::default(),
            people: Vec::new(),
        }
    }
}

/// What one set of rules wants of resources.
struct DesiredByRules<'a, C, L> {
    agent: &'a Agent<C, L>,
    rules: &'a RuleSet,
}

impl<C: Clouds, L: Ledger> DesiredStates for DesiredByRules<'_, C, L> {
    async fn desired(&self, place: &Place) -> Result<Desired, CloudError> {
        self.agent.desired(place, self.rules).await
    }
}

/// A stored plan's notice, with what came of its steps; an empty outcome means that they
/// wait for a person's word.
#[must_use]
pub fn report(stored: &PlanRecord, outcome: &Outcome) -> Notification {
    let mut outcomes = outcome.steps.iter();
    let steps = stored.plan.steps.iter().map(|step| StepReport {
        verb: step.verb,
        action: step.action.to_string(),
        changes: step.changes(),
        undo: step.undo.to_string(),
        outcome: outcomes.next().cloned(),
    });
    let kind = match stored.state {
        State::Denied => NotificationKind::Denial,
        State::Claimed | State::Proposed | State::Done | State::Undone => stored.notification.kind,
    };
    Notification { kind, plan: Some(stored.id.clone()), steps: steps.collect(), ..stored.notification.clone() }
}

fn before(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.saturating_sub(span).unwrap_or(Timestamp::MIN)
}
