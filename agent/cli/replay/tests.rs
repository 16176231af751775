//! Replays of small folders, by an event sink that finds every event of one name.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;
use crate::domain::clock::Clock;
use crate::domain::finding::{ResponseKind, Severity};
use crate::event::examples;
use crate::recorded::replay::Selection;
use crate::recorded::replay::source::Source;

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

/// Finds every event of one name, and wants all.
struct Named(&'static str);

impl EventSink for Named {
    type Output = FindingLine;

    fn asks_for(&self, _: &str, _: &str) -> bool {
        true
    }

    fn examine(&self, location: RecordLocation<'_>, event: &Event, account: &Account) -> Vec<FindingLine> {
        let message = format!("in {}", account.name);
        let finding = Finding { message, ..crate::domain::examples::finding("BKP-01", &[ResponseKind::Contain]) };
        (event.name == self.0).then(|| line(location, event, &finding)).into_iter().collect()
    }
}

/// Nobody wants anything.
struct Nobody;

impl EventSink for Nobody {
    type Output = FindingLine;

    fn asks_for(&self, _: &str, _: &str) -> bool {
        false
    }

    fn examine(&self, _: RecordLocation<'_>, _: &Event, _: &Account) -> Vec<FindingLine> {
        unreachable!("nobody asked for it")
    }
}

/// What a replay writes: findings, notes, tally.
fn replayed_by(sink: &impl EventSink<Output = FindingLine>, place: &Path, style: Style) -> (String, String, Tally) {
    let selection = Selection::default();
    let source = Source::find(&[place.display().to_string()], &selection, &mut |_| true, None).unwrap();
    let (mut findings, mut notes) = (Vec::new(), Vec::new());
    let mut show = Show::new(&source, Tally::default(), &StoppedClock, style, &mut notes);
    let replay = Replay { source: &source, selection: &selection, config: None, workers: 2 };
    let read = replay.run(sink, |report| {
        findings.extend(report.found.iter().flat_map(|line| line.text.clone()));
        show.file(&report.item.name, &report.notes, &tally_of(&report));
        ControlFlow::Continue(())
    });
    read.unwrap();
    let tally = show.summary(&[("BKP-01", ("No deletion of recovery points", Severity::Critical))].into()).unwrap();
    (String::from_utf8(findings).unwrap(), String::from_utf8(notes).unwrap(), tally)
}

fn replayed(place: &Path, style: Style) -> (String, String, Tally) {
    replayed_by(&Named("DeleteRecoveryPoint"), place, style)
}

fn folder_of(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

#[test]
fn each_finding_is_a_line_that_says_where_and_who() {
    let folder = folder_of(&[("a.json", &examples::text("log_file"))]);
    let (findings, _, tally) = replayed(folder.path(), Style::Text);
    let line: serde_json::Value = serde_json::from_str(findings.trim()).unwrap();
    assert_eq!((&line["line"], &line["event_name"]), (&json!(1), &json!("DeleteRecoveryPoint")));
    assert_eq!((&line["rule"]["id"], &line["propose"]), (&json!("BKP-01"), &json!(["contain"])));
    assert_eq!((&line["principal"]["name"], &line["message"]), (&json!("mallory"), &json!("in 111122223333")));
    assert_eq!((tally.counts.records, tally.findings, tally.counts.unreadable), (2, 1, 0));
}

#[test]
fn no_line_is_lost_and_each_unreadable_one_is_named() {
    let lines = "{\"eventName\":\"CreateUser\"}\nnot json\n{\"line\":1,\"theme\":\"other\"}\n{\"eventSource\":\"x\",\"eventID\":\"1\"}\n";
    let vault = examples::read("envelope_of_vault_lock").to_string();
    let folder = folder_of(&[("a.jsonl", lines), ("b.jsonl", &vault), ("README.md", "not a trail")]);
    let (_, notes, Tally { files, counts, .. }) = replayed(folder.path(), Style::Text);
    assert_eq!((files, counts.lines), (2, 5));
    assert_eq!((counts.records, counts.partial_records, counts.not_cloudtrail), (1, 1, 1));
    assert_eq!((counts.unreadable, counts.backup_changes), (2, 1));
    assert!(notes.contains("skipped 1 files of other kinds"), "{notes}");
    assert!(notes.contains("a.jsonl:2: not JSON"), "{notes}");
    assert!(notes.contains("a.jsonl:4: the record has no usable `eventName`"), "{notes}");
    assert!(
        notes.contains("a.jsonl:1: evaluated with a placeholder for eventSource, eventTime, recipientAccountId"),
        "{notes}"
    );
}

#[test]
fn for_scripts_every_line_of_stderr_is_json_and_the_last_is_the_summary() {
    let folder = folder_of(&[("a.jsonl", "x\n")]);
    let (_, notes, _) = replayed(folder.path(), Style::Json);
    let lines: Vec<serde_json::Value> = notes.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["unreadable"]["line"], json!(1));
    assert_eq!(lines[1]["summary"]["unreadable"], json!(1));
}

#[test]
fn a_summary_for_people_names_the_rules_that_fired() {
    let folder = folder_of(&[("a.json", &examples::text("user_deletes_recovery_point"))]);
    let (_, notes, _) = replayed(folder.path(), Style::Text);
    assert!(notes.contains("1 BKP-01 (critical) No deletion of recovery points"), "{notes}");
}

#[test]
fn what_nobody_wants_is_counted_and_not_read() {
    let folder = folder_of(&[("a.json", &examples::text("log_file"))]);
    let (findings, _, tally) = replayed_by(&Nobody, folder.path(), Style::Text);
    assert_eq!((tally.counts.records, tally.counts.examined, findings.as_str()), (2, 0, ""));
}

#[test]
fn a_damaged_file_gives_what_it_has_and_spoils_no_other() {
    let whole = examples::text("log_file");
    let records = whole.trim_end().trim_end_matches(['}', ']', '\n', ' ']);
    let folder = folder_of(&[("a.json", records), ("b.json", &whole)]);
    let (findings, notes, tally) = replayed(folder.path(), Style::Text);
    assert!(notes.contains("a.json:") && notes.contains("not JSON from here on"), "{notes}");
    assert_eq!((findings.lines().count(), tally.counts.unreadable), (2, 1));
}

#[test]
fn many_files_are_reported_in_their_order_whoever_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..200 {
        let copies = vec![examples::text("user_deletes_recovery_point").replace('\n', ""); 1 + number % 7];
        fs::write(folder.path().join(format!("{number:03}.jsonl")), copies.join("\n")).unwrap();
    }
    let (findings, _, tally) = replayed(folder.path(), Style::Text);
    let places: Vec<(PathBuf, u64)> = findings
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| (line["file"].as_str().unwrap().into(), line["line"].as_u64().unwrap()))
        .collect();
    assert!(places.is_sorted());
    assert_eq!((tally.files, tally.findings as usize), (200, places.len()));
}

#[test]
fn every_published_record_is_replayed_and_none_lost() {
    let place = examples::published_folder();
    let (_, notes, Tally { counts, .. }) = replayed(&place, Style::Text);
    assert_eq!(counts.unreadable, 0, "{notes}");
    assert_eq!((counts.records, counts.lines), (1626, 1626));
    let (_, _, unread) = replayed_by(&Nobody, &place, Style::Text);
    assert_eq!(unread.counts.records, counts.records);
    assert!(unread.counts.examined < 100, "most are routine: {}", unread.counts.examined);
}

#[test]
#[ignore = "needs the examples of AWS's documentation, which may not be shipped: KEEPWATCH_SHARED, or ../shared"]
fn every_example_of_aws_backup_s_documentation_is_a_change_of_aws_backup() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("KEEPWATCH_SHARED").map_or_else(beside, PathBuf::from);
    let place = shared.join("data/cloudtrail/aws-docs-backup-eventbridge");
    let (_, notes, Tally { counts, .. }) = replayed(&place, Style::Text);
    assert_eq!((counts.unreadable, counts.records, counts.backup_changes), (0, 0, 7), "{notes}");
}
