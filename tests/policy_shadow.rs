//! Rules in shadow: evaluated like every other, and nothing comes of what they find but a note,
//! until a person lets one act.

use std::collections::BTreeSet;
use std::fs;

use jiff::SignedDuration;
use keepwatch::domain::case::DedupKey;
use keepwatch::domain::resource::bucket::Versioning;
use keepwatch::domain::resource::{Kind, Place};
use keepwatch::ledger::Ledger as _;
use keepwatch::ledger::shadow::{Demotion, Promotion, Shadows as _};
use keepwatch::ops::metrics::{Exposition, Outside, Stopwatch};
use keepwatch::policy::bundle::build::build;
use keepwatch::policy::bundle::source::Source;
use keepwatch::rules::refresh::Looked;
use serde_json::json;

use super::engine_oracle::root;
use super::policy_author::project;
use super::policy_swap::{Stage, event, version};
use crate::support::cloud::bucket;
use crate::support::lab::{As, Lab};

/// Policies of which both rules are in shadow by their METADATA.
fn shadowed(word: &str) -> tempfile::TempDir {
    let folder = version(word);
    for rule in ["events/s3/swap/rule.rego", "resources/s3/swap/rule.rego"] {
        let path = folder.path().join(rule);
        let text =
            fs::read_to_string(&path).unwrap().replace("#   mode: enforce", "#   mode: enforce\n#   shadow: true");
        fs::write(path, text).unwrap();
    }
    folder
}

async fn handle(stage: &Stage, number: u64) {
    let live = bucket(Versioning::Suspended);
    stage.agent.clouds.inside.lock().unwrap().buckets.insert(format!("bucket-{number}"), live);
    stage.agent.handle(event(number), &Stopwatch::idle()).await.unwrap();
    stage.agent.evaluate_shadows().await;
}

fn totals(standings: &[keepwatch::ledger::shadow::Standing]) -> Vec<(&str, bool, u32)> {
    standings.iter().map(|one| (one.watched.rule.as_str(), one.watched.candidate, one.findings)).collect()
}

#[tokio::test]
async fn what_a_rule_in_shadow_finds_is_kept_and_nothing_comes_of_it() {
    let mut stage = Stage::of_file(&shadowed("v1")).await;
    handle(&stage, 0).await; // before anything was noted of the rules
    stage.refresh().await;
    for number in [1, 2, 2, 2] {
        handle(&stage, number).await; // the second one is delivered three times
    }
    let ledger = &stage.agent.ledger;
    assert!(ledger.incidents().await.unwrap().is_empty() && ledger.undelivered().await.unwrap().is_empty());
    assert!(ledger.entries().await.unwrap().is_empty(), "nothing was claimed");
    let outside = Outside { bundle: String::new(), store_writes: 0, refused_builtins: 0 };
    assert!(!stage.agent.metrics.render(&outside, Exposition::Text).contains("keepwatch_findings_total{"));
    let standings = ledger.standings().await.unwrap();
    assert_eq!(totals(&standings), [("TST-ACT", false, 3), ("TST-STATE", false, 5)]);
    let findings = ledger.shadowed("TST-ACT").await.unwrap();
    assert_eq!(findings.len(), 3);
    assert_eq!(findings[0].principal.as_deref(), Some("arn:aws:iam::111122223333:user/u2"));
    assert_eq!((findings[0].finding.message.as_str(), findings[0].account.as_str()), ("v1 v1", "111122223333"));
    assert_eq!(findings[0].bundle, stage.agent.rules.now().policies.digest());
}

#[tokio::test]
async fn accounts_toml_puts_a_rule_in_shadow_and_the_others_act_as_before() {
    let mut stage = Stage::of_file(&version("v1")).await;
    stage.configure("shadow_rules = [\"TST-ACT\"]");
    assert_eq!(stage.refresh().await, Looked::Same);
    handle(&stage, 1).await;
    let incidents = stage.agent.ledger.incidents().await.unwrap();
    let fired: BTreeSet<_> =
        incidents.iter().flat_map(|(_, plans)| plans).map(|plan| plan.case.findings[0].rule.id.as_str()).collect();
    assert_eq!(fired, BTreeSet::from(["TST-STATE"]));
    assert_eq!(totals(&stage.agent.ledger.standings().await.unwrap()), [("TST-ACT", false, 1)]);
}

