//! The story of one event: evaluate, respond (decide, plan, claim, execute the urgent steps, then
//! the rest beside enrichment, ask for approval, record and report), reconcile what it touched,
//! and leave to the rules in shadow what they evaluate later.
//!
//! Responding stands in [`Agent::respond`], reconciling in [`Agent::reconcile`].

use tracing::warn;

use super::agent::{Agent, HandleError};
use super::detection::{Detection, Subject};
use crate::domain::account::AccountId;
use crate::domain::cloud::{CloudError, CloudRead, Readers};
use crate::domain::event::Event;
use crate::domain::finding::{Finding, ResponseKind};
use crate::domain::resource;
use crate::domain::resource::{Kind, Target};
use crate::event::backup_change::BackupChange;
use crate::ledger::Ledger;
use crate::ops::fault;
use crate::ops::metrics::{Document, Stopwatch};
use crate::policy::input::EventInput;

impl<C: Readers, L: Ledger> Agent<C, L> {
    /// Handles one event. `Ok` means that its message may be deleted; the answer says
    /// whether anything came of it.
    ///
    /// # Errors
    /// See [`HandleError::is_hopeless`] for what to do with the message.
    pub async fn handle(&self, event: Event, stopwatch: &Stopwatch<'_>) -> Result<Disposition, HandleError> {
        let account = self.config.account(&event.account);
        let account = account.ok_or_else(|| HandleError::UnknownAccount(event.account.clone()))?;
        let event = event.flagged(&self.config);
        if event.principal.flags.agent {
            return Ok(Disposition::Ignored); // its own calls; the ledger knows them already
        }
        let rules = &self.rules.now(); // one set for the whole story, whatever is swapped meanwhile
        let input = EventInput::new(&event, account, self.clock.now());
        let findings = self.metrics.evaluating(Document::Event, rules.evaluate_event(&input)).await;
        fault::point("evaluated");
        let subject = Subject::Event(&event);
        self.respond(Detection { account, subject, rules, findings: &findings, live: None, stopwatch }).await?;

        let touched = resource::touched_by(&event);
        for place in &touched {
            self.reconcile(place, Some(&event), rules).await?;
        }
        fault::point("reconciled");
        self.shadow_event(rules, &event, account);
        Ok(match (findings.is_empty() && touched.is_empty(), leaves_a_trail_gap(&findings, &account.id)) {
            (true, _) => Disposition::Ignored,
            (false, false) => Disposition::Handled,
            (false, true) => Disposition::TrailGap(Box::new(event)),
        })
    }

    /// Looks at the vaults that AWS Backup reports a change of.
    ///
    /// # Errors
    /// As [`Self::handle`].
    pub async fn handle_backup(&self, change: &BackupChange) -> Result<Disposition, HandleError> {
        let (mut touched, rules) = (change.touched(), self.rules.now());
        touched.retain(|place| self.config.account(&place.account).is_some()); // a copy's other vault may be anybody's
        for place in &touched {
            self.reconcile(place, None, &rules).await?;
        }
        Ok(if touched.is_empty() { Disposition::Ignored } else { Disposition::Handled })
    }

    /// Handles what happened while a trail was stopped: CloudTrail's event history goes on
    /// recording when every trail is silent.
    ///
    /// # Errors
    /// When the history cannot be read; an event in it that cannot be handled is logged.
    pub async fn catch_up(&self, gap: &Event) -> Result<(), HandleError> {
        let account = self.config.account(&gap.account);
        let account = account.ok_or_else(|| HandleError::UnknownAccount(gap.account.clone()))?;
        let region = gap.region.as_ref().ok_or_else(|| CloudError::Failed {
            call: "cloudtrail:LookupEvents".to_owned(),
            target: account.id.to_string(),
            detail: "the event names no Region".to_owned(),
        })?;
        let cloud = self.clouds.reader(account).await?;
        for record in cloud.event_history(region, gap.time).await? {
            let handled = match Event::parse(record) {
                Ok(event) => self.handle(event, &Stopwatch::idle()).await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = handled {
                warn!(account.id = %account.id, "an event from the trail's gap was not handled: {error}");
            }
        }
        Ok(())
    }
}

/// Whether a trail is to be restored: events may be missing since.
fn leaves_a_trail_gap(findings: &[Finding], account: &AccountId) -> bool {
    let is_a_trail = |arn: &String| Target::from_arn(arn, account).is_some_and(|target| target.kind == Kind::Trail);
    findings.iter().any(|finding| {
        finding.propose.contains(&ResponseKind::Restore) && finding.resource.as_ref().is_some_and(is_a_trail)
    })
}

/// Whether anything came of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Disposition {
    /// No rule fired and nothing that is watched was touched: nothing was stored.
    Ignored,
    /// Something was found, or looked at.
    Handled,
    /// Something was found, and events may have been lost since this one.
    TrailGap(Box<Event>),
}
