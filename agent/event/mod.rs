//! One CloudTrail record, normalised once at the edge, with its principal resolved.
//!
//! From here on nobody parses CloudTrail again: rules see [`Event::record`], code sees the
//! typed fields. Nothing here decides whether an event is good or bad.

pub mod backup_change;
mod denied;
#[cfg(test)]
pub mod examples;
pub mod fields;
mod identity;
pub mod normalise;
pub mod partial;
pub mod principal;
#[cfg(test)]
mod published;
pub mod redact;

use serde_json::Value;

use crate::domain::event::Event;
use fields::{at, owned, text};
use identity::Identity;

/// Why a record is not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// It is not a JSON object.
    #[error("a CloudTrail record is a JSON object, this is {found}")]
    NotAnObject {
        /// What it is instead.
        found: &'static str,
    },
    /// A field that identifies the event is missing or of another type.
    #[error("the record has no usable `{field}`: {found}")]
    Field {
        /// CloudTrail's name of the field.
        field: &'static str,
        /// What stands there.
        found: String,
    },
}

impl Event {
    /// Reads one CloudTrail record.
    ///
    /// # Errors
    /// When it is no object, or lacks what identifies an event: source, name, time or account.
    /// What else it holds, in whatever type, is never an error.
    pub fn parse(mut record: Value) -> Result<Self, EventError> {
        let Identity { id, source, name, time, account } = Identity::read(&record)?;
        normalise::normalise(&mut record);
        Ok(Self {
            id,
            time,
            region: owned(&record, "awsRegion").and_then(|name| name.parse().ok()),
            account,
            read_only: is_read_only(&record),
            error_code: error_code(&record, &source, &name),
            source_ip: owned(&record, "sourceIPAddress"),
            user_agent: owned(&record, "userAgent"),
            principal: principal::resolve(at(&record, "userIdentity")),
            source,
            name,
            record,
        })
    }
}

/// Some exporters turn booleans into words.
fn is_read_only(record: &Value) -> bool {
    let said = at(record, "readOnly");
    said.as_bool().unwrap_or_else(|| said.as_str().is_some_and(|word| word.eq_ignore_ascii_case("true")))
}

