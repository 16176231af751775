//! What AWS's responses are made of, by its own service models (`responses.json`): what somebody
//! wrote down is checked, and brought into the form in which it comes over the wire.
//!
//! Nothing here knows what a member means.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Number, Value, json};

use crate::domain::spelling::nearest;

/// The calls of a service, by name.
type Calls = BTreeMap<String, Call>;

static SERVICES: LazyLock<BTreeMap<String, Calls>> =
    LazyLock::new(|| serde_json::from_str(include_str!("responses.json")).unwrap_or_default());

/// Members that say that there is more of an answer.
const PAGING: [&str; 3] = ["NextMarker", "NextToken", "Truncated"];
/// What an SDK adds to an answer.
const METADATA: &str = "ResponseMetadata";

/// A call, and what it answers.
#[derive(Debug, Deserialize)]
pub(super) struct Call {
    /// How a request is known: by its path, or by the header that names its target.
    pub asked: String,
    /// What the members of the answer are.
    answer: Value,
    /// The element around an answer in XML; none when it is JSON.
    root: Option<String>,
}

/// The calls that are known of a service.
pub(super) fn calls(service: &str) -> impl Iterator<Item = (&'static str, &'static Call)> {
    SERVICES.get(service).into_iter().flatten().map(|(name, call)| (name.as_str(), call))
}

impl Call {
    /// A response as it comes over the wire. The error says what no such response can have.
    pub fn body(&self, written: &Value) -> Result<String, String> {
        let mut written = written.clone();
        if let Some(fields) = written.as_object_mut() {
            fields.remove(METADATA);
            for name in PAGING {
                if fields.remove(name).is_some_and(|more| ![Value::Null, json!(false), json!("")].contains(&more)) {
                    return Err(format!("`{name}` says that there is more of it: write down all pages as one"));
                }
            }
        }
        let value = self.checked(&written, &self.answer, "the response")?;
        Ok(self.root.as_ref().map_or_else(|| value.to_string(), |root| xml(root, &value)))
    }

    /// An error as it comes over the wire.
    pub fn error(&self, code: &str) -> String {
        let message = "as it was written down";
        match self.root {
            Some(_) => xml("Error", &json!({"Code": code, "Message": message})),
            None => json!({"__type": code, "message": message}).to_string(),
        }
    }

    /// What is written, if its shape allows it, with members by their names on the wire.
    fn checked(&self, written: &Value, shape: &Value, at: &str) -> Result<Value, String> {
        let wrong = |kind: &str| format!("`{at}` is {kind}, not `{written}`");
        match (shape, written) {
            (_, Value::Null) => Ok(Value::Null),
            (Value::Object(members), Value::Object(fields)) => match members.get("*") {
                Some(shape) => {
                    let entry =
                        |(name, value): (&String, &Value)| Ok((name.clone(), self.checked(value, shape, name)?));
                    fields.iter().map(entry).collect::<Result<Map<_, _>, String>>().map(Value::Object)
                }
                None => fields.iter().map(|(name, value)| self.member(name, value, members, at)).collect(),
            },
            (Value::Object(_), _) => Err(wrong("an object")),
            (Value::Array(shapes), Value::Array(items)) => {
                let shape = shapes.first().unwrap_or(&Value::Null);
                let items: Result<Vec<Value>, String> =
                    items.iter().map(|item| self.checked(item, shape, at)).collect();
                let items = Value::Array(items?);
                Ok(match shapes.get(1).and_then(Value::as_str) {
                    Some(element) => json!({ element: items }),
                    None => items,
                })
            }
            (Value::Array(_), _) => Err(wrong("a list")),
            (leaf, _) => self.leaf(written, leaf.as_str().unwrap_or_default()).map_err(|kind| wrong(&kind)),
        }
    }

    /// A member of a structure, under its name on the wire.
    fn member(
        &self,
        name: &str,
        value: &Value,
        members: &Map<String, Value>,
        at: &str,
    ) -> Result<(String, Value), String> {
        let named = |member: &str| member.split_once(" as ").map_or(member.to_owned(), |(name, _)| name.to_owned());
        let Some((member, shape)) = members.iter().find(|(member, _)| named(member) == name) else {
            let names: Vec<String> = members.keys().map(|member| named(member)).collect();
            let meant = nearest(name, names.iter().map(String::as_str));
            let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
            return Err(format!("`{at}` has no `{name}`{meant}"));
        };
        let wire = member.split_once(" as ").map_or(name, |(_, wire)| wire);
        Ok((wire.to_owned(), self.checked(value, shape, name)?))
    }

