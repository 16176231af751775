//! From findings to consequences: decide, plan, claim, execute, record, tell.
//!
//! Events and resources both come through here, so that an attack seen in an event and
//! drift found by a sweep are dealt with in one way.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::sync::Notify;
use tracing::{info, warn};

use super::decision::{Circumstances, Decision, Past, decide};
use super::enrichment::Asked;
use super::execute::Executor;
use super::keyed_lock::Turns;
use super::plan::{Planner, Wishes};
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
use crate::domain::response::Deed;
use crate::ledger::{ACT, Case, Incident, Ledger, LedgerError, Repeat, State, Stored};
use crate::notify::context::Context;
use crate::notify::geoip::Origins;
use crate::notify::notice::{EventFacts, Notice, Occasion, StepReport};
use crate::ops::fault;
use crate::ops::metrics::{Metrics, Stopwatch};
use crate::rules::active::{InForce, RuleSet};

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
}

impl HandleError {
    /// Whether another try cannot help.
    #[must_use]
    pub const fn is_hopeless(&self) -> bool {
        match self {
            Self::UnknownAccount(_) => true,
            Self::Cloud(_) | Self::Ledger(_) | Self::Postponed(_) => false,
        }
    }
}

/// The agent's working parts, shared by everything that responds.
pub struct Agent<C, L> {
    /// The accounts and how far the agent may go.
    pub config: Config,
    /// The rules, and what should be true.
    pub rules: InForce,
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
    pub turns: Turns,
    /// When each incident's principal was last asked about.
    pub asked: Asked,
    /// Where addresses are from.
    pub origins: Origins,
    /// What rules in shadow still have to judge.
    pub shadows: Backlog,
}

/// What a case is about.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// What somebody did.
    Act(&'a Event),
    /// What is true of a resource, and the event that led there, if one did.
    State(&'a Place, Option<&'a Event>),
}

impl<'a> Subject<'a> {
    /// The event behind it.
    pub(super) const fn event(&self) -> Option<&'a Event> {
        match self {
            Self::Act(event) => Some(event),
            Self::State(_, event) => *event,
        }
    }

    /// What joins cases into an incident.
    #[must_use]
    pub fn correlation(&self, account: &Account) -> String {
        let actor = self.event().and_then(|event| event.principal.correlation());
        let subject = actor.unwrap_or_else(|| match self {
            Self::Act(event) => event.id.clone(),
            Self::State(place, _) => place.arn(),
        });
        format!("{}/{subject}", account.id)
    }

    /// The identity under which the case is claimed.
    fn case(&self, plan: &Plan, findings: &[Finding]) -> (String, Repeat) {
        match (self, plan.proposed, plan.steps.is_empty()) {
            (Self::Act(event), false, _) => (format!("{ACT}{}", event.key()), Repeat::Once),
            (Self::Act(event), true, _) => (format!("ask:{}", event.key()), Repeat::Once),
            (Self::State(place, _), false, false) => (format!("state:{}", place.arn()), Repeat::WhenFinished),
            (Self::State(place, _), true, _) => (format!("ask:{}", place.arn()), Repeat::WhenFinished),
            // Drift that nobody repairs is told once, not at every sweep.
            (Self::State(place, _), false, true) => {
                let said: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
                (format!("drift:{}:{}", place.arn(), hash::digest(&said.join("\n"))), Repeat::Once)
            }
        }
    }

    fn region(&self) -> &str {
        match self {
            Self::Act(event) => &event.region,
            Self::State(place, _) => &place.region,
        }
    }
}

