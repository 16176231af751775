//! `keepwatch replay`: what the rules would have found in trail files.
//!
//! Needs no account and changes nothing. Each finding is one line of JSON on stdout:
//!
//! ```json
//! {"file":"a.json.gz","line":7,"event_id":"…","event_name":"StopLogging","event_source":"cloudtrail.amazonaws.com",
//!  "event_time":"2026-01-02T03:04:05Z","account":"111122223333","region":"eu-west-1","principal":{…},
//!  "rule":{"id":"LOG-01",…},"message":"…","resource":"…","propose":["rearm"],"evidence":{…}}
//! ```
//!
//! `line` is the line in a file of lines, and otherwise the number of the record in its file.
//! Everything else goes to stderr: each line that could not be read, and a summary at the end.
//! The exit code is 0 when everything was read, and 1 when something was not or the replay could
//! not start.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::{PolicyPlace, Verdict, load_trusted};
use crate::clock::{Clock, SystemClock};
use crate::config::{Account, AccountClass, AccountId, Config, Mode};
use crate::event::principal::Principal;
use crate::event::{Event, partial};
use crate::intake::body::{self, BodyError, Part};
use crate::intake::file::{self, Piece};
use crate::policy::input::ActInput;
use crate::policy::{Finding, Policies, Severity};

/// How many pieces pass between two looks at the clock.
const PIECES_PER_LOOK: u64 = 1024;

/// Arguments of `keepwatch replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// CloudTrail files (`.json`, `.jsonl`, gzipped or not) or folders of them
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    policies: PolicyPlace,
    /// The `accounts.toml` to judge with; an account that is not in it counts as an observed production account
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// Write what goes to stderr as JSON lines
    #[arg(long)]
    json: bool,
}

/// Who judges: the policy engine, or a double of it.
trait Judge {
    /// What the rules that ask for this event find in it. `now` is the event's own time, so
    /// that a replay finds the same whenever it is run.
    fn judge(&mut self, event: &Event, account: &Account) -> Vec<Finding>;
}

impl Judge for Policies {
    fn judge(&mut self, event: &Event, account: &Account) -> Vec<Finding> {
        self.judge_act(&ActInput::new(event, account, event.time))
    }
}

/// Replays files through the rules.
///
/// # Errors
/// When it cannot start: a path that does not exist, an `accounts.toml` that is not valid.
pub(super) fn run(args: &Arguments) -> anyhow::Result<Verdict> {
    let clock = SystemClock;
    let config = args.accounts.as_deref().map(Config::load).transpose()?;
    let mut judge = load_trusted(&args.policies, config.as_ref())?;
    for path in &args.files {
        std::fs::metadata(path).with_context(|| format!("cannot replay `{}`", path.display()))?;
    }
    let style = match (args.json, io::stderr().is_terminal()) {
        (true, _) => Style::Json,
        (false, true) => Style::Terminal,
        (false, false) => Style::Text,
    };
    let mut findings = BufWriter::new(io::stdout().lock());
    let mut notes = io::stderr().lock();
    let mut session = Session {
        judge: &mut judge,
        config: config.as_ref(),
        clock: &clock,
        started: clock.now(),
        shown: clock.now(),
        style,
        findings: &mut findings,
        notes: &mut notes,
        tally: Tally::default(),
    };
    session.replay(&args.files);
    let tally = session.finish()?;
    Ok(if tally.unreadable == 0 { Verdict::Well } else { Verdict::Wrong })
}

/// How stderr is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// For people.
    Text,
    /// For people who watch: with progress.
    Terminal,
    /// For scripts: one JSON object on each line.
    Json,
}

/// What was read and found.
#[derive(Debug, Default, Serialize)]
struct Tally {
    files: u64,
    skipped_files: u64,
    /// Lines of files of lines, records of other files.
    lines: u64,
    records: u64,
    /// Records among them that were judged with stand-ins.
    partial_records: u64,
    backup_changes: u64,
    ignored: u64,
    not_cloudtrail: u64,
    unreadable: u64,
    findings: u64,
    rules: BTreeMap<String, RuleTally>,
}

/// How often one rule fired.
#[derive(Debug, Serialize)]
struct RuleTally {
    title: String,
    severity: Severity,
    findings: u64,
}

