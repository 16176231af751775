//! Rules in shadow: evaluated like every other, on their own time, and nothing comes of them but
//! a note in the store.
//!
//! INVARIANT: a shadow's finding never reaches [`Agent::respond`], its failure never the message
//! that is being handled, and an evaluation that is acted on never waits for it. What waits here
//! when the process dies is lost: it would have changed nothing.

use serde::Serialize;
use tracing::warn;

use super::agent::Agent;
use super::detection::event_key;
use crate::domain::account::Account;
use crate::domain::case::DedupKey;
use crate::domain::cloud::Readers;
use crate::domain::event::Event;
use crate::ledger::Ledger;
use crate::ops::supervise::Panicked;
use crate::policy::input::{EventInput, ResourceInput};
use crate::rules::active::{RuleSet, Watch};
use crate::rules::backlog::{Sight, Work};

impl<C: Readers, L: Ledger> Agent<C, L> {
    /// Leaves an event to the rules in shadow.
    pub fn shadow_event(&self, rules: &RuleSet, event: &Event, account: &Account) {
        let input = EventInput::new(event, account, self.clock.now());
        let principal = event.principal.arn.clone().or_else(|| event.principal.name.clone());
        let sight = Sight { subject: event_key(event), account: account.id.clone(), principal, now: input.now };
        self.leave(rules.watches_of_event(&input), &input, sight);
    }

    /// Leaves a resource to the rules in shadow.
    pub fn shadow_resource(&self, rules: &RuleSet, input: &ResourceInput<'_>, cause: Option<&Event>) {
        let principal = cause.and_then(|event| event.principal.arn.clone());
        let (subject, account) = (DedupKey::Resource { arn: input.resource.arn.clone() }, input.account.id.clone());
        let sight = Sight { subject, account, principal, now: input.now };
        self.leave(rules.watches_of_kind(input.resource.kind), input, sight);
    }

    fn leave(&self, watches: Vec<Watch>, document: &impl Serialize, sight: Sight) {
        if watches.is_empty() {
            return;
        }
        let Ok(document) = serde_json::to_value(document) else { return };
        if !self.shadows.push(Work { watches, document, sight }) {
            self.metrics.count.shadow_skipped.inc();
        }
    }

    /// Evaluates what was left to the rules in shadow, on a thread that may take its time.
    pub async fn evaluate_shadows(&self) {
        while let Some(work) = self.shadows.pop() {
            let now = work.sight.now;
            let kept = match tokio::task::spawn_blocking(move || work.evaluate()).await {
                Ok(found) if found.is_empty() => continue,
                Ok(found) => {
                    self.metrics.count.shadow_findings.inc_by(found.len() as u64);
                    self.ledger.shadow(&found, now).await.map_err(|error| error.to_string())
                }
                Err(_) => {
                    self.metrics.count.panics.inc();
                    Err(Panicked.to_string())
                }
            };
            if let Err(problem) = kept {
                warn!("what rules in shadow found is lost: {problem}");
            }
        }
    }
}