#[tokio::test]
async fn a_rule_that_comes_with_a_new_bundle_is_in_shadow_from_its_first_event() {
    let mut stage = Stage::of_file(&version("v1")).await;
    stage.refresh().await;
    build(shadowed("v2").path(), &stage.bundle()).unwrap();
    assert!(matches!(stage.refresh().await, Looked::Swapped { .. }));
    handle(&stage, 1).await;
    assert!(stage.agent.ledger.incidents().await.unwrap().is_empty());
    assert_eq!(
        totals(&stage.agent.ledger.standings().await.unwrap()),
        [("TST-ACT", false, 1), ("TST-STATE", false, 1)]
    );
}

#[tokio::test]
async fn a_candidate_bundle_is_watched_and_changes_nothing() {
    let mut stage = Stage::of_file(&version("v1")).await;
    let candidate = stage.folder.path().join("candidate.tar.gz");
    build(version("v2").path(), &candidate).unwrap();
    stage.refresher.candidate = Some(Source::Path(candidate.clone()));
    assert_eq!(stage.refresh().await, Looked::Same);
    handle(&stage, 1).await;
    let standings = stage.agent.ledger.standings().await.unwrap();
    assert_eq!(totals(&standings), [("TST-ACT", true, 1), ("TST-STATE", true, 1)]);
    let findings = stage.agent.ledger.shadowed("TST-STATE").await.unwrap();
    assert_eq!(findings[0].finding.message, "v2 v2 v1", "what is wanted is still what the active bundle finds");
    let incidents = stage.agent.ledger.incidents().await.unwrap();
    let messages: BTreeSet<_> =
        incidents.iter().flat_map(|(_, plans)| plans).map(|plan| plan.case.findings[0].message.as_str()).collect();
    assert_eq!(messages, BTreeSet::from(["v1 v1", "v1 v1 v1"]), "the active rules acted as ever");

    fs::write(&candidate, "no bundle").unwrap();
    stage.refresh().await;
    build(version("v3").path(), &stage.bundle()).unwrap();
    assert!(matches!(stage.refresh().await, Looked::Swapped { .. }));
    handle(&stage, 2).await;
    assert_eq!(totals(&stage.agent.ledger.standings().await.unwrap()), [("TST-ACT", true, 2), ("TST-STATE", true, 2)]);
    assert!(stage.reported().await.is_empty(), "nobody is notified of a shadow");
}

#[tokio::test]
async fn noise_and_looking_write_nothing() {
    let mut stage = Stage::of_file(&shadowed("v1")).await;
    stage.refresh().await;
    let writes = stage.agent.ledger.writes();
    let mut noise = event(1);
    (noise.source, noise.record["eventSource"]) = ("ec2.amazonaws.com".to_owned(), json!("ec2.amazonaws.com"));
    stage.agent.handle(noise, &Stopwatch::idle()).await.unwrap();
    stage.agent.evaluate_shadows().await;
    stage.refresh().await;
    assert_eq!(stage.agent.ledger.writes(), writes);
}

#[tokio::test]
async fn days_are_clean_while_an_agent_watched_and_nothing_was_found() {
    let mut stage = Stage::of_file(&shadowed("v1")).await;
    stage.refresh().await;
    let hours = async |stage: &mut Stage, hours: u32| {
        for _ in 0..hours {
            stage.clock.forward(SignedDuration::from_hours(1));
            stage.refresh().await;
        }
        let standings = stage.agent.ledger.standings().await.unwrap();
        standings.into_iter().find(|one| one.watched.rule == "TST-ACT").unwrap()
    };
    assert!(!hours(&mut stage, 23).await.is_clean_for(1));
    assert!(hours(&mut stage, 1).await.is_clean_for(1));
    handle(&stage, 1).await;
    let standing = hours(&mut stage, 23).await;
    assert!(!standing.is_clean_for(1) && standing.findings == 1);
    stage.clock.forward(SignedDuration::from_hours(240)); // nobody looked meanwhile
    assert!(!hours(&mut stage, 0).await.is_clean_for(2));
    assert!(hours(&mut stage, 1).await.is_clean_for(1));
}

