//! What a message's body holds: CloudTrail records, changes that AWS Backup reports, or nothing for us.
//!
//! A body comes from outside and may be anything. It is read whole or refused with a reason
//! that never repeats it; nothing here evaluates what happened.

use serde_json::{Map, Value};

use crate::domain::event::Event;
use crate::event::EventError;
use crate::event::backup_change;
use crate::event::backup_change::BackupChange;
use crate::event::fields::{kind_of, quoted};

/// How many wrappers may lie round an event: S3 in SNS in SQS is the deepest that AWS makes.
const MAX_WRAPPERS: u8 = 3;
/// The most characters that a reason takes, so that it fits a message attribute.
const MAX_REASON_CHARS: usize = 256;
/// CloudTrail's detail-types on EventBridge; both spellings of the sign-in are documented.
const CLOUDTRAIL: [&str; 7] = [
    "AWS API Call via CloudTrail",
    "AWS Console Action via CloudTrail",
    "AWS Console Sign In via CloudTrail",
    "AWS Console Signin via CloudTrail",
    "AWS Insight via CloudTrail",
    "AWS Network Activity Event via CloudTrail",
    "AWS Service Event via CloudTrail",
];

/// One thing that a body reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Somebody did something.
    CloudTrail(Box<Event>),
    /// AWS Backup says that something of its own changed.
    Backup(BackupChange),
    /// Nothing that the agent listens to.
    Ignored {
        /// Why not.
        why: String,
    },
}

/// One thing that a body reports, its record not yet read.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// A CloudTrail record, as it came.
    Record(Value),
    /// AWS Backup says that something of its own changed.
    Backup(BackupChange),
    /// Nothing that the agent listens to.
    Ignored {
        /// Why not.
        why: String,
    },
}

/// Why a body is hopeless: another delivery of it would be refused as well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is not JSON.
    #[error("not JSON: {why}")]
    NotJson {
        /// What the parser says, with line and column.
        why: String,
    },
    /// It is JSON nested deeper than anything AWS sends.
    #[error("JSON nested too deep to be an event")]
    TooDeep,
    /// It is JSON, but nothing that is known here.
    #[error("neither an EventBridge event nor a CloudTrail record: {found}")]
    Unknown {
        /// What it is instead.
        found: &'static str,
    },
    /// An EventBridge event that the agent did not ask for.
    #[error("an EventBridge event of the unknown detail-type {detail_type}")]
    DetailType {
        /// Its type, shortened.
        detail_type: String,
    },
    /// Anybody may put an event with CloudTrail's detail-type on a bus; only AWS can put one
    /// whose source begins with `aws.`.
    #[error("says it is CloudTrail's, but its source {origin} is not AWS")]
    Forged {
        /// The source it names, shortened.
        origin: String,
    },
    /// The wrapper names another account than the record in it.
    #[error("the wrapper's account is not the one that the record in it names")]
    OtherAccount,
    /// The wrapper lacks a field or has one of another type.
    #[error("the wrapper has no usable `{field}`: it is {found}")]
    Wrapper {
        /// The field.
        field: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// It is about a file in a bucket: this queue takes events.
    #[error("a notification of a file in S3, not an event: subscribe the queue to events")]
    FileNotification,
    /// The record in it is not an event.
    #[error(transparent)]
    Event(#[from] EventError),
}

impl BodyError {
    /// The reason in at most 256 characters, fit for an attribute of a dead letter.
    #[must_use]
    pub fn reason(&self) -> String {
        let text = self.to_string();
        text.chars().filter(|symbol| !symbol.is_control()).take(MAX_REASON_CHARS).collect()
    }
}

/// Reads a body: an EventBridge event, also inside an SNS notification; for replay and for
/// records sent by hand also a bare CloudTrail record and a file of `Records`.
///
/// # Errors
/// When any part of it cannot be read. It is hopeless then: it belongs into the dead-letter queue.
pub fn unwrap(body: &str) -> Result<Vec<Message>, BodyError> {
    parts(body)?.into_iter().map(Part::read).collect()
}

/// Takes a body apart without reading the records in it.
///
/// # Errors
/// As [`unwrap`], but for the records.
pub fn parts(body: &str) -> Result<Vec<Part>, BodyError> {
    opened(body, MAX_WRAPPERS)
}

impl Message {
    /// The id of the event in it, if there is one.
    #[must_use]
    pub fn event_id(&self) -> Option<&str> {
        match self {
            Self::CloudTrail(event) => Some(&event.id),
            Self::Backup(_) | Self::Ignored { .. } => None,
        }
    }
}

impl Part {
    fn read(self) -> Result<Message, BodyError> {
        Ok(match self {
            Self::Record(record) => Message::CloudTrail(Box::new(Event::parse(record)?)),
            Self::Backup(change) => Message::Backup(change),
            Self::Ignored { why } => Message::Ignored { why },
        })
    }
}

fn opened(body: &str, wrappers_left: u8) -> Result<Vec<Part>, BodyError> {
    match serde_json::from_str(body).map_err(|error| sorted(&error))? {
        Value::Object(members) => object(members, wrappers_left),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Err(BodyError::Unknown { found: kind_of(&other) })
        }
    }
}

