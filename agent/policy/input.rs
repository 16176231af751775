//! What a rule sees: one typed document per kind of evaluation, the same in the agent, in
//! replay and in tests.
//!
//! The JSON schemas that `opa check` types rules against come from these types; nobody writes
//! them by hand.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::domain::account::{Account, AccountId};
use crate::domain::event::Event;
use crate::domain::principal::Principal;
use crate::domain::resource::bucket::BucketLive;
use crate::domain::resource::key::KeyLive;
use crate::domain::resource::trail::TrailLive;
use crate::domain::resource::vault::VaultLive;
use crate::domain::resource::{Desired, Kind, Live, Place};

/// What an event rule sees.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct EventInput<'a> {
    /// The CloudTrail record, with CloudTrail's own field names.
    #[schemars(with = "Record")]
    pub event: &'a Value,
    /// Who made the call.
    pub principal: &'a Principal,
    /// The account whose trail holds the record.
    pub account: &'a Account,
    /// The moment of evaluation, RFC 3339.
    #[schemars(with = "String")]
    pub now: Timestamp,
}

impl<'a> EventInput<'a> {
    /// The document for an event in an account.
    #[must_use]
    pub const fn new(event: &'a Event, account: &'a Account, now: Timestamp) -> Self {
        Self { event: &event.record, principal: &event.principal, account, now }
    }

    /// CloudTrail's `eventSource` and `eventName`, by which rules ask for events.
    pub(super) fn route(&self) -> (&str, &str) {
        let text = |field| self.event.get(field).and_then(Value::as_str).unwrap_or_default();
        (text("eventSource"), text("eventName"))
    }
}

/// What a resource rule sees. `L` is the kind of its live state; the agent holds
/// [`Live`], the schemas one kind each.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ResourceInput<'a, L = Live> {
    /// The resource as AWS reports it now.
    pub resource: Resource<'a, L>,
    /// What it should be, as far as anybody declared it.
    pub desired: Option<&'a Desired>,
    /// The account that owns it.
    pub account: &'a Account,
    /// The moment of evaluation, RFC 3339.
    #[schemars(with = "String")]
    pub now: Timestamp,
}

/// A resource as AWS reports it now.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Resource<'a, L = Live> {
    /// What kind it is.
    pub kind: Kind,
    /// Its ARN.
    pub arn: String,
    /// The account that owns it.
    #[schemars(with = "String")]
    pub account: &'a AccountId,
    /// Its Region.
    pub region: &'a str,
    /// Its tags.
    pub tags: &'a BTreeMap<String, String>,
    /// Its settings.
    pub live: &'a L,
}

impl<'a> Resource<'a> {
    /// The live state of the resource at a place.
    #[must_use]
    pub fn new(place: &'a Place, live: &'a Live) -> Self {
        let Place { kind, account, region, .. } = place;
        Self { kind: *kind, arn: place.arn(), account, region, tags: live.tags(), live }
    }
}

/// The fields of a CloudTrail record that rules may name. The agent hands the whole record
/// over; this type only lets `opa check` see a misspelt one.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
struct Record {
    additional_event_data: Value,
    #[schemars(rename = "apiVersion")]
    api_version: Value,
    aws_region: String,
    /// What the agent read from a denied call's `errorMessage`.
    denied: Value,
    error_code: String,
    error_message: String,
    event_category: String,
    #[schemars(rename = "eventID")]
    event_id: String,
    event_name: String,
    event_source: String,
    event_time: String,
    event_type: String,
    event_version: String,
    management_event: bool,
    read_only: bool,
    recipient_account_id: String,
    #[schemars(rename = "requestID")]
    request_id: String,
    request_parameters: Value,
    resources: Value,
    response_elements: Value,
    service_event_details: Value,
    session_credential_from_console: Value,
    #[schemars(rename = "sharedEventID")]
    shared_event_id: String,
    #[schemars(rename = "sourceIPAddress")]
    source_ip_address: String,
    tls_details: Value,
    user_agent: String,
    user_identity: Value,
    vpc_endpoint_id: String,
    vpc_endpoint_account_id: String,
    event_context: Value,
    addendum: Value,
    edge_device_details: Value,
    insight_details: Value,
}

