//! Reads recorded CloudTrail events as fast as they can be unpacked, on every core.
//!
//! The caller says which events it asks for and what it makes of them ([`EventSink`]); all
//! other events are only counted. Files are read by several workers, and reported in their
//! order, so that a replay says the same however many there are. It needs no account, changes
//! nothing, and holds no more than the files that are being read.

pub mod items;
pub mod journal;
mod layout;
mod prefilter;
mod reader;
pub mod source;

use std::collections::BTreeMap;
use std::io;
use std::ops::{AddAssign, ControlFlow};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::domain::account::{Account, AccountClass, AccountId, Mode};
use crate::domain::event::Event;
use crate::policy::Policies;

use items::{Item, Items, Reading};
pub use layout::Selection;
use reader::Reader;
use source::Source;

/// How many files each worker may be ahead of what has been reported: enough that nobody waits while
/// one of them reads a large file.
const MAX_FILES_AHEAD: usize = 64;

/// How many files a worker takes at a time, and reports: waking another thread costs as much as
/// reading a dozen records.
const FILES_PER_TURN: usize = 8;

/// Who asks for events, and what is made of them.
pub trait EventSink: Sync {
    /// What is made of one.
    type Output: Send;

    /// Whether events of this `eventSource` and `eventName` are worth reading.
    fn asks_for(&self, source: &str, name: &str) -> bool;

    /// The rules that alone decide what it makes of an event, if rules do: then events for which
    /// the prefilter shows that they find nothing are skipped.
    fn rules(&self) -> Option<&Policies> {
        None
    }

    /// Examines an event that it asks for; `location` says where its record is.
    fn examine(&self, location: RecordLocation<'_>, event: &Event, account: &Account) -> Vec<Self::Output>;
}

/// Where a piece stands.
#[derive(Debug, Clone, Copy)]
pub struct RecordLocation<'a> {
    /// Its file: a path, or `s3://bucket/key`.
    pub file: &'a str,
    /// Its line in a file of lines; otherwise how many-th record of the file it is. From 1.
    pub line: u64,
}

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Lines of files of lines, records of other files.
    pub lines: u64,
    /// CloudTrail records among them.
    pub records: u64,
    /// Records that were read whole, because somebody wants such events or because something
    /// about them is unusual.
    pub examined: u64,
    /// Records that lack what identifies an event, and were examined with placeholders.
    pub partial_records: u64,
    /// Changes that AWS Backup reports.
    pub backup_changes: u64,
    /// Envelopes of events that the agent does not listen to.
    pub ignored: u64,
    /// JSON of another kind.
    pub not_cloudtrail: u64,
    /// What could not be read.
    pub unreadable: u64,
    /// Bytes of the files, as they are stored.
    pub bytes: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        let Self { lines, records, examined, partial_records, backup_changes, .. } = other;
        let Self { ignored, not_cloudtrail, unreadable, bytes, .. } = other;
        self.lines += lines;
        self.records += records;
        self.examined += examined;
        self.partial_records += partial_records;
        self.backup_changes += backup_changes;
        self.ignored += ignored;
        self.not_cloudtrail += not_cloudtrail;
        self.unreadable += unreadable;
        self.bytes += bytes;
    }
}

/// Something to say about one piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What it is about.
    pub kind: NoteKind,
    /// The piece, as in [`RecordLocation`]; 0 for the file as a whole.
    pub line: u64,
    /// What there is to say.
    pub why: String,
}

/// What a note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKind {
    /// A record was examined with placeholders.
    Partial,
    /// A piece could not be read.
    Unreadable,
}

/// What one file held.
#[derive(Debug)]
pub struct Report<F> {
    /// The file.
    pub item: Item,
    /// Its place among the files.
    index: usize,
    /// What was read.
    pub counts: Counts,
    /// What was found, in the order of the records.
    pub found: Vec<F>,
    /// What there is to say, in the order of the pieces.
    pub notes: Vec<Note>,
}

