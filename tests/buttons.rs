//! What responders press in Slack, and who may.

use serde_json::{Value, json};

use crate::support::lab::{As, Lab, PRODUCTION};

const ALICE: &str = "U0ALICE";
const BOB: &str = "U0BOB";

#[test]
fn an_undo_takes_two_people_who_may_press() {
    let lab = Lab::start();
    let _agent = lab.watch();
    let incident = attacked(&lab);
    let undo = |user: &str| lab.press(user, "keepwatch_undo", &incident);

    let mut press = json!({"user": ALICE, "action_id": "keepwatch_undo", "value": incident, "secret": "guessed"});
    assert_eq!(lab.press_so(press.clone()), 401, "somebody else signed it");
    press["secret"] = Value::Null;
    press.as_object_mut().unwrap().remove("secret");
    press["seconds_ago"] = json!(301);
    assert_eq!(lab.press_so(press), 401, "it is too old");
    assert_eq!(undo("U0EVE"), 200);
    lab.eventually("who is no responder is refused", || lab.shown_alone("U0EVE", "not among the `responders`") == 1);
    assert_eq!(consents(&lab), 0, "none of it counts as an approval");

    assert_eq!(undo(ALICE), 200);
    lab.eventually("the thread asks for another", || lab.slack_text().contains("waits for a second person"));
    assert_eq!((undo(ALICE), lab.press_again()), (200, 200));
    lab.eventually("alice is answered each time", || lab.shown_alone(ALICE, "another person must press") == 3);
    assert_eq!(consents(&lab), 1, "one person is one approval");
    assert!(lab.quarantined("ci-deployer"));

    assert_eq!(undo(BOB), 200);
    lab.eventually("the user is released", || !lab.quarantined("ci-deployer"));
    lab.eventually("both are named", || lab.slack_text().contains("slack:U0ALICE and slack:U0BOB"));

    delete_point(&lab, 1);
    lab.eventually("contained anew", || lab.quarantined("ci-deployer"));
    lab.eventually("and recorded", || lab.finished().iter().any(|plan| plan["case"]["update"] == "response"));
    assert_eq!(lab.press_again(), 200);
    lab.eventually("a replay says nothing about it", || lab.shown_alone(BOB, "nothing of") == 1);
    assert!(lab.quarantined("ci-deployer"));
    assert_eq!(consents(&lab), 2);
    assert!(lab.run(&["ledger", "verify"]).status.success());
}

#[test]
fn a_restart_forgets_no_word() {
    let lab = Lab::start();
    let agent = lab.watch();
    let incident = attacked(&lab);
    assert_eq!(lab.press(ALICE, "keepwatch_undo", &incident), 200);
    assert!(agent.stop().success(), "what was pressed is noted before it stops");
    let _agent = lab.agent(&[]);
    assert_eq!(lab.press(BOB, "keepwatch_undo", &incident), 200);
    lab.eventually("the user is released", || !lab.quarantined("ci-deployer"));
}

#[test]
fn a_proposal_is_denied_by_a_button_and_stays_so() {
    let lab = Lab::start();
    lose_copies(&lab);
    let _agent = lab.agent(&[]);
    let id = awaited(&lab);
    assert_eq!(lab.press(ALICE, "keepwatch_deny", &id), 200);
    lab.eventually("it is denied", || state(&lab, &id) == "denied");
    lab.eventually("the thread names who", || lab.slack_text().contains("*denied*"));
    assert_eq!(lab.press(BOB, "keepwatch_approve", &id), 200);
    lab.eventually("it is too late to approve", || lab.shown_alone(BOB, "is denied") == 1);
    assert!(lab.run(&["sweep", "--once"]).status.success());
    assert_eq!(proposed(&lab), None, "nobody is asked again today");
    assert!(!lab.responses().contains(&"StartCopyJob".to_owned()));
}

