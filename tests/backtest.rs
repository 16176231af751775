//! `keepwatch backtest` through the real binary and a real `opa`: the shipped policies against
//! changed copies of them, over our own records and those that others published.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use keepwatch::policy::bundle::build::build;
use serde_json::Value;
use tempfile::TempDir;

use super::engine_oracle::root;
use crate::support::builders::copy_folder;
use crate::support::published;

/// A change to one file of the policies.
pub struct Edit {
    pub file: &'static str,
    pub from: &'static str,
    pub to: &'static str,
}

pub const KEY_RULE: &str = "events/kms/key_disabled/key_disabled.rego";
const TRAIL_RULE: &str = "events/cloudtrail/trail_stopped/trail_stopped.rego";

/// The shipped rules as a bundle.
pub static SHIPPED: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| bundle(&[], &[]));

/// IAM-21 is gone, LOG-01 fires at every `DescribeTrails` too, KMS-01 is less severe, and a
/// resource rule only observes.
static CHANGED: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let edits = [
        Edit {
            file: TRAIL_RULE,
            from: "#     - cloudtrail.amazonaws.com:DeleteTrail\n",
            to: "#     - cloudtrail.amazonaws.com:DeleteTrail\n#     - cloudtrail.amazonaws.com:DescribeTrails\n\
                 #     - backup.amazonaws.com:DeleteRecoveryPoint\n",
        },
        Edit {
            file: TRAIL_RULE,
            from: "_done := {",
            to: "findings contains {\"message\": \"looked around\", \"propose\": [\"contain\"], \"evidence\": {}} if {\n\
                 \tinput.event.eventName in {\"DescribeTrails\", \"DeleteRecoveryPoint\"}\n}\n\n\
                 _done := {",
        },
        Edit { file: KEY_RULE, from: "severity: critical", to: "severity: low" },
        Edit { file: "resources/s3/versioning/versioning.rego", from: "mode: enforce", to: "mode: observe" },
    ];
    bundle(&edits, &["events/iam/destructive_policy_attached"])
});

/// The shipped policies with edits and without these rules, as a folder and the bundle in it.
pub fn bundle(edits: &[Edit], removed: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let policies = folder.path().join("policies");
    copy_folder(&root().join("policies"), &policies);
    removed.iter().for_each(|rule| fs::remove_dir_all(policies.join(rule)).unwrap());
    for Edit { file, from, to } in edits {
        let path = policies.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "`{file}` has no `{from}`");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
    }
    let bundle = folder.path().join("bundle.tar.gz");
    build(&policies, &bundle).unwrap();
    (folder, bundle)
}

/// Our own records, and the published ones.
fn events() -> Vec<PathBuf> {
    [fixtures(), vec![published::folder()]].concat()
}

fn fixtures() -> Vec<PathBuf> {
    vec![root().join("tests/fixtures/cloudtrail")]
}

fn keepwatch(words: &[&str], events: &[PathBuf]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_keepwatch")).args(words).args(events).output().unwrap()
}

fn backtest(old: &Path, new: &Path, events: &[PathBuf], options: &[&str]) -> Output {
    let mut words = vec!["backtest", old.to_str().unwrap(), new.to_str().unwrap()];
    words.extend(options);
    keepwatch(&words, events)
}

