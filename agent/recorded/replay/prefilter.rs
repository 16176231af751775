//! Evaluates the rules that ask for a record on only the parts that they read, taken from its
//! text as they are.
//!
//! Most events that rules ask for lead to nothing, and this is how to know that without
//! reading them whole. It never makes a finding, and whatever is not certain to be the same as
//! in the record's normalised form is `None`: then the record is read whole.

use std::collections::HashMap;
use std::fmt;
use std::io::Write as _;

use foldhash::fast::RandomState;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserializer as _, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::observed;
use crate::config::Config;
use crate::event::normalise::takes_requests_apart;
use crate::event::principal;
use crate::event::redact::may_hold_secrets;
use crate::policy::engine::Parts;
use crate::policy::{Policies, Subscribers};
use crate::recorded::trail::scan::{Record, Route};

/// After so many callers of one kind of event, the memory of them begins anew.
const MOST_CALLERS: usize = 1024;
/// After so many kinds of events of one source, likewise.
const MOST_NAMES: usize = 256;

/// Makes documents; remembers from one to the next what they have in common.
pub(super) struct Prefilter<'a> {
    config: Option<&'a Config>,
    policies: &'a Policies,
    /// By source and name; `None` when it is not known what is read of such events.
    views: Known<Known<Option<(View, Subscribers<'a>)>>>,
}

type Known<T> = HashMap<String, T, RandomState>;

/// What is read of a kind of event.
#[derive(Default)]
struct View {
    members: Vec<String>,
    of_callers: Vec<String>,
    of_accounts: Vec<String>,
    /// Callers as JSON, by their `userIdentity`.
    callers: Known<String>,
    /// Accounts as JSON, by their ids.
    accounts: Known<String>,
}

/// What is taken from a record.
struct Taken<'r> {
    caller: Option<&'r RawValue>,
    account: Option<&'r str>,
    failed: bool,
    /// The members that are read, in their order.
    members: Vec<(&'r str, &'r str)>,
}

impl<'a> Prefilter<'a> {
    pub fn new(config: Option<&'a Config>, policies: &'a Policies) -> Self {
        Self { config, policies, views: Known::default() }
    }

    /// Whether it is certain that the rules which ask for an event find nothing in it.
    pub fn certainly_silent(&mut self, record: Record<'_>) -> bool {
        self.look(record).unwrap_or(false)
    }

    /// `None` when these parts do not decide it.
    fn look(&mut self, Record { text, route }: Record<'_>) -> Option<bool> {
        let (route, config) = (route?, self.config);
        let (view, subscribers) = self.view(route)?;
        let document = view.document(config, text, route)?;
        Some(subscribers.is_silent(document, route.time.parse().ok()?))
    }

    fn view(&mut self, route: Route<'_>) -> Option<&mut (View, Subscribers<'a>)> {
        if !self.views.contains_key(route.source) {
            self.views.insert(route.source.to_owned(), Known::default());
        }
        let named = self.views.get_mut(route.source)?;
        if !named.contains_key(route.name) {
            let subscribers = self.policies.subscribers(route.source, route.name);
            let view = subscribers.map(|subscribers| (View::of(subscribers.reads()), subscribers));
            remember(named, MOST_NAMES, route.name, view);
        }
        named.get_mut(route.name)?.as_mut()
    }
}

impl View {
    fn of(reads: &Parts) -> Self {
        let fields = |part| reads.get(part).into_iter().flatten().cloned().collect();
        Self {
            members: fields("event"),
            of_callers: fields("principal"),
            of_accounts: fields("account"),
            ..Self::default()
        }
    }

    /// The rules' input for a record, with nothing in it that they do not read.
    fn document(&mut self, config: Option<&Config>, text: &str, route: Route<'_>) -> Option<Vec<u8>> {
        let taken = Taken::from(text, &self.members)?;
        let plain = !taken.failed && !takes_requests_apart(route.source);
        if !plain || taken.members.iter().any(|(_, value)| may_hold_secrets(value)) {
            return None;
        }
        let mut document = Vec::with_capacity(2048);
        document.extend_from_slice(b"{\"event\":{");
        let mut comma = "";
        for (name, value) in taken.members {
            [comma, "\"", name, "\":", value].iter().for_each(|piece| document.extend_from_slice(piece.as_bytes()));
            comma = ",";
        }
        let (caller, account) = (self.caller(config, taken.caller?.get())?.as_bytes(), taken.account?);
        document.extend_from_slice(b"},\"principal\":");
        document.extend_from_slice(caller);
        document.extend_from_slice(b",\"account\":");
        document.extend_from_slice(self.account(config, account)?.as_bytes());
        write!(document, ",\"now\":\"{}\"}}", route.time).ok()?;
        Some(document)
    }

    fn caller(&mut self, config: Option<&Config>, text: &str) -> Option<&String> {
        if !self.callers.contains_key(text) {
            let known = principal::resolve(&serde_json::from_str(text).ok()?);
            let known = config.map_or_else(|| known.clone(), |config| known.clone().flagged(config));
            let fields = fields(&known, &self.of_callers)?;
            remember(&mut self.callers, MOST_CALLERS, text, fields);
        }
        self.callers.get(text)
    }

    fn account(&mut self, config: Option<&Config>, id: &str) -> Option<&String> {
        if !self.accounts.contains_key(id) {
            let account = id.parse().ok()?;
            let (known, needed) = (config.and_then(|config| config.account(&account)), &self.of_accounts);
            let fields = known.map_or_else(|| fields(&observed(&account), needed), |known| fields(known, needed))?;
            remember(&mut self.accounts, MOST_CALLERS, id, fields);
        }
        self.accounts.get(id)
    }
}

fn remember<T>(known: &mut Known<T>, most: usize, name: &str, value: T) {
    if known.len() >= most {
        known.clear();
    }
    known.insert(name.to_owned(), value);
}

/// The fields of a value that are needed, as JSON.
fn fields(value: &impl Serialize, needed: &[String]) -> Option<String> {
    let mut members: Map<String, Value> = serde_json::from_value(serde_json::to_value(value).ok()?).ok()?;
    members.retain(|name, _| needed.contains(name));
    serde_json::to_string(&members).ok()
}

impl<'r> Taken<'r> {
    /// Takes a record apart, all of which must be JSON.
    fn from(text: &'r str, needed: &[String]) -> Option<Self> {
        let mut parser = serde_json::Deserializer::from_str(text);
        let taken = parser.deserialize_map(Take(needed)).ok()?;
        parser.end().ok().and(taken)
    }
}

/// `None` when a field's name may be read in more than one way.
struct Take<'n>(&'n [String]);

impl<'r> Visitor<'r> for Take<'_> {
    type Value = Option<Taken<'r>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'r>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut taken = Taken { caller: None, account: None, failed: false, members: Vec::new() };
        let mut plain = true;
        while let Some(name) = map.next_key::<&str>()? {
            let needed = self.0.iter().any(|needed| needed == name);
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
        let document = View::of(&parts).document(None, &text, route)?;
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
