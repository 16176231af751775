//! What a policy author learns: each flaw in a rule that has it, and none in ours.

use std::fs;
use std::path::Path;

use keepwatch::policy::author::explain;
use keepwatch::policy::author::trial;
use keepwatch::policy::author::trial::{Outcome, Trial};
use keepwatch::policy::author::{Lint, Work, check};
use tempfile::TempDir;

use super::engine_oracle::{now, root, shipped};

/// A project with one sound rule, shipped schemas and the shipped `lib`.
pub fn project() -> TempDir {
    let project = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = project.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    copy(&root().join("policies/lib"), &project.path().join("policies/lib"));
    copy(&root().join("policies/schema"), &project.path().join("policies/schema"));
    copy(&root().join("policies/data"), &project.path().join("policies/data"));
    fs::copy(root().join("policies/capabilities.json"), project.path().join("policies/capabilities.json")).unwrap();
    write("docs/runbooks/vault_deleted.md", "# Vault deleted\n");
    write(&format!("{PLACE}/vault_deleted.rego"), &rule(SOUND));
    write(&format!("{PLACE}/fires.json"), &documents(&["DeleteBackupVault"]));
    write(&format!("{PLACE}/silent.json"), "[]");
    project
}

pub const PLACE: &str = "policies/events/backup/vault_deleted";

const SOUND: &str = r#"findings contains finding if {
	input.event.eventName == "DeleteBackupVault"
	event.succeeded
	finding := {"message": $"`{event.actor}` deleted a vault", "propose": []}
}
"#;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A rule about `DeleteBackupVault` with this body.
fn rule(body: &str) -> String {
    METADATA.to_owned() + body
}

const METADATA: &str = r#"package events.backup.vault_deleted

import data.lib.event

# METADATA
# entrypoint: true
# title: Vault deleted
# description: Somebody deleted a vault.
# schemas:
#   - input: schema.event
# custom:
#   id: TST-01
#   severity: high
#   mode: observe
#   events: ["backup.amazonaws.com:DeleteBackupVault"]
#   controls: []
#   runbook: docs/runbooks/vault_deleted.md
"#;

fn documents(names: &[&str]) -> String {
    let document =
        |name: &&str| serde_json::json!({"event": {"eventSource": "backup.amazonaws.com", "eventName": name}});
    serde_json::to_string(&names.iter().map(document).collect::<Vec<_>>()).unwrap()
}

/// The flaws of the project's rule with another text.
fn flaws_of(text: &str) -> Vec<Lint> {
    let project = project();
    fs::write(project.path().join(PLACE).join("vault_deleted.rego"), text).unwrap();
    flaws(project.path())
}

fn flaws(project: &Path) -> Vec<Lint> {
    check::check(&Work::all(&project.join("policies"))).unwrap().flaws
}

/// Lint, line and text of each flaw, short enough to compare.
fn brief(flaws: &[Lint]) -> Vec<String> {
    flaws.iter().map(|flaw| format!("{}:{} {}", flaw.lint, flaw.line, flaw.what)).collect()
}

#[test]
fn the_shipped_rules_and_a_sound_one_have_no_flaw() {
    let shipped = check::check(&Work::all(&root().join("policies"))).unwrap();
    assert_eq!(brief(&shipped.flaws), [""; 0]);
    assert!(shipped.rules >= 8);
    assert_eq!(brief(&flaws(project().path())), [""; 0]);
}

#[test]
fn a_large_literal_is_found_wherever_it_stands() {
    let words = (0..11).map(|n| format!("\"w{n}\"")).collect::<Vec<_>>().join(", ");
    let content = flaws_of(&rule(&format!("{SOUND}\n_words := {{{words}}}\n\n_few := [1, 2, {{\"a\": [3, 4]}}]\n")));
    assert_eq!(brief(&content), ["large-literal:24 a literal of 11 constants"]);
    let nested = flaws_of(&rule(&format!(
        "{SOUND}\n_in if {{\n\tsome word in input.event.resources\n\tword in [{words}]\n}}\n"
    )));
    assert_eq!(brief(&nested), ["large-literal:26 a literal of 11 constants"]);
}

