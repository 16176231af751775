//! The story of one resource: an event or a sweep says where to look, the live state says
//! what is true.

use tracing::{info, warn};

use super::agent::{Agent, HandleError};
use super::detection::{Detection, Subject};
use crate::domain::account::Account;
use crate::domain::cloud::{CloudError, Readers};
use crate::domain::event::Event;
use crate::domain::finding::Finding;
use crate::domain::resource;
use crate::domain::resource::{Desired, Live, Place};
use crate::ledger::{Ledger, LedgerError};
use crate::ops::metrics::{Document, Stopwatch};
use crate::policy::input::{Resource, ResourceInput};
use crate::rules::active::RuleSet;
use crate::rules::strategy::is_protected;

/// A resource that was looked at: what it is, and what the rules say of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// As AWS reports it now.
    pub live: Live,
    /// What it should be, as far as anybody declared it.
    pub desired: Desired,
    /// What the rules found.
    pub findings: Vec<Finding>,
}

impl<C: Readers, L: Ledger> Agent<C, L> {
    /// Evaluates one resource as it is now, and handles what is found. `cause` is the event
    /// that led here; a sweep has none.
    ///
    /// # Errors
    /// When its account or the store could not be reached: worth another try.
    pub async fn reconcile(&self, place: &Place, cause: Option<&Event>, rules: &RuleSet) -> Result<(), HandleError> {
        let account = self.config.account(&place.account);
        let account = account.ok_or_else(|| HandleError::UnknownAccount(place.account.clone()))?;
        let Some(Evaluation { live, desired, findings }) = self.evaluate(place, account, rules).await? else {
            return Ok(());
        };
        if findings.is_empty() && cause.is_none() {
            self.learn(place, &live).await?;
        }
        let (subject, stopwatch) = (Subject::Resource(place, cause), &Stopwatch::idle());
        let live = &live;
        self.respond(Detection { account, subject, rules, findings: &findings, live: Some(live), stopwatch }).await?;
        self.shadow_resource(rules, &self.state_of(place, account, (live, &desired)), cause);
        Ok(())
    }

    /// What a rule sees of a resource.
    fn state_of<'a>(
        &self,
        place: &'a Place,
        account: &'a Account,
        (live, desired): (&'a Live, &'a Desired),
    ) -> ResourceInput<'a> {
        let desired = (!desired.is_silent()).then_some(desired);
        ResourceInput { resource: Resource::new(place, live), desired, account, now: self.clock.now() }
    }

    /// Reads a resource and asks the rules. `None` when it is gone or not ours to protect.
    ///
    /// # Errors
    /// When its account or the store could not be reached.
    pub async fn evaluate(
        &self,
        place: &Place,
        account: &Account,
        rules: &RuleSet,
    ) -> Result<Option<Evaluation>, HandleError> {
        let desired = self.desired(place, rules).await?;
        let cloud = self.clouds.reader(account).await?;
        let live = match resource::read(place, &desired, &cloud).await {
            Err(CloudError::Gone { target }) => {
                info!(account.id = %account.id, "`{target}` is gone: nothing to evaluate");
                return Ok(None);
            }
            answer => answer?,
        };
        if !is_protected(rules.strategies.desired(place).as_ref(), &live) {
            return Ok(None);
        }
        let input = self.state_of(place, account, (&live, &desired));
        let findings = self.metrics.evaluating(Document::Resource, rules.evaluate_resource(&input)).await;
        Ok(Some(Evaluation { live, desired, findings }))
    }

    /// Keeps the first state that a sweep finds right as the resource's baseline. What an
    /// event led to is never learnt: an attacker could teach it.
    async fn learn(&self, place: &Place, live: &Live) -> Result<(), LedgerError> {
        if self.ledger.baseline(place).await?.is_some() {
            return Ok(());
        }
        match self.ledger.keep_baseline(place, &live.baseline(), self.clock.now()).await {
            Err(error @ LedgerError::TooLarge { .. }) => {
                warn!("{} gets no baseline: {error}", place.arn());
                Ok(())
            }
            answer => answer,
        }
    }
}
