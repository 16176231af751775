//! Records that say too little to be events, completed so that a replay can evaluate them.
//!
//! A record that somebody wrote for a test holds only what its author cared about. Placeholders
//! complete it. The agent itself never does this: what arrives in its queue without a time or
//! an account is not CloudTrail's.

use serde_json::Value;

use super::EventError;
use super::identity::Identity;

/// What stands in for an identifying field. No rule asks for this source, no account has this id.
const PLACEHOLDERS: [(&str, &str); 3] = [
    ("eventSource", "unknown.amazonaws.com"),
    ("eventTime", "1970-01-01T00:00:00Z"),
    ("recipientAccountId", "000000000000"),
];

/// Puts placeholders where a record has no usable source, time or account, and names those
/// fields. A record that lacks more is left as it is: parsing it says why.
pub fn complete(record: &mut Value) -> Vec<&'static str> {
    let mut filled = Vec::new();
    while let Err(EventError::Field { field, .. }) = Identity::read(record) {
        let placeholder = PLACEHOLDERS.iter().find(|(name, _)| *name == field && !filled.contains(name));
        let (Some((name, value)), Some(members)) = (placeholder, record.as_object_mut()) else {
            break;
        };
        members.insert((*name).to_owned(), Value::from(*value));
        filled.push(*name);
    }
    filled
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::event::Event;

    #[test]
    fn a_record_of_a_name_alone_can_be_evaluated_with_placeholders() {
        let mut record = json!({"eventName": "CreateUser"});
        assert_eq!(complete(&mut record), ["eventSource", "eventTime", "recipientAccountId"]);
        let event = Event::parse(record).unwrap();
        assert_eq!((event.name.as_str(), event.account.as_str()), ("CreateUser", "000000000000"));
    }

    #[test]
    fn a_whole_record_is_not_touched() {
        let mut record = json!({"eventName": "CreateUser", "eventSource": "iam.amazonaws.com",
            "eventTime": "2026-01-02T03:04:05Z", "recipientAccountId": "111122223333"});
        let before = record.clone();
        assert!(complete(&mut record).is_empty());
        assert_eq!(record, before);
    }

    #[test]
    fn nothing_stands_in_for_a_missing_name() {
        let mut record = json!({"eventSource": "iam.amazonaws.com"});
        assert!(complete(&mut record).is_empty());
        assert!(matches!(Event::parse(record), Err(EventError::Field { field: "eventName", .. })));
    }
}