/// One finding, as it is written to stdout.
#[derive(Debug, Serialize)]
struct FindingLine<'a> {
    file: &'a str,
    line: u64,
    event_id: &'a str,
    event_name: &'a str,
    event_source: &'a str,
    event_time: Timestamp,
    account: &'a AccountId,
    region: &'a str,
    principal: &'a Principal,
    #[serde(flatten)]
    finding: &'a Finding,
}

/// Where a piece stands.
#[derive(Debug, Clone, Copy)]
struct Spot<'a> {
    file: &'a str,
    line: u64,
}

/// One replay.
struct Session<'a, J, C> {
    judge: &'a mut J,
    config: Option<&'a Config>,
    clock: &'a C,
    started: Timestamp,
    shown: Timestamp,
    style: Style,
    findings: &'a mut dyn Write,
    notes: &'a mut dyn Write,
    tally: Tally,
}

impl<J: Judge, C: Clock> Session<'_, J, C> {
    fn replay(&mut self, paths: &[PathBuf]) {
        for path in paths {
            let walked = file::walk(path, &mut |found| match found {
                Some(file) => self.file(file),
                None => {
                    self.tally.skipped_files += 1;
                    ControlFlow::Continue(())
                }
            });
            match walked {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return,
                Err(error) => self.unreadable(Spot { file: &path.display().to_string(), line: 0 }, &error.to_string()),
            }
        }
    }

    fn file(&mut self, path: &Path) -> ControlFlow<()> {
        self.tally.files += 1;
        let name = path.display().to_string();
        file::read(path, &mut |Piece { number, text }| {
            let spot = Spot { file: &name, line: number };
            self.tally.lines += 1;
            self.show_progress();
            match text {
                Ok(text) => self.piece(spot, text),
                Err(error) => {
                    self.unreadable(spot, &error.to_string());
                    ControlFlow::Continue(())
                }
            }
        })
    }

    fn piece(&mut self, spot: Spot<'_>, text: &str) -> ControlFlow<()> {
        match body::parts(text) {
            Ok(parts) => parts.into_iter().try_for_each(|part| self.part(spot, part)),
            Err(BodyError::Unknown { .. } | BodyError::DetailType { .. } | BodyError::FileNotice) => {
                self.tally.not_cloudtrail += 1;
                ControlFlow::Continue(())
            }
            Err(
                error @ (BodyError::NotJson { .. }
                | BodyError::TooDeep
                | BodyError::Forged { .. }
                | BodyError::Wrapper { .. }
                | BodyError::Event(_)),
            ) => {
                self.unreadable(spot, &error.reason());
                ControlFlow::Continue(())
            }
        }
    }

    fn part(&mut self, spot: Spot<'_>, part: Part) -> ControlFlow<()> {
        match part {
            Part::Record(record) => return self.record(spot, record),
            Part::Backup(_) => self.tally.backup_changes += 1,
            Part::Ignored { .. } => self.tally.ignored += 1,
        }
        ControlFlow::Continue(())
    }

    fn record(&mut self, spot: Spot<'_>, mut record: serde_json::Value) -> ControlFlow<()> {
        let stand_ins = partial::complete(&mut record);
        match Event::parse(record) {
            Err(error) => self.unreadable(spot, &BodyError::from(error).reason()),
            Ok(event) => {
                self.tally.records += 1;
                if !stand_ins.is_empty() {
                    self.tally.partial_records += 1;
                    self.note("partial", spot, &format!("judged with a stand-in for {}", stand_ins.join(", ")));
                }
                return self.event(spot, event);
            }
        }
        ControlFlow::Continue(())
    }

    fn event(&mut self, spot: Spot<'_>, event: Event) -> ControlFlow<()> {
        let event = match self.config {
            Some(config) => event.flagged(config),
            None => event,
        };
        let known = self.config.and_then(|config| config.account(&event.account)).cloned();
        let account = known.unwrap_or_else(|| observed(&event.account));
        let found = self.judge.judge(&event, &account);
        found.iter().try_for_each(|finding| self.found(spot, &event, finding))
    }

    /// Writes one finding. Nobody to read it any more ends the replay.
    fn found(&mut self, Spot { file, line }: Spot<'_>, event: &Event, finding: &Finding) -> ControlFlow<()> {
        self.tally.count(finding);
        let line = FindingLine {
            file,
            line,
            event_id: &event.id,
            event_name: &event.name,
            event_source: &event.source,
            event_time: event.time,
            account: &event.account,
            region: &event.region,
            principal: &event.principal,
            finding,
        };
        let written = serde_json::to_writer(&mut *self.findings, &line).map_err(io::Error::from);
        match written.and_then(|()| self.findings.write_all(b"\n")) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn unreadable(&mut self, spot: Spot<'_>, why: &str) {
        self.tally.unreadable += 1;
        self.note("unreadable", spot, why);
    }

    /// Says something about one piece. When stderr is gone, nobody wanted to know.
    fn note(&mut self, what: &str, Spot { file, line }: Spot<'_>, why: &str) {
        let _ = match self.style {
            Style::Json => writeln!(self.notes, "{}", json!({ what: {"file": file, "line": line, "why": why} })),
            Style::Text => writeln!(self.notes, "{what}: {file}:{line}: {why}"),
            Style::Terminal => writeln!(self.notes, "\r\x1b[K{what}: {file}:{line}: {why}"),
        };
    }

    fn show_progress(&mut self) {
        if self.style != Style::Terminal || !self.tally.lines.is_multiple_of(PIECES_PER_LOOK) {
            return;
        }
        let now = self.clock.now();
        if now.as_second() > self.shown.as_second() {
            self.shown = now;
            let Tally { lines, findings, files, .. } = self.tally;
            let _ = write!(self.notes, "\r\x1b[K{lines} lines of {files} files, {findings} findings");
            let _ = self.notes.flush();
        }
    }

    /// Writes the summary.
    fn finish(self) -> io::Result<Tally> {
        // A reader that has gone away has what it wanted.
        let _ = self.findings.flush();
        let seconds = self.clock.now().duration_since(self.started).as_secs_f64();
        match self.style {
            Style::Json => writeln!(self.notes, "{}", self.tally.as_json(seconds))?,
            Style::Text => write!(self.notes, "{}", self.tally.as_text(seconds))?,
            Style::Terminal => write!(self.notes, "\r\x1b[K{}", self.tally.as_text(seconds))?,
        }
        Ok(self.tally)
    }
}