#[test]
fn a_pattern_before_a_cheap_test_is_found() {
    let content = flaws_of(&rule(&format!(
        "{SOUND}\n_wrong if {{\n\tregex.match(\"^a\", input.now)\n\tinput.event.eventName == \"X\"\n}}\n\n_right if {{\n\tinput.event.eventName == \"X\"\n\tregex.match(\"^a\", input.now)\n}}\n\n_bound if {{\n\thit := regex.match(\"^a\", input.now)\n\thit == true\n}}\n"
    )));
    assert_eq!(brief(&content), ["pattern-first:25 `regex.match` before the cheap test on line 26"]);
}

#[test]
fn a_not_that_silences_the_rule_is_found() {
    let silencing = [
        r#"not startswith(input.event.awsRegion, "cn-")"#,
        r#"not input.event.errorCode in {"A"}"#,
        r#"not lower(input.event.errorCode) == "a""#,
        r#"not event.parameters.backupVaultName in {"A"}"#,
        r#"not is_string(input.event.errorCode)"#,
        r#"not _mine(input.event.errorCode)"#,
    ];
    for negated in silencing {
        let content = flaws_of(&rule(&format!("{SOUND}\n_x if {{\n\t{negated}\n}}\n\n_mine(x) if x == \"1\"\n")));
        assert_eq!(content.len(), 1, "{negated}: {:?}", brief(&content));
        assert_eq!((content[0].lint.as_str(), content[0].line), ("silenced-not", 25), "{negated}");
    }
    let sound = [
        r#"not input.event.errorCode == "a""#,
        r#"not input.event.errorCode"#,
        r#"not event.approved("may_change_trails")"#,
        "is_string(input.event.errorCode)\n\tnot startswith(input.event.errorCode, \"a\")",
    ];
    for negated in sound {
        let content = flaws_of(&rule(&format!("{SOUND}\n_x if {{\n\t{negated}\n}}\n")));
        assert_eq!(brief(&content), [""; 0], "{negated}");
    }
}

#[test]
fn metadata_that_is_missing_or_wrong_is_found_on_its_line() {
    let wrong = [
        ("# title: Vault deleted\n", "", "metadata:5 its METADATA has no `title`"),
        ("# description: Somebody deleted a vault.\n", "", "metadata:5 no `description`"),
        (
            "severity: high",
            "severity: dire",
            "metadata:13 `custom` in its METADATA is not right: unknown variant `dire`",
        ),
        ("#   controls: []\n", "", "metadata:11 no `controls`"),
        ("vault_deleted.md", "vault_delted.md", "metadata:17 its runbook `docs/runbooks/vault_delted.md` is not in"),
        ("#   runbook: docs/runbooks/vault_deleted.md\n", "", "metadata:11 no `runbook`"),
        ("# entrypoint: true\n", "", "metadata:1 no METADATA block with `entrypoint: true`"),
        (
            "[\"backup.amazonaws.com:DeleteBackupVault\"]",
            "[]",
            "metadata:15 it evaluates events, so its METADATA needs `custom.events`",
        ),
        ("# schemas:\n#   - input: schema.event\n", "", "metadata:5 its input is not typed by `schema.event`"),
        (
            "package events.backup.vault_deleted",
            "package events.backup.vault_delted",
            "metadata:1 package `events.backup.vault_delted` in the folder",
        ),
    ];
    for (old, new, expected) in wrong {
        let content = brief(&flaws_of(&rule(SOUND).replace(old, new)));
        assert!(content.len() == 1 && content[0].starts_with(expected), "{expected}: {content:?}");
    }
}

