//! One attack, from the stolen key to the undo, as the people in it see it.

use keepwatch::domain::region::Partition;
use serde_json::json;

use crate::support::lab::{As, Lab, PRODUCTION};

#[test]
fn a_stolen_key_deletes_backups_and_is_stopped() {
    let lab = Lab::start();
    let agent = lab.watch();
    let bucket = "securecart-invoices";
    lab.control("settings", Some(json!({"delivery_delay_seconds": 1.0})));

    delete_point(&lab, 0).unwrap();
    let suspend = json!({"Bucket": bucket, "VersioningConfiguration": {"Status": "Suspended"}});
    lab.done(As::Attacker, "s3", "put_bucket_versioning", suspend);
    lab.done(As::Attacker, "cloudtrail", "stop_logging", json!({"Name": lab.world("trail")}));
    let key = json!({"KeyId": lab.world("kms_key_arn"), "PendingWindowInDays": 7});
    lab.done(As::Attacker, "kms", "schedule_key_deletion", key);

    lab.eventually("the attacker is quarantined", || lab.quarantined("ci-deployer"));
    let refusal = delete_point(&lab, 1).unwrap_err();
    assert!(refusal["message"].as_str().unwrap().contains("explicit deny"), "{refusal}");
    lab.eventually("versioning is back", || versioning(&lab, bucket) == "Enabled");
    lab.eventually("the trail logs again", || is_logging(&lab));
    lab.eventually("the key works, though no trail saw its deletion scheduled", || key_state(&lab) == "Enabled");
    lab.eventually("Slack reports all four", || {
        let said = lab.slack_text();
        ["BKP-01", "BKT-01", "LOG-01", "KMS-01"].iter().all(|rule| said.contains(rule))
    });

    let said = lab.slack_text();
    assert!(said.contains("holds 5 recovery points"), "what is left to lose is reported");
    for resource in ["backup-vault:securecart-vault", "arn:aws:s3:::securecart-invoices", "trail/securecart-trail"] {
        assert!(said.contains(&format!("{resource} (owner team-ledger)")), "whose {resource} is, is reported: {said}");
    }
    assert!(said.contains("other calls of this principal within 30 min in eu-west-1"), "{said}");
    assert!(said.contains("- versioning: Suspended") && said.contains("+ versioning: Enabled"), "{said}");
    let incidents = lab.incidents();
    assert_eq!(incidents.len(), 1, "one attacker is one incident: {incidents:#?}");
    let roots = lab.slack().iter().filter(|message| message["thread_ts"].is_null()).count();
    assert_eq!(roots, 1, "one incident is one thread");
    let mention = "<!subteam^S0ONCALL>";
    let woken = lab.slack().iter().filter(|message| message["blocks"].to_string().contains(mention)).count();
    assert_eq!(woken, 1, "whoever is on call is woken once");
    let id = incidents[0]["incident"]["id"].as_str().unwrap();

    let alone = lab.run(&["undo", id, "--by", "alice"]);
    assert_eq!(alone.status.code(), Some(1), "releasing takes two people");
    assert!(lab.quarantined("ci-deployer"));
    let actor = lab.run(&["undo", id, "--by", "alice", "--with", "CI-Deployer@example.com"]);
    assert!(
        String::from_utf8_lossy(&actor.stderr).contains("somebody else must approve, deny or undo it"),
        "nobody answers for themselves"
    );
    assert!(lab.quarantined("ci-deployer"));
    let both = lab.run(&["undo", id, "--by", "alice", "--with", "bob"]);
    assert!(both.status.success(), "{}", String::from_utf8_lossy(&both.stderr));
    assert!(!lab.quarantined("ci-deployer"));
    assert_eq!(versioning(&lab, bucket), "Suspended");
    assert_eq!(key_state(&lab), "Disabled", "undo never schedules a deletion");
    assert!(!is_logging(&lab));
    delete_point(&lab, 1).unwrap();

    assert!(lab.run(&["ledger", "verify"]).status.success());
    assert!(agent.stop().success(), "the agent drains and ends well");
}

#[test]
fn the_same_attack_is_stopped_in_china() {
    an_attack_is_stopped_in(Partition::AwsCn);
}

#[test]
fn the_same_attack_is_stopped_in_govcloud() {
    an_attack_is_stopped_in(Partition::AwsUsGov);
}

