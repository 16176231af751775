//! A glance at a record that somebody wants: just the parts that his rules read, taken from
//! its text as they are.
//!
//! Most events that rules ask for lead to nothing, and this is how to know that without
//! reading them whole. It never makes a finding, and whatever is not certain to be the same as
//! in the record's normalised form is `None`: then the record is read whole.

use std::collections::HashMap;
use std::fmt;
use std::io::Write as _;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserializer as _, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::observed;
use crate::config::Config;
use crate::event::normalise::takes_requests_apart;
use crate::event::principal;
use crate::event::redact::may_hold_secrets;
use crate::intake::scan::{Record, Route};
use crate::policy::Policies;
use crate::policy::reads::Parts;

/// After so many callers the memory of them begins anew.
const MOST_CALLERS: usize = 4096;

/// What each of the rules that ask for an event reads of it.
type Needs<'a> = [&'a Parts];

/// Makes documents; remembers callers and accounts from one to the next.
pub struct Glance<'a> {
    config: Option<&'a Config>,
    callers: HashMap<String, Fields>,
    accounts: HashMap<String, Fields>,
}

/// The fields of a part of the document, each with its JSON.
type Fields = Vec<(String, String)>;

/// What is taken from a record.
struct Taken<'r> {
    caller: Option<&'r RawValue>,
    account: Option<&'r str>,
    failed: bool,
    /// The members that are needed, in their order.
    members: Vec<(&'r str, &'r str)>,
}

impl<'a> Glance<'a> {
    pub(super) fn new(config: Option<&'a Config>) -> Self {
        Self { config, callers: HashMap::new(), accounts: HashMap::new() }
    }

    /// Whether it is certain that the rules which ask for an event find nothing in it.
    pub fn shows_nothing(&mut self, record: Record<'_>, policies: &Policies) -> bool {
        self.look(record, policies).unwrap_or(false)
    }

    /// `None` when a glance does not tell.
    fn look(&mut self, Record { text, route }: Record<'_>, policies: &Policies) -> Option<bool> {
        let route = route?;
        let needs = policies.reads_of(route.source, route.name)?;
        let document = self.document(text, route, &needs)?;
        Some(policies.are_silent((route.source, route.name), document, route.time.parse().ok()?))
    }

    /// The rules' input for a record, with nothing in it that they do not read.
    fn document(&mut self, text: &str, route: Route<'_>, needs: &Needs<'_>) -> Option<Vec<u8>> {
        let taken = Taken::from(text, needs)?;
        let caller = taken.caller?.get();
        let plain = !taken.failed && !takes_requests_apart(route.source);
        if !plain || taken.members.iter().any(|(_, value)| may_hold_secrets(value)) {
            return None;
        }
        let mut document = Vec::with_capacity(2048);
        document.extend_from_slice(b"{\"event\":{");
        for (place, (name, value)) in taken.members.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(document, "{comma}\"{name}\":{value}").ok()?;
        }
        document.extend_from_slice(b"},\"principal\":{");
        put(&mut document, "principal", self.caller(caller)?, needs)?;
        document.extend_from_slice(b"},\"account\":{");
        put(&mut document, "account", self.account(taken.account?)?, needs)?;
        write!(document, "}},\"now\":\"{}\"}}", route.time).ok()?;
        Some(document)
    }

    fn caller(&mut self, text: &str) -> Option<&Fields> {
        if !self.callers.contains_key(text) {
            if self.callers.len() >= MOST_CALLERS {
                self.callers.clear();
            }
            let known = principal::resolve(&serde_json::from_str(text).ok()?);
            let known = self.config.map_or_else(|| known.clone(), |config| known.clone().flagged(config));
            self.callers.insert(text.to_owned(), fields(&known)?);
        }
        self.callers.get(text)
    }

    fn account(&mut self, id: &str) -> Option<&Fields> {
        if !self.accounts.contains_key(id) {
            let id = id.parse().ok()?;
            let known = self.config.and_then(|config| config.account(&id));
            let fields = known.map_or_else(|| fields(&observed(&id)), fields)?;
            self.accounts.insert(id.to_string(), fields);
        }
        self.accounts.get(id)
    }
}

/// A value's own fields as JSON.
fn fields(value: &impl Serialize) -> Option<Fields> {
    let members: Map<String, Value> = serde_json::from_value(serde_json::to_value(value).ok()?).ok()?;
    Some(members.into_iter().map(|(name, value)| (name, value.to_string())).collect())
}