/// The JSON schemas of the documents, by file name.
#[must_use]
pub fn schemas() -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        ("event.json", schema::<EventInput<'static>>()),
        ("bucket.json", schema::<ResourceInput<'static, BucketLive>>()),
        ("key.json", schema::<ResourceInput<'static, KeyLive>>()),
        ("trail.json", schema::<ResourceInput<'static, TrailLive>>()),
        ("vault.json", schema::<ResourceInput<'static, VaultLive>>()),
    ])
}

/// A schema as `opa check` understands it: draft 7, nothing by reference, one type each.
fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().for_serialize().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    make_plain(&mut schema);
    schema
}

/// OPA takes the first of several types for the only one, and of a choice with an object in it
/// checks no field. So an optional object or list loses its null, which `!=` and `is_null`
/// do not mind, and an optional string or number becomes a choice, which may be compared
/// with null.
fn make_plain(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            settle_choice(fields);
            settle_types(fields);
            fields.values_mut().for_each(make_plain);
        }
        Value::Array(items) => items.iter_mut().for_each(make_plain),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// `anyOf` an object and null becomes the object.
fn settle_choice(fields: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = fields.get("anyOf") else { return };
    let [Value::Object(object), null] = choices.as_slice() else { return };
    if object.contains_key("properties") && null["type"] == "null" {
        let object = object.clone();
        fields.remove("anyOf");
        for (key, value) in object {
            fields.entry(key).or_insert(value);
        }
    }
}

/// `type` of several becomes the object or list among them, else a choice.
fn settle_types(fields: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = fields.get("type") else { return };
    let whole = types.iter().find(|name| **name == "object" || **name == "array").cloned();
    let choice = types.iter().map(|name| json!({ "type": name })).collect();
    if let Some(whole) = whole {
        fields.insert("type".to_owned(), whole);
    } else {
        fields.remove("type");
        fields.insert("anyOf".to_owned(), choice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_has_no_references_and_one_type_each() {
        for (name, schema) in schemas() {
            let text = schema.to_string();
            assert!(!text.contains("\"$ref\"") && !text.contains("\"type\":["), "{name}: {text}");
        }
    }

    #[test]
    fn the_document_has_the_fields_that_rules_are_typed_by() {
        let place = Place {
            kind: Kind::Key,
            account: "111122223333".parse().unwrap(),
            region: "eu-west-1".to_owned(),
            name: "k".to_owned(),
        };
        let live = Live::Key(KeyLive { state: "Enabled".to_owned(), deletion_date: None, tags: BTreeMap::new() });
        let account: Account = serde_json::from_value(
            json!({"id": "111122223333", "name": "n", "class": "production", "regions": ["eu-west-1"]}),
        )
        .unwrap();
        let now = "2026-11-21T00:00:00Z".parse().unwrap();
        let state = ResourceInput { resource: Resource::new(&place, &live), desired: None, account: &account, now };
        let document = serde_json::to_value(&state).unwrap();
        fits(&document, &schemas()["key.json"], "input");
        assert_eq!(document["resource"]["arn"], "arn:aws:kms:eu-west-1:111122223333:key/k");
        assert_eq!(document["now"], "2026-11-21T00:00:00Z");
        assert_eq!(document["desired"], Value::Null);
    }

    /// Every field of a document is one that the schema knows.
    fn fits(document: &Value, schema: &Value, at: &str) {
        let Some(known) = schema.get("properties").and_then(Value::as_object) else { return };
        for (field, value) in document.as_object().into_iter().flatten() {
            assert!(known.contains_key(field), "{at}.{field}");
            fits(value, &known[field], &format!("{at}.{field}"));
        }
    }
}