/// In a partition where an ARN of `aws`, or a Region of it, belongs to somebody else.
fn an_attack_is_stopped_in(partition: Partition) {
    let lab = Lab::start_in(partition);
    let agent = lab.watch();
    let bucket = "securecart-invoices";
    lab.control("settings", Some(json!({"delivery_delay_seconds": 5.0})));
    delete_point(&lab, 0).unwrap();
    let suspend = json!({"Bucket": bucket, "VersioningConfiguration": {"Status": "Suspended"}});
    lab.done(As::Attacker, "s3", "put_bucket_versioning", suspend);
    lab.done(As::Attacker, "cloudtrail", "stop_logging", json!({"Name": lab.world("trail")}));
    lab.done(As::Attacker, "kms", "disable_key", json!({"KeyId": lab.world("kms_key_arn")}));

    lab.eventually("the attacker is quarantined", || lab.quarantined("ci-deployer"));
    let refusal = delete_point(&lab, 1).unwrap_err();
    assert!(refusal["message"].as_str().unwrap().contains("explicit deny"), "{refusal}");
    lab.eventually("the vault is held", || is_held(&lab));
    lab.eventually("versioning is back", || versioning(&lab, bucket) == "Enabled");
    lab.eventually("the trail logs again", || is_logging(&lab));
    lab.eventually("the key works", || key_state(&lab) == "Enabled");
    lab.eventually("Slack reports all four", || {
        let said = lab.slack_text();
        ["BKP-01", "BKT-01", "LOG-01", "KMS-01"].iter().all(|rule| said.contains(rule))
    });
    let said = lab.slack_text();
    for arn in [format!("arn:{partition}:s3:::{bucket}"), format!("arn:{partition}:backup:{}:", lab.home())] {
        assert!(said.contains(&arn), "{arn}: {said}");
    }
    assert!(!said.contains("arn:aws:"), "{said}");
    assert!(said.contains(partition.console_domain()), "{said}");

    let id = lab.incidents()[0]["incident"]["id"].as_str().unwrap().to_owned();
    let undone = lab.run(&["undo", &id, "--by", "alice", "--with", "bob"]);
    assert!(undone.status.success(), "{}", String::from_utf8_lossy(&undone.stderr));
    assert!(!lab.quarantined("ci-deployer") && !is_held(&lab));
    assert_eq!(versioning(&lab, bucket), "Suspended");
    assert!(agent.stop().success());
}

#[test]
fn a_storm_of_deletions_is_one_look_at_the_history() {
    let lab = Lab::start();
    lab.control("settings", Some(json!({"delivery_delay_seconds": 1.0})));
    let _agent = lab.watch();
    for number in 0..4 {
        delete_point(&lab, number).unwrap();
    }
    lab.eventually("every deletion is handled", || lab.finished().len() >= 4);
    assert_eq!(lab.control("stats", None)["operations"]["cloudtrail:LookupEvents"]["count"], 1);
}

#[test]
fn a_history_that_does_not_answer_holds_up_nothing() {
    let lab = Lab::start();
    let throttled = json!({"service": "cloudtrail", "operation": "LookupEvents", "kind": "throttle", "times": 100});
    lab.control("faults", Some(throttled));
    let _agent = lab.watch();
    delete_point(&lab, 0).unwrap();
    lab.eventually("it is reported all the same", || lab.slack_text().contains("BKP-01"));
    assert!(lab.quarantined("ci-deployer"));
    assert!(!lab.slack_text().contains("other calls of this principal"));
}

#[test]
fn a_session_of_a_role_is_contained_and_the_role_lives_on() {
    let lab = Lab::start();
    let _agent = lab.watch();
    let assume = json!({"RoleArn": lab.world("app_role"), "RoleSessionName": "night-shift"});
    let stolen = lab.done(As::Attacker, "sts", "assume_role", assume.clone())["Credentials"].clone();
    let stolen = keys(&stolen);
    lab.done(As::Keys(&stolen), "kms", "disable_key", json!({"KeyId": lab.world("kms_key_arn")}));

    lab.eventually("the session is denied", || {
        let again = json!({"KeyId": lab.world("kms_key_arn")});
        lab.call(As::Keys(&stolen), "kms", "disable_key", again).is_err()
    });
    lab.eventually("the key is back", || key_state(&lab) == "Enabled");
    let other = json!({"RoleArn": lab.world("app_role"), "RoleSessionName": "day-shift"});
    let other = keys(&lab.done(As::Attacker, "sts", "assume_role", other)["Credentials"]);
    lab.done(As::Keys(&other), "kms", "describe_key", json!({"KeyId": lab.world("kms_key_arn")}));
    assert!(!lab.quarantined("ci-deployer"), "the session is contained, not the user");
}

