//! What is learnt around a case: what is left to lose, whose the resource is, what else the
//! principal did, and from where. Pure.
//!
//! Nothing waits for it, and what could not be learnt is left out.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::cloud::RecentCalls;
use super::region::Region;

/// How far from the event a call may lie to be related to it.
const RELATED_WITHIN: SignedDuration = SignedDuration::from_mins(30);
/// How many names of calls are reported.
const MAX_CALL_NAMES: usize = 5;

/// What was learnt around a case.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Enrichment {
    /// What is left to lose, and where the newest copy of it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub at_stake: Vec<String>,
    /// By ARN: who owns the resource, as its tags say.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub owners: BTreeMap<String, String>,
    /// What else the principal did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity: Option<Activity>,
    /// From which country and network the call came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

impl Enrichment {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Where an address belongs, as far as the databases know.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Origin {
    /// The country's ISO 3166 code.
    pub country: Option<String>,
    /// Number of the autonomous system.
    pub asn: Option<u32>,
    /// Who runs it.
    pub organisation: Option<String>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let network = self.asn.map(|asn| format!("AS{asn}")).into_iter().chain(self.organisation.clone());
        let network: Vec<String> = network.collect();
        let network = (!network.is_empty()).then(|| network.join(" "));
        f.write_str(&self.country.clone().into_iter().chain(network).collect::<Vec<_>>().join(", "))
    }
}

/// Who owns a resource: the value of its tag `owner`, however it is capitalised.
#[must_use]
pub fn owner(tags: &BTreeMap<String, String>) -> Option<&str> {
    let owner = tags.iter().find(|(key, _)| key.eq_ignore_ascii_case("owner")).map(|(_, owner)| owner.trim());
    owner.filter(|owner| !owner.is_empty())
}

/// What a principal did in a Region, from the newest page of its calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// The Region whose history was read.
    pub region: Region,
    /// Other calls within half an hour of the event, by name, the most frequent first.
    pub near: Vec<(String, usize)>,
    /// Whether there may be more of them than were read.
    pub near_goes_on: bool,
    /// The oldest and the newest call that were read.
    pub seen: Option<(Timestamp, Timestamp)>,
    /// Whether there are older calls than the oldest one that was read.
    pub seen_earlier: bool,
}

impl Activity {
    /// Counts what was read around an event, itself left out.
    #[must_use]
    pub fn around((event, at): (&str, Timestamp), region: &Region, read: &RecentCalls) -> Self {
        let is_near = |moment: &Timestamp| moment.duration_since(at).abs() <= RELATED_WITHIN;
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for call in read.calls.iter().filter(|call| call.id != event && is_near(&call.at)) {
            *counts.entry(&call.name).or_default() += 1;
        }
        let mut near: Vec<(String, usize)> = counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        near.sort_by(|(_, left), (_, right)| right.cmp(left));
        let oldest = read.calls.iter().map(|call| call.at).min();
        let newest = read.calls.iter().map(|call| call.at).max();
        Self {
            region: region.clone(),
            near,
            near_goes_on: read.more && oldest.is_some_and(|oldest| at.duration_since(oldest) <= RELATED_WITHIN),
            seen: oldest.zip(newest),
            seen_earlier: read.more,
        }
    }

    /// When the principal was first and last seen.
    #[must_use]
    pub fn span(&self) -> Option<String> {
        let (first, last) = self.seen?;
        let earlier = if self.seen_earlier { "earlier than " } else { "" };
        Some(format!("first {earlier}{first}, last {last}"))
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count: usize = self.near.iter().map(|(_, count)| count).sum();
        let more = if self.near_goes_on { " or more" } else { "" };
        write!(f, "{count}{more} other calls of this principal within 30 min in {}", self.region)?;
        let names = self.near.iter().take(MAX_CALL_NAMES);
        let names: Vec<String> = names.map(|(name, count)| format!("{name} × {count}")).collect();
        if !names.is_empty() {
            write!(f, ": {}", names.join(", "))?;
        }
        match self.near.len().saturating_sub(MAX_CALL_NAMES) {
            0 => Ok(()),
            others => write!(f, " and {others} other names"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cloud::PastCall;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_767_322_800 + 60 * minute).expect("a time")
    }

    fn read(calls: &[(&str, i64)], more: bool) -> RecentCalls {
        let call = |(number, (name, minute)): (usize, &(&str, i64))| PastCall {
            id: format!("e{number}"),
            name: (*name).to_owned(),
            at: at(*minute),
        };
        RecentCalls { calls: calls.iter().enumerate().map(call).collect(), more }
    }

    fn home() -> Region {
        "eu-west-1".parse().unwrap()
    }

    #[test]
    fn calls_near_the_event_are_counted_without_itself() {
        let read = read(&[("StopLogging", 29), ("ListVaults", 1), ("ListVaults", 2), ("CreateUser", -40)], false);
        let activity = Activity::around(("e0", at(0)), &home(), &read);
        insta::assert_snapshot!(activity, @"2 other calls of this principal within 30 min in eu-west-1: ListVaults × 2");
        insta::assert_snapshot!(activity.span().expect("seen"), @"first 2026-01-02T02:20:00Z, last 2026-01-02T03:29:00Z");
    }

    #[test]
    fn a_full_page_says_that_there_may_be_more() {
        let calls: Vec<(&str, i64)> = (0..50).map(|number| ("DeleteRecoveryPoint", number / 10)).collect();
        let activity = Activity::around(("other", at(0)), &home(), &read(&calls, true));
        insta::assert_snapshot!(activity, @"50 or more other calls of this principal within 30 min in eu-west-1: DeleteRecoveryPoint × 50");
        insta::assert_snapshot!(activity.span().expect("seen"), @"first earlier than 2026-01-02T03:00:00Z, last 2026-01-02T03:04:00Z");
    }

    #[test]
    fn a_full_page_that_reaches_far_back_is_counted_to_the_end() {
        let activity = Activity::around(("e0", at(0)), &home(), &read(&[("A", 0), ("B", 1), ("C", -31)], true));
        assert!(!activity.near_goes_on && activity.seen_earlier);
    }

    #[test]
    fn an_owner_is_found_however_the_tag_is_spelt() {
        let tags = |key: &str| BTreeMap::from([(key.to_owned(), "team-ledger".to_owned())]);
        assert_eq!(owner(&tags("Owner")), Some("team-ledger"));
        assert_eq!(owner(&tags("OWNER")), Some("team-ledger"));
        assert_eq!(owner(&tags("co-owner")), None);
    }
}
