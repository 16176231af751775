//! The story of one event.

use tracing::warn;

use super::agent::{Agent, HandleError, Occurrence, Subject};
use crate::domain::cloud::{CloudRead, Clouds};
use crate::domain::event::Event;
use crate::domain::finding::{Finding, Verb};
use crate::domain::resource;
use crate::event::backup_change::BackupChange;
use crate::ledger::Ledger;
use crate::ops::fault;
use crate::ops::metrics::Stopwatch;
use crate::policy::input::ActInput;

impl<C: Clouds, L: Ledger> Agent<C, L> {
    /// Deals with one event. `Ok` means that its message may be deleted; the answer says
    /// whether anything came of it.
    ///
    /// # Errors
    /// See [`HandleError::is_hopeless`] for what to do with the message.
    pub async fn handle(&self, event: Event, stopwatch: &Stopwatch<'_>) -> Result<Weight, HandleError> {
        let account = self.config.account(&event.account);
        let account = account.ok_or_else(|| HandleError::UnknownAccount(event.account.clone()))?;
        let event = event.flagged(&self.config);
        if event.principal.flags.agent {
            return Ok(Weight::Noise); // its own deeds; the ledger knows them already
        }
        let rules = &self.rules.now(); // one set for the whole story, whatever is swapped meanwhile
        let findings = rules.judge_act(&ActInput::new(&event, account, self.clock.now()));
        fault::point("judged");
        let subject = Subject::Act(&event);
        self.respond(Occurrence { account, subject, rules, findings: &findings, live: None, stopwatch }).await?;

        let touched = resource::touched_by(&event);
        for place in &touched {
            self.reconcile(place, Some(&event), rules).await?;
        }
        fault::point("reconciled");
        self.shadow_act(rules, &event, account);
        Ok(match (findings.is_empty() && touched.is_empty(), blinds(&findings)) {
            (true, _) => Weight::Noise,
            (false, false) => Weight::Mattered,
            (false, true) => Weight::Blinding(Box::new(event)),
        })
    }

    /// Looks at the vaults that AWS Backup reports a change of.
    ///
    /// # Errors
    /// As [`Self::handle`].
    pub async fn handle_backup(&self, change: &BackupChange) -> Result<Weight, HandleError> {
        let (touched, rules) = (change.touched(), self.rules.now());
        for place in &touched {
            self.reconcile(place, None, &rules).await?;
        }
        Ok(if touched.is_empty() { Weight::Noise } else { Weight::Mattered })
    }

    /// Handles what happened while a trail was stopped: CloudTrail's event history goes on
    /// recording when every trail is silent.
    ///
    /// # Errors
    /// When the history cannot be read; an event in it that cannot be handled is logged.
    pub async fn catch_up(&self, blinding: &Event) -> Result<(), HandleError> {
        let account = self.config.account(&blinding.account);
        let account = account.ok_or_else(|| HandleError::UnknownAccount(blinding.account.clone()))?;
        let cloud = self.clouds.reader(account).await?;
        for record in cloud.event_history(&blinding.region, blinding.time).await? {
            let handled = match Event::parse(record) {
                Ok(event) => self.handle(event, &Stopwatch::idle()).await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = handled {
                warn!(account.id = %account.id, "an event of the blind time was not handled: {error}");
            }
        }
        Ok(())
    }
}

/// Whether detection itself was attacked: events may be missing since.
fn blinds(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.propose.contains(&Verb::Rearm))
}

/// Whether anything came of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Weight {
    /// No rule fired and nothing that is watched was touched: nothing was stored.
    Noise,
    /// Something was found, or looked at.
    Mattered,
    /// Something was found, and events may have been lost since this one.
    Blinding(Box<Event>),
}