/// Something to respond to.
#[derive(Debug, Clone, Copy)]
pub struct Occurrence<'a> {
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
    pub async fn respond(&self, it: Occurrence<'_>) -> Result<(), HandleError> {
        if it.findings.is_empty() {
            return Ok(());
        }
        Metrics::add(&self.metrics.count.findings, it.findings.len() as u64);
        let correlation = it.subject.correlation(it.account);
        let _turn = self.turns.take(&correlation).await; // the second of two sees what the first did
        let decision = decide(it.findings, &self.circumstances(&it, &self.past(it.findings).await?).await?);
        let incident = self.incident(&it, correlation).await?;

        let (urgent, rest) = decision.by_urgency();
        let mut notice = self.draft(&it, &decision);
        let steps = self.plan(it.rules, &urgent, &incident.id, &mut notice).await?;
        fault::point("planned");
        let plan = Plan { account: it.account.id.clone(), steps, proposed: false };
        let Some(mut stored) = self.claim(&it, &incident, &plan, &notice).await? else {
            return Ok(()); // an earlier delivery finished it
        };
        fault::point("claimed");
        let mut outcome = self.execute(&stored, &stored.plan, it.stopwatch).await;
        let (known, more) = tokio::join!(
            self.surroundings(&it, &stored.incident.id, &decision), // nothing waits for it but the notice
            self.go_on(&it, &stored, &rest, &mut notice),
        );
        if let Some((extended, mut more)) = more? {
            stored = extended;
            outcome.steps.append(&mut more.steps);
        }
        known.tell_in(&mut notice);
        self.ask(&it, &incident, &decision, &notice).await?;
        stored.notice = Notice { at: stored.notice.at, ..notice }; // the first attempt knew first
        self.finish(&stored, &outcome).await
    }

    /// Plans, stores and takes the steps that need not come first; `None` when there are none.
    async fn go_on(
        &self,
        it: &Occurrence<'_>,
        stored: &Stored,
        rest: &[Deed],
        notice: &mut Notice,
    ) -> Result<Option<(Stored, Outcome)>, HandleError> {
        let steps = self.plan(it.rules, rest, &stored.incident.id, notice).await?;
        if steps.is_empty() {
            return Ok(None);
        }
        let added = Plan { steps, ..stored.plan.clone() };
        let stored = self.ledger.extend(stored, &added.steps, self.clock.now()).await?;
        let outcome = self.execute(&stored, &added, it.stopwatch).await;
        Ok(Some((stored, outcome)))
    }

    /// What would be done about findings, read from the account and changing nothing.
    ///
    /// # Errors
    /// When an account or the store could not be reached.
    pub async fn foresee(&self, it: &Occurrence<'_>) -> Result<Foreseen, HandleError> {
        let decision = decide(it.findings, &self.circumstances(it, &self.past(it.findings).await?).await?);
        let incident = self.incident(it, it.subject.correlation(it.account)).await?;
        let mut notice = self.draft(it, &decision);
        let act = self.plan(it.rules, &decision.act, &incident.id, &mut notice).await?;
        let ask = self.plan(it.rules, &decision.ask, &incident.id, &mut notice).await?;
        let plan = |steps, proposed| Plan { account: it.account.id.clone(), steps, proposed };
        Ok(Foreseen {
            findings: it.findings.to_vec(),
            reasons: notice.reasons,
            act: plan(act, false),
            ask: plan(ask, true),
        })
    }

    /// Records what came of a plan and what people must be told, in one transaction.
    ///
    /// # Errors
    /// When a step is worth another try, or the store fails.
    pub async fn finish(&self, stored: &Stored, outcome: &Outcome) -> Result<(), HandleError> {
        if let Some(error) = outcome.worth_retrying() {
            return Err(HandleError::Postponed(error.to_owned())); // the claim stays open
        }
        fault::point("executed");
        let notice = report(stored, outcome);
        let told = notice.is_told().then_some(&notice);
        self.ledger.record(stored, outcome, State::Done, told, self.clock.now()).await?;
        fault::point("recorded");
        self.told.notify_one();
        Ok(())
    }

    /// Carries out steps of a stored plan.
    pub async fn execute(&self, stored: &Stored, plan: &Plan, stopwatch: &Stopwatch<'_>) -> Outcome {
        let incident = &stored.incident.id;
        let begun = stored.resumed;
        let executor = Executor { clouds: &self.clouds, config: &self.config, incident, stopwatch, begun };
        let outcome = executor.execute(plan).await;
        Metrics::add(&self.metrics.count.steps, plan.steps.len() as u64);
        for (step, result) in plan.steps.iter().zip(&outcome.steps) {
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
            if stored.comes_again() {
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
        it: &Occurrence<'_>,
        incident: &Incident,
        decision: &Decision,
        notice: &Notice,
    ) -> Result<(), HandleError> {
        let mut notice = notice.clone();
        let steps = self.plan(it.rules, &decision.ask, &incident.id, &mut notice).await?;
        if steps.is_empty() {
            return Ok(());
        }
        let plan = Plan { account: it.account.id.clone(), steps, proposed: true };
        if let Some(stored) = self.claim(it, incident, &plan, &notice).await? {
            let notice = report(&stored, &Outcome::default());
            let now = self.clock.now();
            self.ledger.record(&stored, &Outcome::default(), State::Proposed, Some(&notice), now).await?;
            self.told.notify_one();
        }
        Ok(())
    }

    async fn claim(
        &self,
        it: &Occurrence<'_>,
        incident: &Incident,
        plan: &Plan,
        notice: &Notice,
    ) -> Result<Option<Stored>, LedgerError> {
        let (key, repeat) = it.subject.case(plan, it.findings);
        let case = Case { key, repeat, incident: incident.clone() };
        self.ledger.claim(&case, plan, notice, self.clock.now()).await
    }

    /// The steps that deeds need. What will never be possible becomes a reason, so that
    /// people hear of it; what may be possible later is an error.
    async fn plan(
        &self,
        rules: &RuleSet,
        deeds: &[Deed],
        incident: &str,
        notice: &mut Notice,
    ) -> Result<Vec<Step>, CloudError> {
        let wishes = &Wanted { agent: self, rules };
        let planner = Planner { clouds: &self.clouds, config: &self.config, wishes, incident, now: self.clock.now() };
        let mut steps = Vec::new();
        for deed in deeds {
            match planner.steps(deed).await {
                Ok(mut more) => steps.append(&mut more),
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => notice.reasons.push(Reason::failure(format!("{} is not possible: {error}", deed.verb()))),
            }
        }
        Ok(steps)
    }

    async fn incident(&self, it: &Occurrence<'_>, correlation: String) -> Result<Incident, LedgerError> {
        let now = self.clock.now();
        if let Some(incident) = self.ledger.open_incident(&correlation, now).await? {
            return Ok(incident);
        }
        let seed = it
            .subject
            .event()
            .map_or_else(|| format!("{correlation}@{now}"), |event| format!("{correlation}@{}", event.id));
        let id: String = hash::digest(&seed).chars().take(8).collect();
        let title = it.findings.first().map(|finding| finding.rule.title.clone()).unwrap_or_default();
        Ok(Incident {
            id: format!("KW-{}", id.to_uppercase()),
            correlation,
            account: it.account.id.clone(),
            title,
            opened: now,
        })
    }

    async fn past(&self, findings: &[Finding]) -> Result<BTreeMap<String, Past>, LedgerError> {
        let now = self.clock.now();
        let mut past = BTreeMap::new();
        for arn in findings.iter().filter_map(|finding| finding.resource.as_ref()) {
            let repairs = self.ledger.repairs_of(arn, before(now, HOUR)).await?;
            let taken_back = self.ledger.taken_back(arn, before(now, DAY)).await?;
            past.insert(arn.clone(), Past { repairs, taken_back });
        }
        Ok(past)
    }

    async fn circumstances<'a>(
        &'a self,
        it: &Occurrence<'a>,
        past: &'a BTreeMap<String, Past>,
    ) -> Result<Circumstances<'a>, LedgerError> {
        let now = self.clock.now();
        Ok(Circumstances {
            config: &self.config,
            account: it.account,
            principal: it.subject.event().map(|event| &event.principal),
            usage: self.ledger.usage(Some(&it.account.id), before(now, HOUR)).await?,
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
    fn draft(&self, it: &Occurrence<'_>, decision: &Decision) -> Notice {
        Notice {
            occasion: Occasion::Response,
            at: self.clock.now(),
            account: it.account.id.clone(),
            account_name: it.account.name.clone(),
            region: it.subject.region().to_owned(),
            bundle: Some(it.rules.policies.digest().to_owned()),
            event: it.subject.event().map(EventFacts::of),
            findings: it.findings.to_vec(),
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
struct Wanted<'a, C, L> {
    agent: &'a Agent<C, L>,
    rules: &'a RuleSet,
}

impl<C: Clouds, L: Ledger> Wishes for Wanted<'_, C, L> {
    async fn desired(&self, place: &Place) -> Result<Desired, CloudError> {
        self.agent.desired(place, self.rules).await
    }
}

/// What would be done about findings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Foreseen {
    /// What the rules found.
    pub findings: Vec<Finding>,
    /// Why the agent would do what it would, or not.
    pub reasons: Vec<Reason>,
    /// What would be done at once.
    pub act: Plan,
    /// What would wait for a person's word.
    pub ask: Plan,
}

impl fmt::Display for Foreseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{} {}: {}", finding.rule.severity, finding.rule.id, finding.message)?;
        }
        for reason in &self.reasons {
            writeln!(f, "  because {}", reason.because)?;
        }
        write!(f, "{}", self.act)?;
        if !self.ask.steps.is_empty() {
            write!(f, "after a person's word:\n{}", self.ask)?;
        }
        Ok(())
    }
}

/// A stored plan's notice, with what came of its steps; an empty outcome means that they
/// wait for a person's word.
#[must_use]
pub fn report(stored: &Stored, outcome: &Outcome) -> Notice {
    let mut outcomes = outcome.steps.iter();
    let steps = stored.plan.steps.iter().map(|step| StepReport {
        verb: step.verb,
        deed: step.action.to_string(),
        changes: step.changes(),
        undo: step.undo.to_string(),
        outcome: outcomes.next().cloned(),
    });
    let occasion = match stored.state {
        State::Denied => Occasion::Denial,
        State::Claimed | State::Proposed | State::Done | State::Undone => stored.notice.occasion,
    };
    Notice { occasion, plan: Some(stored.id.clone()), steps: steps.collect(), ..stored.notice.clone() }
}

fn before(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.saturating_sub(span).unwrap_or(Timestamp::MIN)
}
