//! What people are told. Rendering is pure; delivery takes notices from the store and tries
//! until they have arrived, so that an alert is never lost and never holds up containment.

use super::context::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::geoip::Origin;
use crate::domain::account::AccountId;
use crate::domain::event::Event;
use crate::domain::finding::{Finding, ResponseKind};
use crate::domain::outcome::StepOutcome;
use crate::domain::principal::Principal;
use crate::domain::reason::Reason;

/// The event that a notice is about.
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
    /// Which country and network that is, where a database says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
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

/// A step as people are told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// The word in a rule that led to it.
    pub verb: ResponseKind,
    /// What was or would be done, in words.
    pub action: String,
    /// What is different after it: `- before` and `+ after`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    /// What would take it back, in words.
    pub undo: String,
    /// What came of it; `None` while it waits for a person's word.
    pub outcome: Option<StepOutcome>,
}

impl EventFacts {
    /// What people need to know of an event.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        Self {
            id: event.id.clone(),
            source: event.source.clone(),
            name: event.name.clone(),
            time: event.time,
            source_ip: event.source_ip.clone(),
            origin: None,
            user_agent: event.user_agent.clone(),
            principal: event.principal.clone(),
            error_code: event.error_code.clone(),
            mfa: event.mfa(),
        }
    }
}

/// What led to a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// Rules fired and the agent dealt with it.
    Response,
    /// A person took a plan back.
    Undo,
    /// A person approved a plan.
    Approval,
    /// A person denied a plan.
    Denial,
    /// A person wants to take plans back, and a second one must agree.
    Consent,
    /// The agent's own rules could not be brought up to date.
    Policies,
}

/// One thing that responders must know: findings and what was done about them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// What led to it.
    pub kind: NotificationKind,
    /// When it was written.
    pub at: Timestamp,
    /// The account's id.
    pub account: AccountId,
    /// What people call the account.
    pub account_name: String,
    /// Where it happened.
    pub region: String,
    /// Digest of the policy bundle that judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// The event, unless a sweep found it.
    pub event: Option<EventFacts>,
    /// What the rules found.
    pub findings: Vec<Finding>,
    /// Why the agent did what it did, or did not.
    pub reasons: Vec<Reason>,
    /// Id of the plan, for `keepwatch undo` and `keepwatch approve`; none when nothing was
    /// planned.
    pub plan: Option<String>,
    /// What was done, or waits for a word.
    pub steps: Vec<StepReport>,
    /// What is left to lose, and where the newest copy of it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at_stake: Vec<String>,
    /// Whose it is, and what else the principal did.
    #[serde(default, skip_serializing_if = "Context::is_empty")]
    pub context: Context,
    /// Who asked for it, for an undo or an approval.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<String>,
}

impl Notification {
    /// Whether anybody is told: what is only observed is recorded and nothing more.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.kind != NotificationKind::Response || self.reasons.iter().any(Reason::is_told)
    }
}
