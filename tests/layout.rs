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

/// The rooms of `agent/`, in the order in which `agent/lib.rs` declares them: each may import those
/// before it and none after it.
fn rooms() -> Vec<String> {
    let text = fs::read_to_string("agent/lib.rs").unwrap();
    let named = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let rooms: Vec<String> = named.map(str::to_owned).collect();
    assert!(rooms.len() > 10, "`agent/lib.rs` declares its rooms in another way now: {rooms:?}");
    rooms
}

/// A text's lines of code.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.starts_with("//"))
}

/// What a text imports of the crate, each with the line that does.
fn imports(text: &str) -> impl Iterator<Item = (&str, &str)> {
    code(text).flat_map(|line| {
        let names = line.split("crate::").skip(1);
        names.filter_map(move |rest| Some((rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?, line)))
    })
}

#[test]
fn imports_between_rooms_go_one_way() {
    let rooms = rooms();
    let place = |room: &str| rooms.iter().position(|other| other == room);
    for (path, text) in modules() {
        let room = path.components().nth(1).unwrap().as_os_str().to_str().unwrap().to_owned();
        if room.ends_with(".rs") {
            continue; // lib.rs and main.rs may import every room
        }
        let own = place(&room).unwrap_or_else(|| panic!("`agent/lib.rs` declares no `{room}`"));
        for (imported, line) in imports(production(&text)) {
            let earlier = place(imported).is_none_or(|imported| imported <= own);
            assert!(earlier, "`{}` imports a room that comes after its own: {line}", path.display());
        }
    }
}

/// The test above reads one room from each `crate::`, and a module that leaves its room names it.
#[test]
fn a_room_is_imported_by_its_name_alone() {
    for (path, text) in modules() {
        for line in code(&text) {
            let hidden = line.contains("crate::{") || line.contains("crate::*") || line.contains("super::super::");
            assert!(!hidden, "`{}` hides which room it imports: {line}", path.display());
        }
        let at_the_top = path.components().count() == 3 && path.ends_with("mod.rs");
        let outside = at_the_top && code(production(&text)).any(|line| line.starts_with("use super::"));
        assert!(!outside, "`{}` imports another room by `super::`", path.display());
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

/// Planning, evaluating and sweeping hold `Readers`: who cannot name a writer cannot get one.
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
