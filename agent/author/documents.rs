//! Documents for rules, from what an author has at hand: a CloudTrail record or a resource as AWS
//! gives it, an EventBridge envelope, a log file, one JSON value or one on each line.
//!
//! What the agent would add to it is derived here as the agent derives it: the record is
//! normalised, the principal resolved, AWS's responses are read by the readers of the live agent.
//! Only what neither says has a default, and may be said: the account's class and tags, the
//! moment, what a strategy declares.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::aws::responses::{self, Responses};
use crate::domain::account::{Account, AccountId};
use crate::domain::event::Event;
use crate::domain::finding::{Finding, ResponseKind};
use crate::domain::region::Region;
use crate::domain::resource::{Desired, Kind, Place, Target};
use crate::policy::input::{self, EventInput, ResourceInput};

/// The account that a resource is taken to be in when its ARN does not say.
const ACCOUNT: &str = "111122223333";
/// The moment at which a resource is taken to be looked at.
const NOW: &str = "2026-01-01T00:00:00Z";

/// A document, and what its author expects of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The document, as the agent hands it to rules.
    pub document: Value,
    /// What one of the findings must be like.
    pub expect: Expectation,
    /// The line on which it is written.
    pub line: u64,
}

/// What one of a rule's findings must be like; what is absent may be anything.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// The whole message.
    message: Option<String>,
    /// The responses, in any order.
    propose: Option<Vec<ResponseKind>>,
    /// The resource's ARN.
    resource: Option<String>,
    /// Entries of the evidence; it may hold more.
    #[serde(default)]
    evidence: Map<String, Value>,
}

impl Expectation {
    /// Whether any is said.
    #[must_use]
    pub fn is_said(&self) -> bool {
        *self != Self::default()
    }

    /// Whether a finding is as expected.
    #[must_use]
    pub fn is_met_by(&self, finding: &Finding) -> bool {
        let Self { message, propose, resource, evidence } = self;
        let sorted = |verbs: &[ResponseKind]| {
            let mut verbs = verbs.to_vec();
            verbs.sort();
            verbs
        };
        message.as_ref().is_none_or(|message| *message == finding.message)
            && propose.as_ref().is_none_or(|propose| sorted(propose) == sorted(&finding.propose))
            && resource.as_ref().is_none_or(|resource| finding.resource.as_ref() == Some(resource))
            && evidence.iter().all(|(key, value)| finding.evidence.get(key) == Some(value))
    }
}

/// A document with what no record says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    event: Option<Value>,
    resource: Option<Resource>,
    desired: Option<Value>,
    #[serde(default)]
    account: Map<String, Value>,
    now: Option<Timestamp>,
    #[serde(default)]
    expect: Expectation,
}

/// A resource, and what AWS responds about it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resource {
    kind: Option<Kind>,
    arn: String,
    region: Option<Region>,
    responses: Responses,
    /// What AWS responds about other resources that reading this one leads to, by their ARN.
    #[serde(default)]
    elsewhere: BTreeMap<String, Responses>,
}

/// The documents in a text, in its order.
///
/// # Errors
/// When it is not JSON, or something in it is no document.
pub fn read(text: &str) -> Result<Vec<Value>, String> {
    let values = match serde_json::from_str(text) {
        Ok(whole) => vec![whole],
        Err(error) => {
            let lines: Result<Vec<Value>, _> =
                text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str).collect();
            lines.map_err(|_| format!("it is neither JSON nor JSON on each line: {error}"))?
        }
    };
    let mut documents = Vec::new();
    values.into_iter().try_for_each(|value| collect(value, &mut documents))?;
    Ok(documents)
}

fn collect(mut value: Value, into: &mut Vec<Value>) -> Result<(), String> {
    if let Value::Array(items) = value {
        return items.into_iter().try_for_each(|item| collect(item, into));
    }
    for inner in ["Records", "detail"] {
        if let Some(inner) = value.get_mut(inner) {
            return collect(inner.take(), into);
        }
    }
    // Whole as rules see it, when it says who it was or how it is.
    let whole = value.get("principal").is_some() || value.pointer("/resource/live").is_some();
    into.push(if whole { value } else { document(value)?.0 });
    Ok(())
}

/// The examples in a text: an array of them.
///
/// # Errors
/// When it is none, with the line.
pub fn examples(text: &str) -> Result<Vec<Example>, (u64, String)> {
    let values: Vec<Value> = serde_json::from_str(text).map_err(|error| {
        (error.line() as u64, format!("it is no JSON array of CloudTrail records or resources: {error}"))
    })?;
    let mut found = Vec::new();
    for ((value, line), number) in values.into_iter().zip(lines(text)).zip(1..) {
        let (document, expect) = document(value).map_err(|problem| (line, format!("document {number}: {problem}")))?;
        found.push(Example { document, expect, line });
    }
    Ok(found)
}

