//! From a policies folder to a bundle, and the schemas that its rules are typed by.

use std::fs;
use std::path::Path;
use std::process::Command;

use keepwatch::policy::bundle::Bundle;
use keepwatch::policy::bundle::build::{build, opa};
use keepwatch::policy::input::schemas;
use keepwatch::policy::{Policies, PolicyError};

use super::engine_limits::{Fixture, folder_of};
use super::engine_oracle::{root, shipped};

#[test]
fn a_builtin_that_the_agent_lacks_is_named_when_built_and_when_loaded() {
    let folder = folder_of(&[Fixture {
        id: "TST-SHA",
        event: "*",
        body: r#"findings contains {"message": crypto.sha256("x"), "propose": []}"#,
    }]);
    let refused = Policies::load(folder.path()).unwrap_err();
    assert!(matches!(refused, PolicyError::Compile { .. }), "{refused}");
    assert!(refused.to_string().contains("undefined function crypto.sha256"), "{refused}");
    assert!(refused.to_string().contains("hint: rules may not call `crypto.sha256`: OPA's wasm leaves"), "{refused}");

    let all = Command::new(opa()).args(["capabilities", "--current"]).output().unwrap();
    fs::write(folder.path().join("capabilities.json"), all.stdout).unwrap();
    let refused = Policies::load(folder.path()).unwrap_err();
    assert!(refused.to_string().starts_with("the bundle calls the builtin `crypto.sha256`"), "{refused}");
}

#[test]
fn a_folder_without_policies_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = Policies::load(folder.path()).unwrap_err().to_string();
    assert!(refused.ends_with("is not a policies folder: it has neither `events` nor `resources`"), "{refused}");
}

#[test]
fn the_same_policies_make_the_same_bundle() {
    let again = tempfile::tempdir().unwrap();
    let bundle = again.path().join("again.tar.gz");
    build(&root().join("policies"), &bundle).unwrap();
    assert_eq!(Bundle::read(&bundle).unwrap().digest, shipped().digest());
    assert_eq!(fs::read_dir(again.path()).unwrap().count(), 1, "nothing else is left behind");
}

#[test]
fn a_folder_of_a_rule_without_metadata_is_no_bundle() {
    let folder = folder_of(&[Fixture { id: "TST-ONE", event: "*", body: "findings := set()" }]);
    let bare = folder.path().join("events/test/bare");
    fs::create_dir(&bare).unwrap();
    fs::write(bare.join("bare.rego"), "package events.test.bare\n\nfindings := set()\n").unwrap();
    let bundle = folder.path().join("b.tar.gz");
    let refused = build(folder.path(), &bundle).unwrap_err().to_string();
    assert!(refused.starts_with("rule `events/test/bare`: it has no METADATA"), "{refused}");
    assert!(!bundle.exists());
    fs::remove_dir_all(&bare).unwrap();
    build(folder.path(), &bundle).unwrap();
}

#[test]
fn what_the_agent_could_not_load_is_not_written() {
    let folder = folder_of(&[Fixture { id: "TST-ONE", event: "*", body: "findings := set()" }]);
    let bundle = folder.path().join("b.tar.gz");
    fs::write(&bundle, "the one of before").unwrap();
    let all = Command::new(opa()).args(["capabilities", "--current"]).output().unwrap();
    fs::write(folder.path().join("capabilities.json"), all.stdout).unwrap();
    let rule = folder.path().join("events/test/tst_one/tst_one.rego");
    let text = fs::read_to_string(&rule).unwrap();
    fs::write(&rule, text.replace("findings := set()", "findings contains {\"message\": crypto.sha256(\"x\")}"))
        .unwrap();
    assert!(matches!(build(folder.path(), &bundle).unwrap_err(), PolicyError::Builtin(_)));
    assert_eq!(fs::read_to_string(&bundle).unwrap(), "the one of before");
}

