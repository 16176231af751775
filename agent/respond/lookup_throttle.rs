//! How often CloudTrail's event history is asked about the principal of an incident.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// How long an incident's principal is not asked about again: AWS allows two looks at the
/// history a second, and a storm of deletions is one story.
const LOOKUP_PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// When each incident's principal was last asked about.
#[derive(Debug, Default)]
pub struct LookupThrottle(Mutex<HashMap<String, Timestamp>>);

impl LookupThrottle {
    /// Whether it is time to ask again; if so, it counts as done.
    pub(super) fn is_due(&self, incident: &str, now: Timestamp) -> bool {
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
