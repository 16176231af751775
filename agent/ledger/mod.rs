//! What the agent remembers: what it claimed, planned, did and still has to report.
//!
//! A plan is claimed before its first step and recorded after its last, so that an agent
//! that dies in between finishes what it began and does nothing twice. The ledger proper is
//! append-only and hash-chained ([`chain`]). Nothing here talks to the cloud or to people.

pub mod chain;
mod charge;
mod item;
pub mod shadow;
pub mod sqlite;

use std::future::Future;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::account::AccountId;
use crate::domain::case::{CaseRecord, DedupKey};
use crate::domain::hash;
use crate::domain::outcome::Outcome;
use crate::domain::plan::{Plan, Step};
use crate::domain::reason::Usage;
use crate::domain::resource::{Desired, Place};

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The database refused or could not be reached.
    #[error("the store could not {operation}")]
    Store {
        /// What was tried.
        operation: &'static str,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was stored cannot be read back as what it was.
    #[error("a stored {what} is damaged: {detail}")]
    Damaged {
        /// What it should have been.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// What was to be stored is too large for one item.
    #[error("a {what} of {bytes} bytes is too large for the store, which takes {max}", max = item::MAX_ITEM_BYTES)]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// How large it is.
        bytes: usize,
    },
    /// There is no file of this name.
    #[error("there is no such file: `keepwatch run` makes the store; is the name misspelt?")]
    NoStore,
    /// Another program's database is there.
    #[error("the file is another program's database: name another file")]
    NotAStore,
    /// Another version of keepwatch wrote the store.
    #[error("the store's version is {found}, and {next}")]
    OtherVersion {
        /// The store's version.
        found: u32,
        /// What this keepwatch reads, and what to do.
        next: String,
    },
}

/// What a plan is claimed for.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// What makes the case the same case again.
    pub key: DedupKey,
    /// The incident it belongs to.
    pub incident: Incident,
    /// What will be done.
    pub plan: Plan,
    /// What happened.
    pub case: CaseRecord,
}

/// A chain of cases that responders see as one: same account, same actor (else same
/// resource), not long apart. One thread in Slack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Short and speakable, such as `KW-7F3A2C01`.
    pub id: String,
    /// What joins cases: account and actor, or the resource's ARN.
    pub correlation: String,
    /// The account it happened in.
    pub account: AccountId,
    /// What it is about, in a few words.
    pub title: String,
    /// When it began.
    pub opened: Timestamp,
}

impl Incident {
    /// Opens an incident. The same seed always makes the same id.
    #[must_use]
    pub fn new(seed: &str, correlation: String, account: AccountId, title: String, opened: Timestamp) -> Self {
        let digits: String = hash::digest(seed).chars().take(8).collect();
        Self { id: format!("KW-{}", digits.to_uppercase()), correlation, account, title, opened }
    }
}

/// How long after its last case an incident still takes another one in.
const STAYS_OPEN: SignedDuration = SignedDuration::from_hours(1);

/// An incident still takes a case in when its last one came after this moment.
#[must_use]
pub fn open_since(now: Timestamp) -> Timestamp {
    now.saturating_sub(STAYS_OPEN).unwrap_or(Timestamp::MIN)
}

/// How a claimed plan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Claimed, not recorded yet: somebody is at it, or died at it.
    Claimed,
    /// Waits for approval.
    Proposed,
    /// Finished and recorded.
    Done,
    /// Finished, and taken back since.
    Undone,
    /// Closed by a person before anything was done.
    Denied,
}

/// A plan that the store holds.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanRecord {
    /// The plan's id: the incident's with a number, such as `KW-7F3A2C01.1`.
    pub id: String,
    /// What makes its case the same case again.
    pub key: DedupKey,
    /// The incident it belongs to.
    pub incident: Incident,
    /// What was or will be done.
    pub plan: Plan,
    /// What it is for, but for what came of the steps.
    pub case: CaseRecord,
    /// How it stands.
    pub state: State,
    /// What came of each step, once recorded.
    pub outcome: Option<Outcome>,
    /// When it was claimed.
    pub claimed: Timestamp,
    /// Whether an earlier attempt claimed it, and may have carried out any of its steps.
    pub resumed: bool,
}

impl PlanRecord {
    /// The case with this plan and what came of its steps.
    #[must_use]
    pub fn report(&self, outcome: &Outcome) -> CaseRecord {
        self.case.with_plan(&self.id, &self.plan.steps, outcome)
    }
}

/// What is recorded of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// How it stands now.
    pub state: State,
    /// What came of its steps.
    pub outcome: Outcome,
    /// What must be reported of it.
    pub report: Option<CaseRecord>,
}

/// A person's approval of something that takes two people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The plan or the incident that it is about.
    pub target: String,
    /// The plans that the person saw, by id.
    pub plans: Vec<String>,
    /// Who gives it.
    pub person: String,
}

/// An update of a case that is to be reported to responders.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Its number; deliveries of one incident go out in this order.
    pub number: i64,
    /// The incident it is about.
    pub incident: Incident,
    /// The case as it was then.
    pub case: CaseRecord,
    /// How often it was tried.
    pub tries: u32,
}

