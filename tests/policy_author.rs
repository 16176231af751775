//! What a policy author learns: each lint in a rule that has it, and none in ours.

use std::fs;
use std::path::Path;

use keepwatch::author::explain;
use keepwatch::author::trial;
use keepwatch::author::trial::{Outcome, Trial};
use keepwatch::author::{Lint, Work, check, documents, fixtures};
use tempfile::TempDir;

use super::engine_oracle::{now, root, shipped};
use crate::support::builders::copy_folder;
use crate::support::published;

/// A project with one sound rule, shipped schemas and the shipped `lib`.
pub fn project() -> TempDir {
    let project = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = project.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    copy_folder(&root().join("policies/lib"), &project.path().join("policies/lib"));
    copy_folder(&root().join("policies/schema"), &project.path().join("policies/schema"));
    copy_folder(&root().join("policies/data"), &project.path().join("policies/data"));
    fs::copy(root().join("policies/capabilities.json"), project.path().join("policies/capabilities.json")).unwrap();
    write("docs/runbooks/vault_deleted.md", "# Vault deleted\n");
    write(&format!("{PLACE}/vault_deleted.rego"), &rule(SOUND));
    write(&format!("{PLACE}/vault_deleted_test.rego"), TESTS);
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

const TESTS: &str = r#"package events.backup.vault_deleted_test

import data.events.backup.vault_deleted.findings
import data.lib.testing

test_a_deletion_is_found if {
	testing.only(findings) with input as testing.call("backup.amazonaws.com:DeleteBackupVault", {})
}
"#;

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
    let document = |name: &&str| {
        serde_json::json!({"eventSource": "backup.amazonaws.com", "eventName": name, "awsRegion": "eu-west-1",
            "eventTime": "2026-11-20T09:58:31Z", "recipientAccountId": "111122223333", "eventID": *name,
            "userIdentity": {"type": "IAMUser", "userName": "mallory",
                "arn": "arn:aws:iam::111122223333:user/mallory"}})
    };
    serde_json::to_string(&names.iter().map(document).collect::<Vec<_>>()).unwrap()
}

/// The lints of the project's rule with another text.
fn lints_of(text: &str) -> Vec<Lint> {
    let project = project();
    fs::write(project.path().join(PLACE).join("vault_deleted.rego"), text).unwrap();
    aside(lints(project.path()))
}

/// Without what is said of rules that only show one thing and are used by none.
fn aside(mut lints: Vec<Lint>) -> Vec<Lint> {
    lints.retain(|lint| lint.lint != "unused-rule" && lint.lint != "opa-fmt");
    lints
}

/// The lints of one lint in the project's rule with another text.
fn lint_of(lint: &str, text: &str) -> Vec<String> {
    let project = project();
    fs::write(project.path().join(PLACE).join("vault_deleted.rego"), text).unwrap();
    let mut found = lints(project.path());
    found.retain(|one| one.lint == lint);
    brief(&found)
}

/// What is wrong without running a rule: most of these are about what a rule says.
fn lints(project: &Path) -> Vec<Lint> {
    check::without_running(&Work::all(&project.join("policies"))).unwrap().lints
}

/// What is wrong, with every example tried.
fn all_lints(project: &Path) -> Vec<Lint> {
    check::check(&Work::all(&project.join("policies"))).unwrap().lints
}

/// Lint, line and text of each lint, short enough to compare.
fn brief(lints: &[Lint]) -> Vec<String> {
    lints.iter().map(|lint| format!("{}:{} {}", lint.lint, lint.line, lint.what)).collect()
}

#[test]
fn the_shipped_rules_and_a_sound_one_have_no_lint() {
    let shipped = check::check(&Work::all(&root().join("policies"))).unwrap();
    assert_eq!(brief(&shipped.lints), [""; 0]);
    assert!(shipped.rules >= 8);
    assert_eq!(brief(&all_lints(project().path())), [""; 0]);
}

