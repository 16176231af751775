//! What the store keeps of rules that are evaluated and never acted on.

use std::collections::BTreeSet;
use std::future::Future;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::LedgerError;
use crate::domain::account::AccountId;
use crate::domain::case::DedupKey;
use crate::domain::finding::Finding;

/// A rule in shadow: its findings are kept, and nothing comes of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Watched {
    /// The rule's id.
    pub rule: String,
    /// Whether it is a rule of the candidate bundle.
    pub candidate: bool,
    /// SHA-256 of its bundle.
    pub bundle: String,
    /// What it is about, in one line.
    pub title: String,
}

/// What a rule in shadow found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shadowed {
    /// Whether the rule is one of the candidate bundle.
    pub candidate: bool,
    /// SHA-256 of its bundle.
    pub bundle: String,
    /// The event's key or the resource's ARN.
    pub subject: DedupKey,
    /// The account it happened in.
    pub account: AccountId,
    /// Who did it, where somebody did.
    pub principal: Option<String>,
    /// What was found and what would have been proposed.
    pub finding: Finding,
}

/// How a rule in shadow stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// The rule.
    #[serde(flatten)]
    pub watched: Watched,
    /// Since when it is watched.
    pub since: Timestamp,
    /// How often it found something since then.
    pub findings: u32,
    /// When it last did.
    pub last: Option<Timestamp>,
    /// Seconds for which an agent watched it since its last finding, or from the beginning.
    pub clean_seconds: i64,
}

impl Standing {
    /// Whether an agent watched it for so many days without a finding. Time in which no agent
    /// ran does not count.
    #[must_use]
    pub fn is_clean_for(&self, days: u32) -> bool {
        self.clean_seconds >= 86_400 * i64::from(days)
    }

    /// Whether it was first seen so many days ago.
    #[must_use]
    pub fn is_known_for(&self, days: u32, now: Timestamp) -> bool {
        now.duration_since(self.since) >= SignedDuration::from_hours(24 * i64::from(days))
    }
}

/// A person's decision that a rule is acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promotion {
    /// The rule's id.
    pub rule: String,
    /// Who says so.
    pub by: String,
    /// Why its findings are accepted, where it has some.
    pub reason: Option<String>,
    /// The days for which it had to be watched.
    pub days: u32,
}

/// A person's decision that a rule shall not act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demotion {
    /// The rule's id.
    pub rule: String,
    /// Who says so.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// The part of the store that knows shadows.
pub trait Shadows: Send + Sync {
    /// Keeps which rules are in shadow now; of those that are new from now on, of those that
    /// no longer are until now. Writes only when that changed.
    fn watch(&self, watched: &[Watched], now: Timestamp) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Notes that an agent went on watching for so many seconds.
    fn went_on(&self, seconds: i64, now: Timestamp) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Keeps findings, no more than the newest five hundred of each rule. An event counts once,
    /// however often it is delivered; a resource counts whenever it is looked at.
    fn shadow(&self, found: &[Shadowed], now: Timestamp) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Every rule that is in shadow now.
    fn standings(&self) -> impl Future<Output = Result<Vec<Standing>, LedgerError>> + Send;

    /// What a rule found lately, newest first.
    fn shadowed(&self, rule: &str) -> impl Future<Output = Result<Vec<Shadowed>, LedgerError>> + Send;

    /// Rules that people took out of shadow, whatever METADATA and configuration say.
    fn promoted(&self) -> impl Future<Output = Result<BTreeSet<String>, LedgerError>> + Send;

    /// Takes a rule out of shadow, and notes in the chain who did.
    fn promote(&self, promotion: &Promotion, now: Timestamp) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Rules that people put into shadow, whatever METADATA and configuration say.
    fn demoted(&self) -> impl Future<Output = Result<BTreeSet<String>, LedgerError>> + Send;

    /// Puts a rule into shadow, and notes in the chain who did. A promotion of before is void.
    fn demote(&self, demotion: &Demotion, now: Timestamp) -> impl Future<Output = Result<(), LedgerError>> + Send;
}
