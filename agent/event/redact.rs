//! Takes secrets out of a record before anything stores, logs or shows it.
//!
//! By the names of fields: CloudTrail itself hides most secrets, and names the rest plainly.
//! It does not look for secrets inside free text.

use memchr::memchr2_iter;
use serde_json::{Map, Value};

/// What stands where a secret stood.
pub const REDACTED: &str = "REDACTED";
/// What AWS puts there itself; rules may ask for it.
const HIDDEN_BY_AWS: [&str; 2] = ["HIDDEN_DUE_TO_SECURITY_REASONS", "<sensitiveDataRemoved>"];

/// The parts of a record that hold what the caller sent and what came back.
const PARTS: [&str; 4] = ["requestParameters", "responseElements", "additionalEventData", "serviceEventDetails"];

/// Fields that hold a secret, in lower case and sorted.
const SECRETS: [&str; 39] = [
    "accesstoken",
    "apikey",
    "authenticationcode1",
    "authenticationcode2",
    "authorization",
    "authtoken",
    "base32stringseed",
    "bearertoken",
    "clientsecret",
    "connectionstring",
    "cookie",
    "copysourcessecustomerkey",
    "devicepasscode",
    "idtoken",
    "keymaterial",
    "oauthtoken",
    "passphrase",
    "passwd",
    "plaintext",
    "presharedkey",
    "privatekey",
    "proxy-authorization",
    "qrcodepng",
    "refreshtoken",
    "samlassertion",
    "secretaccesskey",
    "secretbinary",
    "secretkey",
    "secretstring",
    "securitytoken",
    "sessiontoken",
    "signintoken",
    "ssecustomerkey",
    "tokencode",
    "webidentitytoken",
    "x-amz-copy-source-server-side-encryption-customer-key",
    "x-amz-security-token",
    "x-amz-server-side-encryption-customer-key",
    "x-api-key",
];
/// How the names of all the other passwords end (`masterUserPassword`, `newPassword`, …).
const SECRET_ENDING: &str = "password";

/// Whether a text in JSON may name a field that holds a secret. It may say yes for nothing.
#[must_use]
pub fn may_hold_secrets(json: &str) -> bool {
    let mut begins = 0;
    memchr2_iter(b'"', b'\\', json.as_bytes()).any(|at| match json.as_bytes().get(at..) {
        // A name may be spelt with escapes, or stand apart from its colon.
        Some([b'\\', b'u', ..] | [b'"', b' ' | b'\n' | b'\r' | b'\t', ..]) => true,
        Some([b'"', next, ..]) => {
            let name = json.get(begins..at).unwrap_or_default();
            begins = at + 1;
            *next == b':' && is_secret(name)
        }
        Some(_) | None => false,
    })
}

/// Replaces every secret in a record.
pub fn redact(record: &mut Value) {
    let Some(members) = record.as_object_mut() else {
        return;
    };
    for (_, part) in members.iter_mut().filter(|(name, _)| PARTS.iter().any(|part| part.eq_ignore_ascii_case(name))) {
        clean(part);
    }
}

fn clean(value: &mut Value) {
    if let Some(members) = value.as_object_mut() {
        clean_members(members);
    } else if let Some(items) = value.as_array_mut() {
        items.iter_mut().for_each(clean);
    }
}

fn clean_members(members: &mut Map<String, Value>) {
    for (name, member) in members {
        if !is_secret(name) {
            clean(member);
        } else if says_something(member) {
            *member = Value::from(REDACTED);
        }
    }
}

fn is_secret(name: &str) -> bool {
    let ending = name.len().checked_sub(SECRET_ENDING.len()).and_then(|start| name.get(start..));
    ending.is_some_and(|ending| ending.eq_ignore_ascii_case(SECRET_ENDING))
        || SECRETS.iter().any(|secret| secret.eq_ignore_ascii_case(name))
}

/// A flag of a secret's name is no secret, nor is an absent one; AWS's own mark stays.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => false,
        Value::String(text) => !text.is_empty() && !HIDDEN_BY_AWS.contains(&text.as_str()),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_table_is_sorted_and_in_lower_case() {
        assert!(SECRETS.is_sorted());
        assert!(SECRETS.iter().all(|name| *name == name.to_ascii_lowercase()));
    }

    #[test]
    fn a_text_that_may_name_a_secret_is_recognised_by_its_letters_alone() {
        for may in [
            r#"{"masterUserPassword":"x"}"#,
            r#"{"a":{"b":[{"PlainText":1}]}}"#,
            r#"{"pass\u0077ord":1}"#,
            "{\"password\"\t:1}",
            "{\"a\"\r\n:1}",
        ] {
            assert!(may_hold_secrets(may), "{may}");
        }
        for never in
            [r#"{"passwordPolicy":"password"}"#, r#"["password"]"#, r#"{"a":"\"password\":"}"#, r#""plaintext""#, "7"]
        {
            assert!(!may_hold_secrets(never), "{never}");
        }
    }

    #[test]
    fn a_secret_is_replaced_wherever_it_stands_and_however_it_is_spelt() {
        let mut record = json!({
            "requestParameters": {"masterUserPassword": "hunter2", "deep": [{"SECRETSTRING": {"user": "x"}}], "tokenCode": 123_456},
            "responseElements": {"credentials": {"accessKeyId": "ASIAEXAMPLE", "sessionToken": "FwoG", "secretAccessKey": "wJal"}},
            "additionalEventData": {"Authorization": "AWS4-HMAC-SHA256 Credential=…"},
        });
        redact(&mut record);
        assert_eq!(
            record,
            json!({
                "requestParameters": {"masterUserPassword": REDACTED, "deep": [{"SECRETSTRING": REDACTED}], "tokenCode": REDACTED},
                "responseElements": {"credentials": {"accessKeyId": "ASIAEXAMPLE", "sessionToken": REDACTED, "secretAccessKey": REDACTED}},
                "additionalEventData": {"Authorization": REDACTED},
            })
        );
    }

    #[test]
    fn what_only_sounds_like_a_secret_is_kept() {
        let record = json!({"requestParameters": {
            "password": "HIDDEN_DUE_TO_SECURITY_REASONS", "masterPassword": null, "resetPassword": true,
            "passwordResetRequired": false, "clientToken": "7d0c", "nextToken": "AAEA", "secretId": "db/prod",
        }});
        let mut redacted = record.clone();
        redact(&mut redacted);
        assert_eq!(redacted, record);
    }
}