#[test]
fn a_large_literal_is_found_wherever_it_stands() {
    let words = (0..11).map(|n| format!("\"w{n}\"")).collect::<Vec<_>>().join(", ");
    let content = lints_of(&rule(&format!("{SOUND}\n_words := {{{words}}}\n\n_few := [1, 2, {{\"a\": [3, 4]}}]\n")));
    assert_eq!(brief(&content), ["large-literal:24 a literal of 11 constants"]);
    let nested = lints_of(&rule(&format!(
        "{SOUND}\n_in if {{\n\tsome word in input.event.resources\n\tword in [{words}]\n}}\n"
    )));
    assert_eq!(brief(&nested), ["large-literal:26 a literal of 11 constants"]);
}

#[test]
fn a_pattern_before_a_cheap_test_is_found() {
    let content = lints_of(&rule(&format!(
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
        let content = lints_of(&rule(&format!("{SOUND}\n_x if {{\n\t{negated}\n}}\n\n_mine(x) if x == \"1\"\n")));
        assert_eq!(content.len(), 1, "{negated}: {:?}", brief(&content));
        assert_eq!((content[0].lint.as_str(), content[0].line), ("silenced-not", 25), "{negated}");
    }
    let sound = [
        r#"not input.event.errorCode == "a""#,
        r#"not input.event.errorCode"#,
        r#"not event.by_service"#,
        "is_string(input.event.errorCode)\n\tnot startswith(input.event.errorCode, \"a\")",
    ];
    for negated in sound {
        let content = lints_of(&rule(&format!("{SOUND}\n_x if {{\n\t{negated}\n}}\n")));
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
        let content = brief(&lints_of(&rule(SOUND).replace(old, new)));
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
    assert_eq!(brief(&lints(project.path())), ["examples:1 events not covered: backup.amazonaws.com:Put*"]);
    fs::write(project.path().join(PLACE).join("silent.json"), documents(&["PutBackupVaultLockConfiguration"])).unwrap();
    assert_eq!(brief(&lints(project.path())), [""; 0]);
    fs::write(project.path().join(PLACE).join("fires.json"), "{").unwrap();
    let broken = brief(&all_lints(project.path()));
    assert!(broken.iter().any(|lint| lint.starts_with("examples:1 it is no JSON array")), "{broken:?}");
}

#[test]
fn an_id_that_two_rules_have_is_found() {
    let project = project();
    let twin = project.path().join("policies/events/backup/vault_gone");
    copy_folder(&project.path().join(PLACE), &twin);
    fs::rename(twin.join("vault_deleted.rego"), twin.join("vault_gone.rego")).unwrap();
    let text = rule(SOUND).replace("package events.backup.vault_deleted", "package events.backup.vault_gone");
    fs::write(twin.join("vault_gone.rego"), text).unwrap();
    let expected = "same-id:5 id `TST-01` is that of `events/backup/vault_deleted/vault_deleted.rego` too";
    assert_eq!(brief(&lints(project.path())), [expected]);
}

#[test]
fn what_opa_refuses_says_what_may_be_meant() {
    let content = lints_of(&rule(SOUND).replace("input.event.eventName", "input.event.eventNmae"));
    assert_eq!(brief(&content), ["rego_type_error:19 undefined ref: input.event.eventNmae"]);
    assert_eq!(content[0].next, "did you mean `eventName`?");
    let broken = lints_of("package events.backup.vault_deleted\n\nfindings contains {\n");
    assert!(broken.iter().any(|lint| lint.lint == "rego_parse_error"), "{:?}", brief(&broken));
}

/// The lints of a rule that declares these events, each with an example, and has this body.
fn reach(events: &[&str], body: &str) -> Vec<String> {
    let project = project();
    let list = events.iter().map(|event| format!("\"backup.amazonaws.com:{event}\"")).collect::<Vec<_>>().join(", ");
    let text = rule(&format!("findings contains {{\"message\": \"m\", \"propose\": []}} if {{\n{body}\n}}\n"));
    let text = text.replace("\"backup.amazonaws.com:DeleteBackupVault\"", &list).replace("import data.lib.event\n", "");
    fs::write(project.path().join(PLACE).join("vault_deleted.rego"), text).unwrap();
    fs::write(project.path().join(PLACE).join("fires.json"), documents(events).replace('*', "X")).unwrap();
    brief(&aside(lints(project.path())))
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
            let found = aside(lints(project.path()));
            assert_eq!(found.len(), 1, "{field}: {:?}", brief(&found));
            assert_eq!(found[0].next, format!("did you mean `{meant}`?"));
        }
    }
    let known = "event.parameters.backupVaultName\n\tevent.parameters.omitted\n\tevent.parameters[_]";
    assert_eq!(
        brief(&lints_of(&rule(SOUND).replace("event.succeeded", &format!("event.succeeded\n\t{known}")))),
        [""; 0]
    );
    let other =
        lints_of(&rule(SOUND).replace("event.succeeded", "event.succeeded\n\tevent.parameters.recoveryPointArn"));
    assert_eq!(brief(&other), ["parameter:21 no event of `TST-01` has the parameter `recoveryPointArn`"]);
    assert_eq!(other[0].next, "there are `backupVaultName`");
}

#[test]
fn a_call_of_a_service_that_nobody_described_has_any_parameters() {
    let text = rule(SOUND).replace("event.succeeded", "event.parameters.whatever");
    let text = text.replace("backup.amazonaws.com:DeleteBackupVault", "lambda.amazonaws.com:DeleteBackupVault");
    let project = project();
    fs::write(project.path().join(PLACE).join("vault_deleted.rego"), text).unwrap();
    let document = documents(&["DeleteBackupVault"]).replace("backup.amazonaws.com", "lambda.amazonaws.com");
    fs::write(project.path().join(PLACE).join("fires.json"), document).unwrap();
    assert_eq!(brief(&lints(project.path())), [""; 0]);
}

/// A wrong complaint would teach authors to pass over right ones.
#[test]
fn every_source_of_a_published_record_is_one_that_aws_has() {
    let known = fs::read_to_string(root().join("policies/schema/sources.txt")).unwrap();
    let known: Vec<&str> = known.lines().collect();
    for (place, record) in published::records() {
        let source = record["eventSource"].as_str().unwrap_or("signin.amazonaws.com");
        assert!(known.contains(&source), "{place}: {source}");
    }
}

#[test]
fn an_event_that_aws_does_not_have_says_what_it_could_have_been() {
    let declaring = |events: &str| {
        let text = rule(SOUND).replace("[\"backup.amazonaws.com:DeleteBackupVault\"]", events);
        let mut found =
            lints_of(&text.replace("input.event.eventName == \"DeleteBackupVault\"", "input.event.eventName"));
        found.retain(|lint| lint.lint == "unknown-event");
        found.into_iter().map(|lint| format!("{}:{} {}", lint.line, lint.what, lint.next)).collect::<Vec<_>>()
    };
    let expected = "15:AWS has no event `backup.amazonaws.com:DeleteBackupValt` did you mean `DeleteBackupVault`?";
    assert_eq!(declaring("[\"backup.amazonaws.com:DeleteBackupValt\"]"), [expected]);
    let expected = "15:AWS has no event source `backups.amazonaws.com` did you mean `backup.amazonaws.com`?";
    assert_eq!(declaring("[\"backups.amazonaws.com:DeleteBackupVault\"]"), [expected]);
    for (misspelt, next) in [
        ("ecs2.amazonaws.com", "did you mean `ec2.amazonaws.com`?"),
        ("backup.amazonaws.con", "did you mean `backup.amazonaws.com`?"),
        ("corporate-wiki.amazonaws.com", "`schema/sources.txt` lists what there is"),
    ] {
        let expected = format!("15:AWS has no event source `{misspelt}` {next}");
        assert_eq!(declaring(&format!("[\"{misspelt}:DeleteBackupVault\"]")), [expected]);
    }
    let listed = "\n#     - backup.amazonaws.com:DeleteBackupVault\n#     - s3.amazonaws.com:PutLifecycleConfiguration";
    let found = declaring(listed);
    assert!(
        found.len() == 1 && found[0].starts_with("17:AWS has no event"),
        "CloudTrail calls it otherwise: {found:?}"
    );
    for known in [
        "backup.amazonaws.com:BackupDeleted",
        "backup.amazonaws.com:Delete*",
        "signin.amazonaws.com:Any",
        "sns.amazonaws.com:Publish",
    ] {
        assert_eq!(declaring(&format!("[\"{known}\"]")), [""; 0], "{known}");
    }
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
    let own = trial.tests.iter().filter(|test| test.file.starts_with("events/"));
    let outcomes: Vec<_> = own.map(|test| (test.opa.clone(), test.ours.clone())).collect();
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
fn examples_count_in_the_coverage_and_a_threshold_only_for_who_asks() {
    let project = project();
    let file = project.path().join(PLACE).join("vault_deleted.rego");
    let tried = |text: &str| {
        fs::write(&file, text).unwrap();
        fs::write(project.path().join(PLACE).join("vault_deleted_test.rego"), HARDLY).unwrap();
        trial::run(&Work::all(&project.path().join("policies")), now()).unwrap()
    };
    let reached = tried(&rule(SOUND));
    assert_eq!(reached.coverage["events/backup/vault_deleted/vault_deleted.rego"], 100.0, "{reached:?}");
    let second =
        "\nfindings contains {\"message\": \"odd\", \"propose\": []} if {\n\tinput.event.eventName == \"Odd\"\n}\n";
    let trial = tried(&(rule(SOUND) + second));
    assert!(trial.passed(None), "{trial:?}");
    assert_eq!(trial.below(99.0)[0], "events/backup/vault_deleted/vault_deleted.rego");
    assert!(!trial.passed(Some(99.0)));
}

/// A test that reaches next to nothing.
const HARDLY: &str = r#"package events.backup.vault_deleted_test

import data.events.backup.vault_deleted.findings

test_nothing if count(findings) == 0 with input as {}
"#;

#[test]
fn a_builtin_that_only_tests_use_is_reported_and_not_skipped() {
    let trial = tried("test_hash if count(crypto.sha256(\"x\")) == 64\n");
    assert!(trial.tests.iter().any(|test| test.name.ends_with("test_hash") && test.opa == Outcome::Passed));
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
    assert_eq!(brief(&all_lints(project.path())), [""; 0]);
    let trial = trial::run(&Work::all(&project.path().join("policies")), now()).unwrap();
    assert!(trial.passed(None), "{trial:?}");
    let reached =
        |place: &str| trial.coverage.iter().find(|(file, _)| file.starts_with(place)).map(|(_, percent)| *percent);
    assert_eq!((reached("events/kms/alias_moved"), reached("resources/s3/logging")), (Some(100.0), Some(100.0)));
}

#[test]
fn every_shipped_example_is_explained_as_the_engine_evaluates_it() {
    let work = Work::all(&root().join("policies"));
    for entry in shipped().rules() {
        let place = entry.entrypoint.trim_end_matches("/findings");
        for (file, fires) in [("fires.json", true), ("silent.json", false)] {
            for example in fixtures::read(&work.folder, place, file).unwrap().iter().take(2) {
                let explained = explain::explain(&work, shipped(), entry, &example.document, now()).unwrap();
                assert!(explained.agrees, "{place}: {explained:?}");
                assert_eq!(!explained.findings.as_ref().unwrap().is_empty(), fires, "{place}");
                assert_eq!(
                    explained.bodies.first().is_some_and(|body| body.failed.is_none()),
                    fires,
                    "{place}: {explained:?}"
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
    assert!(!explained.asked_for_it && explained.bodies.len() == 2);
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
    assert!(broken[0].ends_with("vault_deleted.rego:15:1: the rule cannot fire [never-fires]"), "{broken:?}");
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

#[test]
fn what_a_rule_writes_into_a_finding_is_checked_where_it_stands() {
    let found = lints_of(&rule(SOUND).replace("\"propose\": []", "\"propose\": [\"contian\"], \"evidnce\": 1"));
    assert_eq!(brief(&found), ["finding:21 `contian` is no response", "finding:21 a finding has no `evidnce`"]);
    assert_eq!(
        (found[0].next.as_str(), found[1].next.as_str()),
        ("did you mean `contain`?", "did you mean `evidence`?")
    );
    assert_eq!((found[0].column, found[1].column), (73, 85));
    let nested = rule(SOUND).replace("\"propose\": []", "\"propose\": [], \"evidence\": {\"message\": 1, \"odd\": 2}");
    assert_eq!(brief(&lints_of(&nested)), [""; 0]);
}

/// The same rule, with a second body that returns this for another event.
fn returning(finding: &str) -> Vec<Lint> {
    let project = project();
    let body = format!(
        "\nfindings contains _computed if input.event.eventName == \"DeleteBackupVault\"\n\n_computed := {finding}\n"
    );
    fs::write(project.path().join(PLACE).join("vault_deleted.rego"), rule(SOUND) + &body).unwrap();
    let mut found = all_lints(project.path());
    found.retain(|lint| lint.lint == "examples");
    let trial = trial::run(&Work::all(&project.path().join("policies")), now()).unwrap();
    assert!(!trial.passed(None) && trial.examples == found, "its check and its test say the same: {trial:?}");
    found
}

#[test]
fn a_rule_that_returns_rubbish_fails_its_check_and_its_test() {
    let rubbish = [
        (r#"{"message": "m", "propose": ["explode"]}"#, "unknown variant `explode`"),
        (r#"{"propose": []}"#, "missing field `message`"),
        (r#"{"message": " ", "propose": []}"#, "its `message` is empty"),
        (r#"{"message": "m"}"#, "missing field `propose`"),
        (r#"{"message": "m", "propose": [], "actor": "x"}"#, "unknown field `actor`"),
        (r#""text""#, "is not what a rule returns"),
    ];
    for (finding, complaint) in rubbish {
        let found = returning(finding);
        assert_eq!(found.len(), 1, "{finding}: {found:?}");
        assert!(found[0].what.starts_with("document 1 cannot be evaluated: "), "{}", found[0].what);
        assert!(found[0].what.contains(complaint), "{finding}: {}", found[0].what);
    }
}

/// Loops for longer than a rule may take.
const ENDLESS: &str = "{\"message\": $\"{n}\", \"propose\": []} if {\n\tsome a in numbers.range(1, 3000)\n\tsome b in numbers.range(1, 3000)\n\tn := a * b\n\tn == 0\n}";

#[test]
fn a_rule_that_takes_too_long_is_stopped_in_check_and_test_and_explain() {
    let found = returning(ENDLESS);
    assert!(found[0].what.contains("it took longer than 100 ms"), "{found:?}");
    let project = project();
    let body = format!("\nfindings contains _computed\n\n_computed := {ENDLESS}\n");
    fs::write(project.path().join(PLACE).join("vault_deleted.rego"), rule(SOUND) + &body).unwrap();
    fs::write(project.path().join("event.json"), documents(&["DeleteBackupVault"])).unwrap();
    let said = keepwatch(project.path(), &["policy", "explain", "event.json"]);
    assert!(said.contains("TST-01 asked for it and FAILED: it took longer than 100 ms"), "{said}");
}

/// What a command says in a project.
pub fn keepwatch(project: &Path, words: &[&str]) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_keepwatch"));
    let said = command.current_dir(project).env("KEEPWATCH_OPA", keepwatch_opa()).args(words).output().unwrap();
    String::from_utf8([said.stdout, said.stderr].concat()).unwrap()
}

#[test]
fn a_rule_without_a_test_that_runs_is_found() {
    let project = project();
    let tests = project.path().join(PLACE).join("vault_deleted_test.rego");
    let with = |text: &str| {
        fs::write(&tests, text).unwrap();
        let mut found = lints(project.path());
        found.retain(|lint| lint.lint.contains("test"));
        brief(&found)
    };
    assert_eq!(with("package events.backup.vault_deleted_test\n"), ["no-tests:1 no test"]);
    let trial = trial::run(&Work::all(&project.path().join("policies")), now()).unwrap();
    assert!(!trial.passed(None) && trial.untested == ["events/backup/vault_deleted"], "{trial:?}");
    let twice = "package events.backup.vault_deleted_test\n\ntest_a if true\n\ntest_a if true\n\ntset_b if true\n";
    let expected = ["test-name:5 a second `test_a`", "test-name:7 `tset_b` is no test"];
    assert_eq!(with(twice), expected);
    assert_eq!(
        with("package events.backup.vault_deleted\n\ntest_a if true\n"),
        ["test-package:1 tests in package `events.backup.vault_deleted`"]
    );
    fs::remove_file(&tests).unwrap();
    let inside = rule(SOUND) + "\ntest_a if true\n";
    assert_eq!(lint_of("test-package", &inside), ["test-package:24 `test_a` is not in a file of tests"]);
}

#[test]
fn what_leads_readers_astray_is_found() {
    let cases = [
        ("print-call", "_x if {\n\tprint(input.now)\n}", "25 a call of `print`"),
        ("hides-name", "_x if {\n\tcount := 1\n\tcount == 1\n}", "25 `count` hides a builtin of the same name"),
        (
            "hides-name",
            "_x if {\n\tsome event in input.event.resources\n\tevent\n}",
            "25 `event` hides an import of the same name",
        ),
        ("hides-name", "_x(findings) := findings", "24 `findings` hides a rule of this file of the same name"),
        (
            "non-raw-regex",
            "_x if regex.match(\"^a\\\\d\", input.now)",
            "24 a pattern of `regex.match` with doubled backslashes",
        ),
        ("unification", "_x if {\n\tinput.now = \"a\"\n}", "25 `=`"),
        ("unused-rule", "_x := 1", "24 nothing refers to `_x`"),
        ("todo", "# TODO: finish\n_x := 1", "24 a comment about work to be done"),
    ];
    for (lint, text, expected) in cases {
        let found = lint_of(lint, &(rule(SOUND) + "\n" + text + "\n"));
        assert_eq!(found, [format!("{lint}:{expected}")], "{text}");
    }
    let long = format!("_x := \"{}\"", "a".repeat(160));
    assert_eq!(lint_of("line-length", &(rule(SOUND) + "\n" + &long + "\n")).len(), 1);
    assert_eq!(lint_of("rule-length", &(rule(SOUND) + &"\n# more".repeat(80) + "\n")).len(), 1);
    assert_eq!(lint_of("opa-fmt", &(rule(SOUND) + "\n_x   :=   1\n")), ["opa-fmt:1 it is not formatted"]);
    assert_eq!(
        lint_of(
            "rego_compile_error",
            &rule(SOUND).replace("import data.lib.event\n", "import data.lib.event\nimport data.lib.key\n")
        ),
        ["rego_compile_error:4 import data.lib.key unused"]
    );
}

#[test]
fn a_library_says_what_it_is_and_is_tested() {
    let project = project();
    let library = project.path().join("policies/lib/vault.rego");
    fs::write(&library, "package lib.vaults\n\nname := input.x\n\n_private := name\n").unwrap();
    let mut found = lints(project.path());
    found.retain(|lint| lint.file.starts_with("lib/vault") && lint.lint != "unused-rule");
    let expected = [
        "undescribed:1 package `lib.vaults` in `lib/vault.rego`",
        "undescribed:1 the package has no METADATA",
        "undescribed:3 `name` has no METADATA",
    ];
    assert_eq!(brief(&found)[..3], expected);
    fs::write(&library, "# METADATA\n# title: V\npackage lib.vault\n\n# METADATA\n# title: N\nname := input.x\n")
        .unwrap();
    let mut found = lints(project.path());
    found.retain(|lint| lint.file.starts_with("lib/vault"));
    assert_eq!(brief(&found), ["no-tests:1 no test"]);
}

#[test]
fn a_refused_builtin_says_why_and_what_instead() {
    let found =
        lints_of(&rule(SOUND).replace("event.succeeded", "event.succeeded\n\tcrypto.sha256(input.now) == \"x\""));
    let refused = found.iter().find(|lint| lint.lint == "rego_type_error").unwrap();
    assert_eq!(refused.what, "rules may not call the builtin `crypto.sha256`");
    assert!(refused.why.contains("OPA's wasm leaves it to its host") && !refused.next.is_empty(), "{refused:?}");
    let found = lints_of(&rule(SOUND).replace("event.succeeded", "event.succeeded\n\tstartwith(input.now, \"x\")"));
    let misspelt = found.iter().find(|lint| lint.lint == "rego_type_error").unwrap();
    assert_eq!(misspelt.next, "did you mean `startswith`?");
}

#[test]
fn an_example_says_what_it_expects_and_only_what_the_agent_cannot_derive() {
    let project = project();
    let record: serde_json::Value = serde_json::from_str(&documents(&["DeleteBackupVault"])).unwrap();
    let with = |file: &str, document: serde_json::Value| {
        fs::write(project.path().join(PLACE).join("fires.json"), documents(&["DeleteBackupVault"])).unwrap();
        fs::write(project.path().join(PLACE).join("silent.json"), "[]").unwrap();
        fs::write(project.path().join(PLACE).join(file), serde_json::json!([document]).to_string()).unwrap();
        let mut found = all_lints(project.path());
        found.retain(|lint| lint.lint == "examples");
        found.into_iter().map(|lint| lint.what).collect::<Vec<_>>()
    };
    let record = &record[0];
    let expecting = |expect: serde_json::Value| serde_json::json!({"event": record, "expect": expect});
    assert_eq!(
        with("fires.json", expecting(serde_json::json!({"message": "`mallory` deleted a vault", "propose": []}))),
        [""; 0]
    );
    let unmet = with("fires.json", expecting(serde_json::json!({"propose": ["contain"]})));
    assert_eq!(unmet, ["document 1 leads to no finding as it expects"]);
    assert_eq!(with("silent.json", record.clone()), ["document 1 leads to a finding"]);
    let account = serde_json::json!({"event": record, "account": {"class": "backup"}, "now": "2026-11-20T10:00:00Z"});
    assert_eq!(with("fires.json", account), [""; 0]);
    let wrong = [
        (serde_json::json!({"event": record, "principal": {}}), "unknown field `principal`"),
        (serde_json::json!({"event": record, "account": {"clas": "backup"}}), "its `account`: unknown field `clas`"),
        (serde_json::json!({"event": {"eventName": "X"}}), "the record has no usable `event"),
        (serde_json::json!({"name": "x"}), "neither a CloudTrail record"),
        (
            serde_json::json!({"resource": {"arn": "arn:aws:sqs:eu-west-1:1:q", "responses": {}}}),
            "names no resource of a known kind",
        ),
        (serde_json::json!({"arn": "arn:aws:s3:::b", "live": {}}), "unknown field `live`, expected one of"),
    ];
    for (document, complaint) in wrong {
        let found = with("fires.json", document);
        assert!(found[0].starts_with("document 1: ") && found[0].contains(complaint), "{complaint}: {found:?}");
    }
}

#[test]
fn a_resource_s_example_is_what_aws_responds() {
    let examples = |change: &dyn Fn(&mut serde_json::Value)| {
        let responses = serde_json::json!({
            "GetBucketVersioning": {"Status": "Suspended"},
            "GetBucketLifecycleConfiguration": {"Error": {"Code": "NoSuchLifecycleConfiguration"}},
            "GetBucketTagging": {"TagSet": [{"Key": "owner", "Value": "shop"}]},
        });
        let mut example = serde_json::json!({"resource": {"arn": "arn:aws:s3:::invoices", "responses": responses}});
        change(&mut example);
        documents::examples(&serde_json::json!([example]).to_string()).map_err(|(_, problem)| problem)
    };
    let document = examples(&|_| {}).unwrap().remove(0).document;
    assert_eq!(document["resource"]["live"]["versioning"], "Suspended");
    assert_eq!((&document["resource"]["tags"]["owner"], &document["desired"]), (&"shop".into(), &().into()));
    let wrong = |change: &dyn Fn(&mut serde_json::Value)| examples(change).unwrap_err();
    let asked = "the agent asks for what no response is there to: `GetBucketTagging` of invoices in us-east-1";
    assert!(wrong(&|one| drop(responses(one).remove("GetBucketTagging"))).ends_with(asked));
    let misspelt = wrong(&|one| drop(responses(one).insert("GetBucketVersionning".into(), serde_json::json!({}))));
    assert!(misspelt.ends_with("no call `GetBucketVersionning`; did you mean `GetBucketVersioning`?"), "{misspelt}");
    let misspelt = wrong(&|one| responses(one)["GetBucketVersioning"] = serde_json::json!({"Statsu": "Enabled"}));
    assert!(misspelt.ends_with("`the response` has no `Statsu`; did you mean `Status`?"), "{misspelt}");
    let refused = serde_json::json!({"Error": {"Code": "AccessDenied"}});
    let refused = wrong(&|one| responses(one)["GetBucketVersioning"] = refused.clone());
    assert!(refused.ends_with("not allowed to call `s3:GetBucketVersioning` on `invoices`"), "{refused}");
}

fn responses(example: &mut serde_json::Value) -> &mut serde_json::Map<String, serde_json::Value> {
    example["resource"]["responses"].as_object_mut().unwrap()
}

#[test]
fn an_example_that_is_wrong_is_named_by_its_line() {
    let project = project();
    let record = documents(&["DeleteBackupVault"]);
    let text = format!("[\n  {},\n\n  {{\"a\": \"]\\\"\"}}\n]\n", record.trim_matches(['[', ']']));
    fs::write(project.path().join(PLACE).join("fires.json"), text).unwrap();
    let mut found = all_lints(project.path());
    found.retain(|lint| lint.what.starts_with("document 2"));
    assert_eq!(found[0].line, 4, "{found:?}");
}

#[test]
fn data_that_is_no_json_or_no_strategy_is_found_on_its_line() {
    let project = project();
    fs::write(project.path().join("policies/data/approved/data.json"), "{\n  \"a\": }\n").unwrap();
    let said = keepwatch(project.path(), &["policy", "check"]);
    assert!(said.contains("policies/data/approved/data.json:2:8: it is no JSON"), "{said}");
    let strategy = project.path().join("policies/data/strategies/shop/data.json");
    fs::create_dir_all(strategy.parent().unwrap()).unwrap();
    fs::write(&strategy, r#"{"resources": [{"match": {"kind": "vaullt", "name": "*"}, "desired": {}}]}"#).unwrap();
    let said = keepwatch(project.path(), &["policy", "check"]);
    assert!(said.contains("policies/data/strategies/shop/data.json:1:42: ") && said.contains("vaullt"), "{said}");
}

#[test]
fn each_format_names_the_same_file_line_and_column() {
    let project = project();
    let text = rule(SOUND).replace("\"propose\": []", "\"propose\": [\"contian\"]");
    fs::write(project.path().join(PLACE).join("vault_deleted.rego"), text).unwrap();
    let check = |format: &str| keepwatch(project.path(), &["policy", "check", "--format", format]);
    let file = format!("{PLACE}/vault_deleted.rego");
    let text = check("text");
    assert!(text.contains(&format!("\n{file}:21:73: `contian` is no response [finding]")), "{text}");
    let json: Vec<serde_json::Value> = serde_json::from_str(&check("json")).unwrap();
    let one = json.iter().find(|lint| lint["lint"] == "finding").unwrap();
    assert_eq!((&one["file"], &one["line"], &one["column"]), (&file.clone().into(), &21.into(), &73.into()));
    assert!(check("github").contains(&format!("\n::error file={file},line=21,col=73,title=finding::")));
    let sarif: serde_json::Value = serde_json::from_str(&check("sarif")).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let place = &results.iter().find(|result| result["ruleId"] == "finding").unwrap()["locations"][0];
    assert_eq!(place["physicalLocation"]["artifactLocation"]["uri"], file);
    assert_eq!(place["physicalLocation"]["region"], serde_json::json!({"startLine": 21, "startColumn": 73}));
}

#[test]
fn a_rule_in_shadow_that_does_not_exist_is_found() {
    let project = project();
    let accounts =
        fs::read_to_string(root().join("accounts.toml")).unwrap() + "\n[policies]\nshadow_rules = [\"TST-10\"]\n";
    fs::write(project.path().join("accounts.toml"), accounts).unwrap();
    let said = keepwatch(project.path(), &["policy", "check", "--config", "accounts.toml"]);
    assert!(said.contains("`shadow_rules` names `TST-10`, and no rule has that id [shadow-rules]"), "{said}");
    assert!(said.contains("did you mean `TST-01`?"), "{said}");
}

#[test]
fn an_explanation_begins_with_what_fired() {
    let examples = root().join("policies/events/kms/key_policy_opened/fires.json");
    let records: Vec<serde_json::Value> = serde_json::from_slice(&fs::read(examples).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("event.json"), records[0].to_string()).unwrap();
    let policies = root().join("policies").display().to_string();
    let said = keepwatch(folder.path(), &["policy", "explain", "event.json", "--folder", &policies]);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("KMS-11 asked for it and fired"), "{said}");
    assert!(lines[1].starts_with("  finding: "), "{said}");
    assert!(
        lines.last().unwrap().ends_with(
            "BKT-21, BKT-22, DDB-01, DDB-02, IAM-02, IAM-21, IAM-22, KMS-01, KMS-12, LOG-01, LOG-11, LOG-12, LOG-13, LOG-14"
        ),
        "{said}"
    );
}
