//! From findings to consequences: decide, plan, claim, execute, record, notify.
//!
//! Events and resources both come through here, so that an attack seen in an event and
//! drift found by a sweep are handled in one way.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tracing::{info, warn};

use super::decision::{Decision, DecisionContext, RecentRepairs, decide};
use super::detection::Detection;
use super::dry_run::DryRun;
use super::execute::{Executor, WriteDoor};
use super::geoip::Origins;
use super::keyed_lock::KeyedLock;
use super::lookup_throttle::LookupThrottle;
use super::plan::{DesiredStates, Planner};
use crate::config::Config;
use crate::domain::case::CaseRecord;
use crate::domain::clock::Clock;
use crate::domain::cloud::{CloudError, Readers};
use crate::domain::finding::Finding;
use crate::domain::outcome::Outcome;
use crate::domain::plan::{Capacity, Plan, Step, TooLarge};
use crate::domain::reason::{Because, Reason};
use crate::domain::resource::{Desired, Place};
use crate::domain::response::Response;
use crate::ledger::{Claim, Incident, Ledger, LedgerError, PlanRecord, Record, State};
use crate::ops::fault;
use crate::ops::metrics::{Metrics, Stopwatch};
use crate::ops::supervise::Panicked;
use crate::rules::active::{ActiveRules, RuleSet};
use crate::rules::backlog::Backlog;
use crate::rules::refresh::RefreshContext;

/// The span in which budgets and repairs count.
pub const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The span in which a repair that people took back is not repeated without approval.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Why a message or a resource was not handled.
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
    /// The way into accounts with their read roles.
    pub clouds: C,
    /// The way into accounts to act, for [`Executor`] alone.
    pub door: WriteDoor,
    /// The store.
    pub ledger: L,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What the agent measures.
    pub metrics: Metrics,
    /// Wakes the delivery of reports.
    pub reports: Notify,
    /// One at a time for each actor or resource.
    pub locks: KeyedLock,
    /// When each incident's principal was last asked about.
    pub lookups: LookupThrottle,
    /// Where addresses are from.
    pub origins: Origins,
    /// What rules in shadow still have to evaluate.
    pub shadows: Backlog,
}