/// The parser's complaint names a position, never the text.
fn sorted(error: &serde_json::Error) -> BodyError {
    let why = error.to_string();
    if why.starts_with("recursion limit exceeded") { BodyError::TooDeep } else { BodyError::NotJson { why } }
}

fn object(mut members: Map<String, Value>, wrappers_left: u8) -> Result<Vec<Part>, BodyError> {
    let is = |name: &str, value: &str| members.get(name).and_then(Value::as_str) == Some(value);
    if members.contains_key("detail-type") {
        return envelope(members).map(|part| vec![part]);
    }
    if is("Type", "Notification") {
        return notification(&members, wrappers_left);
    }
    if is("Event", "s3:TestEvent") {
        return Ok(vec![Part::Ignored { why: "a test notification of S3".to_owned() }]);
    }
    if let Some(records) = members.remove("Records") {
        return file(records);
    }
    if members.contains_key("s3ObjectKey") || is_file_notification(&members) {
        return Err(BodyError::FileNotification);
    }
    if ["eventName", "eventID", "insightDetails"].iter().any(|field| members.contains_key(*field)) {
        return Ok(vec![Part::Record(Value::Object(members))]);
    }
    Err(BodyError::Unknown { found: "an object of another kind" })
}

fn notification(members: &Map<String, Value>, wrappers_left: u8) -> Result<Vec<Part>, BodyError> {
    let message = text(members, "Message")?;
    match wrappers_left.checked_sub(1) {
        Some(left) => opened(message, left),
        None => Err(BodyError::Unknown { found: "notifications wrapped in notifications" }),
    }
}

/// The content of a CloudTrail log file. S3's own notifications look alike.
fn file(records: Value) -> Result<Vec<Part>, BodyError> {
    let Value::Array(records) = records else {
        return Err(BodyError::Wrapper { field: "Records", found: kind_of(&records) });
    };
    if records.iter().filter_map(Value::as_object).any(is_file_notification) {
        return Err(BodyError::FileNotification);
    }
    Ok(records.into_iter().map(Part::Record).collect())
}

fn is_file_notification(record: &Map<String, Value>) -> bool {
    record.get("eventSource").and_then(Value::as_str) == Some("aws:s3") && record.contains_key("s3")
}

