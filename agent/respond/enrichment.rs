//! What people want to know besides: what is left to lose, whose it is, what else the
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

use super::agent::{Agent, Occurrence, Subject};
use super::decision::Decision;
use crate::domain::cloud::{Caller, CloudRead as _, Clouds};
use crate::domain::event::Event;
use crate::domain::reason::Reason;
use crate::domain::resource;
use crate::domain::resource::{Live, Place};
use crate::domain::response::Deed;
use crate::ledger::Ledger;
use crate::notify::context::{Activity, Context, owner};
use crate::notify::geoip::Origin;
use crate::notify::notice::Notice;
use crate::rules::active::RuleSet;

/// How long one answer is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long an incident's principal is not asked about again: AWS allows two looks at the
/// history a second, and a storm of deletions is one story.
const PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// When each incident's principal was last asked about.
#[derive(Debug, Default)]
pub struct Asked(Mutex<HashMap<String, Timestamp>>);

impl Asked {
    /// Whether it is time to ask again; if so, it counts as done.
    fn is_due(&self, incident: &str, now: Timestamp) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, at| now.duration_since(*at) < PAUSE);
        match asked.entry(incident.to_owned()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(now);
                true
            }
        }
    }
}

/// What was learnt around a case.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    at_stake: Vec<String>,
    context: Context,
    origin: Option<Origin>,
}

impl Surroundings {
    /// Tells it in a notice.
    pub(super) fn tell_in(self, notice: &mut Notice) {
        notice.at_stake = self.at_stake;
        notice.context = self.context;
        if let Some(event) = &mut notice.event {
            event.origin = self.origin;
        }
    }
}

impl<C: Clouds, L: Ledger> Agent<C, L> {
    /// What can be learnt around a case that people are told of.
    pub(super) async fn surroundings(&self, it: &Occurrence<'_>, incident: &str, decision: &Decision) -> Surroundings {
        if !decision.reasons.iter().any(Reason::is_told) {
            return Surroundings::default();
        }
        let (mut known, activity) = tokio::join!(self.places(it, decision), self.activity(it, incident));
        known.context.activity = activity;
        let address = it.subject.event().and_then(|event| event.source_ip.as_deref());
        known.origin = address.and_then(|address| self.origins.find(address));
        known
    }

    /// What is left in the vaults that are held, and whose the resources are.
    async fn places(&self, it: &Occurrence<'_>, decision: &Decision) -> Surroundings {
        let mut known = Surroundings::default();
        let mut seen: BTreeMap<&Place, Option<Cow<'_, Live>>> = BTreeMap::new();
        if let (Subject::State(place, _), Some(live)) = (it.subject, it.live) {
            seen.insert(place, Some(Cow::Borrowed(live)));
        }
        for deed in decision.act.iter().chain(&decision.ask) {
            let (Deed::Hold(place) | Deed::Restore(place) | Deed::Rearm(place)) = deed else { continue };
            if let MapEntry::Vacant(unseen) = seen.entry(place) {
                let live = timeout(PATIENCE, self.look_at(place, it.rules)).await;
                unseen.insert(live.ok().flatten().map(Cow::Owned));
            }
            if let Some(Some(live)) = seen.get(place) {
                known.stakes(deed, live);
            }
        }
        for (place, live) in &seen {
            known.belongs(place, live.as_deref());
        }
        known
    }

    async fn look_at(&self, place: &Place, rules: &RuleSet) -> Option<Live> {
        let cloud = self.clouds.reader(self.config.account(&place.account)?).await.ok()?;
        let desired = self.desired(place, rules).await.ok()?;
        resource::read(place, &desired, &cloud).await.ok()
    }

    async fn activity(&self, it: &Occurrence<'_>, incident: &str) -> Option<Activity> {
        let Subject::Act(event) = it.subject else { return None };
        let caller = caller(event)?;
        if !self.asked.is_due(incident, self.clock.now()) {
            return None;
        }
        let asked = async { self.clouds.reader(it.account).await?.calls_of(&event.region, &caller).await };
        match timeout(PATIENCE, asked).await {
            Ok(Ok(read)) => Some(Activity::around((&event.id, event.time), &event.region, &read)),
            Ok(Err(error)) => {
                info!(incident, "what else the principal did is not told: {error}");
                None
            }
            Err(_) => {
                info!(incident, "what else the principal did is not told: no answer within {} s", PATIENCE.as_secs());
                None
            }
        }
    }
}

impl Surroundings {
    fn belongs(&mut self, place: &Place, live: Option<&Live>) {
        let owner = live.and_then(|live| owner(live.tags())).map(|owner| (place.arn(), owner.to_owned()));
        self.context.owners.extend(owner);
    }

    fn stakes(&mut self, deed: &Deed, live: &Live) {
        match (deed, live) {
            (Deed::Hold(_), Live::Vault(vault)) => self.at_stake.push(vault.to_string()),
            (
                Deed::Hold(_) | Deed::Restore(_) | Deed::Rearm(_) | Deed::Copy(_) | Deed::Contain { .. },
                Live::Vault(_) | Live::Bucket(_) | Live::Key(_) | Live::Trail(_),
            ) => {}
        }
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
        let asked = Asked::default();
        let at = |second| Timestamp::from_second(second).expect("a time");
        assert!(asked.is_due("KW-1", at(0)));
        assert!(!asked.is_due("KW-1", at(299)));
        assert!(asked.is_due("KW-2", at(299)));
        assert!(asked.is_due("KW-1", at(300)));
    }
}
