//! A queue full of garbage: all of it ends in the dead-letter queue with a reason, and the
//! good messages among it are handled.

use serde_json::{Value, json};

use crate::support::lab::{As, Lab, SECURITY};

#[test]
fn garbage_goes_to_the_dead_letters_with_a_reason() {
    let lab = Lab::start();
    let garbage = garbage();
    for body in &garbage {
        send(&lab, body);
    }
    let _agent = lab.watch();
    let params = json!({"BackupVaultName": lab.world("vault"), "RecoveryPointArn": lab.recovery_point(0)});
    lab.done(As::Attacker, "backup", "delete_recovery_point", params);
    lab.eventually("the good message is handled", || lab.quarantined("ci-deployer"));

    let mut letters = Vec::new();
    lab.eventually("every bad message is a dead letter", || {
        letters.append(&mut receive(&lab));
        letters.len() >= garbage.len()
    });
    assert_eq!(letters.len(), garbage.len());
    for letter in &letters {
        let reason = letter["MessageAttributes"]["keepwatch.reason"]["StringValue"].as_str();
        assert!(reason.is_some_and(|reason| !reason.is_empty() && reason.len() <= 256), "{letter}");
    }
    let mut bodies: Vec<&str> = letters.iter().map(|letter| letter["Body"].as_str().unwrap()).collect();
    let mut sent: Vec<&str> = garbage.iter().map(String::as_str).collect();
    bodies.sort_unstable();
    sent.sort_unstable();
    assert_eq!(bodies, sent, "the bodies are kept whole");
}

fn garbage() -> Vec<String> {
    let envelope = |detail: Value| {
        json!({"version": "0", "id": "1", "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.backup", "account": "111122223333", "time": "2026-01-01T00:00:00Z", "region": "eu-west-1",
        "resources": [], "detail": detail})
    };
    let record = json!({"eventID": "e", "eventSource": "backup.amazonaws.com", "eventName": "DeleteRecoveryPoint",
        "eventTime": "2026-01-01T00:00:00Z", "awsRegion": "eu-west-1", "recipientAccountId": "111122223333"});
    let with = |field: &str, value: Value| {
        let mut record = record.clone();
        record[field] = value;
        envelope(record).to_string()
    };
    vec![
        "not JSON".to_owned(),
        "{\"half\": ".to_owned(),
        "[]".to_owned(),
        "17".to_owned(),
        "null".to_owned(),
        "{}".to_owned(),
        "x".repeat(1_000_000),
        format!("\"{}\"", "y".repeat(1_000_000)),
        "[".repeat(100_000),
        format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000)),
        envelope(json!("text")).to_string(),
        envelope(json!([])).to_string(),
        with("eventID", json!(7)),
        with("eventName", json!(null)),
        with("eventTime", json!("yesterday")),
        with("recipientAccountId", json!({"a": 1})),
        with("recipientAccountId", json!("999988887777")),
    ]
}

fn send(lab: &Lab, body: &str) {
    lab.done(
        As::Root(SECURITY),
        "sqs",
        "send_message",
        json!({"QueueUrl": lab.world("queue_url"), "MessageBody": body}),
    );
}

fn receive(lab: &Lab) -> Vec<Value> {
    let url = format!("{}-dlq", lab.world("queue_url"));
    let params =
        json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"], "VisibilityTimeout": 600});
    let answer = lab.done(As::Root(SECURITY), "sqs", "receive_message", params);
    answer["Messages"].as_array().cloned().unwrap_or_default()
}
