//! The agent is killed at every point at which a crash would matter, and started again: nothing
//! is lost, nothing is done twice, and undo is still right.

use serde_json::json;

use crate::support::lab::{As, Lab, PRODUCTION};

#[test]
fn killed_when_a_message_was_received_it_is_handled_once() {
    recovers_from("received");
}

#[test]
fn killed_when_the_rules_were_evaluated_it_responds_once() {
    recovers_from("evaluated");
}

#[test]
fn killed_when_it_had_planned_it_responds_once() {
    recovers_from("planned");
}

#[test]
fn killed_when_the_plan_was_claimed_it_carries_that_plan_out() {
    recovers_from("claimed");
}

#[test]
fn killed_before_containing_it_contains() {
    recovers_from("before-step");
}

#[test]
fn killed_after_containing_it_does_the_rest() {
    recovers_from("after-step");
}

#[test]
fn killed_before_freezing_the_vault_it_freezes_it() {
    recovers_from("before-step:2");
}

#[test]
fn killed_after_freezing_the_vault_it_makes_no_second_hold() {
    recovers_from("after-step:2");
}

#[test]
fn killed_when_the_plan_was_executed_it_makes_no_second_hold() {
    recovers_from("executed");
}

#[test]
fn killed_when_the_outcome_was_recorded_it_repeats_nothing() {
    recovers_from("recorded");
}

#[test]
fn killed_when_the_resources_were_reconciled_it_repeats_nothing() {
    recovers_from("reconciled");
}

#[test]
fn killed_when_the_message_was_handled_it_repeats_nothing() {
    recovers_from("handled");
}

#[test]
fn killed_when_the_message_was_deleted_it_repeats_nothing() {
    recovers_from("settled");
}

#[test]
fn killed_before_posting_to_slack_it_posts() {
    recovers_from("before-post");
}

#[test]
fn killed_after_posting_to_slack_it_does_not_post_again() {
    recovers_from("after-post");
}

/// Kills the agent at a point while it answers an attack, starts it again, and expects one
/// incident, one containment, one hold, one report, and an undo that takes all of it back.
fn recovers_from(point: &str) {
    let lab = Lab::start();
    assert!(lab.run(&["sweep", "--once"]).status.success());
    let mut doomed = lab.agent(&[("KEEPWATCH_FAULT", point)]);
    let params = json!({"BackupVaultName": lab.world("vault"), "RecoveryPointArn": lab.recovery_point(0)});
    lab.done(As::Attacker, "backup", "delete_recovery_point", params);
    lab.eventually("it dies", || doomed.has_died());
    make_visible(&lab);

    let _agent = lab.agent(&[]);
    lab.eventually("contained", || lab.quarantined("ci-deployer"));
    lab.eventually("reported", || lab.slack_text().contains("BKP-01"));
    lab.eventually("recorded", || lab.finished().len() == 1);
    lab.eventually("the queue is empty", || lab.is_empty(&lab.world("queue_url")));

    assert_eq!(lab.incidents().len(), 1);
    assert_eq!(holds(&lab), 1, "one legal hold, not two");
    let hold_requests = lab.responses().iter().filter(|call| *call == "CreateLegalHold").count();
    assert_eq!(hold_requests, 1, "a hold that is there is not requested again");
    assert_eq!(lab.slack().len(), 2, "the thread's first message and one in it: {:#?}", lab.slack());
    undo_takes_all_of_it_back(&lab);
}

fn undo_takes_all_of_it_back(lab: &Lab) {
    let id = lab.incidents()[0]["incident"]["id"].as_str().unwrap().to_owned();
    assert!(lab.run(&["undo", &id, "--by", "alice", "--with", "bob"]).status.success());
    assert!(!lab.quarantined("ci-deployer"));
    assert_eq!(holds(lab), 0);
    assert!(lab.run(&["ledger", "verify"]).status.success());
}

/// A dead agent's messages come back when their visibility ends; nobody waits a minute here.
/// Its last poll must end first, or the message goes to the dead agent.
fn make_visible(lab: &Lab) {
    lab.control("clock", Some(json!({"advance_seconds": 25})));
    lab.eventually("the dead agent's last poll ends", || {
        lab.control("stats", None)["running"]["sqs:ReceiveMessage"].is_null()
    });
    lab.control("clock", Some(json!({"advance_seconds": 60})));
}

fn holds(lab: &Lab) -> usize {
    let holds = lab.done(As::Root(PRODUCTION), "backup", "list_legal_holds", json!({}));
    holds["LegalHolds"].as_array().unwrap().iter().filter(|hold| hold["Status"] == "ACTIVE").count()
}
