//! What makes a record one certain event: id, source, name, time and account.
//!
//! The only part of a record that can be hopeless. Everything else may be missing or odd.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::EventError;
use super::fields::{at, kind_of, quoted, text};
use super::principal;
use crate::domain::account::AccountId;

/// An insight has no source and name of its own: those inside are what it is about.
const INSIGHT_SOURCE: &str = "cloudtrail.amazonaws.com";
const INSIGHT_NAME: &str = "AwsCloudTrailInsight";

/// What identifies an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: String,
    pub(super) source: String,
    pub(super) name: String,
    pub(super) time: Timestamp,
    pub(super) account: AccountId,
}

impl Identity {
    /// Reads it from a record that is not normalised yet.
    pub(super) fn read(record: &Value) -> Result<Self, EventError> {
        if !record.is_object() {
            return Err(EventError::NotAnObject { found: kind_of(record) });
        }
        let insight = at(record, "insightDetails").is_object();
        let name = needed(record, "eventName", insight.then_some(INSIGHT_NAME))?;
        let source = needed(record, "eventSource", insight.then_some(INSIGHT_SOURCE))?.to_ascii_lowercase();
        let time = time(record)?;
        Ok(Self { id: id(record)?, source, name, time, account: account(record)? })
    }
}

/// A field that must be a non-empty string, unless something stands in for a missing one.
fn needed(record: &Value, field: &'static str, stand_in: Option<&str>) -> Result<String, EventError> {
    match optional(record, field)?.or(stand_in) {
        Some(text) => Ok(text.to_owned()),
        None => Err(EventError::Field { field, found: "it is missing".to_owned() }),
    }
}

/// A field that is absent, null, empty or a string, and nothing else.
fn optional<'a>(record: &'a Value, field: &'static str) -> Result<Option<&'a str>, EventError> {
    match at(record, field) {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(EventError::Field { field, found: format!("it is {}", kind_of(other)) })
        }
    }
}

/// An amended record is the same event again, so that it is never answered twice. A record
/// without id is known by its content: a second delivery of it gets the same one.
fn id(record: &Value) -> Result<String, EventError> {
    let own = optional(record, "eventID")?;
    let amended = text(at(record, "addendum"), "originalEventID");
    Ok(amended.or(own).map_or_else(|| digest(record), str::to_owned))
}

fn digest(record: &Value) -> String {
    let hash = Sha256::digest(record.to_string());
    let mut id = "sha256-".to_owned();
    for byte in hash.iter().take(16) {
        // Writing to a string cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}

/// RFC 3339; what some exporters make of it, without zone, is taken as UTC.
fn time(record: &Value) -> Result<Timestamp, EventError> {
    let text = needed(record, "eventTime", None)?;
    let unusable = || EventError::Field { field: "eventTime", found: format!("{} is not a time", quoted(&text)) };
    text.parse().ok().or_else(|| utc(&text)).ok_or_else(unusable)
}

fn utc(text: &str) -> Option<Timestamp> {
    let without_zone: DateTime = text.parse().ok()?;
    without_zone.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// The recipient; else the caller's account.
fn account(record: &Value) -> Result<AccountId, EventError> {
    let field = "recipientAccountId";
    if let Some(said) = optional(record, field)? {
        let unusable = |_| EventError::Field { field, found: format!("{} is not 12 digits", quoted(said)) };
        return said.parse().map_err(unusable);
    }
    let caller = principal::resolve(at(record, "userIdentity")).account;
    let missing = || EventError::Field { field, found: "it is missing, and the caller's account too".to_owned() };
    caller.and_then(|id| id.parse().ok()).ok_or_else(missing)
}
