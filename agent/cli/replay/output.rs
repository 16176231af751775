//! Where a replay's findings go, and the journal of what went there.
//!
//! The journal notes a file only after its findings are written. So what an interrupted run had
//! begun to write is cut off when the next one continues, and no finding is there twice.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write};
use std::path::Path;

use anyhow::Context as _;

use super::show::Tally;
use super::{Arguments, FindingLine};
use crate::recorded::replay::Report;
use crate::recorded::replay::journal::{Journal, Progress, Subject};

/// An open output.
pub(super) struct Output {
    to: BufWriter<Box<dyn Write>>,
    written: u64,
    journal: Option<Journal>,
}

/// The journal, if one is to be kept, and where an earlier run broke off.
pub(super) fn journal(args: &Arguments, subject: &Subject) -> anyhow::Result<(Option<Journal>, Progress<Tally>)> {
    match &args.resume {
        Some(path) => Journal::open(path, subject).map(|(journal, past)| (Some(journal), past)),
        None => Ok((None, Progress::default())),
    }
}

impl Output {
    /// Opens what the arguments name, and cuts off what comes after so many bytes.
    pub fn open(args: &Arguments, journal: Option<Journal>, written: u64) -> anyhow::Result<Self> {
        let to: Box<dyn Write> = match &args.output {
            Some(path) => cut(path, written).with_context(|| format!("cannot write to `{}`", path.display()))?,
            None => Box::new(io::stdout().lock()),
        };
        Ok(Self { to: BufWriter::new(to), written, journal })
    }

    /// Writes what was found in a file.
    pub fn write(&mut self, report: &Report<FindingLine>, tally: &Tally) -> io::Result<()> {
        for line in &report.found {
            self.to.write_all(&line.text)?;
            self.written += line.text.len() as u64;
        }
        let Some(journal) = &mut self.journal else { return Ok(()) };
        self.to.flush()?;
        journal.note(&report.item, self.written, tally)
    }

    /// Writes what is still on its way.
    pub fn finish(mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// A file of which only the beginning is kept.
fn cut(path: &Path, keep: u64) -> io::Result<Box<dyn Write>> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    file.set_len(keep)?;
    file.seek(SeekFrom::End(0))?;
    Ok(Box::new(file))
}
