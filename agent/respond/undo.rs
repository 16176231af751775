//! Taking back, approving and denying: what people say to a stored plan.
//!
//! An undo is a plan like any other, made of the undo steps that were read before the change,
//! in reverse. It is claimed, carried out, recorded and reported the same way.

use jiff::Timestamp;

use super::agent::{Agent, HandleError};
use crate::domain::case::{CaseRecord, CaseUpdate, DedupKey};
use crate::domain::cloud::Readers;
use crate::domain::enrichment::Enrichment;
use crate::domain::finding::ResponseKind;
use crate::domain::outcome::Outcome;
use crate::domain::plan::{Plan, Step};
use crate::domain::reason::{Because, Reason};
use crate::ledger::{Claim, Consent, Ledger, PlanRecord, Record, State};
use crate::ops::metrics::Stopwatch;

/// Why a plan was not taken back or approved.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// No plan has this id.
    #[error("no plan or incident `{0}`: `keepwatch incident list` shows what there is")]
    Unknown(String),
    /// It stands otherwise than it must.
    #[error("plan `{id}` is {state}: {hint}")]
    State {
        /// The plan.
        id: String,
        /// How it stands.
        state: String,
        /// What can be done instead.
        hint: &'static str,
    },
    /// Releasing takes two people.
    #[error("releasing a quarantine or a hold takes two people: name both, `--by you --with second-person`")]
    OnePerson,
    /// Somebody must answer for it.
    #[error("a person is named by nothing: `--by` says who asks for it, `--with` who agrees")]
    Nobody,
    /// Whoever did it may not say what becomes of it.
    #[error("the plan is about `{0}`: somebody else must approve, deny or undo it")]
    OwnPlan(String),
    /// Handling failed.
    #[error(transparent)]
    Handle(#[from] HandleError),
}

impl From<crate::ledger::LedgerError> for UndoError {
    fn from(error: crate::ledger::LedgerError) -> Self {
        Self::Handle(error.into())
    }
}

/// A finished plan, and the plan that takes it back.
#[derive(Debug, Clone, PartialEq)]
pub struct Undoable {
    /// What was done.
    pub stored: PlanRecord,
    /// What takes it back.
    pub plan: Plan,
}

/// The plan that takes back what was changed, last change first.
#[must_use]
pub fn inverse(stored: &PlanRecord) -> Plan {
    let outcomes = stored.outcome.iter().flat_map(|outcome| &outcome.steps);
    let changed = stored.plan.steps.iter().zip(outcomes).filter(|(_, outcome)| outcome.changed());
    let mut steps: Vec<Step> = changed.filter_map(|(step, _)| step.inverse()).collect();
    steps.reverse();
    Plan { account: stored.plan.account.clone(), steps, proposed: false }
}

/// Whether enough people want to take plans back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agreed {
    /// These do, and they are enough.
    By(Vec<String>),
    /// One does; a second person must.
    Waits,
}

impl<C: Readers, L: Ledger> Agent<C, L> {
    /// What would take back a plan, or every plan of an incident, the newest first; plans
    /// that changed nothing are left out.
    ///
    /// # Errors
    /// When no plan or incident has this id, or the plan is not finished.
    pub async fn undoable(&self, id: &str) -> Result<Vec<Undoable>, UndoError> {
        let mut undoable = Vec::new();
        for stored in self.plans_of(id).await? {
            let plan = inverse(&stored);
            if !plan.steps.is_empty() {
                undoable.push(Undoable { stored, plan });
            }
        }
        Ok(undoable)
    }

    /// Takes plans back. Releasing an actor or a vault takes two people, and without the
    /// second one nothing at all is taken back.
    ///
    /// # Errors
    /// When too few people ask, or a step cannot be taken now.
    pub async fn undo(&self, undoable: &[Undoable], people: &[String]) -> Result<Vec<Outcome>, UndoError> {
        if takes_two(undoable) && !are_two(people) {
            return Err(UndoError::OnePerson);
        }
        for (one, person) in undoable.iter().flat_map(|one| people.iter().map(move |person| (one, person))) {
            not_by_the_actor(&one.stored, person)?;
        }
        let mut outcomes = Vec::new();
        for one in undoable {
            outcomes.push(self.undo_one(one, people).await?);
        }
        Ok(outcomes)
    }

