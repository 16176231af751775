//! Makes records of the same call look the same, whatever the service made of them.
//!
//! S3 turns XML into JSON, so a list of one element is not a list; EC2's queries do likewise.
//! Rules are written against what leaves here: CloudTrail's field names, lists always lists,
//! no secrets, and `denied` where a call was refused. It never removes a field.

use serde_json::Value;

use super::denied;
use super::fields::at;
use super::redact::redact;

/// Elements of S3's request bodies that may repeat, as (parent, element). From the service
/// model `s3/2006-03-01` of botocore 1.43: every list reachable from an operation's payload.
const S3_LISTS: [(&str, &str); 30] = [
    ("AccessControlList", "Grant"),
    ("And", "Tag"),
    ("BlockedEncryptionTypes", "EncryptionType"),
    ("CORSConfiguration", "CORSRule"),
    ("CORSRule", "AllowedHeader"),
    ("CORSRule", "AllowedMethod"),
    ("CORSRule", "AllowedOrigin"),
    ("CORSRule", "ExposeHeader"),
    ("CloudFunctionConfiguration", "Event"),
    ("CompleteMultipartUpload", "Part"),
    ("Delete", "Object"),
    ("IntelligentTieringConfiguration", "Tiering"),
    ("LifecycleConfiguration", "Rule"),
    ("NotificationConfiguration", "CloudFunctionConfiguration"),
    ("NotificationConfiguration", "QueueConfiguration"),
    ("NotificationConfiguration", "TopicConfiguration"),
    ("OptionalFields", "Field"),
    ("OwnershipControls", "Rule"),
    ("QueueConfiguration", "Event"),
    ("ReplicationConfiguration", "Rule"),
    ("RoutingRules", "RoutingRule"),
    ("Rule", "NoncurrentVersionTransition"),
    ("Rule", "Transition"),
    ("S3Key", "FilterRule"),
    ("ServerSideEncryptionConfiguration", "Rule"),
    ("TagSet", "Tag"),
    ("Tags", "Tag"),
    ("TargetGrants", "Grant"),
    ("TopicConfiguration", "Event"),
    ("UserMetadata", "MetadataEntry"),
];

const S3: [&str; 2] = ["s3.amazonaws.com", "s3express.amazonaws.com"];
const EC2: &str = "ec2.amazonaws.com";

/// Brings one record into the form that rules are written against.
pub fn normalise(record: &mut Value) {
    redact(record);
    let refused = denied::of(record);
    let Some(members) = record.as_object_mut() else {
        return;
    };
    if let Some(refused) = refused {
        members.insert("denied".to_owned(), refused);
    }
    if let Some(Value::String(source)) = members.get_mut("eventSource") {
        source.make_ascii_lowercase();
    }
    request(record);
}

fn request(record: &mut Value) {
    let source = at(record, "eventSource").as_str().unwrap_or_default().to_owned();
    let Some(parameters) = record.get_mut("requestParameters") else {
        return;
    };
    if S3.contains(&source.as_str()) {
        s3_values(parameters);
        s3_lists("", parameters);
    } else if source == EC2 {
        ec2_wrappers(parameters);
    }
}

/// Whether the requests of this service look different afterwards, secrets aside.
#[must_use]
pub fn takes_requests_apart(source: &str) -> bool {
    S3.contains(&source) || source == EC2
}

/// Old records hold each header and query parameter of S3 as a list of one text.
fn s3_values(parameters: &mut Value) {
    let Some(members) = parameters.as_object_mut() else {
        return;
    };
    for value in members.values_mut() {
        let only = value.as_array().and_then(|items| items.first().filter(|item| items.len() == 1 && item.is_string()));
        if let Some(only) = only.cloned() {
            *value = only;
        }
    }
}

fn s3_lists(parent: &str, value: &mut Value) {
    if let Some(items) = value.as_array_mut() {
        items.iter_mut().for_each(|item| s3_lists(parent, item));
    } else if let Some(members) = value.as_object_mut() {
        for (name, member) in members {
            if S3_LISTS.contains(&(parent, name.as_str())) {
                make_list(member);
            }
            s3_lists(name, member);
        }
    }
}

/// EC2 numbers the elements of a list: `{"FlowLogId": {"tag": 1, "content": "fl-1"}}`.
fn ec2_wrappers(parameters: &mut Value) {
    let Some(members) = parameters.as_object_mut() else {
        return;
    };
    for (_, request) in members.iter_mut().filter(|(name, _)| name.ends_with("Request")) {
        ec2_lists(request);
    }
}

fn ec2_lists(value: &mut Value) {
    if let Some(items) = value.as_array_mut() {
        items.iter_mut().for_each(ec2_lists);
    } else if let Some(members) = value.as_object_mut() {
        for member in members.values_mut() {
            ec2_lists(member);
            if at(member, "tag").is_number() {
                make_list(member);
            }
        }
    }
}

