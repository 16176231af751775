//! A case: what happened, and what came of it. Notifications, the incident report and the
//! console are views of it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::account::AccountId;
use super::enrichment::Enrichment;
use super::event::Event;
use super::finding::Finding;
use super::outcome::{Outcome, StepOutcome};
use super::plan::Step;
use super::principal::Principal;
use super::reason::Reason;
use super::region::Region;

/// What people need to know of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventFacts {
    /// CloudTrail's `eventID`.
    pub id: String,
    /// `eventSource`.
    pub source: String,
    /// `eventName`.
    pub name: String,
    /// When the call was made.
    pub time: Timestamp,
    /// Where the call came from.
    pub source_ip: Option<String>,
    /// The caller's user agent.
    pub user_agent: Option<String>,
    /// Who made the call.
    pub principal: Principal,
    /// `errorCode`, when the call failed.
    pub error_code: Option<String>,
    /// Whether the session was opened with MFA, where the record says so.
    #[serde(default)]
    pub mfa: Option<bool>,
}

impl EventFacts {
    /// The facts of an event.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        Self {
            id: event.id.clone(),
            source: event.source.clone(),
            name: event.name.clone(),
            time: event.time,
            source_ip: event.source_ip.clone(),
            user_agent: event.user_agent.clone(),
            principal: event.principal.clone(),
            error_code: event.error_code.clone(),
            mfa: event.mfa(),
        }
    }
}

/// What a case is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CaseSubject {
    /// What somebody did.
    Event {
        /// The event.
        event: Box<EventFacts>,
    },
    /// What is true of a resource.
    Resource {
        /// The resource's ARN.
        arn: String,
        /// The event that led there; none when a sweep did.
        cause: Option<Box<EventFacts>>,
    },
    /// The agent's own rules could not be brought up to date.
    Policies,
    /// An entry of the store that cannot be read.
    Unreadable,
}

impl CaseSubject {
    /// The event behind it.
    #[must_use]
    pub fn event(&self) -> Option<&EventFacts> {
        match self {
            Self::Event { event } => Some(event),
            Self::Resource { cause, .. } => cause.as_deref(),
            Self::Policies | Self::Unreadable => None,
        }
    }

    /// The same, to be shortened.
    pub fn event_mut(&mut self) -> Option<&mut EventFacts> {
        match self {
            Self::Event { event } => Some(event),
            Self::Resource { cause, .. } => cause.as_deref_mut(),
            Self::Policies | Self::Unreadable => None,
        }
    }
}

/// What came last in a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseUpdate {
    /// Rules fired, and the agent responded or asks for approval.
    Response,
    /// A person approved the plan.
    Approval,
    /// A person denied the plan.
    Denial,
    /// People undid the plan.
    Undo,
    /// One person wants to undo plans, and a second one must agree.
    Consent,
}

/// A step, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// What was or would be done, and what takes it back.
    pub step: Step,
    /// What came of it; `None` while it waits for approval.
    pub outcome: Option<StepOutcome>,
}

/// What happened, what the agent decided about it and why, and what came of it so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseRecord {
    /// What it is about.
    pub subject: CaseSubject,
    /// What came last.
    pub update: CaseUpdate,
    /// When that came.
    pub at: Timestamp,
    /// The account it happened in.
    pub account: AccountId,
    /// What people call the account.
    pub account_name: String,
    /// Where it happened, where anybody says.
    pub region: Option<Region>,
    /// Digest of the policy bundle that evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// What the rules found.
    pub findings: Vec<Finding>,
    /// Why the agent did what it did, or did not.
    pub reasons: Vec<Reason>,
    /// Id of the plan, such as `KW-7F3A2C01.1`; none before there is one.
    pub plan: Option<String>,
    /// The plan's steps.
    pub steps: Vec<StepRecord>,
    /// What else was learnt.
    #[serde(default, skip_serializing_if = "Enrichment::is_empty")]
    pub enrichment: Enrichment,
    /// Who asked for the last update, where people did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<String>,
}

impl CaseRecord {
    /// The event behind it.
    #[must_use]
    pub fn event(&self) -> Option<&EventFacts> {
        self.subject.event()
    }

    /// Who caused it, where an event did.
    #[must_use]
    pub fn principal(&self) -> Option<&Principal> {
        self.event().map(|event| &event.principal)
    }