    /// Notes that a person wants to take plans back, for people who do not come together. The
    /// approval holds for [`APPROVAL_HOLDS`](crate::domain::reason::APPROVAL_HOLDS), after a
    /// restart too, and for these plans alone.
    ///
    /// # Errors
    /// When the person is who it is about, or the store fails.
    pub async fn agree(&self, target: &str, undoable: &[Undoable], person: &str) -> Result<Agreed, UndoError> {
        for one in undoable {
            not_by_the_actor(&one.stored, person)?;
        }
        let Some(first) = undoable.first().filter(|_| takes_two(undoable)) else {
            return Ok(Agreed::By(vec![person.to_owned()]));
        };
        let plans = undoable.iter().map(|one| one.stored.id.clone()).collect();
        let consent = Consent { target: target.to_owned(), plans, person: person.to_owned() };
        let now = self.clock.now();
        let case = second_person_needed(&first.stored, &consent, now);
        let people = self.ledger.consent(&consent, &first.stored.incident, &case, now).await?;
        self.reports.notify_one();
        Ok(if are_two(&people) { Agreed::By(people) } else { Agreed::Waits })
    }

    async fn undo_one(&self, Undoable { stored, plan }: &Undoable, people: &[String]) -> Result<Outcome, UndoError> {
        let now = self.clock.now();
        let current = self.stored(&stored.id).await?;
        if current.state != State::Done {
            return Err(wrong_state(&current, "it was taken back meanwhile"));
        }
        let claim = Claim {
            key: DedupKey::Undo { plan: stored.id.clone() },
            incident: stored.incident.clone(),
            plan: plan.clone(),
            case: stored.case.updated(CaseUpdate::Undo, now, people),
        };
        let claimed = self.ledger.claim(&claim, now).await?;
        let claimed = claimed.ok_or_else(|| wrong_state(stored, "it was taken back already"))?;
        let outcome = self.execute(&claimed, &claimed.plan, &Stopwatch::idle()).await;
        self.record_and_report(&claimed, &outcome).await?;
        if outcome.is_whole() {
            let before = stored.outcome.clone().unwrap_or_default();
            let record = Record { state: State::Undone, outcome: before, report: None };
            self.ledger.record(stored, record, self.clock.now()).await?;
        } // else it can be undone again: what is undone already stays so
        Ok(outcome)
    }

    /// Carries out a plan that waited for approval.
    ///
    /// # Errors
    /// When it does not wait, or a step cannot be taken now.
    pub async fn approve(&self, id: &str, person: &str) -> Result<(PlanRecord, Outcome), UndoError> {
        let stored = self.proposed(id).await?;
        not_by_the_actor(&stored, person)?;
        let mut taken = self
            .ledger
            .take_proposed(id, person, self.clock.now())
            .await?
            .ok_or_else(|| wrong_state(&stored, "somebody else approved it a moment ago"))?;
        taken.case = taken.case.updated(CaseUpdate::Approval, self.clock.now(), &[person.to_owned()]);
        let outcome = self.execute(&taken, &taken.plan, &Stopwatch::idle()).await;
        self.record_and_report(&taken, &outcome).await?;
        Ok((taken, outcome))
    }

    /// Closes a plan that waited for approval; nothing of it is carried out.
    ///
    /// # Errors
    /// When it does not wait, or the person is who it is about.
    pub async fn deny(&self, id: &str, person: &str) -> Result<PlanRecord, UndoError> {
        let mut stored = self.proposed(id).await?;
        not_by_the_actor(&stored, person)?;
        let now = self.clock.now();
        stored.case = stored.case.updated(CaseUpdate::Denial, now, &[person.to_owned()]);
        let outcome = Outcome::default();
        let record = Record { state: State::Denied, report: Some(stored.report(&outcome)), outcome };
        self.ledger.record(&stored, record, now).await?;
        self.reports.notify_one();
        let closed = self.stored(id).await?;
        if closed.state == State::Denied { Ok(stored) } else { Err(wrong_state(&closed, "somebody was faster")) }
    }

