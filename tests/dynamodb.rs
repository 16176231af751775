//! A DynamoDB table against the lab, from the event to undo.

use serde_json::{Value, json};

use crate::support::lab::{As, Lab, PRODUCTION};

#[test]
fn a_table_that_was_stripped_of_its_protection_gets_it_back_and_undo_destroys_nothing() {
    let lab = Lab::start();
    let _agent = lab.watch();
    let table = &lab.world("table");
    assert_eq!(protection(&lab, table), (json!(35), json!(true)));
    let shrunk = json!({"PointInTimeRecoveryEnabled": true, "RecoveryPeriodInDays": 1});
    let params = json!({"TableName": table, "PointInTimeRecoverySpecification": shrunk});
    lab.done(As::Attacker, "dynamodb", "update_continuous_backups", params);
    // An ARN is a table's name too.
    let params = json!({"TableName": lab.world("table_arn"), "DeletionProtectionEnabled": false});
    lab.done(As::Attacker, "dynamodb", "update_table", params);

    lab.eventually("both are restored", || protection(&lab, table) == (json!(35), json!(true)));
    lab.eventually("both findings are reported", || {
        let reported = lab.slack_text();
        reported.contains("DDB-01") && reported.contains("DDB-02")
    });
    lab.eventually("recorded", || finished(&lab));
    for incident in lab.incidents() {
        let id = incident["incident"]["id"].as_str().unwrap();
        lab.run(&["undo", id, "--by", "alice"]);
    }
    assert_eq!(protection(&lab, table), (json!(35), json!(false)), "the window keeps what it has kept since");
}

/// How far back a table can be restored, and whether it is protected from deletion.
fn protection(lab: &Lab, table: &str) -> (Value, Value) {
    let ask = |operation: &str| lab.done(As::Root(PRODUCTION), "dynamodb", operation, json!({"TableName": table}));
    let backups = ask("describe_continuous_backups")["ContinuousBackupsDescription"].take();
    let days = backups["PointInTimeRecoveryDescription"]["RecoveryPeriodInDays"].clone();
    (days, ask("describe_table")["Table"]["DeletionProtectionEnabled"].take())
}

fn finished(lab: &Lab) -> bool {
    let incidents = lab.incidents();
    let plans = incidents.iter().flat_map(|incident| incident["plans"].as_array().unwrap());
    !incidents.is_empty() && plans.into_iter().all(|plan| plan["state"] == "done")
}
