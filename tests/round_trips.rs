//! Every response and its undo, against the lab; and a redelivered message changes nothing.

use serde_json::{Value, json};

use crate::support::builders::copy_folder;
use crate::support::lab::{As, Lab, PRODUCTION, REGION, SECURITY};

/// An attack, and the part of the account that it, the repair and the undo change.
struct Trip {
    name: &'static str,
    service: &'static str,
    attack: (&'static str, Value),
    look: (&'static str, Value, &'static str),
}

impl Trip {
    /// Resource rules restore; only event rules say who is to blame.
    fn is_found_by_resource_rules_alone(&self) -> bool {
        ["suspends-versioning", "rewrites-lifecycle", "opens-vault"].contains(&self.name)
    }
}

#[test]
fn what_was_attacked_is_put_back_and_undo_brings_the_attackers_state() {
    let lab = Lab::start();
    let _agent = lab.watch();
    for trip in trips(&lab) {
        let before = look(&lab, &trip);
        let keys = new_admin(&lab, trip.name);
        let (operation, params) = trip.attack.clone();
        lab.control("settings", Some(json!({"delivery_delay_seconds": 0.5})));
        lab.done(As::Keys(&keys), trip.service, operation, params);
        let attacked = look(&lab, &trip);
        assert_ne!(before, attacked, "{}: the attack changed nothing", trip.name);

        lab.eventually(&format!("{}: restored", trip.name), || look(&lab, &trip) == before);
        let contained = || lab.quarantined(trip.name) || trip.is_found_by_resource_rules_alone();
        lab.eventually(&format!("{}: contained", trip.name), contained);
        let id = newest_incident(&lab);
        lab.eventually(&format!("{}: recorded", trip.name), || plans_are_done(&lab, &id));
        let undone = lab.run(&["undo", &id, "--by", "alice", "--with", "bob"]);
        assert!(undone.status.success(), "{}: {}", trip.name, String::from_utf8_lossy(&undone.stderr));
        assert!(!lab.quarantined(trip.name), "{}", trip.name);
        assert_eq!(look(&lab, &trip), attacked, "{}: undo brings back what the repair replaced", trip.name);
    }
}

#[test]
fn a_message_delivered_again_changes_nothing() {
    let lab = Lab::start();
    let _agent = lab.watch();
    let params = json!({"BackupVaultName": lab.world("vault"), "RecoveryPointArn": lab.recovery_point(0)});
    lab.done(As::Attacker, "backup", "delete_recovery_point", params);
    lab.eventually("handled", || lab.finished().len() == 1);
    lab.eventually("reported", || lab.slack_text().contains("BKP-01"));
    let (responses, slack, incidents) = (lab.responses(), lab.slack(), lab.incidents());

    let records = lab.control("records?since=0", None);
    let records = records.as_array().unwrap().iter().map(|one| &one["record"]);
    let deletion = records.into_iter().find(|record| record["eventName"] == "DeleteRecoveryPoint").unwrap();
    let envelope = json!({"version": "0", "id": "again", "detail-type": "AWS API Call via CloudTrail", "source": "aws.backup",
        "account": PRODUCTION, "time": deletion["eventTime"], "region": REGION, "resources": [], "detail": deletion});
    for _ in 0..3 {
        let message = json!({"QueueUrl": lab.world("queue_url"), "MessageBody": envelope.to_string()});
        lab.done(As::Root(SECURITY), "sqs", "send_message", message);
    }
    lab.eventually("the queue is empty again", || {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let params = json!({"QueueUrl": lab.world("queue_url"), "AttributeNames": names});
        let answer = lab.done(As::Root(SECURITY), "sqs", "get_queue_attributes", params);
        names.iter().all(|name| answer["Attributes"][name] == "0")
    });
    assert_eq!(lab.responses(), responses);
    assert_eq!(lab.slack(), slack);
    assert_eq!(lab.incidents(), incidents);
}

#[test]
fn hard_containment_takes_the_keys_too_and_undo_gives_them_back() {
    let lab = Lab::start();
    let policies = lab.folder.path().join("policies");
    copy_folder(std::path::Path::new("policies"), &policies);
    let rule = policies.join("events/backup/recovery_point_deleted/recovery_point_deleted.rego");
    let text = std::fs::read_to_string(&rule).unwrap().replace("[\"contain\", ", "[\"contain_hard\", ");
    std::fs::write(&rule, text).unwrap();
    let _agent = lab.agent(&[("KEEPWATCH_POLICIES", policies.to_str().unwrap())]);
    let params = json!({"BackupVaultName": lab.world("vault"), "RecoveryPointArn": lab.recovery_point(0)});
    lab.done(As::Attacker, "backup", "delete_recovery_point", params);
    lab.eventually("every key is inactive", || key_statuses(&lab) == ["Inactive"]);
    assert!(lab.quarantined("ci-deployer"));
    lab.eventually("recorded", || lab.finished().len() == 1);
    let id = newest_incident(&lab);
    assert!(lab.run(&["undo", &id, "--by", "alice", "--with", "bob"]).status.success());
    assert_eq!(key_statuses(&lab), ["Active"]);
    assert!(!lab.quarantined("ci-deployer"));
}

/// Each on a resource of its own: what people took back is not repaired again that day.
fn trips(lab: &Lab) -> Vec<Trip> {
    let (bucket, other, vault) = ("securecart-images", "securecart-invoices", lab.world("vault"));
    let (key, trail) = (lab.world("kms_key_arn"), lab.world("trail"));
    vec![
        Trip {
            name: "suspends-versioning",
            service: "s3",
            attack: (
                "put_bucket_versioning",
                json!({"Bucket": bucket, "VersioningConfiguration": {"Status": "Suspended"}}),
            ),
            look: ("get_bucket_versioning", json!({"Bucket": bucket}), "/Status"),
        },
        Trip {
            name: "rewrites-lifecycle",
            service: "s3",
            attack: (
                "put_bucket_lifecycle_configuration",
                json!({"Bucket": other, "LifecycleConfiguration": {"Rules": [
                {"ID": "soon", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]}}),
            ),
            look: ("get_bucket_lifecycle_configuration", json!({"Bucket": other}), "/Rules"),
        },
        Trip {
            name: "opens-vault",
            service: "backup",
            attack: (
                "put_backup_vault_access_policy",
                json!({"BackupVaultName": vault, "Policy": json!({
                "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*",
                "Action": ["backup:CopyIntoBackupVault"], "Resource": "*"}]}).to_string()}),
            ),
            look: ("get_backup_vault_access_policy", json!({"BackupVaultName": vault}), "/Policy"),
        },
        Trip {
            name: "disables-key",
            service: "kms",
            attack: ("disable_key", json!({"KeyId": key})),
            look: ("describe_key", json!({"KeyId": key}), "/KeyMetadata/KeyState"),
        },
        Trip {
            name: "narrows-trail",
            service: "cloudtrail",
            attack: ("update_trail", json!({"Name": trail, "IsMultiRegionTrail": false})),
            look: ("get_trail", json!({"Name": trail}), "/Trail/IsMultiRegionTrail"),
        },
    ]
}

