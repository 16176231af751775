//! `keepwatch policy new`: the folder and the runbook of a rule that somebody is about to
//! write. Nothing that is there already is written over.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use crate::author::fixtures::{FIRES, SILENT};
use crate::cli::{Verdict, say};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Where: `events/<service>/<rule>` or `resources/<service>/<rule>`.
    rule: String,
    /// The folder of policies.
    #[arg(long, default_value = "policies")]
    folder: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let Arguments { rule, folder } = arguments;
    let parts: Vec<&str> = rule.split('/').collect();
    let [kind @ ("events" | "resources"), service, name] = parts.as_slice() else {
        bail!("`{rule}` is not the place of a rule: write `events/<service>/<rule>` or `resources/<service>/<rule>`");
    };
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let plain = |word: &str| !word.is_empty() && word.bytes().all(letter);
    ensure!(plain(service) && plain(name), "a service and a rule are named in lower case, digits and `_`: `{rule}`");
    let place = folder.join(rule);
    ensure!(!place.exists(), "`{}` is there already", place.display());
    fs::create_dir_all(&place).with_context(|| format!("cannot make `{}`", place.display()))?;
    // An id of its own, or the second rule that is started would be a twin of the first.
    let id = format!("NEW-{}", name.to_uppercase().replace('_', "-"));
    let event = event(folder, service);
    let fill = |text: &str| {
        text.replace("NEW-ID", &id).replace("SERVICE", service).replace("RULE", name).replace("EVENT", &event)
    };
    for (file, text) in files(kind, name) {
        write(&place.join(file), &fill(text))?;
    }
    runbook(folder, name, &id)?;
    say(format!(
        "still to be recorded: `{FIRES}` is made up. Before the rule's mode is raised, put in its place a \
                 real {}, and one on which the rule must be silent into `{SILENT}`",
        recorded(kind)
    ))?;
    Ok(Verdict::Well)
}

/// The files of a new rule, with names still to be filled in.
fn files(kind: &str, name: &str) -> [(String, &'static str); 4] {
    let [text, tests, input] = match kind {
        "events" => [
            include_str!("../../author/template/event.rego"),
            include_str!("../../author/template/event_test.rego"),
            include_str!("../../author/template/event.json"),
        ],
        _ => [
            include_str!("../../author/template/resource.rego"),
            include_str!("../../author/template/resource_test.rego"),
            include_str!("../../author/template/resource.json"),
        ],
    };
    [
        (format!("{name}.rego"), text),
        (format!("{name}_test.rego"), tests),
        (FIRES.to_owned(), input),
        (SILENT.to_owned(), "[]\n"),
    ]
}

/// An event that the service has, to begin with: one that deletes, if there is one.
fn event(folder: &Path, service: &str) -> String {
    let text = fs::read(folder.join(format!("schema/calls/{service}.json"))).unwrap_or_default();
    let calls: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&text).unwrap_or_default();
    let deletes = calls.keys().find(|name| name.starts_with("Delete"));
    deletes.or_else(|| calls.keys().next()).map_or_else(|| "EventName".to_owned(), Clone::clone)
}

fn recorded(kind: &str) -> &'static str {
    match kind {
        "events" => "CloudTrail record of each event that it declares",
        _ => "resource with AWS's responses, as its command line prints them",
    }
}

/// The runbook, where METADATA says: in the project that holds the folder of policies. One
/// that is there already stays.
fn runbook(folder: &Path, name: &str, id: &str) -> anyhow::Result<()> {
    let folder =
        std::path::absolute(folder).with_context(|| format!("cannot find the path of `{}`", folder.display()))?;
    let runbooks = folder.parent().unwrap_or(&folder).join("docs/runbooks");
    let path = runbooks.join(format!("{name}.md"));
    if path.exists() {
        return say(format!("{} exists already and is not changed", path.display()));
    }
    fs::create_dir_all(&runbooks).with_context(|| format!("cannot make `{}`", runbooks.display()))?;
    let text = include_str!("../../author/template/runbook.md");
    write(&path, &text.replace("NEW-ID", id).replace("TITLE", &name.replace('_', " ")))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
    say(path.display())
}
