//! What responders want to know as well: what is left to lose, whose it is, what else the
//! principal did.
//!
//! It is asked after containment, beside the rest of the work, and for a bounded time: an
//! answer that does not come is left out and fails nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;
use std::time::Duration;

use tokio::time::timeout;
use tracing::info;

use super::agent::Agent;
use super::decision::Decision;
use super::detection::{Detection, Subject};
use crate::domain::cloud::{Caller, CloudRead as _, Readers};
use crate::domain::enrichment::{Activity, Enrichment, owner};
use crate::domain::event::Event;
use crate::domain::reason::Reason;
use crate::domain::resource;
use crate::domain::resource::{Live, Target};
use crate::domain::response::Response;
use crate::ledger::Ledger;
use crate::rules::active::RuleSet;

/// How long one answer is waited for.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);

impl<C: Readers, L: Ledger> Agent<C, L> {
    /// What can be learnt around a case that is reported.
    pub(super) async fn enrichment(
        &self,
        detection: &Detection<'_>,
        incident: &str,
        decision: &Decision,
    ) -> Enrichment {
        if !decision.reasons.iter().any(Reason::is_reported) {
            return Enrichment::default();
        }
        let (mut known, activity) = tokio::join!(self.places(detection, decision), self.activity(detection, incident));
        known.activity = activity;
        let address = detection.subject.event().and_then(|event| event.source_ip.as_deref());
        known.origin = address.and_then(|address| self.origins.find(address));
        known
    }

    /// What is left in the vaults that are held, and whose the resources are.
    async fn places(&self, detection: &Detection<'_>, decision: &Decision) -> Enrichment {
        let mut known = Enrichment::default();
        let mut seen: BTreeMap<Target, Option<Cow<'_, Live>>> = BTreeMap::new();
        if let (Subject::Resource(place, _), Some(live)) = (detection.subject, detection.live) {
            seen.insert(Target::from(place), Some(Cow::Borrowed(live)));
        }
        for response in decision.act.iter().chain(&decision.ask) {
            let (Response::Freeze(target) | Response::Restore(target)) = response else { continue };
            if let MapEntry::Vacant(unseen) = seen.entry(target.clone()) {
                let live = timeout(LOOKUP_TIMEOUT, self.look_at(target, detection.rules)).await;
                unseen.insert(live.ok().flatten().map(Cow::Owned));
            }
            if let Some(Some(live)) = seen.get(target) {
                note_stake(&mut known, response, live);
            }
        }
        for (target, live) in &seen {
            note_owner(&mut known, target, live.as_deref());
        }
        known
    }

    async fn look_at(&self, target: &Target, rules: &RuleSet) -> Option<Live> {
        let cloud = self.clouds.reader(self.config.account(&target.account)?).await.ok()?;
        let place = &target.locate(&cloud).await.ok()?;
        let desired = self.desired(place, rules).await.ok()?;
        resource::read(place, &desired, &cloud).await.ok()
    }

    async fn activity(&self, detection: &Detection<'_>, incident: &str) -> Option<Activity> {
        let Subject::Event(event) = detection.subject else { return None };
        let caller = caller(event)?;
        let region = event.region.as_ref()?;
        if !self.lookups.is_due(incident, self.clock.now()) {
            return None;
        }
        let asked = async { self.clouds.reader(detection.account).await?.calls_of(region, &caller).await };
        match timeout(LOOKUP_TIMEOUT, asked).await {
            Ok(Ok(read)) => Some(Activity::around((&event.id, event.time), region, &read)),
            Ok(Err(error)) => {
                info!(incident, "what else the principal did is unknown: {error}");
                None
            }
            Err(_) => {
                info!(
                    incident,
                    "what else the principal did is unknown: no answer within {} s",
                    LOOKUP_TIMEOUT.as_secs()
                );
                None
            }
        }
    }
}

/// Notes whose a resource is.
fn note_owner(known: &mut Enrichment, target: &Target, live: Option<&Live>) {
    let owner = live.and_then(|live| owner(live.tags())).map(|owner| (target.arn(), owner.to_owned()));
    known.owners.extend(owner);
}

/// Notes what is left to lose where a response freezes it.
fn note_stake(known: &mut Enrichment, response: &Response, live: &Live) {
    if let (Response::Freeze(_), Live::Vault(vault)) = (response, live) {
        known.at_stake.push(vault.to_string());
    }
}

/// By what the event history knows the principal: its key, else its name or its session's.
fn caller(event: &Event) -> Option<Caller> {
    let principal = &event.principal;
    let name = || principal.session.clone().or_else(|| principal.name.clone()).map(Caller::Name);
    principal.access_key.clone().map(Caller::AccessKey).or_else(name)
}