fn look(lab: &Lab, trip: &Trip) -> Value {
    let (operation, params, pointer) = &trip.look;
    let answer = lab.done(As::Root(PRODUCTION), trip.service, operation, params.clone());
    let value = answer.pointer(pointer).cloned().unwrap_or_default();
    value.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(value)
}

/// An admin of its own for each attack, so that each has an incident of its own.
fn new_admin(lab: &Lab, name: &str) -> Value {
    let root = As::Root(PRODUCTION);
    lab.done(root, "iam", "create_user", json!({"UserName": name}));
    let everything =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let policy = json!({"UserName": name, "PolicyName": "all", "PolicyDocument": everything.to_string()});
    lab.done(root, "iam", "put_user_policy", policy);
    let key = lab.done(root, "iam", "create_access_key", json!({"UserName": name}))["AccessKey"].clone();
    json!({"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]})
}

/// The newest incident that changed something: the actor's, or the resource's where AWS
/// Backup reported the change before CloudTrail did.
fn newest_incident(lab: &Lab) -> String {
    let changed = |incident: &Value| {
        let plans = incident["plans"].as_array().unwrap();
        plans.iter().any(|plan| plan["plan"]["steps"].as_array().is_some_and(|steps| !steps.is_empty()))
    };
    let incident = lab.incidents().into_iter().find(changed).expect("an incident");
    incident["incident"]["id"].as_str().unwrap().to_owned()
}

fn plans_are_done(lab: &Lab, id: &str) -> bool {
    let shown = lab.json(&["incident", "show", id, "--json"]);
    shown["plans"].as_array().unwrap().iter().all(|plan| plan["state"] == "done")
}

fn key_statuses(lab: &Lab) -> Vec<String> {
    let answer = lab.done(As::Root(PRODUCTION), "iam", "list_access_keys", json!({"UserName": "ci-deployer"}));
    let keys = answer["AccessKeyMetadata"].as_array().unwrap().iter();
    keys.map(|key| key["Status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_undo_that_failed_is_done_when_it_is_asked_for_again() {
    let lab = Lab::start();
    let agent = lab.agent(&[]);
    let params = json!({"BackupVaultName": lab.world("vault"), "RecoveryPointArn": lab.recovery_point(0)});
    lab.call(As::Attacker, "backup", "delete_recovery_point", params).unwrap();
    lab.eventually("recorded", || lab.finished().len() == 1);
    drop(agent);
    let id = newest_incident(&lab);
    let undo = || lab.run(&["undo", &id, "--by", "alice", "--with", "bob", "--json"]);
    let role = json!({"RoleName": "KeepwatchRespond", "PolicyName": "deny"});
    let mut deny = role.clone();
    deny["PolicyDocument"] = json!(
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iam:DeleteUserPolicy","Resource":"*"}]}"#
    );
    lab.done(As::Root(PRODUCTION), "iam", "put_role_policy", deny);
    let refused = undo();
    assert_eq!(refused.status.code(), Some(1), "{}", String::from_utf8_lossy(&refused.stdout));
    assert!(serde_json::from_slice::<Vec<Value>>(&refused.stdout).is_ok_and(|plans| !plans.is_empty()));
    assert!(lab.quarantined("ci-deployer"));
    lab.done(As::Root(PRODUCTION), "iam", "delete_role_policy", role);
    assert!(undo().status.success());
    assert!(!lab.quarantined("ci-deployer"));
    assert_eq!(undo().stdout, b"[]\n", "it is undone, and nothing is left of it");
}

#[test]
fn a_misspelt_store_or_nobody_s_name_changes_nothing() {
    let lab = Lab::start();
    let misspelt = lab.folder.path().join("misspelt.db");
    for command in [["undo", "KW-7F3A2C01"], ["approve", "KW-7F3A2C01.1"], ["deny", "KW-7F3A2C01.1"]] {
        let answer = lab.run(&[command[0], command[1], "--by", "alice", "--store", misspelt.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&answer.stderr).into_owned();
        assert!(said.contains("there is no such file") && said.contains("misspelt.db"), "{said}");
        assert!(!misspelt.exists(), "{command:?} made a store");
    }
}