#[tokio::test]
async fn a_promoted_rule_acts_from_then_on() {
    let mut stage = Stage::of_file(&shadowed("v1")).await;
    stage.refresh().await;
    let promotion =
        Promotion { rule: "TST-ACT".to_owned(), by: "alice".to_owned(), reason: Some("seen".to_owned()), days: 7 };
    let now = stage.refresher_now();
    stage.agent.ledger.promote(&promotion, now).await.unwrap();
    assert!(stage.agent.ledger.promote(&promotion, now).await.is_err(), "promoted once");
    assert_eq!(stage.refresh().await, Looked::Same);
    handle(&stage, 1).await;
    assert_eq!(stage.agent.ledger.incidents().await.unwrap().len(), 1);
    assert_eq!(totals(&stage.agent.ledger.standings().await.unwrap()), [("TST-STATE", false, 1)]);
    let noted = stage.chain_of("promoted").await;
    assert_eq!(
        (&noted[0]["rule"], &noted[0]["by"], &noted[0]["reason"]),
        (&json!("TST-ACT"), &json!("alice"), &json!("seen"))
    );
    build(shadowed("v2").path(), &stage.bundle()).unwrap();
    assert!(matches!(stage.refresh().await, Looked::Swapped { .. }));
    handle(&stage, 2).await;
    assert_eq!(stage.agent.ledger.incidents().await.unwrap().len(), 2, "a new bundle takes nothing back");
}

#[tokio::test]
async fn a_demoted_rule_acts_no_more_until_it_is_promoted() {
    let mut stage = Stage::of_file(&version("v1")).await;
    stage.refresh().await;
    let demotion = Demotion { rule: "TST-ACT".to_owned(), by: "alice".to_owned(), reason: "it is wrong".to_owned() };
    let now = stage.refresher_now();
    stage.agent.ledger.demote(&demotion, now).await.unwrap();
    assert_eq!(stage.refresh().await, Looked::Same);
    handle(&stage, 1).await;
    assert_eq!(totals(&stage.agent.ledger.standings().await.unwrap()), [("TST-ACT", false, 1)]);
    let noted = stage.chain_of("demoted").await;
    assert_eq!(
        (&noted[0]["rule"], &noted[0]["by"], &noted[0]["reason"]),
        (&json!("TST-ACT"), &json!("alice"), &json!("it is wrong"))
    );
    let promotion = Promotion { rule: "TST-ACT".to_owned(), by: "bob".to_owned(), reason: None, days: 0 };
    stage.agent.ledger.promote(&promotion, now).await.unwrap();
    assert_eq!(stage.refresh().await, Looked::Same);
    assert!(stage.agent.ledger.standings().await.unwrap().is_empty(), "the later decision holds");
    stage.agent.ledger.demote(&demotion, now).await.unwrap();
    stage.refresh().await;
    assert_eq!(stage.agent.ledger.standings().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_sweep_leaves_a_finding_in_shadow_too() {
    let mut stage = Stage::of_file(&shadowed("v1")).await;
    stage.refresh().await;
    stage.agent.clouds.inside.lock().unwrap().buckets.insert("b".to_owned(), bucket(Versioning::Enabled));
    let account = "111122223333".parse().unwrap();
    let place = Place { kind: Kind::Bucket, account, region: "eu-west-1".parse().unwrap(), name: "b".to_owned() };
    stage.agent.reconcile(&place, None, &stage.agent.rules.now()).await.unwrap();
    assert!(stage.agent.ledger.shadowed("TST-STATE").await.unwrap().is_empty(), "nothing waits for a shadow");
    stage.agent.evaluate_shadows().await;
    let findings = stage.agent.ledger.shadowed("TST-STATE").await.unwrap();
    assert_eq!(
        (&findings[0].subject, findings[0].principal.as_deref()),
        (&DedupKey::Resource { arn: "arn:aws:s3:::b".to_owned() }, None)
    );
}

#[tokio::test]
async fn a_bundle_without_a_rule_that_is_to_be_in_shadow_is_reported_once_and_stays_active() {
    let mut stage = Stage::of_file(&version("v1")).await;
    stage.configure("shadow_rules = [\"TST-AKT\", \"TST-STATE\"]");
    build(version("v2").path(), &stage.bundle()).unwrap();
    assert!(matches!(stage.refresh().await, Looked::Swapped { .. }));
    assert_eq!(stage.refresh().await, Looked::Same);
    let reported = stage.reported().await;
    assert_eq!(reported.len(), 1, "{reported:?}");
    let said =
        "`shadow_rules` in accounts.toml is not right: the policies have no rule `TST-AKT`; did you mean `TST-ACT`?";
    assert!(reported[0].contains(said), "{reported:?}");
    stage.configure("shadow_rules = [\"TST-ACT\", \"TST-STATE\"]");
    build(version("v3").path(), &stage.bundle()).unwrap();
    assert!(matches!(stage.refresh().await, Looked::Swapped { .. }));
    assert_eq!(stage.reported().await.len(), 1, "a bundle that has them is no news");
}

#[test]
fn a_rule_that_does_not_exist_is_neither_demoted_nor_promoted() {
    let project = project();
    fs::copy(root().join("accounts.toml"), project.path().join("accounts.toml")).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_keepwatch"));
        command.current_dir(project.path()).args(["policy"]).args(arguments).args(["--by", "alice"]);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), said)
    };
    let (code, said) = run(&["demote", "TST-10", "--reason", "wrong"]);
    assert!(code == Some(1) && said.contains("no rule `TST-10`; did you mean `TST-01`?"), "{said}");
    let (code, said) = run(&["demote", "TST-01", "--reason", "wrong"]);
    assert!(code == Some(0) && said.contains("demoted: `TST-01`"), "{said}");
    let (code, said) = run(&["promote", "TST-10", "--days", "0"]);
    assert!(code == Some(1) && said.contains("no rule `TST-10`; did you mean `TST-01`?"), "{said}");
    let (code, said) = run(&["promote", "TST-01", "--days", "0"]);
    assert!(code == Some(1) && said.contains("`TST-01` is not in shadow"), "{said}");
    fs::rename(project.path().join("accounts.toml"), project.path().join("elsewhere.toml")).unwrap();
    let (code, said) = run(&["demote", "TST-10", "--reason", "wrong"]);
    assert!(code == Some(0) && said.contains("nobody checked that there is a rule `TST-10`: "), "{said}");
}