#[test]
fn a_hold_that_was_released_is_placed_again_when_the_attack_goes_on() {
    let lab = Lab::start();
    let _agent = lab.watch();
    delete_point(&lab, 0).unwrap();
    lab.eventually("the vault is held", || is_held(&lab));
    lab.eventually("it is recorded", || lab.finished().len() == 1);
    let id = lab.incidents()[0]["incident"]["id"].as_str().unwrap().to_owned();
    let undone = lab.run(&["undo", &id, "--by", "alice", "--with", "bob"]);
    assert!(undone.status.success(), "{}", String::from_utf8_lossy(&undone.stderr));
    assert!(!is_held(&lab));

    delete_point(&lab, 1).unwrap();
    lab.eventually("the vault is held again", || is_held(&lab));
    assert_eq!(lab.incidents().len(), 1, "it is the same incident");
}

#[test]
fn a_restore_that_cannot_be_carried_out_is_reported() {
    let lab = Lab::start();
    let _agent = lab.watch();
    let deny = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:GetBucketLocation",
        "Resource": "*"}]});
    let policy = json!({"RoleName": "KeepwatchRead", "PolicyName": "blind", "PolicyDocument": deny.to_string()});
    lab.done(As::Root(PRODUCTION), "iam", "put_role_policy", policy);
    let suspend = json!({"Bucket": "securecart-invoices", "VersioningConfiguration": {"Status": "Suspended"}});
    lab.done(As::Attacker, "s3", "put_bucket_versioning", suspend);
    let said = "`restore` is not possible: not allowed to call `s3:GetBucketLocation`";
    lab.eventually("responders are notified", || lab.slack_text().contains(said));
    assert!(lab.log().contains(said), "and the log says so");
}

#[test]
fn an_observed_account_is_never_changed_and_nobody_is_notified() {
    let lab = Lab::start();
    let config =
        std::fs::read_to_string("accounts.toml").unwrap().replacen("mode = \"enforce\"", "mode = \"observe\"", 1);
    let path = lab.folder.path().join("accounts.toml");
    std::fs::write(&path, config).unwrap();
    let _agent = lab.agent(&[("KEEPWATCH_CONFIG", path.to_str().unwrap())]);
    delete_point(&lab, 0).unwrap();
    lab.eventually("the finding is recorded", || !lab.finished().is_empty());
    assert!(!lab.quarantined("ci-deployer"));
    assert!(lab.responses().is_empty(), "{:?}", lab.responses());
    assert!(lab.slack().is_empty(), "observing notifies nobody");
}

