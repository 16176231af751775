//! What reading recorded events says on stderr: notes, progress, the summary.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write};
use std::ops::AddAssign;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::domain::clock::Clock;
use crate::domain::finding::Severity;
use crate::recorded::replay::source::{Source, Whole};
use crate::recorded::replay::{Counts, Note, NoteKind};

/// What to say when the list of files is lost.
pub(in crate::cli) const LOST_LIST: &str = "cannot read back the list of files from its temporary file";

/// How often progress is shown.
const REDRAW_INTERVAL: SignedDuration = SignedDuration::from_millis(250);
/// After how many listed files it is time to look at the clock.
const LISTED_TOGETHER: u64 = 64;

/// How stderr is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Style {
    /// For people.
    Text,
    /// For people who watch: with progress.
    Terminal,
    /// For scripts: one JSON object on each line.
    Json,
}

impl Style {
    pub fn of_stderr(json: bool) -> Self {
        match (json, io::stderr().is_terminal()) {
            (true, _) => Self::Json,
            (false, true) => Self::Terminal,
            (false, false) => Self::Text,
        }
    }
}

/// What was read and found.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::cli) struct Tally {
    pub files: u64,
    #[serde(flatten)]
    pub counts: Counts,
    pub findings: u64,
    /// How often each rule fired.
    pub rules: BTreeMap<String, u64>,
}

impl Tally {
    /// That of one file; each finding by its rule.
    pub fn of<'a>(counts: Counts, found: impl Iterator<Item = &'a str>) -> Self {
        let mut tally = Self { files: 1, counts, ..Self::default() };
        for rule in found {
            tally.findings += 1;
            *tally.rules.entry(rule.to_owned()).or_default() += 1;
        }
        tally
    }
}

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        self.files += other.files;
        self.counts += other.counts;
        self.findings += other.findings;
        for (rule, findings) in &other.rules {
            *self.rules.entry(rule.clone()).or_default() += findings;
        }
    }
}

/// Shows how far files are listed.
pub(in crate::cli) struct Listing<'a, C, W> {
    clock: &'a C,
    shown: Timestamp,
    style: Style,
    notes: W,
    files: u64,
}

impl<'a, C: Clock, W: Write> Listing<'a, C, W> {
    pub fn new(clock: &'a C, style: Style, notes: W) -> Self {
        Self { clock, shown: clock.now(), style, notes, files: 0 }
    }

    /// Takes in a file that was found, and says again whether it is left to read.
    pub fn found(&mut self, is_left: bool) -> bool {
        self.files += 1;
        if self.style == Style::Terminal && self.files.is_multiple_of(LISTED_TOGETHER) {
            let now = self.clock.now();
            if now.duration_since(self.shown) >= REDRAW_INTERVAL {
                self.shown = now;
                let _ = write!(self.notes, "\r\x1b[Klisting: {} files so far", self.files);
                let _ = self.notes.flush();
            }
        }
        is_left
    }
}

/// Shows one replay.
pub(in crate::cli) struct Show<'a, C, W> {
    /// How many files there are, and bytes in them.
    whole: Whole,
    skipped: u64,
    clock: &'a C,
    started: Timestamp,
    shown: Timestamp,
    /// Bytes that an earlier run read.
    before: u64,
    style: Style,
    notes: W,
    tally: Tally,
}

impl<'a, C: Clock, W: Write> Show<'a, C, W> {
    /// `tally` is what came of the files that an earlier run read.
    pub fn new(source: &Source, tally: Tally, clock: &'a C, style: Style, notes: W) -> Self {
        let (now, before, whole) = (clock.now(), tally.counts.bytes, source.whole);
        Self { whole, skipped: source.skipped, clock, started: now, shown: now, before, style, notes, tally }
    }

    /// Takes in what one file held.
    pub fn file(&mut self, name: &str, notes: &[Note], tally: &Tally) {
        for note in notes {
            self.note(note.kind, name, note.line, &note.why);
        }
        self.tally += tally;
        self.progress();
    }