/// An element that stands alone becomes a list of one; an absent or empty one stays.
fn make_list(value: &mut Value) {
    let is_absent = value.is_null() || value.as_str().is_some_and(str::is_empty);
    if !value.is_array() && !is_absent {
        *value = Value::Array(vec![value.take()]);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn normalised(mut record: Value) -> Value {
        normalise(&mut record);
        record
    }

    fn s3(parameters: Value) -> Value {
        let record = normalised(json!({"eventSource": "S3.amazonaws.com", "requestParameters": parameters}));
        record["requestParameters"].clone()
    }

    #[test]
    fn a_single_lifecycle_rule_is_a_list_of_one() {
        let rule =
            json!({"ID": "a", "Transition": {"Days": 1}, "Filter": {"And": {"Tag": {"Key": "k", "Value": "v"}}}});
        let as_lists =
            json!({"ID": "a", "Transition": [{"Days": 1}], "Filter": {"And": {"Tag": [{"Key": "k", "Value": "v"}]}}});
        assert_eq!(
            s3(json!({"LifecycleConfiguration": {"Rule": rule, "xmlns": "x"}})),
            json!({"LifecycleConfiguration": {"Rule": [as_lists], "xmlns": "x"}})
        );
    }

    #[test]
    fn several_elements_stay_as_they_are_but_for_what_is_inside() {
        let rules = json!([{"Transition": {"Days": 1}}, {"Transition": [{"Days": 2}]}]);
        let parameters = s3(json!({"LifecycleConfiguration": {"Rule": rules}}));
        assert_eq!(
            parameters["LifecycleConfiguration"]["Rule"],
            json!([{"Transition": [{"Days": 1}]}, {"Transition": [{"Days": 2}]}])
        );
    }

    #[test]
    fn an_object_lock_rule_is_no_list() {
        let lock =
            json!({"ObjectLockConfiguration": {"Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}});
        assert_eq!(s3(lock.clone()), lock);
    }

    #[test]
    fn grants_tags_and_notifications_are_lists() {
        assert_eq!(
            s3(json!({
                "AccessControlPolicy": {"AccessControlList": {"Grant": {"Permission": "READ"}}},
                "Tagging": {"TagSet": {"Tag": {"Key": "a", "Value": true}}},
                "NotificationConfiguration": {"TopicConfiguration": {"Event": "s3:ObjectRemoved:*"}},
                "CORSConfiguration": {"CORSRule": {"AllowedMethod": "GET"}},
            })),
            json!({
                "AccessControlPolicy": {"AccessControlList": {"Grant": [{"Permission": "READ"}]}},
                "Tagging": {"TagSet": {"Tag": [{"Key": "a", "Value": true}]}},
                "NotificationConfiguration": {"TopicConfiguration": [{"Event": ["s3:ObjectRemoved:*"]}]},
                "CORSConfiguration": {"CORSRule": [{"AllowedMethod": ["GET"]}]},
            })
        );
    }

    #[test]
    fn headers_of_old_records_are_plain_texts() {
        assert_eq!(
            s3(json!({"bucketName": "b", "x-amz-acl": ["public-read"], "acl": [""], "lifecycle": ""})),
            json!({"bucketName": "b", "x-amz-acl": "public-read", "acl": "", "lifecycle": ""})
        );
    }

    #[test]
    fn a_single_flow_log_is_a_list_of_one() {
        let one = json!({"tag": 1, "content": "fl-1"});
        for given in [one.clone(), json!([one])] {
            let record = normalised(json!({"eventSource": "ec2.amazonaws.com",
                "requestParameters": {"DeleteFlowLogsRequest": {"FlowLogId": given}}}));
            assert_eq!(record["requestParameters"]["DeleteFlowLogsRequest"]["FlowLogId"], json!([one]));
        }
    }

    #[test]
    fn the_service_is_in_lower_case_and_parameters_of_any_type_pass() {
        for odd in [json!(null), json!("x"), json!([1]), json!({"omitted": true})] {
            let record = normalised(json!({"eventSource": "EC2.AmazonAWS.com", "requestParameters": odd}));
            assert_eq!((&record["eventSource"], &record["requestParameters"]), (&json!("ec2.amazonaws.com"), &odd));
        }
    }

    #[test]
    fn a_refused_call_says_who_tried_what() {
        let record = normalised(json!({"errorCode": "AccessDenied", "eventSource": "kms.amazonaws.com",
            "errorMessage": "User: arn:aws:iam::111122223333:user/eve is not authorized to perform: kms:DisableKey"}));
        let denied =
            json!({"principal": "arn:aws:iam::111122223333:user/eve", "action": "kms:DisableKey", "resource": null});
        assert_eq!(record["denied"], denied);
    }
}