/// Sign-in puts its failures in `responseElements`, under the event's own name.
fn error_code(record: &Value, source: &str, name: &str) -> Option<String> {
    let failed_sign_in = || {
        let answer = text(at(record, "responseElements"), name).filter(|_| source == "signin.amazonaws.com")?;
        (answer == "Failure").then(|| answer.to_owned())
    };
    match at(record, "errorCode") {
        Value::Null => failed_sign_in(),
        Value::String(code) if code.is_empty() => failed_sign_in(),
        Value::String(code) => Some(code.clone()),
        code @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => Some(code.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn whole() -> Value {
        examples::read("user_deletes_recovery_point")
    }

    fn with(field: &str, value: Value) -> Value {
        let mut record = whole();
        record[field] = value;
        record
    }

    fn without(field: &str) -> Value {
        let mut record = whole();
        record.as_object_mut().unwrap().remove(field);
        record
    }

    #[test]
    fn an_event_knows_who_did_what_when_and_where() {
        let event = Event::parse(whole()).unwrap();
        assert_eq!(event.source, "backup.amazonaws.com");
        assert_eq!(event.name, "DeleteRecoveryPoint");
        assert_eq!(event.time.to_string(), "2026-03-04T05:06:07Z");
        assert_eq!((event.region.as_deref(), event.account.as_str()), (Some("eu-west-1"), "111122223333"));
        assert_eq!(event.parameter("backupVaultName"), Some("orders"));
        assert!(!event.failed() && !event.read_only);
    }

    #[test]
    fn every_example_is_an_event() {
        for (name, record) in examples::records() {
            assert!(Event::parse(record).is_ok(), "{name}");
        }
    }

    #[test]
    fn an_identifying_field_that_is_missing_or_odd_is_named() {
        for field in ["eventName", "eventSource", "eventTime"] {
            for odd in [without(field), with(field, json!(7)), with(field, json!(null)), with(field, json!(""))] {
                assert!(
                    matches!(Event::parse(odd), Err(EventError::Field { field: found, .. }) if found == field),
                    "{field}"
                );
            }
        }
        for (field, odd) in
            [("eventID", json!(7)), ("eventTime", json!("soon")), ("recipientAccountId", json!("1234567890123"))]
        {
            assert!(
                matches!(Event::parse(with(field, odd)), Err(EventError::Field { field: found, .. }) if found == field),
                "{field}"
            );
        }
    }

    #[test]
    fn what_is_no_object_is_no_event() {
        for (value, found) in [(json!(null), "null"), (json!([1]), "an array"), (json!("x"), "a string")] {
            assert_eq!(Event::parse(value), Err(EventError::NotAnObject { found }));
        }
    }

    #[test]
    fn any_other_field_may_be_missing_or_of_any_type() {
        let identifying = ["eventName", "eventSource", "eventTime", "eventID", "recipientAccountId"];
        let fields: Vec<String> = whole().as_object().unwrap().keys().cloned().collect();
        for field in fields.iter().filter(|field| !identifying.contains(&field.as_str())) {
            for odd in [json!(null), json!(7), json!([[]]), json!({"a": {}}), json!("x"), json!(true)] {
                assert!(Event::parse(with(field, odd.clone())).is_ok(), "{field} = {odd}");
            }
            assert!(Event::parse(without(field)).is_ok(), "without {field}");
        }
    }

    #[test]
    fn a_record_without_recipient_belongs_to_its_caller() {
        assert_eq!(Event::parse(without("recipientAccountId")).unwrap().account.as_str(), "111122223333");
    }

    #[test]
    fn a_record_without_id_has_the_same_one_at_every_delivery() {
        let (first, again) = (Event::parse(without("eventID")).unwrap(), Event::parse(without("eventID")).unwrap());
        assert_eq!(first.id, again.id);
        let mut other = without("eventID");
        other["requestID"] = json!("another");
        assert_ne!(Event::parse(other).unwrap().id, first.id);
    }

    #[test]
    fn an_amended_record_is_the_same_event_again() {
        let addendum =
            json!({"reason": "UPDATED_DATA", "updatedFields": "responseElements", "originalEventID": "the-first"});
        assert_eq!(Event::parse(with("addendum", addendum)).unwrap().id, "the-first");
    }

    #[test]
    fn of_two_fields_of_one_name_the_last_counts() {
        let twice = whole().to_string().replacen('{', r#"{"eventName":"StopLogging","#, 1);
        assert_eq!(Event::parse(serde_json::from_str(&twice).unwrap()).unwrap().name, "DeleteRecoveryPoint");
    }

    #[test]
    fn a_sign_in_that_failed_is_a_failure_without_error_code() {
        let event = Event::parse(examples::read("failed_sign_in")).unwrap();
        assert_eq!(event.error_code.as_deref(), Some("Failure"));
    }

    #[test]
    fn an_insight_is_an_event_of_cloudtrail_and_not_the_one_it_is_about() {
        let event = Event::parse(examples::read("insight")).unwrap();
        assert_eq!((event.source.as_str(), event.name.as_str()), ("cloudtrail.amazonaws.com", "AwsCloudTrailInsight"));
    }

    #[test]
    fn times_without_zone_are_utc() {
        let event = Event::parse(with("eventTime", json!("2025-01-21 17:49:47.000000000"))).unwrap();
        assert_eq!(event.time.to_string(), "2025-01-21T17:49:47Z");
    }

    #[test]
    fn a_session_token_does_not_survive_parsing() {
        let event = Event::parse(examples::read("assume_role_with_token")).unwrap();
        assert_eq!(event.record["responseElements"]["credentials"]["sessionToken"], redact::REDACTED);
        assert!(!event.record.to_string().contains("FwoG"));
    }

    #[test]
    fn a_refused_call_without_parameters_still_says_what_it_tried() {
        let event = Event::parse(examples::read("denied_delete_without_parameters")).unwrap();
        let denied = &event.record["denied"];
        assert!(event.failed() && event.record["requestParameters"].is_null());
        assert_eq!(denied["action"], "backup:DeleteRecoveryPoint");
        assert!(denied["resource"].as_str().unwrap().contains(":recovery-point:"));
    }
}
