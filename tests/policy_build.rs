//! From a policies folder to a bundle, and the schemas that its rules are typed by.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

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
