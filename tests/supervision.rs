//! What happens to the agent when something in it panics.

use serde_json::json;

use crate::support::lab::{As, Lab};

/// Every background task of `keepwatch run`, by its fault point.
const TASKS: [&str; 8] = ["serve", "sweep", "refresh", "shadows", "deadlines", "interactions", "delivery", "intake"];

#[test]
fn a_background_task_that_panics_ends_the_process_with_its_name() {
    let lab = Lab::start();
    for task in TASKS {
        let mut agent =
            lab.keepwatch(&["run"]).env("KEEPWATCH_PANIC", task).stderr(std::process::Stdio::piped()).spawn().unwrap();
        lab.eventually(&format!("the process ends without `{task}`"), || agent.try_wait().unwrap().is_some());
        let output = agent.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let reason = format!("the agent cannot go on: the task `{task}` panicked");
        assert!(said.lines().any(|line| line.contains(&reason) && line.contains("\"ERROR\"")), "{said}");
        assert!(said.contains("\"location\":\"agent/ops/fault.rs"), "{said}");
        assert!(!said.contains("a fault point"), "what a panic says is not printed: {said}");
    }
}

#[test]
fn a_message_whose_handling_panics_goes_back_to_the_queue_and_the_others_are_handled() {
    let lab = Lab::start();
    assert!(lab.run(&["sweep", "--once"]).status.success());
    // The attack comes first, so the first event that rules are evaluated on is it.
    let params = json!({"BackupVaultName": lab.world("vault"), "RecoveryPointArn": lab.recovery_point(0)});
    lab.done(As::Attacker, "backup", "delete_recovery_point", params);
    let agent = lab.agent(&[("KEEPWATCH_PANIC", "evaluated:1")]);
    lab.eventually("a message panicked", || lab.log().contains("handling a message panicked"));
    let log = lab.log();
    let line = log.lines().find(|line| line.contains("handling a message panicked")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert!(line["event.id"].is_string() && line["message.id"].is_string(), "{line}");
    assert!(log.contains("released for another try: handling it panicked"), "{log}");
    assert!(!log.contains("RecoveryPointArn"), "no body is logged: {log}");

    let another = json!({"BackupVaultName": lab.world("vault"), "RecoveryPointArn": lab.recovery_point(1)});
    lab.done(As::Attacker, "backup", "delete_recovery_point", another);
    lab.eventually("the attacker is contained", || lab.quarantined("ci-deployer"));
    lab.eventually("the message came back and was handled", || lab.is_empty(&lab.world("queue_url")));
    let metrics = metrics(&lab);
    for line in ["keepwatch_panics_total 1", "keepwatch_messages_settled_total{outcome=\"released\"} 1"] {
        assert!(metrics.lines().any(|one| one == line), "`{line}` is not in\n{metrics}");
    }
    assert!(agent.stop().success());
}

/// What the agent says of itself.
fn metrics(lab: &Lab) -> String {
    let url = lab.actions().replace("/slack/actions", "/metrics");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { reqwest::get(url).await.unwrap().text().await.unwrap() })
}
