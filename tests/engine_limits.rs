//! The policy engine against rules made to break it: each becomes a finding, and neither the
//! other rules nor the next evaluation are affected.

use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use keepwatch::domain::account::{Account, Mode};
use keepwatch::domain::finding::Finding;
use keepwatch::policy::Policies;
use keepwatch::policy::engine::Limits;
use keepwatch::policy::input::EventInput;
use serde_json::json;
use tempfile::TempDir;

use super::engine_oracle::{NOW, now, root};
use crate::support::builders::user;

/// What a fixture's rule needs beside its body.
pub struct Fixture {
    pub id: &'static str,
    pub event: &'static str,
    pub body: &'static str,
}

const GOOD: Fixture = Fixture {
    id: "TST-GOOD",
    event: "*",
    body: r#"findings contains {"message": input.event.eventName, "propose": ["contain"]}"#,
};

const LOOP: Fixture = Fixture {
    id: "TST-LOOP",
    event: "Loop",
    body: r#"findings contains {"message": "never", "propose": []} if {
	hundreds := numbers.range(1, 500)
	some _ in hundreds
	some _ in hundreds
	some _ in hundreds
	some last in hundreds
	last == -1
}"#,
};

const FIXTURES: [Fixture; 7] = [
    GOOD,
    Fixture {
        id: "TST-HOG",
        event: "Hog",
        body: r#"findings contains {"message": "large", "propose": []} if {
	thousands := numbers.range(1, 3000)
	count([pair | some a in thousands; some b in thousands; pair := [a, b, "some text"]]) < 0
}"#,
    },
    Fixture {
        id: "TST-UNDEFINED",
        event: "Undefined",
        body: r#"findings := {{"message": "m", "propose": []}} if input.event.noSuchField"#,
    },
    Fixture {
        id: "TST-MALFORMED",
        event: "Malformed",
        body: r#"findings contains {"message": "m", "propose": ["explode"]}"#,
    },
    Fixture {
        id: "TST-REFUSED",
        event: "Refused",
        body: r#"findings contains {"message": sprintf("%5d", [time.parse_rfc3339_ns("no time")]), "propose": []}"#,
    },
    Fixture {
        id: "TST-NOW",
        event: "Now",
        body: r#"findings contains {"message": sprintf("%d %s", [time.now_ns(), input.now]), "propose": []} if {
	time.now_ns() == time.parse_rfc3339_ns(input.now)
	strings.any_prefix_match("ab", {"x", "a"})
	strings.any_suffix_match(["ab"], "b")
}"#,
    },
    Fixture { id: "TST-STATE", event: "", body: r#"findings contains {"message": input.now, "propose": []}"# },
];

/// A policies folder with these rules and the shipped capabilities.
pub fn folder_of(fixtures: &[Fixture]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(root().join("policies/capabilities.json"), folder.path().join("capabilities.json")).unwrap();
    for Fixture { id, event, body } in fixtures {
        let name = id.to_lowercase().replace('-', "_");
        let (branch, wants) = match *event {
            "" => ("resources", "kind: vault".to_owned()),
            event => ("events", format!("events: [\"test.amazonaws.com:{event}\"]")),
        };
        let rego = format!(
            "package {branch}.test.{name}\n\n# METADATA\n# entrypoint: true\n# title: {id}\n# custom:\n#   id: {id}\n\
             #   severity: high\n#   mode: enforce\n#   {wants}\n{body}\n"
        );
        let rule = folder.path().join(branch).join("test").join(&name);
        fs::create_dir_all(&rule).unwrap();
        fs::write(rule.join(format!("{name}.rego")), rego).unwrap();
    }
    folder
}

/// The deadline is generous, for machines that do much else at the time.
const SCARCE_MEMORY: Limits = Limits { deadline_ms: 5_000, memory_bytes: 8 * 1024 * 1024 };

/// A loop takes memory too, so here there is plenty of it.
const SCARCE_TIME: Limits = Limits { deadline_ms: 100, memory_bytes: 1024 * 1024 * 1024 };