#[test]
fn a_proposal_is_approved_by_a_button() {
    let lab = Lab::start();
    lose_copies(&lab);
    let _agent = lab.agent(&[]);
    let id = awaited(&lab);
    assert_eq!(lab.press(ALICE, "keepwatch_approve", &id), 200);
    lab.eventually("it is done", || lab.responses().contains(&"StartCopyJob".to_owned()));
    lab.eventually("the thread names who", || lab.slack_text().contains("slack:U0ALICE"));
    assert_eq!(lab.press_again(), 200);
    lab.eventually("once", || lab.shown_alone(ALICE, "is finished") == 1);
}

#[test]
fn a_proposal_is_put_off_for_an_hour_and_an_exemption_is_worded() {
    let lab = Lab::start();
    lose_copies(&lab);
    let _agent = lab.agent(&[]);
    let id = awaited(&lab);
    assert_eq!(lab.press(ALICE, "keepwatch_exempt", &id), 200);
    lab.eventually("alice gets a draft", || lab.shown_alone(ALICE, "put into accounts.toml") == 1);
    assert!(lab.control("slack/ephemerals", None).to_string().contains("rule = \\\"BKP-07\\\""));
    assert_eq!(lab.press(ALICE, "keepwatch_snooze", &id), 200);
    lab.eventually("alice learns when", || lab.shown_alone(ALICE, "you will be reminded") == 1);
    assert!(!lab.slack_text().contains("1 h ago"));
    lab.control("clock", Some(json!({"advance_seconds": 3601})));
    assert!(lab.slack_text().contains(&format!("1 h ago {id} waited")));
    assert_eq!(state(&lab, &id), "proposed", "neither is an answer");
}

#[test]
fn nobody_hears_presses_where_no_secret_is_set() {
    let lab = Lab::start();
    let _agent = lab.agent(&[("KEEPWATCH_SLACK_SIGNING_SECRET", "")]);
    delete_point(&lab, 0);
    lab.eventually("the undo is offered", || lab.slack_text().contains("keepwatch undo KW-"));
    assert!(!lab.slack_text().contains("keepwatch_undo"));
}

/// Waits until an attack is handled and reported; answers with the incident.
fn attacked(lab: &Lab) -> String {
    delete_point(lab, 0);
    lab.eventually("there is a button", || lab.slack_text().matches("keepwatch_undo").count() == 2);
    lab.incidents()[0]["incident"]["id"].as_str().unwrap().to_owned()
}

fn delete_point(lab: &Lab, number: usize) {
    let params = json!({"BackupVaultName": lab.world("vault"), "RecoveryPointArn": lab.recovery_point(number)});
    lab.done(As::Attacker, "backup", "delete_recovery_point", params);
}

fn lose_copies(lab: &Lab) {
    for number in 0..6 {
        let point = lab.ready["world"]["dr_recovery_points"][number].clone();
        let params = json!({"BackupVaultName": "securecart-vault-dr", "RecoveryPointArn": point});
        lab.at("eu-central-1").call(As::Root(PRODUCTION), "backup", "delete_recovery_point", params).unwrap();
    }
}

fn awaited(lab: &Lab) -> String {
    lab.eventually("a copy is proposed", || proposed(lab).is_some());
    lab.eventually("there is a button", || lab.slack_text().contains("keepwatch_deny"));
    proposed(lab).unwrap()
}

fn plans(lab: &Lab) -> impl Iterator<Item = Value> {
    lab.incidents().into_iter().flat_map(|incident| incident["plans"].as_array().unwrap().clone())
}

fn proposed(lab: &Lab) -> Option<String> {
    plans(lab).find(|plan| plan["state"] == "proposed").map(|plan| plan["id"].as_str().unwrap().to_owned())
}

fn state(lab: &Lab, id: &str) -> String {
    plans(lab).find(|plan| plan["id"] == id).unwrap()["state"].as_str().unwrap().to_owned()
}

/// How many approvals were given, by the ledger.
fn consents(lab: &Lab) -> usize {
    let entries = String::from_utf8(lab.run(&["ledger", "show", "--json"]).stdout).unwrap();
    entries.matches("\"consented\"").count()
}