#[test]
fn the_network_that_a_call_came_from_is_reported_where_a_database_knows_it() {
    let lab = Lab::start();
    let databases = "[notify]\nip_database = [\"tests/fixtures/country.mmdb\", \"tests/fixtures/asn.mmdb\"]\n\n";
    let config = std::fs::read_to_string("accounts.toml").unwrap();
    let config = config.replacen("[notify.slack]", &format!("{databases}[notify.slack]"), 1);
    let path = lab.folder.path().join("accounts.toml");
    std::fs::write(&path, &config).unwrap();
    let _agent = lab.agent(&[("KEEPWATCH_CONFIG", path.to_str().unwrap())]);
    delete_point(&lab, 0).unwrap();
    lab.eventually("it is reported", || lab.slack_text().contains("127.0.0.1 (NL, AS64500 Example)"));

    std::fs::write(&path, config.replace("asn.mmdb", "README.md")).unwrap();
    let broken = lab.keepwatch(&["run"]).env("KEEPWATCH_CONFIG", &path).output().unwrap();
    let said = String::from_utf8_lossy(&broken.stderr);
    assert_eq!(broken.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot use `tests/fixtures/README.md`, which `ip_database`"), "{said}");
}

#[test]
fn an_alert_waits_out_an_outage_of_slack_and_holds_up_nothing() {
    let lab = Lab::start();
    lab.control("slack/faults", Some(json!({"status": 500, "times": 3})));
    let _agent = lab.watch();
    delete_point(&lab, 0).unwrap();
    lab.eventually("contained while Slack is down", || lab.quarantined("ci-deployer"));
    lab.eventually("reported when Slack is back", || lab.slack_text().contains("BKP-01"));
}

#[test]
fn what_is_approved_by_a_person_is_done() {
    let lab = Lab::start();
    for number in 0..6 {
        let point = lab.ready["world"]["dr_recovery_points"][number].clone();
        let params = json!({"BackupVaultName": "securecart-vault-dr", "RecoveryPointArn": point});
        lab.at("eu-central-1").call(As::Root(PRODUCTION), "backup", "delete_recovery_point", params).unwrap();
    }
    let _agent = lab.agent(&[]);
    lab.eventually("a copy is proposed", || proposed(&lab).is_some());
    let before = lab.responses();
    assert!(!before.contains(&"StartCopyJob".to_owned()), "{before:?}");
    let id = proposed(&lab).unwrap();
    lab.eventually("Slack shows how to approve", || lab.slack_text().contains(&format!("keepwatch approve {id}")));
    let approved = lab.run(&["approve", &id, "--by", "alice"]);
    assert!(approved.status.success(), "{}", String::from_utf8_lossy(&approved.stderr));
    assert!(lab.responses().contains(&"StartCopyJob".to_owned()));
    assert_eq!(lab.run(&["approve", &id, "--by", "bob"]).status.code(), Some(1), "approved once");
}

#[test]
fn what_was_only_observed_or_approved_before_is_asked_about_when_it_comes_again() {
    let lab = Lab::start();
    let bucket = "securecart-invoices";
    let suspend = || {
        let params = json!({"Bucket": bucket, "VersioningConfiguration": {"Status": "Suspended"}});
        lab.done(As::Root(PRODUCTION), "s3", "put_bucket_versioning", params);
        lab.run(&["sweep", "--once"])
    };
    lab.configure(|accounts| accounts.replacen("mode = \"enforce\"", "mode = \"observe\"", 1));
    suspend();
    assert_eq!(proposed(&lab), None, "it is only observed");
    lab.configure(|accounts| accounts.replacen("mode = \"observe\"", "mode = \"approve\"", 1));
    suspend();
    let first = proposed(&lab).expect("a proposal");
    assert!(lab.run(&["approve", &first, "--by", "alice"]).status.success());
    assert_eq!(versioning(&lab, bucket), "Enabled");
    suspend();
    assert!(proposed(&lab).is_some_and(|again| again != first), "it was lost again");
}

#[test]
fn what_became_right_before_it_was_approved_is_not_changed_and_cannot_be_undone() {
    let lab = Lab::start();
    let set = |status: &str| {
        let params = json!({"Bucket": "securecart-invoices", "VersioningConfiguration": {"Status": status}});
        lab.done(As::Root(PRODUCTION), "s3", "put_bucket_versioning", params);
    };
    lab.configure(|accounts| accounts.replacen("mode = \"enforce\"", "mode = \"approve\"", 1));
    set("Suspended");
    lab.run(&["sweep", "--once"]);
    let id = proposed(&lab).expect("a proposal");
    set("Enabled");
    assert!(lab.run(&["approve", &id, "--by", "alice"]).status.success());
    assert_eq!(lab.run(&["undo", &id, "--by", "bob", "--json"]).stdout, b"[]\n");
    assert_eq!(versioning(&lab, "securecart-invoices"), "Enabled");
}

fn proposed(lab: &Lab) -> Option<String> {
    let plans = lab.incidents().into_iter().flat_map(|incident| incident["plans"].as_array().unwrap().clone());
    plans.filter(|plan| plan["state"] == "proposed").find_map(|plan| plan["id"].as_str().map(ToOwned::to_owned))
}

fn delete_point(lab: &Lab, number: usize) -> Result<(), serde_json::Value> {
    let params = json!({"BackupVaultName": lab.world("vault"), "RecoveryPointArn": lab.recovery_point(number)});
    lab.call(As::Attacker, "backup", "delete_recovery_point", params).map(drop)
}

fn versioning(lab: &Lab, bucket: &str) -> String {
    let answer = lab.done(As::Root(PRODUCTION), "s3", "get_bucket_versioning", json!({"Bucket": bucket}));
    answer["Status"].as_str().unwrap_or_default().to_owned()
}

fn is_held(lab: &Lab) -> bool {
    let holds = lab.done(As::Root(PRODUCTION), "backup", "list_legal_holds", json!({}));
    holds["LegalHolds"].as_array().unwrap().iter().any(|hold| hold["Status"] == "ACTIVE")
}

fn is_logging(lab: &Lab) -> bool {
    let name = json!({"Name": lab.world("trail")});
    lab.done(As::Root(PRODUCTION), "cloudtrail", "get_trail_status", name)["IsLogging"] == true
}

fn key_state(lab: &Lab) -> String {
    let key = json!({"KeyId": lab.world("kms_key_arn")});
    let answer = lab.done(As::Root(PRODUCTION), "kms", "describe_key", key);
    answer["KeyMetadata"]["KeyState"].as_str().unwrap().to_owned()
}

fn keys(credentials: &serde_json::Value) -> serde_json::Value {
    json!({"access_key_id": credentials["AccessKeyId"], "secret_access_key": credentials["SecretAccessKey"],
        "session_token": credentials["SessionToken"]})
}
