//! What responders want to know as well: what is left to lose, whose it is, what else the
//! principal did.
//!
//! It is asked after containment, beside the rest of the work, and for a bounded time: an
//! answer that does not come is left out and fails nothing.

use std::borrow::Cow;
use std::collections::btree_map::Entry as MapEntry;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
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
use crate::domain::resource::{Live, Place};
use crate::domain::response::Response;
use crate::ledger::Ledger;
use crate::rules::active::RuleSet;

/// How long one answer is waited for.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an incident's principal is not asked about again: AWS allows two looks at the
/// history a second, and a storm of deletions is one story.
const LOOKUP_PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// When each incident's principal was last asked about.
#[derive(Debug, Default)]
pub struct LookupThrottle(Mutex<HashMap<String, Timestamp>>);

impl LookupThrottle {
    /// Whether it is time to ask again; if so, it counts as done.
    fn is_due(&self, incident: &str, now: Timestamp) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, at| now.duration_since(*at) < LOOKUP_PAUSE);
        match asked.entry(incident.to_owned()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(now);
                true
            }
        }
    }
}

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
        let mut seen: BTreeMap<&Place, Option<Cow<'_, Live>>> = BTreeMap::new();
        if let (Subject::Resource(place, _), Some(live)) = (detection.subject, detection.live) {
            seen.insert(place, Some(Cow::Borrowed(live)));
        }
        for response in decision.act.iter().chain(&decision.ask) {
            let (Response::Freeze(place) | Response::Restore(place)) = response else { continue };
            if let MapEntry::Vacant(unseen) = seen.entry(place) {
                let live = timeout(LOOKUP_TIMEOUT, self.look_at(place, detection.rules)).await;
                unseen.insert(live.ok().flatten().map(Cow::Owned));
            }
            if let Some(Some(live)) = seen.get(place) {
                note_stake(&mut known, response, live);
            }
        }
        for (place, live) in &seen {
            note_owner(&mut known, place, live.as_deref());
        }
        known
    }

    async fn look_at(&self, place: &Place, rules: &RuleSet) -> Option<Live> {
        let cloud = self.clouds.reader(self.config.account(&place.account)?).await.ok()?;
        let place = &*resource::located(place, &cloud).await.ok()?;
        let desired = self.desired(place, rules).await.ok()?;
        resource::read(place, &desired, &cloud).await.ok()
    }

    async fn activity(&self, detection: &Detection<'_>, incident: &str) -> Option<Activity> {
        let Subject::Event(event) = detection.subject else { return None };
        let caller = caller(event)?;
        if !self.lookups.is_due(incident, self.clock.now()) {
            return None;
        }
        let asked = async { self.clouds.reader(detection.account).await?.calls_of(&event.region, &caller).await };
        match timeout(LOOKUP_TIMEOUT, asked).await {
            Ok(Ok(read)) => Some(Activity::around((&event.id, event.time), &event.region, &read)),
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
fn note_owner(known: &mut Enrichment, place: &Place, live: Option<&Live>) {
    let owner = live.and_then(|live| owner(live.tags())).map(|owner| (place.arn(), owner.to_owned()));
    known.owners.extend(owner);
}

/// Notes what is left to lose where a response freezes it.
fn note_stake(known: &mut Enrichment, response: &Response, live: &Live) {
    match (response, live) {
        (Response::Freeze(_), Live::Vault(vault)) => known.at_stake.push(vault.to_string()),
        (
            Response::Freeze(_) | Response::Restore(_) | Response::Copy(_) | Response::Contain { .. },
            Live::Vault(_) | Live::Bucket(_) | Live::Key(_) | Live::Trail(_),
        ) => {}
    }
}

/// By what the event history knows the principal: its key, else its name or its session's.
fn caller(event: &Event) -> Option<Caller> {
    let principal = &event.principal;
    let name = || principal.session.clone().or_else(|| principal.name.clone()).map(Caller::Name);
    principal.access_key.clone().map(Caller::AccessKey).or_else(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_is_asked_about_once_in_five_minutes() {
        let asked = LookupThrottle::default();
        let at = |second| Timestamp::from_second(second).expect("a time");
        assert!(asked.is_due("KW-1", at(0)));
        assert!(!asked.is_due("KW-1", at(299)));
        assert!(asked.is_due("KW-2", at(299)));
        assert!(asked.is_due("KW-1", at(300)));
    }
}