#[test]
fn the_command_writes_no_bundle_whose_strategy_the_agent_refuses() {
    let folder = folder_of(&[Fixture { id: "TST-ONE", event: "*", body: "findings := set()" }]);
    let strategy = folder.path().join("data/strategies/shop");
    fs::create_dir_all(&strategy).unwrap();
    fs::write(strategy.join("data.json"), r#"{"resources": [{"match": {"kind": "vaullt", "name": "*"}}]}"#).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_keepwatch"));
    command.args(["policy", "build", "--output"]).arg(folder.path().join("b.tar.gz")).arg(folder.path());
    let said = command.output().unwrap();
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(
        !said.status.success() && text.contains("`data.strategies.shop` cannot be used: unknown variant `vaullt`"),
        "{text}"
    );
    assert!(!folder.path().join("b.tar.gz").exists());
}

#[test]
fn an_approval_needs_its_list_and_is_the_agent_s_to_give() {
    let body = r#"findings contains {"message": "m", "propose": ["contain"]}"#;
    let folder = folder_of(&[Fixture { id: "TST-ONE", event: "*", body }]);
    let rule = folder.path().join("events/test/tst_one/tst_one.rego");
    let text =
        fs::read_to_string(&rule).unwrap().replace("#   mode: enforce\n", "#   mode: enforce\n#   approved: may_do\n");
    fs::write(&rule, text).unwrap();
    let refused = Policies::load(folder.path()).unwrap_err().to_string();
    assert!(
        refused.contains("its METADATA names the list `may_do`, and `data.approved` has no such list"),
        "{refused}"
    );
    fs::create_dir_all(folder.path().join("data/approved")).unwrap();
    fs::write(folder.path().join("data/approved/data.json"), r#"{"may_do": ["arn:aws:iam::111122223333:role/ops"]}"#)
        .unwrap();
    let policies = Policies::load(folder.path()).unwrap();
    let found_of = |arn: serde_json::Value| {
        let document = serde_json::json!({"event": {}, "principal": {"arn": arn}});
        let found = policies.evaluate_rule(&policies.rules()[0], &document, super::engine_oracle::now());
        (found[0].propose.len(), found[0].approved.clone())
    };
    assert_eq!(found_of("arn:aws:iam::111122223333:role/ops".into()), (1, Some("may_do".to_owned())));
    assert_eq!(found_of("arn:aws:iam::111122223333:role/ops2".into()), (1, None));
    assert_eq!(found_of(serde_json::Value::Null), (1, None));
}

#[test]
fn strategies_are_part_of_the_data() {
    assert!(shipped().data()["strategies"].is_object());
}

/// What `opa check` says about policies, typed by the generated schemas.
fn check(policies: &Path) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, schema) in schemas() {
        fs::write(folder.path().join(name), schema.to_string()).unwrap();
    }
    let mut command = Command::new(opa());
    command.arg("check").arg("--strict").arg("--schema").arg(folder.path());
    command.arg("--capabilities").arg(policies.join("capabilities.json"));
    command.args(["events", "resources", "lib"].map(|part| policies.join(part)).iter().filter(|part| part.exists()));
    command.args(["--ignore", "fires.json", "--ignore", "silent.json"]);
    let said = command.output().unwrap();
    (said.status.success(), String::from_utf8_lossy(&said.stderr).into_owned())
}

#[test]
fn the_shipped_policies_fit_the_schemas() {
    let (fits, said) = check(&root().join("policies"));
    assert!(fits, "{said}");
}

#[test]
fn a_misspelt_field_does_not_fit_the_schemas() {
    let misspelt = [
        ("event", "input.event.requestParamters"),
        ("event", "input.principal.nmae"),
        ("event", "input.acount"),
        ("bucket", "input.resource.live.versionning"),
        ("trail", "input.resource.live.logg"),
        ("vault", "input.desired.copys"),
        ("key", "input.account.clas"),
    ];
    for (schema, field) in misspelt {
        let body = format!("findings contains {{\"message\": {field}, \"propose\": []}}");
        let folder = folder_of(&[]);
        let rego = format!(
            "package events.x\n\n# METADATA\n# scope: rule\n# schemas:\n#   - input: schema.{schema}\n{body}\n"
        );
        fs::create_dir(folder.path().join("events")).unwrap();
        fs::write(folder.path().join("events/x.rego"), rego).unwrap();
        let (fits, said) = check(folder.path());
        assert!(!fits && said.contains(&format!("undefined ref: {field}")), "{field}: {said}");
    }
}