#[test]
fn an_event_without_example_is_found() {
    let project = project();
    let two = rule(SOUND).replace("DeleteBackupVault\"]", "DeleteBackupVault\", \"backup.amazonaws.com:Put*\"]");
    fs::write(
        project.path().join(PLACE).join("vault_deleted.rego"),
        two.replace("== \"DeleteBackupVault\"", "!= \"x\""),
    )
    .unwrap();
    assert_eq!(brief(&flaws(project.path())), ["examples:1 events not covered: backup.amazonaws.com:Put*"]);
    fs::write(project.path().join(PLACE).join("silent.json"), documents(&["PutBackupVaultLockConfiguration"])).unwrap();
    assert_eq!(brief(&flaws(project.path())), [""; 0]);
    fs::write(project.path().join(PLACE).join("fires.json"), "{").unwrap();
    assert!(brief(&flaws(project.path()))[0].starts_with("examples:1 it is no array of documents"));
}

#[test]
fn an_id_that_two_rules_have_is_found() {
    let project = project();
    let twin = project.path().join("policies/events/backup/vault_gone");
    copy(&project.path().join(PLACE), &twin);
    fs::rename(twin.join("vault_deleted.rego"), twin.join("vault_gone.rego")).unwrap();
    let text = rule(SOUND).replace("package events.backup.vault_deleted", "package events.backup.vault_gone");
    fs::write(twin.join("vault_gone.rego"), text).unwrap();
    let expected = "same-id:5 id `TST-01` is that of `events/backup/vault_deleted/vault_deleted.rego` too";
    assert_eq!(brief(&flaws(project.path())), [expected]);
}

#[test]
fn what_opa_refuses_says_what_may_be_meant() {
    let content = flaws_of(&rule(SOUND).replace("input.event.eventName", "input.event.eventNmae"));
    assert_eq!(brief(&content), ["rego_type_error:19 undefined ref: input.event.eventNmae"]);
    assert_eq!(content[0].next, "did you mean `eventName`?");
    let broken = flaws_of("package events.backup.vault_deleted\n\nfindings contains {\n");
    assert!(broken.iter().any(|flaw| flaw.lint == "rego_parse_error"), "{:?}", brief(&broken));
}

/// The flaws of a rule that declares these events, each with an example, and has this body.
fn reach(events: &[&str], body: &str) -> Vec<String> {
    let project = project();
    let list = events.iter().map(|event| format!("\"backup.amazonaws.com:{event}\"")).collect::<Vec<_>>().join(", ");
    let text = rule(&format!("findings contains {{\"message\": \"m\", \"propose\": []}} if {{\n{body}\n}}\n"));
    let text = text.replace("\"backup.amazonaws.com:DeleteBackupVault\"", &list).replace("import data.lib.event\n", "");
    fs::write(project.path().join(PLACE).join("vault_deleted.rego"), text).unwrap();
    fs::write(project.path().join(PLACE).join("fires.json"), documents(events).replace('*', "X")).unwrap();
    brief(&flaws(project.path()))
}

