//! What an author who misspells is said: nothing that would protect nothing passes without a word.

use std::fs;
use std::path::Path;

use keepwatch::author::{Work, check};
use keepwatch::policy::Policies;
use tempfile::TempDir;

use super::policy_author::{PLACE, keepwatch, project};

/// What is wrong with one rule, or with all, in a project where a file has another text.
fn lints_with(file: &str, text: &str) -> Vec<String> {
    let project = project();
    write(&project, file, text);
    lints(project.path(), None)
}

fn write(project: &TempDir, file: &str, text: &str) {
    let path = project.path().join("policies").join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn lints(project: &Path, rule: Option<&str>) -> Vec<String> {
    let work = Work { folder: project.join("policies"), rule: rule.map(str::to_owned) };
    let lints = check::without_running(&work).unwrap().lints;
    lints
        .iter()
        .filter(|lint| lint.lint != "opa-fmt")
        .map(|lint| format!("{}:{}:{}: {} -> {}", lint.file, lint.line, lint.column, lint.what, lint.next))
        .collect()
}

/// What is said of the project's rule when its condition is another.
fn guarded_by(condition: &str) -> Vec<String> {
    let project = project();
    let rule = fs::read_to_string(project.path().join(PLACE).join("vault_deleted.rego")).unwrap();
    let file = format!("{}/vault_deleted.rego", PLACE.trim_start_matches("policies/"));
    write(&project, &file, &rule.replace("\tevent.succeeded\n", &format!("\tevent.succeeded\n\t{condition}\n")));
    lints(project.path(), None)
}

const SECURECART: &str = "data/strategies/securecart/data.json";

#[test]
fn a_strategy_that_would_declare_nothing_is_refused_by_check_and_build() {
    let clause = |more: &str| {
        format!(
            "{{\n  \"resources\": [\n    {{\"match\": {{\"kind\": \"bucket\", \"name\": \"*\"{more}}}, \"desired\": {{}}}}\n  ]\n}}\n"
        )
    };
    for (text, at, expected) in [
        ("{\n  \"resorces\": []\n}\n".to_owned(), "2:12", "unknown field `resorces`, expected one of"),
        ("[1, 2]".to_owned(), "1:", "it is no object, so it declares nothing"),
        ("{}".to_owned(), "1:2", "missing field `resources`"),
        (clause(", \"region\": \"eu-wset-1\""), "3:", "`eu-wset-1` is not the name of a Region"),
        (clause(", \"acount\": \"111122223333\""), "3:", "unknown field `acount`"),
        (
            clause("").replace("\"desired\": {}", "\"desired\": {\"class\": \"sorce\"}"),
            "1:1",
            "`sorce` of `*` is no class in `data.lifecycle`",
        ),
        (
            clause("").replace("{}", "{\"lifecycle\": [{\"noncurent_days\": 3}]}"),
            "4:3",
            "unknown field `noncurent_days`",
        ),
    ] {
        let said = lints_with(SECURECART, &text);
        let place = format!("{SECURECART}:{at}");
        assert!(said.len() == 1 && said[0].starts_with(&place) && said[0].contains(expected), "{expected}: {said:?}");
        let project = project();
        write(&project, SECURECART, &text);
        let refused = Policies::load(&project.path().join("policies")).unwrap_err().to_string();
        assert!(refused.starts_with("`data.strategies.securecart` cannot be used: "), "{refused}");
        assert!(refused.contains(expected) && refused.contains("\n\nhint: "), "{refused}");
    }
}

#[test]
fn what_is_protected_and_who_is_approved_are_read_strictly() {
    for (file, text, expected) in [
        ("protected", "{\"keyz\": []}", "unknown field `keyz`, expected `keys`"),
        ("protected", "{}", "missing field `keys`"),
        ("protected", "{\"keys\": [\"arn:aws:kms:eu-wset-1:111122223333:key/1\"]}", "is not the ARN of a KMS key"),
        ("protected", "{\"keys\": [\"alias/backup\"]}", "is not the ARN of a KMS key"),
    ] {
        let file = format!("data/{file}/data.json");
        let said = lints_with(&file, text);
        let first = said.iter().find(|said| said.starts_with(&file)).unwrap();
        assert!(first.contains(expected), "{expected}: {said:?}");
        let project = project();
        write(&project, &file, text);
        let refused = Policies::load(&project.path().join("policies")).unwrap_err().to_string();
        assert!(refused.starts_with("`data.protected` cannot be used: ") && refused.contains(expected), "{refused}");
    }
    let project = project();
    write(&project, "data/protected/data.json", "{\"keys\": [\"arn:aws:kms:eu-west-1:111122223333:key/1\"]}");
    assert_eq!(lints(project.path(), None), [""; 0]);
    write(&project, "data/approved/data.json", "{\"accounts\": {\"111122223333\": true}}");
    let refused = Policies::load(&project.path().join("policies")).unwrap_err().to_string();
    assert!(refused.starts_with("`data.approved.accounts` cannot be used: "), "{refused}");
}

#[test]
fn a_file_that_would_stand_in_another_place_or_in_none_is_refused() {
    for (file, expected) in [
        ("data/strategies/shop.json", "write it as JSON in `data/strategies/shop/data.json`"),
        ("data/strategies/shop/data.yaml", "write it as JSON in `data/strategies/shop/data.json`"),
        ("events/backup/vault_deleted/fire.json", "did you mean `fires.json`?"),
        ("new_rule.rego", "move it into `events/<service>/<rule>/`"),
        ("events/backup/new_rule.rego", "move it into `events/<service>/<rule>/`"),
        ("evnets/backup/x/x.rego", "did you mean `events`?"),
        ("data.json", "move it into `data/`"),
    ] {
        let text = if file.ends_with(".rego") { "package x\n" } else { "{}" };
        let said = lints_with(file, text);
        assert!(said.len() == 1 && said[0].contains(expected), "{file}: {said:?}");
        let project = project();
        write(&project, file, text);
        let refused = Policies::load(&project.path().join("policies")).unwrap_err().to_string();
        assert!(refused.contains(expected), "{file}: {refused}");
    }
}

#[test]
fn a_name_in_data_that_nothing_has_is_found_where_it_stands() {
    for (condition, expected) in [
        ("not data.protected.vautls[0]", "21:6: `data.protected` has no `vautls` -> write it below `data/`"),
        ("not data.protected.kesy[0]", "21:6: `data.protected` has no `kesy` -> did you mean `keys`?"),
        ("not event.deneid", "21:6: `data.lib.event` has no `deneid` -> did you mean `denied`?"),
        ("not data.lib.evnet.denied", "21:6: `data.lib` has no `evnet` -> did you mean `event`?"),
        ("every x in [1] { not data.aproved.accounts[x] }", "`data` has no `aproved` -> did you mean `approved`?"),
        ("not data.strategies.securecrt", "`data.strategies` has no `securecrt` -> did you mean `securecart`?"),
    ] {
        let said = guarded_by(condition);
        assert!(said.len() == 1 && said[0].contains(expected), "{condition}: {said:?}");
    }
    for condition in [
        "not event.denied",
        "not data.protected.keys[0]",
        "not data.approved[input.event.eventName]",
        "some name, _ in data.strategies\n\tname != \"x\"",
        "not data.lifecycle.source.title",
        "not data.events.backup.vault_deleted._none[0]\n}\n\n_none contains 1 if {\n\tfalse",
    ] {
        let said: Vec<String> = guarded_by(condition).into_iter().filter(|said| said.contains("has no")).collect();
        assert_eq!(said, [""; 0], "{condition}");
    }
}

#[test]
fn a_misspelt_import_is_said_once() {
    let project = project();
    let rule = fs::read_to_string(project.path().join(PLACE).join("vault_deleted.rego")).unwrap();
    let file = format!("{}/vault_deleted.rego", PLACE.trim_start_matches("policies/"));
    write(&project, &file, &rule.replace("import data.lib.event", "import data.lib.evnet as event"));
    let said = lints(project.path(), None);
    let said: Vec<&String> = said.iter().filter(|said| said.contains("has no `evnet`")).collect();
    assert!(said.len() == 1 && said[0].contains(":3:8: "), "{said:?}");
}

#[test]
fn a_folder_of_no_policies_is_called_so_by_every_command() {
    let project = project();
    let old = project.path().join("old/acts/backup/x");
    fs::create_dir_all(&old).unwrap();
    for verb in ["check", "test", "build"] {
        let said = keepwatch(project.path(), &["policy", verb, "old"]);
        assert!(said.contains("rename the folder `acts` to `events`"), "{verb}: {said}");
        let said = keepwatch(project.path(), &["policy", verb, "/nope"]);
        assert!(said.contains("`/nope` is not a policies folder: there is no such folder"), "{verb}: {said}");
    }
    fs::rename(project.path().join("policies"), project.path().join("rules")).unwrap();
    let said = keepwatch(project.path(), &["policy", "check"]);
    assert!(said.contains("policies` is not a policies folder: there is no such folder"), "{said}");
    let rule = project.path().join("rules/events/backup/vault_deleted");
    let work = Work::find(Path::new("policies"), rule.to_str()).unwrap();
    assert_eq!(work.rule.as_deref(), Some("events/backup/vault_deleted"));
    assert_eq!(work.folder, project.path().join("rules"));
}

#[test]
fn one_rule_s_check_and_test_see_the_id_of_another() {
    let project = project();
    let text = fs::read_to_string(project.path().join(PLACE).join("vault_deleted.rego")).unwrap();
    write(
        &project,
        "events/backup/vault_gone/vault_gone.rego",
        &text.replace("vault_deleted\n\nimport", "vault_gone\n\nimport"),
    );
    let said = lints(project.path(), Some("events/backup/vault_deleted"));
    assert!(said.len() == 1 && said[0].contains("id `TST-01` is that of `events/backup/vault_gone/"), "{said:?}");
    let said = keepwatch(project.path(), &["policy", "test", "vault_deleted"]);
    assert!(said.contains("its id `TST-01` is that of `events/backup/vault_gone/vault_gone.rego` too"), "{said}");
}

#[test]
fn one_rule_s_test_counts_its_own_tests() {
    let project = project();
    let said = keepwatch(project.path(), &["policy", "test", "vault_deleted"]);
    assert!(said.contains("1 of 1 test(s) pass in `opa test` and in the agent's engine"), "{said}");
}

#[test]
fn a_mistake_at_the_end_of_a_file_has_a_column() {
    let project = project();
    write(
        &project,
        "events/backup/vault_deleted/vault_deleted.rego",
        "package events.backup.vault_deleted\n\nx if {\n",
    );
    let said = keepwatch(project.path(), &["policy", "check", "--format", "github"]);
    assert!(said.contains("rego_parse_error") && !said.contains("col=0") && !said.contains("line=0"), "{said}");
    let said = keepwatch(project.path(), &["policy", "check", "--format", "sarif"]);
    assert!(said.contains("rego_parse_error") && !said.contains("\"startColumn\": 0"), "{said}");
}

#[test]
fn strategies_in_a_misspelt_folder_are_refused() {
    for folder in ["strategy", "Strategies", "stratgies"] {
        let said = lints_with(&format!("data/{folder}/shop/data.json"), r#"{"resources": []}"#).join("\n");
        assert!(said.contains("did you mean `strategies`?"), "{folder}: {said}");
    }
}