    /// Whether it is reported: what is only observed is recorded and nothing more.
    #[must_use]
    pub fn is_reported(&self) -> bool {
        self.update != CaseUpdate::Response
            || self.subject == CaseSubject::Policies
            || self.reasons.iter().any(Reason::is_reported)
    }

    /// The same case after its next update.
    #[must_use]
    pub fn updated(&self, update: CaseUpdate, at: Timestamp, people: &[String]) -> Self {
        Self { update, at, people: people.to_vec(), ..self.clone() }
    }

    /// The same case with a plan and what came of its steps; steps without an outcome wait
    /// for approval.
    #[must_use]
    pub fn with_plan(&self, id: &str, steps: &[Step], outcome: &Outcome) -> Self {
        let mut outcomes = outcome.steps.iter();
        let steps = steps.iter().map(|step| StepRecord { step: step.clone(), outcome: outcomes.next().cloned() });
        Self { plan: Some(id.to_owned()), steps: steps.collect(), ..self.clone() }
    }
}

/// What makes a case the same case again: it leads to one plan, however often it is seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DedupKey {
    /// An event, by its `eventID` and recipient account; the plan that the agent carries out.
    Event {
        /// CloudTrail's `eventID`.
        event: String,
        /// The recipient account.
        account: AccountId,
    },
    /// An event, and the plan that waits for approval.
    EventApproval {
        /// CloudTrail's `eventID`.
        event: String,
        /// The recipient account.
        account: AccountId,
    },
    /// A resource that is restored.
    Resource {
        /// Its ARN.
        arn: String,
    },
    /// A resource, and the plan that waits for approval.
    ResourceApproval {
        /// Its ARN.
        arn: String,
    },
    /// Drift that nobody restores: reported once, not at every sweep.
    Drift {
        /// The resource's ARN.
        arn: String,
        /// Digest of what was found.
        findings: String,
        /// Whether it was reported.
        #[serde(default)]
        reported: bool,
    },
    /// The undo of a plan.
    Undo {
        /// The plan's id.
        plan: String,
    },
    /// A policy bundle that was refused.
    PoliciesRefused {
        /// Where it comes from.
        source: String,
        /// Which one it is.
        fingerprint: String,
    },
    /// Policies that became active without a rule that is to be in shadow.
    ShadowRuleMissing {
        /// The digest of their bundle.
        bundle: String,
    },
    /// Policies that were not brought up to date for too long.
    PoliciesOutdated {
        /// Where they come from.
        source: String,
        /// When they last were.
        since: Timestamp,
    },
}

/// How often the same case may lead to a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recurrence {
    /// Once: an event is handled one time, however often it is delivered.
    Once,
    /// Again when the last time is finished: drift may come back, and an undo may have failed.
    WhenFinished,
}

impl DedupKey {
    /// How often the case may lead to a plan.
    #[must_use]
    pub const fn recurrence(&self) -> Recurrence {
        match self {
            Self::Resource { .. } | Self::ResourceApproval { .. } | Self::Undo { .. } => Recurrence::WhenFinished,
            Self::Event { .. }
            | Self::EventApproval { .. }
            | Self::Drift { .. }
            | Self::PoliciesRefused { .. }
            | Self::ShadowRuleMissing { .. }
            | Self::PoliciesOutdated { .. } => Recurrence::Once,
        }
    }

    /// Whether the queue brings the case back: a message is deleted only when its plan is
    /// recorded. Drift, undos and approvals come back to nobody.
    #[must_use]
    pub const fn is_redelivered(&self) -> bool {
        matches!(self, Self::Event { .. })
    }
}

impl fmt::Display for DedupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event { event, account } => write!(f, "event {event} of account {account}"),
            Self::EventApproval { event, account } => write!(f, "approval for event {event} of account {account}"),
            Self::Resource { arn } => write!(f, "resource {arn}"),
            Self::ResourceApproval { arn } => write!(f, "approval for resource {arn}"),
            Self::Drift { arn, findings, .. } => write!(f, "drift of {arn} ({findings})"),
            Self::Undo { plan } => write!(f, "undo of {plan}"),
            Self::PoliciesRefused { source, fingerprint } => write!(f, "policies at {source} refused ({fingerprint})"),
            Self::ShadowRuleMissing { bundle } => write!(f, "policies {bundle} without a rule that is to be in shadow"),
            Self::PoliciesOutdated { source, since } => write!(f, "policies at {source} outdated since {since}"),
        }
    }
}
