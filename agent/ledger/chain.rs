//! The append-only, hash-chained ledger: what was claimed and recorded, in order.
//!
//! Each [`Entry`] carries the hash of the one before it, so whoever holds a later hash can
//! tell when an earlier entry was edited, dropped or moved. A chain that lost its newest
//! entries is whole in itself: only a head noted down elsewhere shows that, see [`verify_to`].
//! Nothing here reads or writes the store.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What the first entry names as the hash before it.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One entry of the chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place, from 1 without gaps.
    pub number: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What it is: `claimed`, `recorded`, `undone`, …
    pub kind: String,
    /// What happened.
    pub body: Value,
    /// Hash of the entry before it, in hex; 64 zeros for the first.
    pub previous: String,
    /// SHA-256 over all of the above, in hex.
    pub hash: String,
}

impl Entry {
    /// The entry that follows another, or the first.
    #[must_use]
    pub fn after(last: Option<(u64, String)>, at: Timestamp, kind: &str, body: Value) -> Self {
        let (number, previous) = last.map_or_else(|| (1, GENESIS.to_owned()), |(number, hash)| (number + 1, hash));
        let mut entry = Self { number, at, kind: kind.to_owned(), body, previous, hash: String::new() };
        entry.hash = entry.digest();
        entry
    }

    /// What its hash must be. Each part stands behind its length, so no two entries share
    /// an encoding.
    fn digest(&self) -> String {
        let mut body = String::new();
        canonical(&self.body, &mut body);
        let mut hasher = Sha256::new();
        hasher.update(self.number.to_be_bytes());
        for part in [self.at.to_string(), self.kind.clone(), body, self.previous.clone()] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        hex::encode(hasher.finalize())
    }
}

/// Where a chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ledger is broken at entry {number}: {why}")]
pub struct Broken {
    /// The place at which it shows, from 1.
    pub number: u64,
    /// What is wrong there.
    pub why: &'static str,
}

/// Proves that every entry is what was written, in the order in which it was written.
/// Returns how many there are.
///
/// # Errors
/// The first place at which the chain does not hold.
pub fn verify(entries: &[Entry]) -> Result<usize, Broken> {
    let mut previous = GENESIS;
    for (place, entry) in (1..).zip(entries) {
        let why = if entry.number != place {
            "another entry stands in its place"
        } else if entry.previous != previous {
            "it does not follow the entry before it"
        } else if entry.hash != entry.digest() {
            "it was edited"
        } else {
            previous = &entry.hash;
            continue;
        };
        return Err(Broken { number: place, why });
    }
    Ok(entries.len())
}

/// As [`verify`], and proves that the chain still holds everything up to a head that was
/// noted down earlier.
///
/// # Errors
/// The first place at which the chain does not hold; the end, when the head is not in it.
pub fn verify_to(entries: &[Entry], head: &str) -> Result<usize, Broken> {
    let count = verify(entries)?;
    if head == GENESIS || entries.iter().any(|entry| entry.hash.eq_ignore_ascii_case(head)) {
        return Ok(count);
    }
    Err(Broken { number: count as u64, why: "it ends before the head that was noted down" })
}

/// The newest entry's hash: what to note down elsewhere.
#[must_use]
pub fn head(entries: &[Entry]) -> &str {
    entries.last().map_or(GENESIS, |entry| entry.hash.as_str())
}

/// JSON without spaces and with sorted keys: one text for one value.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push_str(&value.to_string()),
        Value::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (name, field) in sorted {
                canonical(&Value::String(name.clone()), out);
                out.push(':');
                canonical(field, out);
                out.push(',');
            }
            out.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn chain(bodies: Vec<Value>) -> Vec<Entry> {
        let at: Timestamp = "2026-03-01T10:00:00.123456789Z".parse().unwrap();
        let mut entries: Vec<Entry> = Vec::new();
        for body in bodies {
            let last = entries.last().map(|entry| (entry.number, entry.hash.clone()));
            entries.push(Entry::after(last, at, "claimed", body));
        }
        entries
    }

    fn three() -> Vec<Entry> {
        chain(vec![json!({"plan": "KW-1.1"}), json!({"plan": "KW-1.2"}), json!({"plan": "KW-1.3"})])
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{1,4}", inner, 0..4).prop_map(|map| json!(map)),
            ]
        })
    }

    #[test]
    fn an_untouched_chain_holds_and_has_a_head() {
        let entries = three();
        assert_eq!(verify(&entries), Ok(3));
        assert_eq!(verify_to(&entries, head(&entries)), Ok(3));
        assert_eq!(verify(&[]), Ok(0));
        assert_eq!(head(&[]), GENESIS);
    }

    #[test]
    fn a_dropped_entry_is_found_wherever_it_stood() {
        for dropped in 0..2 {
            let mut entries = three();
            entries.remove(dropped);
            assert_eq!(verify(&entries).unwrap_err().number, dropped as u64 + 1);
        }
    }

    #[test]
    fn entries_that_changed_places_are_found() {
        let mut entries = three();
        entries.swap(0, 2);
        assert_eq!(verify(&entries).unwrap_err().number, 1);
    }

    #[test]
    fn an_entry_with_a_new_hash_does_not_fit_the_next() {
        let mut entries = three();
        entries[0].body = json!({"plan": "another"});
        entries[0].hash = entries[0].digest();
        assert_eq!(verify(&entries), Err(Broken { number: 2, why: "it does not follow the entry before it" }));
    }

    #[test]
    fn a_lost_end_shows_against_a_head_noted_down() {
        let mut entries = three();
        let noted = head(&entries).to_owned();
        entries.pop();
        assert_eq!(verify(&entries), Ok(2));
        assert_eq!(verify_to(&entries, &noted).unwrap_err().number, 2);
    }

    #[test]
    fn a_head_noted_earlier_is_still_in_a_longer_chain() {
        let entries = three();
        assert_eq!(verify_to(&entries, &entries[0].hash), Ok(3));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_was_written_and_read_back_still_holds(bodies in prop::collection::vec(any_json(), 0..6)) {
            let text = serde_json::to_string(&chain(bodies)).unwrap();
            let read: Vec<Entry> = serde_json::from_str(&text).unwrap();
            prop_assert!(verify(&read).is_ok());
        }

        #[test]
        fn any_edited_byte_is_found(
            bodies in prop::collection::vec(any_json(), 1..4),
            place in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let entries = chain(bodies);
            let mut bytes = serde_json::to_vec(&entries).unwrap();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            // An edit that leaves every value as it was (`1e9` for `1E9`) says nothing else.
            if let Ok(read) = serde_json::from_slice::<Vec<Entry>>(&bytes)
                && read != entries
            {
                prop_assert!(verify(&read).is_err() || read.is_empty());
            }
        }
    }
}
