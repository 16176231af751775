//! What a refused call tried to do, from the sentence in `errorMessage`.
//!
//! Most services leave out the request's parameters when they refuse, so this sentence is all
//! there is. It is AWS's prose, not a format: what it does not say stays null.

use serde_json::{Value, json};

use super::fields::{at, owned, text};

/// Error codes of calls that were refused for lack of permission.
const CODES: [&str; 6] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "UnauthorizedException",
    "UnauthorizedOperation",
    "VpceAccessDenied",
];
/// How EC2's codes of that kind begin.
const CODE_PREFIX: &str = "Client.Unauthorized";

const REFUSAL: &str = " is not authorized to perform";
const RESOURCE: &str = " on resource: ";
/// What may follow the resource, whose name may hold spaces itself.
const AFTER_RESOURCE: [&str; 4] =
    [" because ", " with an explicit deny", " Encoded authorization failure", " (Service:"];

/// `{principal, action, resource}` of a refused call, for rules to read as `event.denied`.
///
/// A message that names no principal is about the record's own; one of EC2 that is encoded is
/// about the action that the event is named after, which holds for EC2 alone.
pub(super) fn of(record: &Value) -> Option<Value> {
    let code = text(record, "errorCode")?;
    if !CODES.contains(&code) && !code.starts_with(CODE_PREFIX) {
        return None;
    }
    let sentence = text(record, "errorMessage").map(Sentence::read).unwrap_or_default();
    Some(json!({
        "principal": sentence.principal.map(str::to_owned).or_else(|| owned(at(record, "userIdentity"), "arn")),
        "action": sentence.action.map(str::to_owned).or_else(|| ec2_action(record)),
        "resource": sentence.resource,
    }))
}

fn ec2_action(record: &Value) -> Option<String> {
    let source = text(record, "eventSource").filter(|source| source.eq_ignore_ascii_case("ec2.amazonaws.com"));
    source.and_then(|_| text(record, "eventName")).map(|name| format!("ec2:{name}"))
}

/// The parts of a refusal that it names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sentence<'a> {
    principal: Option<&'a str>,
    action: Option<&'a str>,
    resource: Option<&'a str>,
}

impl<'a> Sentence<'a> {
    fn read(message: &'a str) -> Self {
        let Some((before, after)) = message.split_once(REFUSAL) else {
            return Self::default();
        };
        let principal = before.split_whitespace().next_back().map(bare).filter(|word| word.starts_with("arn:"));
        let action = after.trim_start_matches([':', ' ']).split_whitespace().next().map(bare);
        let resource = after.split_once(RESOURCE).map(|(_, rest)| bare(until_reason(rest)));
        Self {
            principal,
            action: action.filter(|word| word.contains(':')),
            resource: resource.filter(|name| !name.is_empty()),
        }
    }
}

fn until_reason(rest: &str) -> &str {
    let end = AFTER_RESOURCE.iter().filter_map(|marker| rest.find(marker)).min();
    end.and_then(|end| rest.get(..end)).unwrap_or(rest)
}

/// A word without the quotes and punctuation round it.
fn bare(word: &str) -> &str {
    word.trim().trim_matches(['"', '\'', '`']).trim_end_matches(['.', ',', ';', '"'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/ops/mallory";
    const POINT: &str = "arn:aws:backup:eu-west-1:111122223333:recovery-point:9f5e";

    fn read(message: &str) -> (Option<&str>, Option<&str>, Option<&str>) {
        let Sentence { principal, action, resource } = Sentence::read(message);
        (principal, action, resource)
    }

    #[test]
    fn every_wording_of_a_refusal_yields_who_what_and_where() {
        let whole = (Some(SESSION), Some("backup:DeleteRecoveryPoint"), Some(POINT));
        let call =
            format!("User: {SESSION} is not authorized to perform: backup:DeleteRecoveryPoint on resource: {POINT}");
        for ending in [
            "",
            " because no identity-based policy allows the backup:DeleteRecoveryPoint action",
            " with an explicit deny in a service control policy",
            " with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-1/p-1",
            " because no resource-based policy allows the backup:DeleteRecoveryPoint action.",
            " with an explicit deny",
        ] {
            assert_eq!(read(&format!("{call}{ending}")), whole, "{ending}");
        }
    }

    #[test]
    fn what_a_refusal_does_not_name_is_left_out() {
        assert_eq!(
            read("User is not authorized to perform: rds:FailoverDBCluster"),
            (None, Some("rds:FailoverDBCluster"), None)
        );
        assert_eq!(read("User: x is not authorized to perform this operation."), (None, None, None));
        for silent in ["Access Denied", "", "Roles may not be assumed by root accounts.", "on resource: x"] {
            assert_eq!(read(silent), (None, None, None), "{silent}");
        }
    }

    #[test]
    fn a_resource_may_hold_spaces_and_be_quoted() {
        let message = format!(
            "User: {SESSION} is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::b/a file\" because of x"
        );
        assert_eq!(read(&message).2, Some("arn:aws:s3:::b/a file"));
    }

    #[test]
    fn an_encoded_message_of_ec2_still_says_which_action_and_who() {
        let record = json!({"errorCode": "Client.UnauthorizedOperation", "eventSource": "ec2.amazonaws.com",
            "eventName": "DeleteSnapshot", "userIdentity": {"arn": SESSION},
            "errorMessage": "You are not authorized to perform this operation. Encoded authorization failure message: Ab_1"});
        assert_eq!(of(&record), Some(json!({"principal": SESSION, "action": "ec2:DeleteSnapshot", "resource": null})));
    }

    #[test]
    fn a_call_that_failed_for_another_reason_was_not_denied() {
        for code in ["ThrottlingException", "NoSuchEntityException", "Client.DryRunOperation"] {
            assert_eq!(of(&json!({"errorCode": code})), None, "{code}");
        }
    }
}