/// A policy bundle that evaluates from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// SHA-256 of the bundle.
    pub digest: String,
    /// What it calls its version.
    pub revision: String,
    /// Where it comes from.
    pub source: String,
    /// Whether its signature was verified.
    pub signed: bool,
}

/// The thread that an incident has with responders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Thread {
    /// The channel it is in.
    pub channel: String,
    /// Slack's timestamp of the first message.
    pub ts: String,
    /// Number of the newest delivery that the first message reflects.
    pub shown: i64,
}

/// The store: one trait, so that one agent keeps it in a file and many in a table.
pub trait Ledger: shadow::Shadows {
    /// The incident that a case of this correlation belongs to: one whose last case is
    /// younger than an hour.
    fn open_incident(
        &self,
        correlation: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Incident>, LedgerError>> + Send;

    /// The plan to carry out for a case: this one, or the one that an interrupted attempt
    /// claimed first. Only that attempt saw the account untouched, so only its undo steps are
    /// right. `None` when the case is already finished. A plan that waits for people is
    /// stored as [`State::Proposed`] with its case and is not handed back again.
    fn claim(
        &self,
        claim: &Claim,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<PlanRecord>, LedgerError>> + Send;

    /// Adds steps to a claimed plan before they are taken.
    fn extend(
        &self,
        stored: &PlanRecord,
        steps: &[Step],
        now: Timestamp,
    ) -> impl Future<Output = Result<PlanRecord, LedgerError>> + Send;

    /// Plans that were claimed and never recorded, oldest first. A plan that waits for an
    /// approval is not among them, even when an interrupted attempt left it claimed.
    fn unfinished(&self) -> impl Future<Output = Result<Vec<PlanRecord>, LedgerError>> + Send;

    /// Records what came of a plan and, in the same transaction, what must be reported.
    /// Recording it again changes nothing and reports nothing twice.
    fn record(
        &self,
        stored: &PlanRecord,
        record: Record,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// What was done since a moment, in one account or (`None`) everywhere.
    fn usage(
        &self,
        account: Option<&AccountId>,
        since: Timestamp,
    ) -> impl Future<Output = Result<Usage, LedgerError>> + Send;

    /// How often a resource was repaired since a moment.
    fn repairs_of(&self, arn: &str, since: Timestamp) -> impl Future<Output = Result<u32, LedgerError>> + Send;

    /// Whether people took back a repair of a resource since a moment.
    fn taken_back(&self, arn: &str, since: Timestamp) -> impl Future<Output = Result<bool, LedgerError>> + Send;

    /// A stored plan by its id.
    fn plan(&self, id: &str) -> impl Future<Output = Result<Option<PlanRecord>, LedgerError>> + Send;

    /// Takes a plan that waited for approval, so that nobody else can; `None` when
    /// it does not wait any more.
    fn take_proposed(
        &self,
        id: &str,
        person: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<PlanRecord>, LedgerError>> + Send;

    /// Notes a person's approval and answers with everybody whose approval of the same plans holds
    /// ([`APPROVAL_HOLDS`](crate::domain::reason::APPROVAL_HOLDS)). The first one is reported;
    /// giving it again changes nothing.
    fn consent(
        &self,
        consent: &Consent,
        incident: &Incident,
        case: &CaseRecord,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<String>, LedgerError>> + Send;

    /// How many writes were made since the store was opened.
    fn writes(&self) -> u64;

    /// Every incident, newest first, with its plans.
    fn incidents(&self) -> impl Future<Output = Result<Vec<(Incident, Vec<PlanRecord>)>, LedgerError>> + Send;

    /// The state in which a resource was last seen to be right.
    fn baseline(&self, place: &Place) -> impl Future<Output = Result<Option<Desired>, LedgerError>> + Send;

    /// Keeps a state as a resource's baseline.
    fn keep_baseline(
        &self,
        place: &Place,
        desired: &Desired,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// What must still be reported: for each incident the undelivered notifications, oldest first.
    fn undelivered(&self) -> impl Future<Output = Result<Vec<Delivery>, LedgerError>> + Send;

    /// Notes that deliveries are about to be tried, so that a crash after it is known.
    fn trying(&self, numbers: &[i64]) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Notes that deliveries arrived.
    fn delivered(&self, numbers: &[i64], now: Timestamp) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// The incident's thread, if it has one.
    fn thread(&self, incident: &str) -> impl Future<Output = Result<Option<Thread>, LedgerError>> + Send;

    /// Keeps an incident's thread.
    fn keep_thread(&self, incident: &str, thread: &Thread) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Everything that was or must be reported of an incident, oldest first.
    fn reported(&self, incident: &str) -> impl Future<Output = Result<Vec<Delivery>, LedgerError>> + Send;

    /// Threads whose first message does not reflect everything that was delivered.
    fn stale_threads(&self) -> impl Future<Output = Result<Vec<(Incident, Thread)>, LedgerError>> + Send;

    /// Notes in the chain which bundle evaluates from now on. What it names last is not noted
    /// again, so a restart writes nothing.
    fn adopt(&self, adopted: &Adopted, now: Timestamp) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// The hash chain's entries, oldest first.
    fn entries(&self) -> impl Future<Output = Result<Vec<chain::Entry>, LedgerError>> + Send;
}