fn report(old: &Path, new: &Path, events: &[PathBuf]) -> Value {
    let output = backtest(old, new, events, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// How many findings `replay` writes, and how many of them by a rule.
fn replayed(policies: &Path, events: &[PathBuf]) -> Vec<Value> {
    let output = keepwatch(&["replay", "--policies", policies.to_str().unwrap()], events);
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn row<'a>(table: &'a Value, name: &str) -> &'a Value {
    table["rows"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap_or(&Value::Null)
}

#[test]
fn the_same_policies_differ_in_nothing() {
    let (_, bundle) = &*SHIPPED;
    let report = report(bundle, bundle, &events());
    let all = &report["findings"]["all"];
    assert_eq!(all["old"], all["new"]);
    assert_ne!(all["old"], 0, "there is something to compare");
    for moved in ["appeared", "vanished", "changed"] {
        assert_eq!(all[moved], 0);
        assert_eq!(report["findings"]["groups"].as_array().unwrap().len(), 0);
    }
    assert_eq!(report["old"]["answers"], report["new"]["answers"]);
    assert_eq!(report["containments"]["appeared"], 0);
    let limits = ["--max-new-findings=0", "--max-new-containments=0", "--max-new-threads=0", "--max-vanished=0"];
    let output = backtest(bundle, bundle, &events(), &limits);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("nothing would have been different"));
}

#[test]
fn each_side_finds_what_a_replay_finds() {
    let (old, new) = (&SHIPPED.1, &CHANGED.1);
    let report = report(old, new, &events());
    for (side, policies) in [("old", old), ("new", new)] {
        let found = replayed(policies, &events());
        assert_eq!(report["findings"]["all"][side], found.len());
        for rule in ["BKP-01", "IAM-21", "KMS-01", "LOG-01"] {
            let by_rule = found.iter().filter(|finding| finding["rule"]["id"] == rule).count();
            let counted = row(&report["findings"]["by_rule"], rule)[side].as_u64().unwrap_or_default();
            assert_eq!(counted, by_rule as u64, "{rule}, {side}");
        }
    }
}

#[test]
fn a_removed_a_loosened_and_a_milder_rule_are_distinguished() {
    let report = report(&SHIPPED.1, &CHANGED.1, &events());
    let rules = &report["rules"];
    assert_eq!(rules["removed"][0]["id"], "IAM-21");
    assert_eq!(rules["added"].as_array().unwrap().len(), 0);
    let changed: Vec<(&str, &str)> = rules["changed"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|rule| {
            let fields = rule["fields"].as_array().unwrap().iter();
            fields.map(|field| (rule["id"].as_str().unwrap(), field["field"].as_str().unwrap()))
        })
        .collect();
    assert_eq!(changed, [("BKT-01", "mode"), ("KMS-01", "severity"), ("LOG-01", "events")]);
    assert_eq!(rules["not_replayed"], serde_json::json!(["BKT-01"]));

    let findings = &report["findings"]["by_rule"];
    let iam = row(findings, "IAM-21");
    assert_eq!((&iam["new"], &iam["old"]), (&Value::from(0), &iam["vanished"]));
    let kms = row(findings, "KMS-01");
    assert_ne!(kms["changed"], 0);
    assert_eq!((&kms["changed"], &kms["appeared"]), (&kms["old"], &Value::from(0)));
    let log = row(findings, "LOG-01");
    assert_ne!(log["appeared"], 0);
    assert_eq!((&log["vanished"], &log["changed"]), (&Value::from(0), &Value::from(0)));

    let groups = report["findings"]["groups"].as_array().unwrap();
    let appeared = groups.iter().find(|group| group["change"] == "appeared").unwrap();
    assert_eq!((&appeared["rule"], &appeared["count"]), (&Value::from("LOG-01"), &log["appeared"]));
    let example = &appeared["examples"][0];
    assert!(Path::new(example["file"].as_str().unwrap()).exists() && example["line"].as_u64() > Some(0), "{example}");
    let milder = groups.iter().find(|group| group["change"] == "changed").unwrap();
    assert_eq!(milder["fields"]["severity"], milder["count"]);
}

#[test]
fn a_limit_that_does_not_hold_is_named_and_fails() {
    let (old, new) = (&SHIPPED.1, &CHANGED.1);
    let found = report(old, new, &fixtures());
    let appeared = found["findings"]["all"]["appeared"].as_u64().unwrap();
    assert!(appeared > 0);
    for (limit, most, code) in [
        ("--max-new-findings", appeared, 0),
        ("--max-new-findings", appeared - 1, 1),
        ("--max-new-containments", found["containments"]["appeared"].as_u64().unwrap(), 0),
        ("--max-vanished", 0, i32::from(found["findings"]["all"]["vanished"] != 0)),
    ] {
        let option = format!("{limit}={most}");
        let output = backtest(old, new, &fixtures(), &[&option]);
        assert_eq!(output.status.code(), Some(code), "{option}: {}", said(&output));
        assert_eq!(said(&output).contains(&format!("over the limit (`{limit} {most}`)")), code == 1);
    }
    let wrong = backtest(old, new, &fixtures(), &["--max-new-findings=many"]);
    assert_eq!(wrong.status.code(), Some(2));
    let alone = backtest(old, new, &fixtures(), &["--as-if-enforced"]);
    assert_eq!(alone.status.code(), Some(2), "it takes an accounts.toml to put above its modes");
    let nothing = keepwatch(&["backtest", old.to_str().unwrap(), new.to_str().unwrap()], &[]);
    assert_eq!(nothing.status.code(), Some(2));
}

#[test]
fn what_cannot_be_read_fails_unless_it_is_allowed_to() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.jsonl"), "not json\n").unwrap();
    let (bundle, events) = (&SHIPPED.1, [folder.path().to_owned()]);
    let output = backtest(bundle, bundle, &events, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("a.jsonl:1: not JSON"), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 pieces could not be read"));
    assert_eq!(backtest(bundle, bundle, &events, &["--allow-unreadable"]).status.code(), Some(0));
}

#[test]
fn accounts_that_observe_contain_nobody_unless_supposed_to_enforce() {
    let accounts = root().join("accounts.toml");
    let observing = tempfile::NamedTempFile::new().unwrap();
    let text = fs::read_to_string(&accounts).unwrap().replace("mode = \"enforce\"", "mode = \"observe\"");
    fs::write(observing.path(), text).unwrap();
    let option = format!("--config={}", observing.path().display());
    let answers = |options: &[&str]| -> Value {
        let output = backtest(&SHIPPED.1, &CHANGED.1, &fixtures(), &[&[&option, "--json"], options].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let observed = answers(&[]);
    assert_eq!((&observed["containments"]["new"], &observed["new"]["answers"]["threads"]), (&0.into(), &0.into()));
    assert_ne!(observed["new"]["answers"]["incidents"], 0);
    let enforced = answers(&["--as-if-enforced"]);
    assert_eq!(enforced["basis"], "accounts_file_enforced");
    assert_ne!(enforced["containments"]["new"], 0);
    assert_ne!(enforced["new"]["answers"]["threads"], 0);
}

#[test]
fn the_page_is_written_where_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    let option = format!("--html={}", page.display());
    let output = backtest(&SHIPPED.1, &CHANGED.1, &fixtures(), &[&option]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
    assert!(html.contains("<svg") && html.contains("LOG-01"));
    let nowhere = format!("--html={}", folder.path().join("missing/report.html").display());
    let output = backtest(&SHIPPED.1, &CHANGED.1, &fixtures(), &[&nowhere]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).starts_with("error: cannot write to `"), "{}", said(&output));
}
