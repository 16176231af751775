//! What parsing makes of every record that others published.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::at;
use super::redact::REDACTED;
use super::{EventError, examples, partial};
use crate::domain::event::Event;
use crate::domain::principal::PrincipalKind;

/// Every record as an event. Those that say too little get placeholders, as in a replay.
fn events() -> Vec<(String, Event)> {
    let parsed = |(place, mut record): (String, Value)| {
        partial::complete(&mut record);
        let event = Event::parse(record).unwrap_or_else(|error| panic!("{place}: {error}"));
        (place, event)
    };
    examples::published().into_iter().map(parsed).collect()
}

#[test]
fn every_published_record_is_an_event_or_lacks_what_identifies_one() {
    let mut hopeless: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let published = examples::published();
    for (place, record) in &published {
        match Event::parse(record.clone()) {
            Ok(_) => {}
            Err(EventError::Field { field, .. }) => hopeless.entry(field).or_default().push(place.clone()),
            Err(error @ EventError::NotAnObject { .. }) => panic!("{place}: {error}"),
        }
    }
    let counts: Vec<_> = hopeless.iter().map(|(field, places)| (*field, places.len())).collect();
    assert_eq!(counts, [("eventSource", 2), ("eventTime", 4), ("recipientAccountId", 5)], "{hopeless:?}");
    assert!(hopeless.values().flatten().all(|place| place.starts_with("panther")), "{hopeless:?}");
}

#[test]
fn the_published_principals_are_of_the_kinds_they_say() {
    let events = events();
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    for (place, event) in &events {
        let said = at(at(&event.record, "userIdentity"), "type").as_str();
        let principal = &event.principal;
        let agrees = match principal.kind {
            PrincipalKind::IamUser => said == Some("IAMUser"),
            PrincipalKind::Root => said == Some("Root"),
            PrincipalKind::AssumedRole | PrincipalKind::RoleSessionSso | PrincipalKind::ServiceLinkedRole => {
                said == Some("AssumedRole") && principal.arn.as_ref().is_none_or(|arn| arn.contains(":role/"))
            }
            PrincipalKind::Service => said.is_none_or(|said| said == "AWSService"),
            PrincipalKind::Unknown => said.is_none_or(|said| said == "Unknown"),
            PrincipalKind::FederatedUser
            | PrincipalKind::SamlUser
            | PrincipalKind::WebIdentityUser
            | PrincipalKind::IdentityCenterUser
            | PrincipalKind::AwsAccount => false,
        };
        assert!(agrees, "{place}: {principal:?}");
        *kinds.entry(format!("{:?}", principal.kind)).or_default() += 1;
    }
    let roles = events.iter().filter(|(_, event)| event.principal.kind == PrincipalKind::AssumedRole);
    let without_role: Vec<_> =
        roles.filter(|(_, event)| event.principal.arn.is_none()).map(|(place, _)| place).collect();
    assert!(without_role.iter().all(|place| place.starts_with("panther")), "{without_role:?}");
    let counted: Vec<_> = kinds.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    let expected = [
        ("AssumedRole", 136),
        ("IamUser", 1411),
        ("RoleSessionSso", 13),
        ("Root", 6),
        ("Service", 53),
        ("ServiceLinkedRole", 3),
        ("Unknown", 4),
    ];
    assert_eq!(counted, expected);
}

#[test]
fn no_published_session_token_survives() {
    for (place, event) in events() {
        let credentials = at(at(&event.record, "responseElements"), "credentials");
        let token = at(credentials, "sessionToken");
        assert!(token.is_null() || token == REDACTED, "{place}");
        assert!(!event.record.to_string().contains("REDACTEDx"), "{place}");
    }
}

#[test]
fn every_published_refusal_is_taken_apart() {
    let mut refused = 0;
    for (place, event) in events() {
        let denied = at(&event.record, "denied");
        let message = at(&event.record, "errorMessage").as_str().unwrap_or_default();
        if event.error_code.as_deref().is_some_and(|code| code.contains("Denied") || code.contains("Unauthorized")) {
            refused += 1;
            assert!(denied.is_object(), "{place}");
        }
        if message.contains("is not authorized to perform: ") {
            assert!(denied["action"].is_string(), "{place}: {message}");
            assert_eq!(denied["resource"].is_string(), message.contains("on resource: "), "{place}: {message}");
        }
        if message.contains("Encoded authorization failure message") {
            assert!(denied["action"].as_str().is_some_and(|action| action.starts_with("ec2:")), "{place}");
            assert!(denied["principal"].is_string(), "{place}");
        }
    }
    assert_eq!(refused, 64);
}

#[test]
fn parsing_a_parsed_record_changes_nothing() {
    for (place, event) in events() {
        let again = Event::parse(event.record.clone()).unwrap();
        assert_eq!(again.record, event.record, "{place}");
        assert_eq!(again.principal, event.principal, "{place}");
    }
}
