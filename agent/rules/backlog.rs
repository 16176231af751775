//! What rules in shadow still have to evaluate: a bounded queue of documents.
//!
//! Nothing here stores or reports what they find.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Notify;

use super::active::Watch;
use crate::domain::account::AccountId;
use crate::domain::case::DedupKey;
use crate::ledger::shadow::Shadowed;

/// How many documents may wait; beyond it they are skipped and counted.
const MAX_WAITING: usize = 1_000;

/// Documents that rules in shadow still have to evaluate.
#[derive(Debug, Default)]
pub struct Backlog {
    waiting: Mutex<VecDeque<Work>>,
    more: Notify,
}

impl Backlog {
    /// Waits until there is something to evaluate.
    pub async fn more(&self) {
        self.more.notified().await;
    }

    /// Whether there was room.
    pub fn push(&self, work: Work) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let room = waiting.len() < MAX_WAITING;
        if room {
            waiting.push_back(work);
            self.more.notify_one();
        }
        room
    }

    /// The document that has waited longest.
    #[must_use]
    pub fn pop(&self) -> Option<Work> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// One document, and the rules in shadow that it concerns.
#[derive(Debug)]
pub struct Work {
    /// The rules.
    pub watches: Vec<Watch>,
    /// The document, as JSON.
    pub document: Value,
    /// What it is about.
    pub sight: Sight,
}

/// What a shadow looks at.
#[derive(Debug)]
pub struct Sight {
    /// The event or resource.
    pub subject: DedupKey,
    /// The account it happened in.
    pub account: AccountId,
    /// Who caused it, where that is known.
    pub principal: Option<String>,
    /// When the agent saw it.
    pub now: Timestamp,
}

impl Work {
    /// Evaluates it by the rules that it concerns.
    #[must_use]
    pub fn evaluate(&self) -> Vec<Shadowed> {
        let Self { watches, document, sight } = self;
        let found = watches.iter().flat_map(|Watch { policies, entry, candidate }| {
            let findings = policies.evaluate_rule(entry, document, sight.now);
            findings.into_iter().map(|finding| Shadowed {
                candidate: *candidate,
                bundle: policies.digest().to_owned(),
                subject: sight.subject.clone(),
                account: sight.account.clone(),
                principal: sight.principal.clone(),
                finding,
            })
        });
        found.collect()
    }
}
