//! `keepwatch policy watch`: check, test and evaluate a rule each time that its author saves it.
//!
//! Files are looked at ten times a second: there are some dozens of them, which costs less
//! than a millisecond, needs no crate, and works on shared folders and in containers, where a
//! kernel's notifications do not arrive. The author cannot see the difference.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, anyhow};
use clap::Args;
use jiff::Timestamp;
use serde_json::Value;

use super::{Meant, check, test};
use crate::author::check::without_running;
use crate::author::{Work, documents, explain, trial};
use crate::cli::{Verdict, on_runtime, say};
use crate::domain::clock::{Clock as _, SystemClock};
use crate::policy::Policies;

/// The time between two looks.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// What every rule is built from.
const SHARED: [&str; 4] = ["lib", "data", "schema", "capabilities.json"];

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    meant: Meant,
    /// Further events to evaluate at each save: CloudTrail records, log files or documents.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    events: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let work = arguments.meant.work()?;
    let events = arguments.events.clone();
    on_runtime(async move {
        let stop = Arc::new(AtomicBool::new(false));
        let asked_to_stop = Arc::clone(&stop);
        let watching = tokio::task::spawn_blocking(move || watch(&work, &events, &asked_to_stop));
        tokio::signal::ctrl_c().await.context("cannot listen for Ctrl-C")?;
        stop.store(true, Ordering::Relaxed);
        watching.await?
    })
}

fn watch(work: &Work, events: &[PathBuf], stop: &AtomicBool) -> anyhow::Result<Verdict> {
    let mut events = Events { files: events.to_vec(), read: BTreeMap::new() };
    let mut seen = look(&work.folder, &events.files);
    evaluate(work, &mut events)?;
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(POLL_INTERVAL);
        let now = look(&work.folder, &events.files);
        for one in touched(work, &seen, &now) {
            evaluate(&one, &mut events)?;
        }
        seen = now;
    }
    Ok(Verdict::Well)
}

/// Files as they were when last looked at.
type Stamps = BTreeMap<PathBuf, Stamp>;

/// When a file was written, and how long it is.
type Stamp = (Option<SystemTime>, u64);

/// The author's own events, each file read again only when it changed.
struct Events {
    files: Vec<PathBuf>,
    read: BTreeMap<PathBuf, (Stamp, Vec<Value>)>,
}

fn look(folder: &Path, events: &[PathBuf]) -> Stamps {
    let mut seen = Stamps::new();
    for part in ["events", "resources"].iter().chain(&SHARED) {
        look_into(&folder.join(part), &mut seen);
    }
    events.iter().for_each(|file| look_into(file, &mut seen));
    seen
}

/// What cannot be read just now, such as a file that an editor puts in place, is not there.
fn look_into(path: &Path, seen: &mut Stamps) {
    let Ok(about) = path.metadata() else { return };
    if about.is_dir() {
        let entries = path.read_dir().into_iter().flatten().filter_map(Result::ok);
        entries.for_each(|entry| look_into(&entry.path(), seen));
    } else {
        seen.insert(path.to_owned(), (about.modified().ok(), about.len()));
    }
}

/// The rules that what changed belongs to: the rule that is watched, the one whose file was
/// saved, or all when it is something that they share.
fn touched(work: &Work, before: &Stamps, now: &Stamps) -> Vec<Work> {
    let paths: BTreeSet<&PathBuf> = before.keys().chain(now.keys()).collect();
    let changed: Vec<&PathBuf> = paths.into_iter().filter(|path| before.get(*path) != now.get(*path)).collect();
    let places: BTreeSet<Option<String>> = changed.iter().map(|path| place(&work.folder, path)).collect();
    match &work.rule {
        _ if places.is_empty() => Vec::new(),
        Some(rule) if places.iter().all(|place| place.as_ref().is_some_and(|place| place != rule)) => Vec::new(),
        Some(_) => vec![work.clone()],
        None if places.contains(&None) => vec![work.clone()],
        None => places.into_iter().map(|rule| Work { rule, ..work.clone() }).collect(),
    }
}