/// What is replayed, and how.
pub struct Replay<'a> {
    /// The files, and the way to their content.
    pub source: &'a Source,
    /// Which events are examined.
    pub selection: &'a Selection,
    /// The accounts, as far as they are known.
    pub config: Option<&'a Config>,
    /// How many threads read.
    pub workers: usize,
}

impl Replay<'_> {
    /// Reads every file and reports each in turn, until there are no more or `on_report` breaks off.
    ///
    /// # Errors
    /// When the list of the files cannot be read back.
    pub fn run<E: EventSink>(
        &self,
        sink: &E,
        mut on_report: impl FnMut(Report<E::Output>) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let queue = WorkQueue::new(&self.source.items, self.workers.max(1))?;
        let (sender, reports) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..self.workers.max(1) {
                let (queue, sender) = (&queue, sender.clone());
                scope.spawn(move || self.work(sink, queue, &sender));
            }
            drop(sender);
            in_order(&reports, &queue, &mut on_report);
            queue.stop();
        });
        queue.outcome()
    }

    fn work<E: EventSink>(&self, sink: &E, queue: &WorkQueue<'_>, sender: &Sender<Vec<Report<E::Output>>>) {
        let mut reader = Reader::new(self, sink);
        while let Some((first, items)) = queue.take() {
            let items = (first..).zip(items);
            if sender.send(items.map(|(index, item)| reader.read(index, &item)).collect()).is_err() {
                return;
            }
        }
    }
}

fn in_order<F>(
    reports: &Receiver<Vec<Report<F>>>,
    queue: &WorkQueue<'_>,
    on_report: &mut impl FnMut(Report<F>) -> ControlFlow<()>,
) {
    let mut early = BTreeMap::new();
    let mut due = 0;
    for report in reports.iter().flatten() {
        early.insert(report.index, report);
        while let Some(report) = early.remove(&due) {
            if on_report(report).is_break() {
                return;
            }
            due += 1;
            queue.reported();
        }
    }
}

/// Hands out files, and keeps the workers from running far ahead of what has been reported.
struct WorkQueue<'a> {
    state: Mutex<WorkQueueState<'a>>,
    opened: Condvar,
    total: usize,
    workers: usize,
}

struct WorkQueueState<'a> {
    items: Reading<'a>,
    trouble: io::Result<()>,
    taken: usize,
    reported: usize,
    stopped: bool,
}

impl<'a> WorkQueue<'a> {
    fn new(items: &'a Items, workers: usize) -> io::Result<Self> {
        let state = WorkQueueState { items: items.read()?, trouble: Ok(()), taken: 0, reported: 0, stopped: false };
        Ok(Self { state: Mutex::new(state), opened: Condvar::new(), total: items.count(), workers })
    }

    /// The next files to read, and the place of the first: fewer towards the end, so that all
    /// workers end together.
    fn take(&self) -> Option<(usize, Vec<Item>)> {
        let far = |state: &mut WorkQueueState<'_>| {
            !state.stopped && state.taken >= state.reported + self.workers * MAX_FILES_AHEAD
        };
        let mut state = self.opened.wait_while(self.lock(), far).unwrap_or_else(PoisonError::into_inner);
        let left = self.total - state.taken;
        if state.stopped || left == 0 {
            return None;
        }
        let count = (left / (4 * self.workers)).clamp(1, FILES_PER_TURN);
        match state.items.by_ref().take(count).collect::<io::Result<Vec<_>>>() {
            Ok(items) if items.len() == count => {
                state.taken += count;
                Some((state.taken - count, items))
            }
            short => {
                state.stopped = true;
                state.trouble = short.and(Err(io::ErrorKind::UnexpectedEof.into()));
                None
            }
        }
    }

    fn reported(&self) {
        self.lock().reported += 1;
        self.opened.notify_one();
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.opened.notify_all();
    }

    /// Whether every file that should be handed out was.
    fn outcome(self) -> io::Result<()> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).trouble
    }

    fn lock(&self) -> MutexGuard<'_, WorkQueueState<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
