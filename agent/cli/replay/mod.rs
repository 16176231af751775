//! `keepwatch replay`: what the rules would have found in trail files.
//!
//! Needs no account and changes nothing. Each finding is one line of JSON on stdout:
//!
//! ```json
//! {"file":"a.json.gz","line":7,"event_id":"…","event_name":"StopLogging","event_source":"cloudtrail.amazonaws.com",
//!  "event_time":"2026-01-02T03:04:05Z","account":"111122223333","region":"eu-west-1","principal":{…},
//!  "rule":{"id":"LOG-01",…},"message":"…","resource":"…","propose":["restore"],"evidence":{…}}
//! ```
//!
//! `line` is the line in a file of lines, and otherwise the number of the record in its file.
//! Everything else goes to stderr: each piece that could not be read, and a summary at the end.
//! The exit code is 0 when everything was read, and 1 when something was not or the replay could
//! not start.

mod output;
pub(super) mod show;

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::Context as _;
use jiff::Timestamp;
use serde::Serialize;
use tokio::runtime::Handle;

use super::events::EventPlace;
use super::{PolicyPlace, Verdict, load_trusted};
use crate::domain::account::{Account, AccountId};
use crate::domain::clock::SystemClock;
use crate::domain::event::Event;
use crate::domain::finding::Finding;
use crate::domain::principal::Principal;
use crate::domain::region::Region;
use crate::policy::Policies;
use crate::policy::catalogue::Entry;
use crate::policy::input::EventInput;
use crate::recorded::replay::journal::Subject;
use crate::recorded::replay::{EventSink, RecordLocation, Replay, Report};
use output::Output;
use show::{LOST_LIST, Listing, Show, Style, Tally};

/// Arguments of `keepwatch replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    events: EventPlace,
    #[command(flatten)]
    policies: PolicyPlace,
    /// Write the findings there and not to stdout
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Keep a journal there, and go on where the run that wrote it broke off
    #[arg(long, value_name = "JOURNAL", requires = "output")]
    resume: Option<PathBuf>,
    /// Write what goes to stderr as JSON lines
    #[arg(long)]
    json: bool,
}

/// Replays files through the rules.
///
/// # Errors
/// When it cannot start: a path that does not exist, an `accounts.toml` that is not valid.
pub(super) fn run(args: &Arguments, runtime: &Handle) -> anyhow::Result<Verdict> {
    let config = args.events.config()?;
    let policies = load_trusted(&args.policies, config.as_ref())?;
    let selection = args.events.selection();
    let subject = Subject { policies: policies.digest().to_owned(), how: args.events.how() };
    let (journal, past) = output::journal(args, &subject)?;
    let (clock, style) = (SystemClock, Style::of_stderr(args.json));
    let mut listing = Listing::new(&clock, style, io::stderr().lock());
    let source = args.events.source(&selection, &mut |item| listing.found(!past.knows(item)), runtime)?;
    drop(listing);
    let mut output = Output::open(args, journal, past.written)?;
    let mut show = Show::new(&source, past.tally, &clock, style, io::stderr().lock());
    let workers = args.events.workers(&source);
    let replay = Replay { source: &source, selection: &selection, config: config.as_ref(), workers };
    let mut written = Ok(());
    let read = replay.run(&FindingLines(&policies), |report| {
        let tally = tally_of(&report);
        show.file(&report.item.name, &report.notes, &tally);
        written = output.write(&report, &tally);
        if written.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    read.context(LOST_LIST)?;
    match written.and_then(|()| output.finish()) {
        // A reader that has gone away has what it wanted.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(error).context("cannot write the findings");
        }
        Ok(()) | Err(_) => {}
    }
    let titles =
        policies.rules().iter().map(|Entry { rule, .. }| (rule.id.as_str(), (rule.title.as_str(), rule.severity)));
    let tally = show.summary(&titles.collect())?;
    Ok(if tally.counts.unreadable == 0 { Verdict::Well } else { Verdict::Wrong })
}

/// Makes a line of each finding.
struct FindingLines<'a>(&'a Policies);

/// One finding, as it is written.
struct FindingLine {
    rule: String,
    text: Vec<u8>,
}

/// What one file held.
fn tally_of(report: &Report<FindingLine>) -> Tally {
    Tally::of(report.counts, report.found.iter().map(|line| line.rule.as_str()))
}

/// What stands in a line.
#[derive(Debug, Serialize)]
struct FindingFields<'a> {
    file: &'a str,
    line: u64,
    event_id: &'a str,
    event_name: &'a str,
    event_source: &'a str,
    event_time: Timestamp,
    account: &'a AccountId,
    region: Option<&'a Region>,
    principal: &'a Principal,
    #[serde(flatten)]
    finding: &'a Finding,
}

impl EventSink for FindingLines<'_> {
    type Output = FindingLine;

    fn asks_for(&self, source: &str, name: &str) -> bool {
        self.0.is_subscribed(source, name)
    }

    fn rules(&self) -> Option<&Policies> {
        Some(self.0)
    }

    /// Evaluates at the event's own time, so that a replay finds the same whenever it is run.
    fn examine(&self, location: RecordLocation<'_>, event: &Event, account: &Account) -> Vec<FindingLine> {
        let found = self.0.evaluate_event(&EventInput::new(event, account, event.time));
        found.iter().map(|finding| line(location, event, finding)).collect()
    }
}

fn line(RecordLocation { file, line }: RecordLocation<'_>, event: &Event, finding: &Finding) -> FindingLine {
    let line = FindingFields {
        file,
        line,
        event_id: &event.id,
        event_name: &event.name,
        event_source: &event.source,
        event_time: event.time,
        account: &event.account,
        region: event.region.as_ref(),
        principal: &event.principal,
        finding,
    };
    let mut text = serde_json::to_vec(&line).unwrap_or_default();
    text.push(b'\n');
    FindingLine { rule: finding.rule.id.clone(), text }
}

#[cfg(test)]
mod tests;