    /// A value without members. The error says what it must be.
    fn leaf(&self, written: &Value, kind: &str) -> Result<Value, String> {
        match (kind, written) {
            ("string", Value::String(_)) | ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => {
                Ok(written.clone())
            }
            // It comes in a header, of which the agent reads none.
            ("header", _) => Ok(Value::Null),
            // AWS writes a policy as one string; people may write the policy itself.
            ("document", Value::String(_)) => Ok(written.clone()),
            ("document", Value::Object(_)) => Ok(Value::String(written.to_string())),
            ("timestamp", _) => {
                self.timestamp(written).ok_or_else(|| "a time, such as 2026-11-20T05:10:00Z".to_owned())
            }
            ("document", _) => Err("a policy, as JSON or as a string of JSON".to_owned()),
            _ => Err(format!("a {kind}")),
        }
    }

    /// A moment: seconds in JSON, RFC 3339 in XML; people may write either.
    fn timestamp(&self, written: &Value) -> Option<Value> {
        let seconds = |number: &Number| {
            let milliseconds = jiff::SignedDuration::try_from_secs_f64(number.as_f64()?).ok()?.as_millis();
            Timestamp::from_millisecond(i64::try_from(milliseconds).ok()?).ok()
        };
        let moment = match written.as_number() {
            Some(number) => seconds(number)?,
            None => written.as_str()?.parse::<Timestamp>().ok()?,
        };
        if self.root.is_some() {
            return Some(Value::String(moment.to_string()));
        }
        let whole = moment.subsec_nanosecond() == 0;
        Some(if whole { json!(moment.as_second()) } else { json!(moment.as_duration().as_secs_f64()) })
    }
}

/// An element and what is in it; a list is the element again and again.
fn xml(name: &str, value: &Value) -> String {
    let inner = match value {
        Value::Null => return String::new(),
        Value::Array(items) => return items.iter().map(|item| xml(name, item)).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| xml(name, value)).collect(),
        Value::String(text) => text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    format!("<{name}>{inner}</{name}>")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(service: &str, name: &str) -> &'static Call {
        calls(service).find(|(known, _)| *known == name).expect("a call that is known").1
    }

    #[test]
    fn json_is_json_with_times_in_seconds() {
        let points = json!({"RecoveryPoints": [{"Status": "COMPLETED", "CreationDate": "2026-11-20T06:10:00+01:00"}]});
        let body = call("backup", "ListRecoveryPointsByBackupVault").body(&points);
        assert_eq!(body, Ok(r#"{"RecoveryPoints":[{"CreationDate":1795151400,"Status":"COMPLETED"}]}"#.to_owned()));
        let policy = call("backup", "GetBackupVaultAccessPolicy");
        let written = json!({"Policy": {"Statement": []}});
        assert_eq!(policy.body(&written), policy.body(&json!({"Policy": "{\"Statement\":[]}"})));
    }

    #[test]
    fn s3_gets_its_xml() {
        let rules = json!({"ResponseMetadata": {}, "TransitionDefaultMinimumObjectSize": "varies_by_storage_class",
            "Rules": [{"ID": "a<b", "Expiration": {"Date": 1_795_132_800}, "Filter": {"And": {"Tags": [{"Key": "k"}]}}}]});
        let body = call("s3", "GetBucketLifecycleConfiguration").body(&rules);
        insta::assert_snapshot!(body.expect("a response"), @"<LifecycleConfiguration><Rule><Expiration><Date>2026-11-20T00:00:00Z</Date></Expiration><Filter><And><Tag><Key>k</Key></Tag></And></Filter><ID>a&lt;b</ID></Rule></LifecycleConfiguration>");
        let tags = call("s3", "GetBucketTagging").body(&json!({"TagSet": [{"Key": "k", "Value": "v"}]}));
        insta::assert_snapshot!(tags.expect("a response"), @"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>");
    }

    #[test]
    fn what_no_response_has_is_refused_with_what_it_could_have_been() {
        let refused = |written: Value| call("dynamodb", "DescribeTable").body(&written).expect_err("no response");
        let misspelt = json!({"Table": {"DeletionProtectionEnabeld": true}});
        assert_eq!(
            refused(misspelt),
            "`Table` has no `DeletionProtectionEnabeld`; did you mean `DeletionProtectionEnabled`?"
        );
        let word = json!({"Table": {"DeletionProtectionEnabled": "true"}});
        assert_eq!(refused(word), "`DeletionProtectionEnabled` is a boolean, not `\"true\"`");
        assert_eq!(refused(json!({"Table": []})), "`Table` is an object, not `[]`");
        let early = json!({"Table": {"CreationDateTime": "yesterday"}});
        assert!(refused(early).starts_with("`CreationDateTime` is a time, such as"));
        assert!(refused(json!({"NextToken": "more"})).contains("write down all pages as one"));
    }
}
