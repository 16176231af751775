//! The agent is killed at every step of the pipeline, and started again: nothing is lost,
//! nothing is done twice, and undo is still right.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::lab::{As, Lab, PRODUCTION};

/// Every point at which a crash would matter, in the order in which an event passes them.
const POINTS: &[&str] = &[
    "received",
    "judged",
    "planned",
    "claimed",
    "before-step",
    "after-step",
    "before-step:2",
    "after-step:2",
    "executed",
    "recorded",
    "reconciled",
    "handled",
    "settled",
    "before-post",
    "after-post",
];

#[test]
fn a_killed_agent_finishes_what_it_began_and_repeats_nothing() {
    for point in POINTS {
        let lab = Lab::start();
        let swept = lab.run(&["sweep", "--once"]);
        assert!(swept.status.success());
        let mut doomed = lab.agent(&[("KEEPWATCH_FAULT", point)]);
        let params = json!({"BackupVaultName": lab.world("vault"), "RecoveryPointArn": lab.recovery_point(0)});
        lab.done(As::Attacker, "backup", "delete_recovery_point", params);
        lab.eventually(&format!("it dies at `{point}`"), || doomed.has_died());
        make_visible(&lab);

        let _agent = lab.agent(&[]);
        lab.eventually(&format!("killed at `{point}`: contained"), || lab.quarantined("ci-deployer"));
        lab.eventually(&format!("killed at `{point}`: told"), || lab.slack_text().contains("BKP-01"));
        lab.eventually(&format!("killed at `{point}`: recorded"), || lab.finished().len() == 1);
        lab.eventually(&format!("killed at `{point}`: the queue is empty"), || lab.is_empty(&lab.world("queue_url")));

        let done = count(lab.responses());
        assert_eq!(lab.incidents().len(), 1, "killed at `{point}`");
        assert!(done.get("CreateLegalHold") <= Some(&2), "killed at `{point}`: {done:?}");
        assert_eq!(holds(&lab), 1, "killed at `{point}`: one legal hold, not two");
        let alerts = lab.slack().len();
        assert_eq!(alerts, 1 + usize::from(alerts > 1), "killed at `{point}`: {:#?}", lab.slack());

        let id = lab.incidents()[0]["incident"]["id"].as_str().unwrap().to_owned();
        assert!(lab.run(&["undo", &id, "--by", "alice", "--with", "bob"]).status.success(), "killed at `{point}`");
        assert!(!lab.quarantined("ci-deployer"), "killed at `{point}`");
        assert_eq!(holds(&lab), 0, "killed at `{point}`");
        assert!(lab.run(&["ledger", "verify"]).status.success(), "killed at `{point}`");
    }
}

/// A dead agent's messages come back when their visibility ends; nobody waits a minute here.
/// Its last poll must end first, or the message goes to the dead.
fn make_visible(lab: &Lab) {
    lab.control("clock", Some(json!({"advance_seconds": 25})));
    std::thread::sleep(std::time::Duration::from_millis(300));
    lab.control("clock", Some(json!({"advance_seconds": 60})));
}

fn holds(lab: &Lab) -> usize {
    let holds = lab.done(As::Root(PRODUCTION), "backup", "list_legal_holds", json!({}));
    holds["LegalHolds"].as_array().unwrap().iter().filter(|hold| hold["Status"] == "ACTIVE").count()
}

fn count(responses: Vec<String>) -> BTreeMap<String, usize> {
    responses.into_iter().fold(BTreeMap::new(), |mut counts, response| {
        *counts.entry(response).or_default() += 1;
        counts
    })
}
