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

#[test]
fn only_the_edge_names_the_aws_sdk() {
    for (path, text) in modules() {
        let edge = path.starts_with("agent/aws");
        assert!(edge || !text.contains("aws_sdk_"), "`{}` names the SDK", path.display());
        assert!(edge || !text.contains("aws_smithy"), "`{}` names the SDK's runtime", path.display());
    }
}

#[test]
fn only_execute_opens_the_write_door() {
    for (path, text) in modules() {
        let may = ["agent/respond/execute.rs", "agent/domain/cloud.rs"].iter().any(|may| path == Path::new(may))
            || path.starts_with("agent/aws");
        assert!(may || !text.contains("CloudWrite"), "`{}` mentions the write door", path.display());
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
        "respond/plan/change.rs",
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