fn envelope(mut members: Map<String, Value>) -> Result<Part, BodyError> {
    let detail_type = text(&members, "detail-type")?.to_owned();
    let source = text(&members, "source")?.to_owned();
    let detail = match members.remove("detail") {
        Some(Value::Object(detail)) => detail,
        other => return Err(BodyError::Wrapper { field: "detail", found: other.as_ref().map_or("missing", kind_of) }),
    };
    if CLOUDTRAIL.contains(&detail_type.as_str()) {
        return record(&members, &source, detail);
    }
    if source != backup_change::SOURCE {
        return Err(BodyError::DetailType { detail_type: quoted(&detail_type) });
    }
    if !backup_change::is_known(&detail_type) {
        return Ok(Part::Ignored { why: format!("AWS Backup's {} concerns nothing watched", quoted(&detail_type)) });
    }
    let (account, region) = (text(&members, "account")?, text(&members, "region")?);
    Ok(Part::Backup(BackupChange::read(account, region, &Value::Object(detail))))
}

/// The record of an envelope, which fills in what the record itself leaves out.
fn record(members: &Map<String, Value>, source: &str, mut detail: Map<String, Value>) -> Result<Part, BodyError> {
    // A partner's source begins with `aws.partner/`: what it puts on the bus is its own word.
    if !source.starts_with("aws.") || source.starts_with("aws.partner/") {
        return Err(BodyError::Forged { origin: quoted(source) });
    }
    if let (Some(named), Some(account)) = (detail.get("recipientAccountId"), members.get("account"))
        && named != account
    {
        return Err(BodyError::OtherAccount);
    }
    for (field, outside) in [("recipientAccountId", "account"), ("awsRegion", "region"), ("eventTime", "time")] {
        if let (None, Some(value)) = (detail.get(field), members.get(outside)) {
            detail.insert(field.to_owned(), value.clone());
        }
    }
    Ok(Part::Record(Value::Object(detail)))
}