    /// A plan that waits for approval.
    ///
    /// # Errors
    /// When there is none with this id, or it does not wait.
    pub async fn proposed(&self, id: &str) -> Result<PlanRecord, UndoError> {
        let stored = self.stored(id).await?;
        if stored.state == State::Proposed {
            Ok(stored)
        } else {
            Err(wrong_state(&stored, "only a proposed plan can be approved or denied"))
        }
    }

    /// The finished plans that an id means: one by its own id, or an incident's, newest first.
    async fn plans_of(&self, id: &str) -> Result<Vec<PlanRecord>, UndoError> {
        if let Some(stored) = self.ledger.plan(id).await? {
            return match stored.state {
                State::Done => Ok(vec![stored]),
                State::Claimed | State::Proposed | State::Undone | State::Denied => {
                    Err(wrong_state(&stored, "only a finished plan can be undone"))
                }
            };
        }
        let incidents = self.ledger.incidents().await?;
        let plans = incidents.into_iter().find(|(incident, _)| incident.id == id).map(|(_, plans)| plans);
        let mut plans = plans.ok_or_else(|| UndoError::Unknown(id.to_owned()))?;
        plans.retain(|stored| stored.state == State::Done && stored.case.update != CaseUpdate::Undo);
        plans.reverse();
        Ok(plans)
    }

    /// A plan, in whatever state.
    ///
    /// # Errors
    /// When there is none of this id.
    pub async fn stored(&self, id: &str) -> Result<PlanRecord, UndoError> {
        self.ledger.plan(id).await?.ok_or_else(|| UndoError::Unknown(id.to_owned()))
    }
}

fn wrong_state(stored: &PlanRecord, hint: &'static str) -> UndoError {
    let state = match stored.state {
        State::Claimed => "being carried out",
        State::Proposed => "waiting for approval",
        State::Done => "finished",
        State::Undone => "undone already",
        State::Denied => "denied",
    };
    UndoError::State { id: stored.id.clone(), state: state.to_owned(), hint }
}

/// What is reported when the first of two people asks for an undo.
fn second_person_needed(stored: &PlanRecord, consent: &Consent, now: Timestamp) -> CaseRecord {
    let Consent { target, plans, person } = consent.clone();
    let because = Because::SecondPersonNeeded { person: person.clone(), target, plans: plans.len() };
    CaseRecord {
        findings: Vec::new(),
        reasons: vec![Reason::general(because)],
        enrichment: Enrichment::default(),
        ..stored.case.updated(CaseUpdate::Consent, now, &[person])
    }
}

/// Refuses a person who is the actor, as far as the names show: a user's, a session's, the source
/// identity's, with or without what follows an `@`.
///
/// # Errors
/// When the person is.
pub fn not_by_the_actor(stored: &PlanRecord, person: &str) -> Result<(), UndoError> {
    if person.trim().is_empty() {
        return Err(UndoError::Nobody);
    }
    let Some(principal) = stored.case.principal() else { return Ok(()) };
    let plain = |name: &str| name.split('@').next().unwrap_or_default().trim().to_lowercase();
    let names = [&principal.name, &principal.session, &principal.source_identity];
    let is_actor = names.into_iter().flatten().any(|name| plain(name) == plain(person));
    if is_actor { Err(UndoError::OwnPlan(person.to_owned())) } else { Ok(()) }
}

fn takes_two(undoable: &[Undoable]) -> bool {
    undoable.iter().flat_map(|one| &one.plan.steps).any(releases)
}

/// Whether a step gives an actor back its rights, or lets recovery points be deleted again.
const fn releases(step: &Step) -> bool {
    match step.verb {
        ResponseKind::Contain | ResponseKind::ContainHard | ResponseKind::Freeze => true,
        ResponseKind::Restore | ResponseKind::Copy => false,
    }
}

fn are_two(people: &[String]) -> bool {
    let mut names: Vec<String> = people.iter().map(|name| name.trim().to_lowercase()).collect();
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    names.len() >= 2
}