    /// Says something about one piece. When stderr is gone, nobody wanted to know.
    fn note(&mut self, kind: NoteKind, file: &str, line: u64, why: &str) {
        let what = match kind {
            NoteKind::Partial => "partial",
            NoteKind::Unreadable => "unreadable",
        };
        let _ = match self.style {
            Style::Json => writeln!(self.notes, "{}", json!({ what: {"file": file, "line": line, "why": why} })),
            Style::Text => writeln!(self.notes, "{what}: {file}:{line}: {why}"),
            Style::Terminal => writeln!(self.notes, "\r\x1b[K{what}: {file}:{line}: {why}"),
        };
    }

    fn progress(&mut self) {
        let now = self.clock.now();
        if self.style != Style::Terminal || now.duration_since(self.shown) < REDRAW_INTERVAL {
            return;
        }
        self.shown = now;
        let Tally { files, counts, findings, .. } = &self.tally;
        let Whole { files: all_files, bytes: all_bytes } = self.whole;
        let seconds = now.duration_since(self.started).as_secs_f64();
        let rate = counts.bytes.saturating_sub(self.before) as f64 / seconds.max(0.001);
        let left = all_bytes.saturating_sub(counts.bytes) as f64 / rate.max(1.0);
        let share = 100.0 * counts.bytes as f64 / (all_bytes as f64).max(1.0);
        let megabytes = rate / 1e6;
        let _ = write!(
            self.notes,
            "\r\x1b[K{share:3.0} % · {files} of {all_files} files · {megabytes:.0} MB/s · {findings} findings · {left:.0} s left",
        );
        let _ = self.notes.flush();
    }

    /// Writes the summary, for people with the titles of the rules.
    ///
    /// # Errors
    /// When stderr cannot be written.
    pub fn summary(self, titles: &Titles<'_>) -> io::Result<Tally> {
        let found = self.tally.found(titles);
        self.close(&found)
    }

    /// Writes what was read, where what was found is said elsewhere.
    ///
    /// # Errors
    /// When stderr cannot be written.
    pub fn end(self) -> io::Result<Tally> {
        self.close("")
    }

    fn close(mut self, found: &str) -> io::Result<Tally> {
        let seconds = self.clock.now().duration_since(self.started).as_secs_f64();
        let (tally, skipped) = (&self.tally, self.skipped);
        let rate = tally.counts.lines as f64 / seconds.max(0.001);
        let text = match self.style {
            Style::Json => {
                let summary =
                    json!({"summary": tally, "skipped_files": skipped, "seconds": seconds, "lines_per_second": rate});
                format!("{summary}\n")
            }
            Style::Text | Style::Terminal => {
                let Counts { lines, .. } = tally.counts;
                let mut text = format!(
                    "read {lines} lines of {} files in {seconds:.2} s ({rate:.0} lines a second)\n{}{found}",
                    tally.files,
                    tally.read()
                );
                if skipped > 0 {
                    text += &format!("skipped {skipped} files of other kinds\n");
                }
                if self.style == Style::Terminal { format!("\r\x1b[K{text}") } else { text }
            }
        };
        self.notes.write_all(text.as_bytes())?;
        Ok(self.tally)
    }
}

/// What rules are called and how bad it is when they fire, by their ids.
pub(in crate::cli) type Titles<'a> = BTreeMap<&'a str, (&'a str, Severity)>;

impl Tally {
    fn read(&self) -> String {
        let Counts { records, examined, partial_records, backup_changes, ignored, not_cloudtrail, unreadable, .. } =
            self.counts;
        let mut text = format!(
            "  {records:>8} CloudTrail records, {examined} of them examined, {partial_records} with placeholders\n"
        );
        text += &format!("  {backup_changes:>8} changes that AWS Backup reports\n");
        text += &format!("  {ignored:>8} ignored\n");
        text += &format!("  {not_cloudtrail:>8} not CloudTrail\n");
        text += &format!("  {unreadable:>8} unreadable\n");
        text
    }

    fn found(&self, titles: &Titles<'_>) -> String {
        let mut text = format!("{} findings\n", self.findings);
        for (id, count) in &self.rules {
            let about = titles.get(id.as_str()).map(|(title, severity)| format!(" ({severity}) {title}"));
            text += &format!("  {count:>8} {id}{}\n", about.unwrap_or_default());
        }
        text
    }
}
