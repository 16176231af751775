//! What one worker does with one file: unpacks it, scans it, and reads whole what is wanted.
//!
//! Whatever stands in the way of the fast way (damage, size, another layout) is left to
//! [`file`], which reads any stream and says what is wrong with it.

use std::borrow::Cow;
use std::io::Read;

use serde_json::Value;

use super::items::Item;
use super::prefilter::Prefilter;
use super::source::Content;
use super::{Counts, EventSink, Note, NoteKind, RecordLocation, Replay, Report, observed};
use crate::domain::event::Event;
use crate::event::partial;
use crate::intake::message;
use crate::intake::message::{BodyError, Part};
use crate::recorded::trail::file;
use crate::recorded::trail::file::{Layout, Piece};
use crate::recorded::trail::gunzip;
use crate::recorded::trail::gunzip::Gunzip;
use crate::recorded::trail::scan::{Record, Route, Scanner};

/// Reads one file after the other, into the same memory.
pub(super) struct Reader<'a, E> {
    replay: &'a Replay<'a>,
    sink: &'a E,
    stored: Vec<u8>,
    gunzip: Gunzip,
    scanner: Scanner,
    prefilter: Option<Prefilter<'a>>,
}

impl<'a, E: EventSink> Reader<'a, E> {
    pub fn new(replay: &'a Replay<'a>, sink: &'a E) -> Self {
        let (stored, gunzip, scanner) = (Vec::new(), Gunzip::default(), Scanner::default());
        let prefilter = sink.rules().map(|rules| Prefilter::new(replay.config, rules));
        Self { replay, sink, stored, gunzip, scanner, prefilter }
    }

    pub fn read(&mut self, index: usize, item: &Item) -> Report<E::Output> {
        let counts = Counts { bytes: item.bytes, ..Counts::default() };
        let report = Report { item: item.clone(), index, counts, found: Vec::new(), notes: Vec::new() };
        let layout = Layout::of(&item.name).unwrap_or(Layout::Document);
        let Self { replay, sink, scanner, prefilter, .. } = self;
        let mut page = Page { replay, sink: *sink, scanner, prefilter, file: &item.name, layout, report };
        match self.replay.source.open(item, &mut self.stored) {
            Ok(Content::Whole) => page.whole(&self.stored, &mut self.gunzip),
            Ok(Content::Stream(mut content)) => page.stream(&mut content),
            Err(error) => page.unreadable(0, format!("{error:#}")),
        }
        page.report
    }
}

/// The reading of one file.
struct Page<'a, 'g, E: EventSink> {
    replay: &'a Replay<'a>,
    sink: &'a E,
    scanner: &'a Scanner,
    prefilter: &'a mut Option<Prefilter<'g>>,
    file: &'a str,
    layout: Layout,
    report: Report<E::Output>,
}

impl<E: EventSink> Page<'_, '_, E> {
    fn whole(&mut self, stored: &[u8], gunzip: &mut Gunzip) {
        let content = if stored.starts_with(gunzip::MAGIC) { gunzip.unpack(stored) } else { Some(stored) };
        let text = content.and_then(|content| std::str::from_utf8(content).ok());
        let done = text.is_some_and(|text| match self.layout {
            Layout::Document => self.log_file(text),
            Layout::Lines => self.lines(text),
        });
        if !done {
            self.stream(&mut &*stored);
        }
    }

    fn stream(&mut self, content: &mut dyn Read) {
        file::read(self.layout, content, &mut |Piece { number, text }| match text {
            Ok(text) => self.offer(number, Record { text, route: self.scanner.route(text) }),
            Err(error) => {
                self.report.counts.lines += 1;
                self.unreadable(number, error.to_string());
            }
        });
    }

    /// Reads a log file, if it is one.
    fn log_file(&mut self, text: &str) -> bool {
        let mut number = 0;
        let mut wanted = Vec::new();
        let scanned = self.scanner.log_file(text, |record| {
            number += 1;
            if !self.is_routine(record.route) {
                wanted.push((number, record));
            }
        });
        if scanned.is_err() {
            return false;
        }
        let routine = number - wanted.len() as u64;
        self.report.counts.lines += routine;
        self.report.counts.records += routine;
        for (number, record) in wanted {
            self.offer(number, record);
        }
        true
    }

    fn lines(&mut self, text: &str) -> bool {
        for (number, line) in (1..).zip(text.split('\n')) {
            let line = line.trim();
            if !line.is_empty() {
                self.offer(number, Record { text: line, route: self.scanner.route(line) });
            }
        }
        true
    }

    /// Whether a record is one that nobody wants.
    fn is_routine(&self, route: Option<Route<'_>>) -> bool {
        route.is_some_and(|Route { source, name, .. }| !self.sink.asks_for(source, name))
    }

    fn offer(&mut self, number: u64, record: Record<'_>) {
        self.report.counts.lines += 1;
        if self.is_routine(record.route) {
            self.report.counts.records += 1;
        } else if self.prefilter.as_mut().is_some_and(|prefilter| prefilter.certainly_silent(record)) {
            self.report.counts.records += 1;
            self.report.counts.examined += 1;
        } else {
            self.piece(number, record.text);
        }
    }

    fn piece(&mut self, number: u64, text: &str) {
        match message::parts(text) {
            Ok(parts) => parts.into_iter().for_each(|part| self.part(number, part)),
            Err(BodyError::Unknown { .. } | BodyError::DetailType { .. } | BodyError::FileNotification) => {
                self.report.counts.not_cloudtrail += 1;
            }
            Err(
                error @ (BodyError::NotJson { .. }
                | BodyError::TooDeep
                | BodyError::Forged { .. }
                | BodyError::OtherAccount
                | BodyError::Wrapper { .. }
                | BodyError::Event(_)),
            ) => self.unreadable(number, error.reason()),
        }
    }

    fn part(&mut self, number: u64, part: Part) {
        match part {
            Part::Record(record) => self.record(number, record),
            Part::Backup(_) => self.report.counts.backup_changes += 1,
            Part::Ignored { .. } => self.report.counts.ignored += 1,
        }
    }

    fn record(&mut self, number: u64, mut record: Value) {
        let placeholders = partial::complete(&mut record);
        let event = match Event::parse(record) {
            Ok(event) => event,
            Err(error) => return self.unreadable(number, BodyError::from(error).reason()),
        };
        self.report.counts.records += 1;
        self.report.counts.examined += 1;
        if !placeholders.is_empty() {
            self.report.counts.partial_records += 1;
            let why = format!("evaluated with a placeholder for {}", placeholders.join(", "));
            self.report.notes.push(Note { kind: NoteKind::Partial, line: number, why });
        }
        self.event(number, event);
    }

    fn event(&mut self, line: u64, event: Event) {
        if !self.replay.selection.holds(&event) || !self.sink.asks_for(&event.source, &event.name) {
            return;
        }
        let config = self.replay.config;
        let event = match config {
            Some(config) => event.flagged(config),
            None => event,
        };
        let known = config.and_then(|config| config.account(&event.account));
        let account = known.map_or_else(|| Cow::Owned(observed(&event.account)), Cow::Borrowed);
        let location = RecordLocation { file: self.file, line };
        self.report.found.append(&mut self.sink.examine(location, &event, &account));
    }

    fn unreadable(&mut self, line: u64, why: String) {
        self.report.counts.unreadable += 1;
        self.report.notes.push(Note { kind: NoteKind::Unreadable, line, why });
    }
}