#[test]
fn a_rule_that_looks_at_an_event_it_does_not_declare_is_named() {
    let content =
        reach(&["DeleteBackupVault"], r#"input.event.eventName in {"DeleteBackupVault", "DeleteBackupPlan"}"#);
    assert_eq!(
        content,
        ["undeclared-event:14 the rule looks at `*:DeleteBackupPlan`, which `events` does not declare"]
    );
    let elsewhere = r#"input.event.eventSource == "s3.amazonaws.com"
        name := input.event.eventName
        name == "DeleteBackupVault""#;
    let content = reach(&["DeleteBackupVault"], elsewhere);
    assert_eq!(
        content[1],
        "undeclared-event:14 the rule looks at `s3.amazonaws.com:DeleteBackupVault`, which `events` does not declare"
    );
    assert!(
        content[0].starts_with("idle-event:14 `backup.amazonaws.com:DeleteBackupVault` is declared"),
        "{content:?}"
    );
    let content = reach(&["Put*"], r#"startswith(input.event.eventName, "Delete")"#);
    assert_eq!(content.len(), 2, "{content:?}");
}

#[test]
fn a_declared_event_that_no_part_of_the_rule_can_match_is_reported() {
    let content = reach(&["DeleteBackupVault", "CreateBackupVault"], r#"input.event.eventName == "DeleteBackupVault""#);
    let expected =
        "idle-event:14 `backup.amazonaws.com:CreateBackupVault` is declared, and no part of the rule can match it";
    assert_eq!(content, [expected]);
    let content = reach(&["DeleteBackupVault"], "false");
    assert_eq!(content, ["never-fires:14 the rule cannot fire"]);
    let contradiction = "input.event.eventName == \"A\"\ninput.event.eventName == \"B\"";
    assert_eq!(reach(&["DeleteBackupVault"], contradiction), ["never-fires:14 the rule cannot fire"]);
}

#[test]
fn whatever_way_a_rule_tests_names_its_declared_events_are_fine() {
    let ways = [
        "input.now",
        r#"sprintf("%s:%s", [input.event.eventSource, input.event.eventName]) == "backup.amazonaws.com:DeleteBackupVault""#,
        r#"regex.match("^Delete", input.event.eventName)"#,
        r#"startswith(input.event.eventName, "Delete")"#,
        r#"some name in ["DeleteBackupVault"]; name == input.event.eventName"#,
        r#"{"DeleteBackupVault": true}[input.event.eventName]"#,
        r#"input.event.eventName != "ListBackupVaults""#,
        r#"not input.event.eventName == "ListBackupVaults""#,
    ];
    for way in ways {
        assert_eq!(reach(&["DeleteBackupVault"], way), [""; 0], "{way}");
    }
    assert_eq!(reach(&["Delete*"], r#"input.event.eventName in {"DeleteBackupVault", "DeleteBackupPlan"}"#), [""; 0]);
}

#[test]
fn a_misspelt_parameter_says_what_it_could_have_been() {
    let misspelt = [
        ("event.parameters.backupvaultName", "backupVaultName"),
        ("input.event.requestParameters.backupVaultNmae", "backupVaultName"),
        ("event.parameters.recoverypointArn", "recoveryPointArn"),
        ("input.event.requestParamters.backupVaultName", "requestParameters"),
    ];
    let events = "DeleteBackupVault\", \"backup.amazonaws.com:DeleteRecoveryPoint";
    for (field, meant) in misspelt {
        for body in [format!("{SOUND}\n_x := {field}\n"), SOUND.replace("event.succeeded", field)] {
            let project = project();
            let body = body.replace("== \"DeleteBackupVault\"", "!= \"x\"");
            let text = rule(&body).replace("DeleteBackupVault\"]", &format!("{events}\"]"));
            fs::write(project.path().join(PLACE).join("vault_deleted.rego"), text).unwrap();
            let both = documents(&["DeleteBackupVault", "DeleteRecoveryPoint"]);
            fs::write(project.path().join(PLACE).join("fires.json"), both).unwrap();
            let content = flaws(project.path());
            assert_eq!(content.len(), 1, "{field}: {:?}", brief(&content));
            assert_eq!(content[0].next, format!("did you mean `{meant}`?"));
        }
    }
    let known = "event.parameters.backupVaultName\n\tact.parameters.omitted\n\tact.parameters[_]";
    assert_eq!(
        brief(&flaws_of(&rule(SOUND).replace("event.succeeded", &format!("event.succeeded\n\t{known}")))),
        [""; 0]
    );
    let other = flaws_of(&rule(SOUND).replace("event.succeeded", "event.succeeded\n\tact.parameters.recoveryPointArn"));
    assert_eq!(brief(&other), ["parameter:21 no event of `TST-01` has the parameter `recoveryPointArn`"]);
    assert_eq!(other[0].next, "there are `backupVaultName`");
}

#[test]
fn a_call_that_nobody_described_has_any_parameters() {
    let text = rule(SOUND)
        .replace("event.succeeded", "event.parameters.whatever")
        .replace("DeleteBackupVault", "ExplodeVault");
    let project = project();
    fs::write(project.path().join(PLACE).join("vault_deleted.rego"), text).unwrap();
    fs::write(project.path().join(PLACE).join("fires.json"), documents(&["ExplodeVault"])).unwrap();
    assert_eq!(brief(&flaws(project.path())), [""; 0]);
}

/// The trial of the sound rule with these tests.
fn tried(tests: &str) -> Trial {
    let project = project();
    let text = format!(
        "package events.backup.vault_deleted_test\n\nimport data.events.backup.vault_deleted.findings\n\n{tests}"
    );
    fs::write(project.path().join(PLACE).join("vault_deleted_test.rego"), text).unwrap();
    trial::run(&Work::all(&project.path().join("policies")), now()).unwrap()
}

const DELETION: &str = r#"{"event": {"eventName": "DeleteBackupVault"}}"#;

#[test]
fn a_test_counts_when_both_engines_agree_on_it() {
    let trial = tried(&format!(
        "test_fires if count(findings) == 1 with input as {DELETION}\n\ntest_is_wrong if count(findings) == 2 with input as {DELETION}\n\ntodo_test_later if false\n"
    ));
    let outcomes: Vec<_> = trial.tests.iter().map(|test| (test.opa.clone(), test.ours.clone())).collect();
    let failed = Outcome::Failed(String::new());
    let expected = [(Outcome::Passed, Some(Outcome::Passed)), (failed.clone(), Some(failed)), (Outcome::Skipped, None)];
    assert_eq!(outcomes, expected);
    assert!(!trial.passed(None) && trial.unbuilt.is_none() && trial.examples.is_empty(), "{trial:?}");
}

#[test]
fn a_test_that_only_one_engine_passes_diverges_and_is_not_hidden() {
    let trial = tried(&format!(
        "test_fires if count(findings) == 1 with input as {DELETION}\n\ntest_no_input if not input\n\ntest_input if {{\n\tcount(findings) == 1 with input.event as {{\"eventName\": \"DeleteBackupVault\"}} with input.now as input\n}}\n"
    ));
    let diverging: Vec<_> = trial.tests.iter().filter(|test| test.diverges()).map(ToString::to_string).collect();
    assert_eq!(diverging.len(), 2, "{trial:?}");
    assert!(diverging[0].contains("test_no_input diverges: in `opa test` it passes, in the agent's engine it fails"));
    assert!(diverging[1].contains("test_input diverges: in `opa test` it fails, in the agent's engine it passes"));
    assert!(!trial.passed(None));
}

#[test]
fn coverage_has_a_threshold_only_for_who_asks() {
    let trial = tried("test_nothing if count(findings) == 0 with input as {}\n");
    assert!(trial.passed(None), "{trial:?}");
    assert_eq!(trial.below(99.0)[0], "events/backup/vault_deleted/vault_deleted.rego");
    assert!(!trial.passed(Some(99.0)));
}

#[test]
fn a_builtin_that_only_tests_use_is_reported_and_not_skipped() {
    let trial = tried("test_hash if count(crypto.sha256(\"x\")) == 64\n");
    assert_eq!(trial.tests[0].opa, Outcome::Passed);
    assert!(trial.unbuilt.as_deref().unwrap().contains("undefined function crypto.sha256") && !trial.passed(None));
}

#[test]
fn a_new_rule_passes_its_check_and_its_test_as_it_is_written() {
    let project = project();
    for place in ["events/kms/alias_moved", "resources/s3/logging", "events/kms/alias_gone"] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_keepwatch"));
        let said = command.current_dir(project.path()).args(["policy", "new", place]).output().unwrap();
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.contains("still to be recorded: `fires.json` is made up"), "{said}");
    }
    assert!(project.path().join("docs/runbooks/alias_moved.md").is_file());
    assert_eq!(brief(&flaws(project.path())), [""; 0]);
    let trial = trial::run(&Work::all(&project.path().join("policies")), now()).unwrap();
    assert!(trial.passed(None) && trial.tests.len() == 3, "{trial:?}");
}

#[test]
fn every_shipped_example_is_explained_as_the_engine_judges_it() {
    let work = Work::all(&root().join("policies"));
    for entry in shipped().rules() {
        let place = entry.entrypoint.trim_end_matches("/findings");
        for (file, fires) in [("fires.json", true), ("silent.json", false)] {
            let text = fs::read_to_string(work.folder.join(place).join(file)).unwrap();
            let documents: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
            for document in documents.iter().take(2) {
                let explained = explain::explain(&work, shipped(), entry, document, now()).unwrap();
                assert!(explained.agrees, "{place}: {explained:?}");
                assert_eq!(!explained.findings.as_ref().unwrap().is_empty(), fires, "{place}");
                assert_eq!(
                    explained.bodies.iter().any(|body| body.failed.is_none()),
                    fires,
                    "{place}: {:?}",
                    explained.bodies
                );
            }
        }
    }
}

#[test]
fn an_explanation_names_the_line_and_what_was_found_there() {
    let work = Work::all(&root().join("policies"));
    let entry = shipped().rules().iter().find(|entry| entry.rule.id == "BKP-01").unwrap();
    let event = serde_json::json!({"eventSource": "backup.amazonaws.com", "eventName": "ListBackupVaults"});
    let explained = explain::explain(&work, shipped(), entry, &serde_json::json!({"event": event}), now()).unwrap();
    assert!(!explained.wanted && explained.bodies.len() == 2);
    for body in explained.bodies {
        let reason = body.failed.unwrap();
        assert_eq!(reason.at.text, "_by_hand");
        let inner = &reason.because[0];
        assert_eq!(inner.at.text, "input.event.eventName == \"DeleteRecoveryPoint\"");
        assert_eq!(inner.values["input.event.eventName"], "ListBackupVaults");
    }
}

#[test]
fn each_save_gets_a_verdict_and_an_interrupt_ends_it_well() {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    let project = project();
    /// A watcher that is left behind would hold the test's own output open.
    struct Watch(std::process::Child);
    impl Drop for Watch {
        fn drop(&mut self) {
            let _ = self.0.kill(); // it has mostly ended already
        }
    }
    let watch = Command::new(env!("CARGO_BIN_EXE_keepwatch"))
        .current_dir(project.path())
        .args(["policy", "watch", "vault_deleted", "--events", "events.json"])
        .env("KEEPWATCH_OPA", keepwatch_opa())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut watch = Watch(watch);
    let mut lines = BufReader::new(watch.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut verdict = || lines.by_ref().take_while(|line| !line.contains("next save")).collect::<Vec<_>>();
    assert!(verdict().iter().any(|line| line.starts_with("events.json: No such file")));
    fs::write(project.path().join("events.json"), documents(&["DeleteBackupVault", "ListBackupVaults"])).unwrap();
    assert!(verdict().contains(&"events.json: 1 finding(s) in 2 event(s)".to_owned()));
    let text = rule(SOUND).replace("event.succeeded", "event.suceeded");
    fs::write(project.path().join(PLACE).join("vault_deleted.rego"), text).unwrap();
    let broken = verdict();
    assert!(broken[0].ends_with("vault_deleted.rego:15: the rule cannot fire [never-fires]"), "{broken:?}");
    fs::write(project.path().join(PLACE).join("vault_deleted.rego"), rule(SOUND)).unwrap();
    assert!(verdict().contains(&"events.json: 1 finding(s) in 2 event(s)".to_owned()));
    Command::new("kill").args(["-INT", &watch.0.id().to_string()]).status().unwrap();
    assert!(watch.0.wait().unwrap().success());
}

/// The tests run in other folders than the one that `.tools` lies in.
fn keepwatch_opa() -> std::ffi::OsString {
    let opa = keepwatch::policy::bundle::build::opa();
    let here = root().join(&opa);
    if here.is_file() { here.into_os_string() } else { opa }
}
