//! `keepwatch backtest`: what a change of policies would have done to recorded events.
//!
//! Needs no account and changes nothing. The report goes to stdout, as text or (`--json`) as
//! one JSON document, and as a page where `--html` says; what was read, what could not be read
//! and the limits that do not hold go to stderr. The exit code is 0 when everything was read
//! and every limit holds, and 1 otherwise.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio::runtime::Handle;

use super::events::EventPlace;
use super::replay::show::{LOST_LIST, Listing, Show, Style, Tally};
use super::{Verdict, load_policies, say};
use crate::config::Config;
use crate::domain::account::{Account, AccountId};
use crate::domain::clock::SystemClock;
use crate::policy::Policies;
use crate::recorded::backtest::gates::{LimitCheck, Limits};
use crate::recorded::backtest::report::{About, Basis, Report};
use crate::recorded::backtest::spool::Spool;
use crate::recorded::backtest::{Backtest, Bench, ComparedEvent, html, json, rules, text};
use crate::recorded::replay;
use crate::recorded::replay::Replay;

/// Arguments of `keepwatch backtest`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The policies in force: a folder of policies or a bundle
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// Those that would replace them
    #[arg(value_name = "NEW")]
    new: PathBuf,
    #[command(flatten)]
    events: EventPlace,
    /// With `--config`: as if every mode in it were `enforce`
    #[arg(long, requires = "config")]
    as_if_enforced: bool,
    #[command(flatten)]
    limits: LimitArguments,
    /// Write the report as one JSON document, and stderr as JSON lines
    #[arg(long)]
    json: bool,
    /// Write the report as a page there, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Exit with 0 even when something could not be read
    #[arg(long)]
    allow_unreadable: bool,
}

/// How much of a change is too much.
#[derive(Debug, clap::Args)]
struct LimitArguments {
    /// Exit with 1 when more findings appear
    #[arg(long, value_name = "NUMBER")]
    max_new_findings: Option<u64>,
    /// Exit with 1 when more actors are newly contained, or contained harder
    #[arg(long, value_name = "NUMBER")]
    max_new_containments: Option<u64>,
    /// Exit with 1 when there are more threads in Slack than before, by more than this
    #[arg(long, value_name = "NUMBER")]
    max_new_threads: Option<u64>,
    /// Exit with 1 when more findings vanish
    #[arg(long, value_name = "NUMBER")]
    max_vanished: Option<u64>,
}

impl LimitArguments {
    const fn limits(&self) -> Limits {
        Limits {
            new_findings: self.max_new_findings,
            new_containments: self.max_new_containments,
            new_threads: self.max_new_threads,
            vanished: self.max_vanished,
        }
    }
}

/// What one pass over the events left behind.
struct EventPass {
    spool: Spool,
    /// The accounts whose events were evaluated, as the rules saw them.
    accounts: BTreeMap<AccountId, Account>,
    evaluated: u64,
    tally: Tally,
}

/// Compares two sets of policies over files.
///
/// # Errors
/// When it cannot start: policies that cannot be used, a path that does not exist, an
/// `accounts.toml` that is not valid, a page that cannot be written.
pub(super) fn run(args: &Arguments, runtime: &Handle) -> anyhow::Result<Verdict> {
    let (old, new) = (load_policies(&args.old)?, load_policies(&args.new)?);
    let config = args.events.config()?;
    // Before the long reading: a page that has no place is better known now.
    args.html.as_deref().map_or(Ok(()), check_place)?;
    let EventPass { spool, accounts, evaluated, tally } =
        read(args, &Bench { old: &old, new: &new }, &config, runtime)?;
    let (config, basis) = supposed(config, args.as_if_enforced, accounts);
    let mut backtest = Backtest::new(&config);
    spool.each(|case| backtest.take(case)).context("cannot read the findings back")?;
    let about = About {
        sides: [side(&args.old, &old), side(&args.new, &new)],
        basis,
        read: (tally.files, tally.counts),
        evaluated,
        rules: rules::compare(old.rules(), new.rules()),
    };
    let mut report = Report::of(backtest, about);
    report.gates = args.limits.limits().measure(&report);
    if let Some(path) = &args.html {
        fs::write(path, html::render(&report)).with_context(|| format!("cannot write to `{}`", path.display()))?;
    }
    if args.json {
        say(json::render(&report)?)?
    } else {
        say(text::render(&report).trim_end())?
    }
    Ok(verdict_of(args, &report))
}

/// Finds out whether a page can be written, and leaves one that is there as it is.
fn check_place(path: &Path) -> anyhow::Result<()> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map(drop).with_context(|| format!("cannot write to `{}`", path.display()))
}

fn side(path: &Path, policies: &Policies) -> (String, String, usize) {
    (path.display().to_string(), policies.digest().to_owned(), policies.rules().len())
}

/// In what accounts and modes the agent is supposed to have acted.
fn supposed(config: Option<Config>, as_if_enforced: bool, accounts: BTreeMap<AccountId, Account>) -> (Config, Basis) {
    match (config, as_if_enforced) {
        (None, _) => (Config::of_accounts(accounts.into_values().collect()), Basis::EveryAccountEnforces),
        (Some(config), false) => (config, Basis::AccountsFile),
        (Some(config), true) => (config.enforced(), Basis::AccountsFileEnforced),
    }
}

/// Reads every event once and keeps what either side found.
fn read(args: &Arguments, bench: &Bench<'_>, config: &Option<Config>, runtime: &Handle) -> anyhow::Result<EventPass> {
    let selection = args.events.selection();
    let (clock, style) = (SystemClock, Style::of_stderr(args.json));
    let mut listing = Listing::new(&clock, style, io::stderr().lock());
    let source = args.events.source(&selection, &mut |_| listing.found(true), runtime)?;
    drop(listing);
    let mut show = Show::new(&source, Tally::default(), &clock, style, io::stderr().lock());
    let workers = args.events.workers(&source);
    let replay = Replay { source: &source, selection: &selection, config: config.as_ref(), workers };
    let (mut spool, mut accounts, mut evaluated) = (Spool::open()?, BTreeMap::new(), 0);
    let mut kept = Ok(());
    let read = replay.run(bench, |report| {
        show.file(&report.item.name, &report.notes, &tally_of(&report));
        evaluated += report.found.len() as u64;
        for ComparedEvent { account, case } in report.found {
            accounts.entry(account.id.clone()).or_insert(account);
            kept = case.map_or(Ok(()), |case| spool.put(&case));
            if kept.is_err() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
    read.context(LOST_LIST)?;
    kept?;
    Ok(EventPass { spool, accounts, evaluated, tally: show.end()? })
}

/// What one file held, and what the new policies found in it.
fn tally_of(report: &replay::Report<ComparedEvent>) -> Tally {
    let cases = report.found.iter().filter_map(|evaluated| evaluated.case.as_ref());
    Tally::of(report.counts, cases.flat_map(|case| &case.new).map(|finding| finding.rule.id.as_str()))
}

/// Says which limits do not hold.
fn verdict_of(args: &Arguments, report: &Report) -> Verdict {
    let broken: Vec<&LimitCheck> = report.gates.iter().filter(|gate| !gate.holds).collect();
    for gate in &broken {
        if args.json {
            eprintln!("{}", serde_json::json!({ "over_limit": gate }));
        } else {
            eprintln!("over the limit: {gate}");
        }
    }
    let is_read = report.read.counts.unreadable == 0 || args.allow_unreadable;
    if broken.is_empty() && is_read { Verdict::Well } else { Verdict::Wrong }
}