/// The rule that a file belongs to, as `events/<service>/<rule>`.
fn place(folder: &Path, path: &Path) -> Option<String> {
    let below = path.strip_prefix(folder).ok()?.to_string_lossy().into_owned();
    let parts: Vec<&str> = below.split('/').collect();
    let [kind @ ("events" | "resources"), service, rule, _, ..] = parts.as_slice() else { return None };
    // A rule that was deleted is everybody's business: ids and shared files may hang on it.
    let place = format!("{kind}/{service}/{rule}");
    folder.join(&place).is_dir().then_some(place)
}

/// One verdict, and how long the author waited for it. What cannot be built now may be built
/// after the next save, so it ends nothing.
fn evaluate(work: &Work, events: &mut Events) -> anyhow::Result<()> {
    let started = Instant::now();
    let now = SystemClock.now();
    let (checked, tried) = thread::scope(|scope| {
        let checked = scope.spawn(|| without_running(work));
        let tried = trial::uncovered(work, now);
        (checked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), tried)
    });
    let mut well = true;
    match checked {
        Ok(checked) => {
            well &= checked.lints.is_empty();
            check::named_from_here(work, checked.lints).iter().try_for_each(say)?;
        }
        Err(error) => {
            well = false;
            say(error)?;
        }
    }
    match tried {
        Ok((trial, policies)) => {
            well &= trial.passed(None);
            test::print(&trial)?;
            policies.iter().try_for_each(|policies| events.evaluate(policies))?;
        }
        Err(error) => {
            well = false;
            say(error)?;
        }
    }
    let what = work.rule.as_deref().unwrap_or("all rules");
    let verdict = if well { "well" } else { "WRONG" };
    say(format!("{what}: {verdict}, after {} ms; waiting for the next save", started.elapsed().as_millis()))
}

impl Events {
    /// What the rules find in the events.
    fn evaluate(&mut self, policies: &Policies) -> anyhow::Result<()> {
        for file in self.files.clone() {
            match self.documents(&file) {
                Ok(documents) => evaluate_file(policies, &file, documents)?,
                Err(error) => say(format!("{}: {error:#}", file.display()))?,
            }
        }
        Ok(())
    }

    fn documents(&mut self, file: &Path) -> anyhow::Result<&[Value]> {
        let about = file.metadata()?;
        let stamp = (about.modified().ok(), about.len());
        if self.read.get(file).is_none_or(|(known, _)| *known != stamp) {
            let documents = documents::read(&std::fs::read_to_string(file)?).map_err(|problem| anyhow!(problem))?;
            self.read.insert(file.to_owned(), (stamp, documents));
        }
        Ok(self.read.get(file).map_or(&[], |(_, documents)| documents))
    }
}

fn evaluate_file(policies: &Policies, file: &Path, documents: &[Value]) -> anyhow::Result<()> {
    let mut findings = 0;
    for (number, document) in documents.iter().enumerate() {
        let now = document.get("now").and_then(|now| now.as_str()?.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH);
        for entry in policies.rules().iter().filter(|entry| explain::is_subscribed(entry, document)) {
            for finding in policies.evaluate_rule(entry, document, now) {
                findings += 1;
                say(format!("{}: event {}: {} {}", file.display(), number + 1, entry.rule.id, finding.message))?;
            }
        }
    }
    say(format!("{}: {findings} finding(s) in {} event(s)", file.display(), documents.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_save_touches_its_rule_and_what_is_shared_touches_all() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let rules = ["events/a/one", "resources/b/two"];
        rules.iter().for_each(|rule| write(&format!("{rule}/x.rego"), "old"));
        let all = Work::all(folder.path());
        let one = Work { rule: Some(rules[0].to_owned()), ..all.clone() };
        let touched_by = |work: &Work, path: &str, text: &str| {
            let before = look(folder.path(), &[]);
            write(path, text);
            touched(work, &before, &look(folder.path(), &[]))
        };
        assert_eq!(touched_by(&all, "events/a/one/x.rego", "newer"), std::slice::from_ref(&one));
        assert_eq!(touched_by(&one, "events/a/one/fires.json", "[]"), std::slice::from_ref(&one));
        assert_eq!(touched_by(&one, "resources/b/two/x.rego", "newer"), []);
        assert_eq!(touched_by(&all, "lib/event.rego", "new"), std::slice::from_ref(&all));
        assert_eq!(touched_by(&one, "data/x/data.json", "{}"), std::slice::from_ref(&one));
        assert_eq!(touched(&all, &look(folder.path(), &[]), &look(folder.path(), &[])), []);
    }
}