/// An attack on a rule in shadow, the list of what it would have done, and a promotion.
#[test]
fn people_see_what_a_shadow_would_have_done_and_let_it_act() {
    let lab = Lab::start();
    let config = lab.folder.path().join("accounts.toml");
    let settings = "\n[policies]\nshadow_rules = [\"BKP-01\"]\ncheck_seconds = 1\n";
    fs::write(&config, include_str!("../accounts.toml").to_owned() + settings).unwrap();
    let environment = [("KEEPWATCH_CONFIG", config.to_str().unwrap())];
    let _agent = lab.agent(&environment);
    let delete = |number| {
        let point = lab.recovery_point(number);
        let params = json!({"BackupVaultName": lab.world("vault"), "RecoveryPointArn": point});
        lab.done(As::Attacker, "backup", "delete_recovery_point", params);
    };
    delete(0);
    let listed = || lab.json(&["policy", "shadow", "--json"]);
    lab.eventually("it is in the list", || listed()[0]["findings"] == 1);
    assert!(!lab.quarantined("ci-deployer") && !lab.slack_text().contains("BKP-01"));
    let promote =
        |more: &[&str]| lab.run(&[["policy", "promote", "BKP-01", "--by", "alice"].as_slice(), more].concat());
    let refused = promote(&["--days", "7"]);
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.contains("would propose: contain, freeze") && said.contains("not promoted"), "{said}");
    assert_eq!(promote(&["--days", "0", "--accept-findings"]).status.code(), Some(2), "a reason is due");
    let promoted = promote(&["--days", "0", "--accept-findings", "--reason", "it was right"]);
    assert!(promoted.status.success(), "{}", String::from_utf8_lossy(&promoted.stderr));
    lab.eventually("the agent knows", || lab.log().contains("0 rule(s) are in shadow"));
    delete(1);
    lab.eventually("it acts", || lab.quarantined("ci-deployer"));
    assert!(promote(&["--days", "0"]).status.code() == Some(1), "it is in shadow no more");
}