/// Writes the fields of a part that are needed.
fn put(document: &mut Vec<u8>, root: &str, fields: &Fields, needs: &Needs<'_>) -> Option<()> {
    let mut comma = "";
    for (name, value) in fields.iter().filter(|(name, _)| is_needed(needs, root, name)) {
        write!(document, "{comma}\"{name}\":{value}").ok()?;
        comma = ",";
    }
    Some(())
}

fn is_needed(needs: &Needs<'_>, root: &str, field: &str) -> bool {
    needs.iter().any(|parts| parts.get(root).is_some_and(|fields| fields.contains(field)))
}

impl<'r> Taken<'r> {
    /// Takes a record apart, all of which must be JSON.
    fn from(text: &'r str, needs: &Needs<'_>) -> Option<Self> {
        let mut parser = serde_json::Deserializer::from_str(text);
        let taken = parser.deserialize_map(Take(needs)).ok()?;
        parser.end().ok().and(taken)
    }
}

/// `None` when a field's name may be read in more than one way.
struct Take<'n>(&'n Needs<'n>);

impl<'r> Visitor<'r> for Take<'_> {
    type Value = Option<Taken<'r>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'r>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut taken = Taken { caller: None, account: None, failed: false, members: Vec::new() };
        let mut plain = true;
        while let Some(name) = map.next_key::<&str>()? {
            let needed = is_needed(self.0, "event", name);
            let kept = needed || matches!(name, "userIdentity" | "recipientAccountId") || says_failed(name);
            if !kept {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value: &RawValue = map.next_value()?;
            match name {
                "userIdentity" => taken.caller = Some(value),
                "recipientAccountId" => taken.account = bare(value.get()),
                _ => taken.failed |= says_failed(name) && value.get() != "null",
            }
            if needed {
                plain &= taken.members.iter().all(|(known, _)| *known != name);
                taken.members.push((name, value.get()));
            }
        }
        Ok(plain.then_some(taken))
    }
}

/// A refused call's record gets a field more when it is normalised.
fn says_failed(name: &str) -> bool {
    name.eq_ignore_ascii_case("errorCode")
}

/// What is between the quotes.
fn bare(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(record: &Value, needs: &[&str]) -> Option<Value> {
        let mut parts = Parts::new();
        for (root, field) in needs.iter().filter_map(|need| need.split_once('.')) {
            parts.entry(root.to_owned()).or_default().insert(field.to_owned());
        }
        let text = record.to_string();
        let route = Route { source: "kms.amazonaws.com", name: "DisableKey", time: "2026-01-02T03:04:05Z" };
        let document = Glance::new(None).document(&text, route, &[&parts])?;
        Some(serde_json::from_slice(&document).unwrap())
    }

    fn record() -> Value {
        json!({"eventName": "DisableKey", "requestParameters": {"keyId": "k"}, "responseElements": {"large": 1},
            "recipientAccountId": "111122223333", "userIdentity": {"type": "IAMUser", "userName": "eve"}})
    }

    fn with(field: &str, value: Value) -> Value {
        let mut record = record();
        record[field] = value;
        record
    }

    #[test]
    fn a_document_holds_what_is_read_and_nothing_else() {
        let needs = ["event.eventName", "event.requestParameters", "principal.name", "account.id"];
        let expected = json!({"event": {"eventName": "DisableKey", "requestParameters": {"keyId": "k"}},
            "principal": {"name": "eve"}, "account": {"id": "111122223333"}, "now": "2026-01-02T03:04:05Z"});
        assert_eq!(document(&record(), &needs), Some(expected));
    }

    #[test]
    fn what_normalising_would_change_is_read_whole() {
        let needs = ["event.requestParameters"];
        assert!(document(&with("errorCode", Value::Null), &needs).is_some());
        for odd in [
            with("errorCode", json!("AccessDenied")),
            with("ERRORCODE", json!("AccessDenied")),
            with("requestParameters", json!({"masterUserPassword": "x"})),
            with("requestParameters", json!({"Plaintext": "x"})),
            with("recipientAccountId", json!(7)),
            with("recipientAccountId", json!("1234")),
            json!({"eventName": "x"}),
        ] {
            assert_eq!(document(&odd, &needs), None, "{odd}");
        }
        assert!(document(&with("responseElements", json!({"password": "x"})), &needs).is_some(), "it is not read");
    }
}