/// A field of a wrapper that must be a string.
fn text<'a>(members: &'a Map<String, Value>, field: &'static str) -> Result<&'a str, BodyError> {
    match members.get(field) {
        Some(Value::String(text)) => Ok(text),
        other => Err(BodyError::Wrapper { field, found: other.map_or("missing", kind_of) }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::event::examples;

    fn only(body: &str) -> Message {
        let mut messages = unwrap(body).unwrap();
        assert_eq!(messages.len(), 1);
        messages.remove(0)
    }

    fn event(body: &str) -> Event {
        match only(body) {
            Message::CloudTrail(event) => *event,
            other @ (Message::Backup(_) | Message::Ignored { .. }) => panic!("{other:?}"),
        }
    }

    fn change(example: &str) -> BackupChange {
        match only(&examples::text(example)) {
            Message::Backup(change) => change,
            other @ (Message::CloudTrail(_) | Message::Ignored { .. }) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_record_is_the_same_event_in_every_wrapper() {
        let bare = event(&examples::text("user_deletes_recovery_point"));
        assert_eq!(event(&examples::text("envelope_of_api_call")), bare);
        assert_eq!(event(&examples::text("envelope_in_notification")), bare);
        let file = unwrap(&examples::text("log_file")).unwrap();
        assert_eq!((file.len(), &file[0]), (2, &Message::CloudTrail(Box::new(bare))));
    }

    #[test]
    fn every_detail_type_of_cloudtrail_is_read() {
        let mut envelope = examples::read("envelope_of_api_call");
        for detail_type in CLOUDTRAIL {
            envelope["detail-type"] = json!(detail_type);
            assert_eq!(event(&envelope.to_string()).name, "DeleteRecoveryPoint");
        }
    }

    #[test]
    fn the_envelope_says_what_its_record_leaves_out() {
        let mut envelope = examples::read("envelope_of_api_call");
        for field in ["recipientAccountId", "awsRegion", "eventTime", "userIdentity"] {
            envelope["detail"].as_object_mut().unwrap().remove(field);
        }
        let event = event(&envelope.to_string());
        assert_eq!((event.account.as_str(), event.region.as_deref()), ("111122223333", Some("eu-west-1")));
    }

    #[test]
    fn a_record_of_another_account_than_its_envelope_s_is_refused() {
        let mut envelope = examples::read("envelope_of_api_call");
        envelope["account"] = json!("999999999999");
        assert_eq!(unwrap(&envelope.to_string()), Err(BodyError::OtherAccount));
    }

    #[test]
    fn an_event_that_somebody_put_on_the_bus_himself_is_refused() {
        let mut envelope = examples::read("envelope_of_api_call");
        envelope["source"] = json!("aws.partner/shop.example/orders");
        assert!(matches!(unwrap(&envelope.to_string()), Err(BodyError::Forged { .. })));
        envelope["source"] = json!("shop.orders");
        assert_eq!(unwrap(&envelope.to_string()), Err(BodyError::Forged { origin: "`shop.orders`".into() }));
    }

    #[test]
    fn a_failed_copy_names_both_vaults() {
        let copy = change("envelope_of_failed_copy");
        let touched: Vec<_> = copy.touched().into_iter().map(|place| (place.account.to_string(), place.name)).collect();
        assert_eq!(touched, [("111122223333".into(), "orders".into()), ("444455556666".into(), "copies".into())]);
    }

    #[test]
    fn a_locked_vault_is_known_by_its_name_alone() {
        let vault = change("envelope_of_vault_lock");
        assert_eq!(vault.touched().first().map(|place| place.region.as_str()), Some("eu-west-1"));
    }

    #[test]
    fn a_kind_of_change_that_aws_backup_adds_is_ignored_and_another_sources_is_not() {
        let mut envelope = examples::read("envelope_of_vault_lock");
        envelope["detail-type"] = json!("Malware Scan State Change");
        assert!(matches!(only(&envelope.to_string()), Message::Ignored { .. }));
        envelope["source"] = json!("aws.guardduty");
        assert!(matches!(unwrap(&envelope.to_string()), Err(BodyError::DetailType { .. })));
    }

    #[test]
    fn a_test_notification_of_s3_is_ignored_and_a_notification_of_a_file_is_refused() {
        assert!(matches!(only(r#"{"Service":"Amazon S3","Event":"s3:TestEvent"}"#), Message::Ignored { .. }));
        let notification = r#"{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{}}]}"#;
        assert_eq!(unwrap(notification), Err(BodyError::FileNotification));
        assert_eq!(unwrap(r#"{"s3Bucket":"b","s3ObjectKey":["k"]}"#), Err(BodyError::FileNotification));
    }

    #[test]
    fn garbage_is_refused_with_its_kind_of_reason() {
        for text in ["", "x", "{", "{\"a\":1}}", "\u{feff}{}", "{\"a\":\u{0}}"] {
            assert!(matches!(unwrap(text), Err(BodyError::NotJson { .. })), "{text:?}");
        }
        for text in ["null", "7", "[]", "\"x\"", "{}", "{\"a\":1}"] {
            assert!(matches!(unwrap(text), Err(BodyError::Unknown { .. })), "{text}");
        }
        for text in [r#"{"Records":7}"#, r#"{"detail-type":7}"#, r#"{"Type":"Notification"}"#] {
            assert!(matches!(unwrap(text), Err(BodyError::Wrapper { .. })), "{text}");
        }
    }

    #[test]
    fn wrong_types_in_an_envelope_are_named() {
        for field in ["detail-type", "source", "detail", "account", "region"] {
            for odd in [json!(7), json!(null), json!([])] {
                let mut envelope = examples::read("envelope_of_vault_lock");
                envelope[field] = odd;
                let refused = unwrap(&envelope.to_string());
                assert!(matches!(refused, Err(BodyError::Wrapper { field: found, .. }) if found == field), "{field}");
            }
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_overflows_nothing() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = format!("{}1{}", open.repeat(200_000), close.repeat(200_000));
            assert_eq!(unwrap(&deep), Err(BodyError::TooDeep));
        }
        assert_eq!(unwrap(&"[".repeat(1 << 20)), Err(BodyError::TooDeep));
    }

    #[test]
    fn notifications_in_notifications_end_somewhere() {
        let mut body = examples::text("user_deletes_recovery_point");
        for _ in 0..MAX_WRAPPERS {
            body = json!({"Type": "Notification", "Message": body}).to_string();
        }
        assert_eq!(event(&body).name, "DeleteRecoveryPoint");
        let once_more = json!({"Type": "Notification", "Message": body}).to_string();
        assert!(matches!(unwrap(&once_more), Err(BodyError::Unknown { .. })));
    }

    #[test]
    fn a_body_of_a_mebibyte_is_read_or_refused() {
        let mut record = examples::read("user_deletes_recovery_point");
        record["requestParameters"]["padding"] = json!("x".repeat((1 << 20) - 4096));
        assert_eq!(event(&record.to_string()).name, "DeleteRecoveryPoint");
        assert!(unwrap(&"x".repeat(1 << 20)).is_err());
    }

    #[test]
    fn a_reason_is_short_and_never_the_body() {
        let secret = "hunter2".repeat(100);
        for body in [
            secret.clone(),
            json!({"detail-type": secret, "source": "x", "detail": {}}).to_string(),
            json!({"eventName": "a", "eventSource": "b", "eventTime": secret}).to_string(),
            json!({"eventName": secret, "password": secret}).to_string(),
        ] {
            let reason = unwrap(&body).unwrap_err().reason();
            assert!(!reason.is_empty() && reason.chars().count() <= MAX_REASON_CHARS, "{reason}");
            assert!(!reason.contains(&secret), "{reason}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z:./{}-]{0,12}".prop_map(Value::from),
            Just(json!("arn:aws:sts::111122223333:assumed-role/a/b")),
        ];
        let key = prop_oneof![
            "[a-zA-Z]{1,6}",
            prop::sample::select(vec![
                "detail-type",
                "detail",
                "source",
                "Records",
                "Type",
                "Message",
                "eventName",
                "eventSource",
                "eventTime",
                "userIdentity",
                "type",
                "arn",
                "sessionContext",
                "requestParameters",
                "errorCode",
                "errorMessage",
            ])
            .prop_map(str::to_owned),
        ];
        leaf.prop_recursive(5, 48, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(key.clone(), inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Puts a value somewhere into a document, led there by the numbers of a path.
    fn put(document: &mut Value, path: &[usize], value: Value) {
        let Some((first, rest)) = path.split_first() else {
            *document = value;
            return;
        };
        let next = match document {
            Value::Object(members) if !members.is_empty() => {
                let nth = first % members.len();
                members.values_mut().nth(nth)
            }
            Value::Array(items) if !items.is_empty() => {
                let nth = first % items.len();
                items.get_mut(nth)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                None
            }
        };
        match next {
            Some(next) => put(next, rest, value),
            None => *document = value,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let _ = unwrap(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn no_json_makes_it_panic(value in any_json()) {
            let _ = unwrap(&value.to_string());
            let _ = Event::parse(value);
        }

        #[test]
        fn no_value_in_any_place_of_a_real_message_makes_it_panic(
            nth in any::<prop::sample::Index>(), path in prop::collection::vec(0usize..32, 1..6), value in any_json(),
        ) {
            let mut document = nth.get(&examples::all()).1.clone();
            put(&mut document, &path, value);
            let _ = unwrap(&document.to_string());
        }

        #[test]
        fn no_damage_to_the_text_of_a_real_message_makes_it_panic(
            nth in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 0..4), cut in 0usize..4,
        ) {
            let mut text = nth.get(&examples::all()).1.to_string().into_bytes();
            let at = at.index(text.len());
            let end = (at + cut).min(text.len());
            text.splice(at..end, bytes);
            let _ = unwrap(&String::from_utf8_lossy(&text));
        }
    }
}