static BROKEN: LazyLock<Policies> = LazyLock::new(|| {
    let folder = folder_of(&FIXTURES);
    Policies::load_within(folder.path(), SCARCE_MEMORY).unwrap()
});

/// What the rules say about an event of this name, by their ids; the good rule is always one.
fn evaluate(policies: &Policies, event: &str) -> BTreeMap<String, Finding> {
    let event = json!({"eventSource": "test.amazonaws.com", "eventName": event});
    let account: Account =
        serde_json::from_value(json!({"id": "111122223333", "name": "n", "class": "production", "regions": []}))
            .unwrap();
    let input = EventInput { event: &event, principal: &user(), account: &account, now: now() };
    policies.evaluate_event(&input).into_iter().map(|finding| (finding.rule.id.clone(), finding)).collect()
}

/// The finding for the rule that broke, after checks that the good rule was not touched: in
/// the same evaluation, and in the next.
fn broken(policies: &Policies, event: &str, id: &str) -> Finding {
    let mut found = evaluate(policies, event);
    assert_eq!(found["TST-GOOD"].message, event);
    assert_eq!(found.len(), 2, "{found:?}");
    let after = evaluate(policies, "Other");
    assert_eq!((after.len(), after["TST-GOOD"].message.as_str()), (1, "Other"));
    found.remove(id).unwrap()
}

#[test]
fn a_rule_that_loops_is_stopped_and_the_next_is_right() {
    let looping = Policies::load_within(folder_of(&[GOOD, LOOP]).path(), SCARCE_TIME).unwrap();
    let begun = Instant::now();
    let finding = broken(&looping, "Loop", "TST-LOOP");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(finding.message, "rule `TST-LOOP` could not be evaluated: it took longer than 100 ms");
    assert_eq!((finding.rule.mode, finding.propose.as_slice()), (Mode::Alert, [].as_slice()));
}

#[test]
fn a_rule_that_hoards_memory_is_stopped_and_the_next_is_right() {
    let finding = broken(&BROKEN, "Hog", "TST-HOG");
    assert_eq!(finding.message, "rule `TST-HOG` could not be evaluated: it took more than 8 MiB of memory");
}

#[test]
fn a_rule_without_a_sound_result_is_a_finding() {
    let undefined = broken(&BROKEN, "Undefined", "TST-UNDEFINED");
    assert_eq!(undefined.message, "rule `TST-UNDEFINED` could not be evaluated: its result is undefined");
    let malformed = broken(&BROKEN, "Malformed", "TST-MALFORMED");
    assert!(malformed.message.contains("unknown variant `explode`"), "{}", malformed.message);
}

#[test]
fn a_refused_builtin_is_undefined_and_counted() {
    let before = BROKEN.refused_builtins();
    assert_eq!(evaluate(&BROKEN, "Refused").len(), 1);
    assert!(BROKEN.refused_builtins() > before);
}

#[test]
fn the_time_is_the_caller_s() {
    let nanoseconds = now().as_nanosecond();
    assert_eq!(evaluate(&BROKEN, "Now")["TST-NOW"].message, format!("{nanoseconds} {NOW}"));
}

#[test]
fn many_threads_evaluate_at_once() {
    std::thread::scope(|threads| {
        for thread in 0..4 {
            threads.spawn(move || {
                for round in 0..50 {
                    let name = format!("Event{thread}x{round}");
                    assert_eq!(evaluate(&BROKEN, &name)["TST-GOOD"].message, name);
                }
            });
        }
    });
}

#[test]
fn a_document_too_large_for_the_memory_is_a_finding() {
    let entry = BROKEN.rules().iter().find(|entry| entry.rule.id == GOOD.id).unwrap();
    let large = json!({"event": {"eventName": "x".repeat(9 * 1024 * 1024)}});
    let found = BROKEN.evaluate_rule(entry, &large, now());
    assert_eq!(found[0].evidence["failure"], "memory");
    assert_eq!(evaluate(&BROKEN, "small")[GOOD.id].message, "small");
}
