//! Our own rules about the code, as tests.

use std::fs;
use std::path::{Path, PathBuf};

fn modules() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    collect(Path::new("agent"), &mut found);
    assert!(found.len() > 30, "the agent's modules are somewhere else now");
    found
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

/// A module's text without its unit tests.
fn production(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text)
}

/// The rooms of `agent/`, in the order in which `agent/lib.rs` tells of them: each imports those
/// before it and none behind it.
const ROOMS: [&str; 14] = [
    "domain", "event", "policy", "config", "ops", "ledger", "rules", "aws", "author", "respond", "notify", "intake",
    "recorded", "cli",
];

/// The rooms that a text imports, each with the line that does.
fn imports(text: &str) -> impl Iterator<Item = (&'static str, &str)> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| {
        let names =
            line.split("crate::").skip(1).map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next());
        names.flatten().filter_map(move |name| ROOMS.iter().find(|room| **room == name).map(|room| (*room, line)))
    })
}

fn floor(room: &str) -> usize {
    ROOMS.iter().position(|other| *other == room).unwrap_or_else(|| panic!("`agent/{room}` is no room of `ROOMS`"))
}

#[test]
fn imports_between_rooms_go_one_way() {
    for (path, text) in modules() {
        let room = path.components().nth(1).unwrap().as_os_str().to_str().unwrap().to_owned();
        if room.ends_with(".rs") {
            continue; // lib.rs and main.rs stand above the rooms
        }
        for (imported, line) in imports(production(&text)) {
            assert!(
                floor(imported) <= floor(&room),
                "`{}` imports a room above its own: {}",
                path.display(),
                line.trim()
            );
        }
    }
}

#[test]
fn the_listing_of_the_agent_is_the_diagram() {
    let entries: Vec<_> = fs::read_dir("agent").unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(entries.len() <= 16, "`agent/` has {} entries: {entries:?}", entries.len());
}

#[test]
fn only_the_edge_names_the_aws_sdk() {
    for (path, text) in modules() {
        let edge = path.starts_with("agent/aws");
        assert!(edge || !text.contains("aws_sdk_"), "`{}` names the SDK", path.display());
        assert!(edge || !text.contains("aws_smithy"), "`{}` names the SDK's runtime", path.display());
    }
}

/// A partition is a value: what is written for `aws` alone names nothing in China or GovCloud.
#[test]
fn no_arn_is_written_for_one_partition() {
    for (path, text) in modules() {
        // The engine's probe is text like any other.
        let other = ["tests.rs", "examples.rs", "engine/values.rs"].iter().any(|name| path.ends_with(name));
        let literal = !other && production(&text).contains("arn:aws");
        assert!(!literal, "`{}` has an ARN of the partition `aws`", path.display());
    }
}

/// The same of rules; what tests are made of is in one partition.
#[test]
fn no_rule_is_written_for_one_partition() {
    let mut files = Vec::new();
    rego(Path::new("policies"), &mut files);
    assert!(files.len() > 20, "the policies are somewhere else now");
    for (path, text) in files {
        let code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        for line in code {
            assert!(!line.contains("arn:aws"), "`{}` has an ARN of the partition `aws`: {line}", path.display());
        }
    }
}

/// The files of rules and of what they share.
fn rego(folder: &Path, into: &mut Vec<(PathBuf, String)>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            rego(&path, into);
        } else if name.ends_with(".rego") && !name.ends_with("_test.rego") && name != "testing.rego" {
            into.push((path.clone(), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// How AWS is reached comes in as a value, made where the program starts.
#[test]
fn the_edge_reads_no_environment() {
    for (path, text) in modules().into_iter().filter(|(path, _)| path.starts_with("agent/aws")) {
        assert!(!text.contains("std::env"), "`{}` reads the environment", path.display());
    }
    for (path, text) in modules() {
        let may = path.starts_with("agent/aws") || path == Path::new("agent/cli/mod.rs");
        assert!(may || !text.contains("SdkSettings::"), "`{}` makes settings of its own", path.display());
    }
}

/// Planning, judging and sweeping hold `Readers`: who cannot name a writer cannot get one.
#[test]
fn only_execute_opens_the_write_door() {
    let edge = |path: &Path| path.starts_with("agent/aws");
    let may = |path: &Path, these: &[&str]| edge(path) || these.iter().any(|may| path == Path::new(may));
    for (path, text) in modules() {
        let execute = may(&path, &["agent/respond/execute.rs", "agent/domain/cloud.rs"]);
        for word in ["CloudWrite", "Writers", "aws::Writer", ".writer("] {
            assert!(
                execute || !text.contains(word),
                "`{}` says `{word}`: it could open the write door",
                path.display()
            );
        }
        let together = may(&path, &["agent/cli/mod.rs"]);
        assert!(together || !text.contains("write_access"), "`{}` gets hold of the way to write", path.display());
        let handing_on = may(&path, &["agent/cli/mod.rs", "agent/respond/agent.rs", "agent/respond/execute.rs"]);
        assert!(handing_on || !text.contains("WriteDoor"), "`{}` gets hold of the write door", path.display());
    }
}

#[test]
fn every_module_says_what_it_is_for_and_stays_small() {
    for (path, text) in modules() {
        assert!(text.starts_with("//! "), "`{}` does not say what it is for", path.display());
        let lines = if path.ends_with("tests.rs") { 0 } else { production(&text).lines().count() };
        assert!(lines <= 500, "`{}` has {lines} lines", path.display());
    }
}

#[test]
fn decisions_and_words_are_pure() {
    let pure = [
        "respond/decision/mod.rs",
        "domain/action/mod.rs",
        "domain/plan.rs",
        "domain/resource/difference.rs",
        "notify/text.rs",
        "notify/slack/message.rs",
        "notify/facts.rs",
    ];
    let backtest = ["compare", "count", "gates", "html/mod", "json", "simulation", "report", "rules", "text"];
    let backtest = backtest.map(|name| format!("recorded/backtest/{name}.rs"));
    for pure in pure.into_iter().chain(backtest.iter().map(String::as_str)) {
        let pure = &format!("agent/{pure}");
        let text = fs::read_to_string(pure).unwrap();
        let text = production(&text);
        for effect in ["async fn", ".await", "std::fs", "std::env", "Instant::now"] {
            assert!(!text.contains(effect), "`{pure}` has `{effect}`");
        }
    }
}

#[test]
fn the_story_of_an_event_and_of_a_resource_fit_on_a_screen() {
    for (path, function) in [
        ("agent/respond/pipeline.rs", "pub async fn handle("),
        ("agent/respond/reconcile.rs", "pub async fn reconcile("),
    ] {
        let text = fs::read_to_string(path).unwrap();
        let body = text.split(function).nth(1).unwrap_or_else(|| panic!("`{path}` has no `{function}`"));
        let lines = body.lines().take_while(|line| *line != "    }").count();
        assert!(lines <= 40, "`{function}` of `{path}` has {lines} lines");
    }
}