/// What rules see of what somebody wrote down, and what they expect.
fn document(mut value: Value) -> Result<(Value, Expectation), String> {
    if let Some(detail) = value.get_mut("detail") {
        value = detail.take();
    }
    if value.get("eventName").is_some() {
        return of_event(value, Map::new(), None).map(|document| (document, Expectation::default()));
    }
    if value.get("arn").is_some() {
        value = json!({ "resource": value });
    }
    if value.get("event").is_none() && value.get("resource").is_none() {
        return Err("it is neither a CloudTrail record, which has an `eventName`, nor a `resource`".to_owned());
    }
    let Written { event, resource, desired, account, now, expect } =
        serde_json::from_value(value).map_err(|error| format!("{error}; the agent derives the rest"))?;
    let document = match (event, resource, desired) {
        (Some(event), None, None) => of_event(event, account, now),
        (None, Some(resource), desired) => of_resource(resource, desired, account, now),
        (Some(_), _, Some(_)) => Err("`desired` is for resources, this is an `event`".to_owned()),
        (Some(_), Some(_), None) => Err("it is both an `event` and a `resource`".to_owned()),
        (None, None, _) => Err("neither its `event` nor its `resource` says anything".to_owned()),
    };
    Ok((document?, expect))
}

fn of_event(record: Value, account: Map<String, Value>, now: Option<Timestamp>) -> Result<Value, String> {
    let event = Event::parse(record).map_err(|error| error.to_string())?;
    let account = self::account(&event.account, account)?;
    serde_json::to_value(EventInput::new(&event, &account, now.unwrap_or(event.time)))
        .map_err(|error| error.to_string())
}

fn of_resource(
    resource: Resource,
    desired: Option<Value>,
    account: Map<String, Value>,
    now: Option<Timestamp>,
) -> Result<Value, String> {
    let Resource { kind, arn, region, responses, elsewhere } = resource;
    let place = place(&arn, region)?;
    if let Some(kind) = kind.filter(|kind| *kind != place.kind) {
        return Err(format!("`{arn}` is the ARN of a {}, and `kind` says `{kind}`", place.kind));
    }
    let desired = desired.map(|desired| Desired::read(place.kind, desired)).transpose();
    let desired = desired.map_err(|error| format!("`desired` is not what a {} can be: {error}", place.kind))?;
    let silent = Desired::silent(place.kind);
    let mut responses = vec![(place.clone(), responses)];
    for (arn, about) in elsewhere {
        responses.push((self::place(&arn, None)?, about));
    }
    let live = responses::live(&place, desired.as_ref().unwrap_or(&silent), &responses)?;
    let resource = input::Resource::new(&place, &live);
    let now = now.map_or_else(|| NOW.parse().map_err(|error| format!("{error}")), Ok)?;
    let account = self::account(&place.account, account)?;
    let input: ResourceInput<'_> = ResourceInput { resource, desired: desired.as_ref(), account: &account, now };
    serde_json::to_value(input).map_err(|error| error.to_string())
}

/// Where the resource of an ARN is; a bucket's ARN does not say in which Region, and S3's first is
/// taken for it.
fn place(arn: &str, region: Option<Region>) -> Result<Place, String> {
    let seen_from: AccountId = ACCOUNT.parse().map_err(|_| "no account".to_owned())?;
    let target =
        Target::from_arn(arn, &seen_from).ok_or_else(|| format!("`{arn}` names no resource of a known kind"))?;
    let Target { kind, partition, account, name, .. } = target.clone();
    let unsaid = || Place { kind, account, region: region.unwrap_or_else(|| partition.global_region()), name };
    Ok(target.place().unwrap_or_else(unsaid))
}

/// An account of which nothing is known but its id, with what the author says of it.
fn account(id: &AccountId, said: Map<String, Value>) -> Result<Account, String> {
    let mut account = json!({"id": id, "name": id, "class": "production", "regions": []});
    if let Some(fields) = account.as_object_mut() {
        fields.extend(said);
    }
    serde_json::from_value(account).map_err(|error| format!("its `account`: {error}"))
}

/// The lines on which the members of an array begin.
fn lines(text: &str) -> Vec<u64> {
    let (mut line, mut depth, mut quoted, mut escaped, mut due) = (1, 0_u32, false, false, false);
    let mut found = Vec::new();
    for byte in text.bytes() {
        if quoted {
            quoted = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else {
            if depth == 1 && due && !byte.is_ascii_whitespace() && byte != b']' {
                found.push(line);
                due = false;
            }
            match byte {
                b'"' => quoted = true,
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            due |= depth == 1 && (byte == b',' || byte == b'[');
        }
        line += u64::from(byte == b'\n');
    }
    found
}