impl Tally {
    fn count(&mut self, finding: &Finding) {
        self.findings += 1;
        let rule = &finding.rule;
        let new = || RuleTally { title: rule.title.clone(), severity: rule.severity, findings: 0 };
        self.rules.entry(rule.id.clone()).or_insert_with(new).findings += 1;
    }

    fn as_json(&self, seconds: f64) -> serde_json::Value {
        json!({"summary": self, "seconds": seconds, "lines_per_second": self.rate(seconds)})
    }

    fn as_text(&self, seconds: f64) -> String {
        let Self { files, skipped_files, lines, records, partial_records, .. } = self;
        let Self { backup_changes, ignored, not_cloudtrail, unreadable, findings, .. } = self;
        let rate = self.rate(seconds);
        let mut text = format!("read {lines} lines of {files} files in {seconds:.2} s ({rate:.0} lines a second)\n");
        text += &format!("  {records:>8} CloudTrail records, {partial_records} of them judged with stand-ins\n");
        text += &format!("  {backup_changes:>8} changes that AWS Backup reports\n");
        text += &format!("  {ignored:>8} ignored\n");
        text += &format!("  {not_cloudtrail:>8} not CloudTrail\n");
        text += &format!("  {unreadable:>8} unreadable\n");
        if *skipped_files > 0 {
            text += &format!("skipped {skipped_files} files of other kinds\n");
        }
        text += &format!("{findings} findings\n");
        for (id, RuleTally { title, severity, findings }) in &self.rules {
            text += &format!("  {findings:>8} {id} ({severity}) {title}\n");
        }
        text
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    fn rate(&self, seconds: f64) -> f64 {
        self.lines as f64 / seconds.max(0.001)
    }
}

/// An account that `accounts.toml` does not name, as the rules see it.
fn observed(id: &AccountId) -> Account {
    Account {
        id: id.clone(),
        name: id.to_string(),
        class: AccountClass::Production,
        regions: Vec::new(),
        mode: Mode::Observe,
        ou: None,
        tags: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::event::examples;
    use crate::policy::{Rule, Verb};

    struct StoppedClock;

    impl Clock for StoppedClock {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
    }

    /// Finds every event of one name.
    struct Named(&'static str);

    impl Judge for Named {
        fn judge(&mut self, event: &Event, account: &Account) -> Vec<Finding> {
            let rule = Rule {
                id: "BKP-01".into(),
                title: "No deletion of recovery points".into(),
                severity: Severity::Critical,
                mode: Mode::Enforce,
                controls: Vec::new(),
                attack: Vec::new(),
                runbook: None,
            };
            let message = format!("in {}", account.name);
            let finding =
                Finding { rule, message, resource: None, propose: vec![Verb::Contain], evidence: json!(null) };
            (event.name == self.0).then_some(finding).into_iter().collect()
        }
    }

    /// What a replay of these paths writes: findings, notes, tally.
    fn replayed(paths: &[PathBuf], style: Style) -> (String, String, Tally) {
        let (mut findings, mut notes) = (Vec::new(), Vec::new());
        let mut session = Session {
            judge: &mut Named("DeleteRecoveryPoint"),
            config: None,
            clock: &StoppedClock,
            started: Timestamp::UNIX_EPOCH,
            shown: Timestamp::UNIX_EPOCH,
            style,
            findings: &mut findings,
            notes: &mut notes,
            tally: Tally::default(),
        };
        session.replay(paths);
        let tally = session.finish().unwrap();
        (String::from_utf8(findings).unwrap(), String::from_utf8(notes).unwrap(), tally)
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
        let (findings, _, tally) = replayed(&[folder.path().to_owned()], Style::Text);
        let line: serde_json::Value = serde_json::from_str(findings.trim()).unwrap();
        assert_eq!((&line["line"], &line["event_name"]), (&json!(1), &json!("DeleteRecoveryPoint")));
        assert_eq!((&line["rule"]["id"], &line["propose"]), (&json!("BKP-01"), &json!(["contain"])));
        assert_eq!((&line["principal"]["name"], &line["message"]), (&json!("mallory"), &json!("in 111122223333")));
        assert_eq!((tally.records, tally.findings, tally.unreadable), (2, 1, 0));
    }

    #[test]
    fn no_line_is_lost_and_each_unreadable_one_is_named() {
        let lines = "{\"eventName\":\"CreateUser\"}\nnot json\n{\"line\":1,\"theme\":\"other\"}\n{\"eventSource\":\"x\",\"eventID\":\"1\"}\n";
        let vault = examples::read("envelope_of_vault_lock").to_string();
        let folder = folder_of(&[("a.jsonl", lines), ("b.jsonl", &vault), ("README.md", "not a trail")]);
        let (_, notes, tally) = replayed(&[folder.path().to_owned()], Style::Text);
        assert_eq!((tally.files, tally.skipped_files, tally.lines), (2, 1, 5));
        assert_eq!((tally.records, tally.partial_records, tally.not_cloudtrail), (1, 1, 1));
        assert_eq!((tally.unreadable, tally.backup_changes), (2, 1));
        assert!(notes.contains("a.jsonl:2: not JSON"), "{notes}");
        assert!(notes.contains("a.jsonl:4: the record has no usable `eventName`"), "{notes}");
        assert!(
            notes.contains("a.jsonl:1: judged with a stand-in for eventSource, eventTime, recipientAccountId"),
            "{notes}"
        );
    }

    #[test]
    fn for_scripts_every_line_of_stderr_is_json_and_the_last_is_the_summary() {
        let folder = folder_of(&[("a.jsonl", "x\n")]);
        let (_, notes, _) = replayed(&[folder.path().to_owned()], Style::Json);
        let lines: Vec<serde_json::Value> = notes.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["unreadable"]["line"], json!(1));
        assert_eq!(lines[1]["summary"]["unreadable"], json!(1));
    }

    #[test]
    fn a_summary_for_people_names_the_rules_that_fired() {
        let folder = folder_of(&[("a.json", &examples::text("user_deletes_recovery_point"))]);
        let (_, notes, _) = replayed(&[folder.path().to_owned()], Style::Text);
        assert!(notes.contains("1 BKP-01 (critical) No deletion of recovery points"), "{notes}");
    }

    #[test]
    fn every_record_of_the_shared_data_is_replayed_and_none_lost() {
        let Some(data) = examples::shared() else {
            return;
        };
        let (_, notes, tally) = replayed(&[data], Style::Text);
        assert_eq!(tally.unreadable, 0, "{notes}");
        assert_eq!((tally.records, tally.backup_changes), (1626, 7));
        assert_eq!(tally.lines, tally.records + tally.backup_changes + tally.not_cloudtrail);
        assert_eq!(tally.not_cloudtrail, 1626, "the lines of the index and label files");
        eprintln!("{notes}");
    }
}