impl<C: Readers, L: Ledger> Agent<C, L> {
    /// What a refresh of the rules works on.
    pub fn refresh_context(&self) -> RefreshContext<'_, L> {
        let Self { rules, config, ledger, clock, metrics, reports, .. } = self;
        RefreshContext { rules, config, ledger, clock: &**clock, metrics, reports }
    }

    /// Handles findings. `Ok` means that their consequences are stored.
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
            &self.decision_context(&detection, &self.recent_repairs(detection.findings).await?).await?,
        );
        let incident = self.incident(&detection, correlation).await?;

        let (urgent, rest) = decision.by_urgency();
        let mut case = detection.case(&decision, self.clock.now());
        let planned = self.plan(detection.rules, &urgent, &incident.id, Capacity::left_by(&[])).await?;
        case.reasons.extend(planned.reasons);
        fault::point("planned");
        let plan = Plan { account: detection.account.id.clone(), steps: planned.steps, proposed: false };
        let Some(mut stored) = self.claim(&detection, &incident, plan, &case).await? else {
            // An earlier delivery finished it, or reported it. What takes approval stands by itself.
            return self.ask_for_approval(&detection, &incident, &decision, &case).await;
        };
        fault::point("claimed");
        let mut outcome = self.execute(&stored, &stored.plan, detection.stopwatch).await;
        let (enrichment, more) = tokio::join!(
            self.enrichment(&detection, &stored.incident.id, &decision), // nothing waits for it but the report
            self.carry_out_rest(&detection, &stored, &rest),
        );
        let Continued { extended, reasons } = more?;
        case.reasons.extend(reasons);
        if let Some((extended, mut more)) = extended {
            stored = extended;
            outcome.steps.append(&mut more.steps);
        }
        case.enrichment = enrichment;
        self.ask_for_approval(&detection, &incident, &decision, &case).await?;
        stored.case = CaseRecord { at: stored.case.at, ..case }; // the first attempt knew first
        self.record_and_report(&stored, &outcome).await
    }

    /// Plans, stores and takes the steps that need not come first.
    async fn carry_out_rest(
        &self,
        detection: &Detection<'_>,
        stored: &PlanRecord,
        rest: &[Response],
    ) -> Result<Continued, HandleError> {
        let Planned { steps, reasons } =
            self.plan(detection.rules, rest, &stored.incident.id, Capacity::left_by(&stored.plan.steps)).await?;
        if steps.is_empty() {
            return Ok(Continued { extended: None, reasons });
        }
        let added = Plan { steps, ..stored.plan.clone() };
        let stored = self.ledger.extend(stored, &added.steps, self.clock.now()).await?;
        let outcome = self.execute(&stored, &added, detection.stopwatch).await;
        Ok(Continued { extended: Some((stored, outcome)), reasons })
    }

    /// What would be done about findings, read from the account and changing nothing.
    ///
    /// # Errors
    /// When an account or the store could not be reached.
    pub async fn dry_run(&self, detection: &Detection<'_>) -> Result<DryRun, HandleError> {
        let decision = decide(
            detection.findings,
            &self.decision_context(detection, &self.recent_repairs(detection.findings).await?).await?,
        );
        let incident = self.incident(detection, detection.subject.correlation(detection.account)).await?;
        let act = self.plan(detection.rules, &decision.act, &incident.id, Capacity::left_by(&[])).await?;
        let ask = self.plan(detection.rules, &decision.ask, &incident.id, Capacity::left_by(&[])).await?;
        let plan = |steps, proposed| Plan { account: detection.account.id.clone(), steps, proposed };
        Ok(DryRun {
            findings: detection.findings.to_vec(),
            reasons: [decision.reasons, act.reasons, ask.reasons].concat(),
            act: plan(act.steps, false),
            ask: plan(ask.steps, true),
        })
    }

    /// Records what came of a plan and its notification, in one transaction.
    ///
    /// # Errors
    /// When a step is worth another try, or the store fails.
    pub async fn record_and_report(&self, stored: &PlanRecord, outcome: &Outcome) -> Result<(), HandleError> {
        if let Some(error) = outcome.worth_retrying() {
            return Err(HandleError::Postponed(error.to_owned())); // the claim stays open
        }
        fault::point("executed");
        let report = stored.report(outcome);
        let report = report.is_reported().then_some(report);
        let record = Record { state: State::Done, outcome: outcome.clone(), report };
        self.ledger.record(stored, record, self.clock.now()).await?;
        fault::point("recorded");
        self.reports.notify_one();
        Ok(())
    }

    /// Carries out steps of a stored plan.
    pub async fn execute(&self, stored: &PlanRecord, plan: &Plan, stopwatch: &Stopwatch<'_>) -> Outcome {
        let incident = &stored.incident.id;
        let begun = stored.resumed;
        let claim = format!("{}@{}", stored.id, stored.claimed);
        let (readers, door, config) = (&self.clouds, &self.door, &self.config);
        let executor = Executor { readers, door, config, incident, claim, stopwatch, begun };
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
            if stored.key.is_redelivered() {
                continue;
            }
            match self.record_and_report(&stored, &outcome).await {
                Err(HandleError::Ledger(error)) => return Err(error),
                Err(error) => warn!(plan = stored.id, "not finished: {error}"),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Stores what only a person may start, and asks.
    async fn ask_for_approval(
        &self,
        detection: &Detection<'_>,
        incident: &Incident,
        decision: &Decision,
        case: &CaseRecord,
    ) -> Result<(), HandleError> {
        let Planned { steps, reasons } =
            self.plan(detection.rules, &decision.ask, &incident.id, Capacity::left_by(&[])).await?;
        if steps.is_empty() {
            return Ok(());
        }
        let case = CaseRecord { reasons: [case.reasons.clone(), reasons].concat(), ..case.clone() };
        let plan = Plan { account: detection.account.id.clone(), steps, proposed: true };
        if let Some(stored) = self.claim(detection, incident, plan, &case).await? {
            let outcome = Outcome::default();
            let record = Record { state: State::Proposed, report: Some(stored.report(&outcome)), outcome };
            self.ledger.record(&stored, record, self.clock.now()).await?;
            self.reports.notify_one();
        }
        Ok(())
    }

    async fn claim(
        &self,
        detection: &Detection<'_>,
        incident: &Incident,
        plan: Plan,
        case: &CaseRecord,
    ) -> Result<Option<PlanRecord>, LedgerError> {
        let key = detection.subject.dedup_key(&plan, detection.findings, case.is_reported());
        let claim = Claim { key, incident: incident.clone(), plan, case: case.clone() };
        self.ledger.claim(&claim, self.clock.now()).await
    }

    /// The steps that responses need. What will never be possible becomes a reason, so that
    /// people hear of it; what may be possible later is an error.
    async fn plan(
        &self,
        rules: &RuleSet,
        responses: &[Response],
        incident: &str,
        mut capacity: Capacity,
    ) -> Result<Planned, CloudError> {
        let desired_states = &DesiredByRules { agent: self, rules };
        let planner =
            Planner { readers: &self.clouds, config: &self.config, desired_states, incident, now: self.clock.now() };
        let mut planned = Planned::default();
        for response in responses {
            match planner.steps(response).await {
                Ok(steps) => steps.into_iter().for_each(|step| planned.admit(step, &mut capacity)),
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => {
                    planned.refuse(Because::NotPossible { response: response.verb(), error: error.to_string() });
                }
            }
        }
        planned.reasons.iter().for_each(|reason| warn!(incident, "{}", reason.because));
        Ok(planned)
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
        let title = detection.findings.first().map(|finding| finding.rule.title.clone()).unwrap_or_default();
        Ok(Incident::new(&seed, correlation, detection.account.id.clone(), title, now))
    }

    async fn recent_repairs(&self, findings: &[Finding]) -> Result<BTreeMap<String, RecentRepairs>, LedgerError> {
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
        let silent = || Desired::silent(place.kind);
        Ok(rules.strategies.desired(place).unwrap_or_else(silent).or(baseline.unwrap_or_else(silent)))
    }
}

/// What planning found out.
#[derive(Debug, Default)]
struct Planned {
    steps: Vec<Step>,
    /// Why responses are not possible.
    reasons: Vec<Reason>,
}

impl Planned {
    fn admit(&mut self, step: Step, capacity: &mut Capacity) {
        let response = step.verb;
        match capacity.admit(step) {
            Ok(step) => self.steps.push(step),
            Err(TooLarge { bytes }) => self.refuse(Because::TooLarge { response, bytes }),
        }
    }

    fn refuse(&mut self, because: Because) {
        self.reasons.push(Reason::general(because));
    }
}

/// What came of the steps that need not come first.
struct Continued {
    /// The plan with them, and what came of them; none when there are none.
    extended: Option<(PlanRecord, Outcome)>,
    /// Why responses are not possible.
    reasons: Vec<Reason>,
}

/// What one set of rules wants of resources.
struct DesiredByRules<'a, C, L> {
    agent: &'a Agent<C, L>,
    rules: &'a RuleSet,
}

impl<C: Readers, L: Ledger> DesiredStates for DesiredByRules<'_, C, L> {
    async fn desired(&self, place: &Place) -> Result<Desired, CloudError> {
        self.agent.desired(place, self.rules).await
    }
}

fn before(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.saturating_sub(span).unwrap_or(Timestamp::MIN)
}
