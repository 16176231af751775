//! What a replay has done so far, on disk, so that an interrupted one can be continued.
//!
//! A line of JSON for each file that was reported, after what it led to was written. The first
//! line says what is replayed: a journal is never continued for anything else. A last line
//! that was cut off counts as not written.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::fs::{File, OpenOptions};
use std::hash::BuildHasher as _;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::ops::AddAssign;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::items::Item;

/// What is replayed: the same for two runs that one journal may serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Digest of the policies.
    pub policies: String,
    /// Everything else that the findings depend on, in words.
    pub how: String,
}

/// One file that is done.
#[derive(Debug, Serialize, Deserialize)]
struct Done<T> {
    file: String,
    bytes: u64,
    /// How much had been written to the output then.
    written: u64,
    /// What came of it.
    tally: T,
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    file: File,
}

/// Where an earlier run broke off; nothing of it, when there was none.
#[derive(Debug, Default)]
pub struct Progress<T> {
    /// What came of the files that are done.
    pub tally: T,
    /// How much of the output is right.
    pub written: u64,
    /// Files that are done, by hashes that nobody can predict: of a million files, two have the
    /// same with a probability of one in thirty million.
    files: HashSet<u64>,
    hashes: RandomState,
}

impl<T> Progress<T> {
    /// Whether a file was done, and has not changed its size since.
    #[must_use]
    pub fn knows(&self, item: &Item) -> bool {
        self.files.contains(&self.hashes.hash_one((&item.name, item.bytes)))
    }
}

/// What came of files, added up.
pub trait Sum: Default + DeserializeOwned + for<'a> AddAssign<&'a Self> {}

impl<T: Default + DeserializeOwned + for<'a> AddAssign<&'a Self>> Sum for T {}

impl Journal {
    /// Opens a journal, or begins one.
    ///
    /// # Errors
    /// When it cannot be read or written, is no journal, or is one of another replay.
    pub fn open<T: Sum>(path: &Path, subject: &Subject) -> anyhow::Result<(Self, Progress<T>)> {
        let context = || format!("cannot use the journal `{}`", path.display());
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).with_context(context)?;
        let mut past = Progress::default();
        let whole = read(&file, subject, &mut past).with_context(context)?;
        file.set_len(whole).with_context(context)?;
        if whole == 0 {
            write(&mut file, subject).with_context(context)?;
        }
        Ok((Self { file }, past))
    }

    /// Notes that a file is done and that the output, so long by then, is safely written.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note<T: Serialize>(&mut self, item: &Item, written: u64, tally: &T) -> io::Result<()> {
        write(&mut self.file, &Done { file: item.name.clone(), bytes: item.bytes, written, tally })
    }
}

/// Reads the whole lines, and tells how many bytes they are.
fn read<T: Sum>(file: &File, subject: &Subject, past: &mut Progress<T>) -> anyhow::Result<u64> {
    let mut reader = BufReader::new(file);
    let (mut whole, mut line) = (0, String::new());
    loop {
        line.clear();
        let length = reader.read_line(&mut line)? as u64;
        if length == 0 || !line.ends_with('\n') {
            return Ok(whole);
        }
        if whole == 0 {
            let Ok(begun) = serde_json::from_str::<Subject>(&line) else { bail!("it is not a journal of a replay") };
            ensure!(
                begun == *subject,
                "it belongs to a replay of other policies or with other options\n\nhint: name another journal, or remove it to begin anew"
            );
        } else {
            let Done::<T> { file, bytes, written, tally } = serde_json::from_str(&line)?;
            past.files.insert(past.hashes.hash_one((&file, bytes)));
            past.tally += &tally;
            past.written = written;
        }
        whole += length;
    }
}

fn write(file: &mut File, line: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::recorded::replay::Selection;
    use crate::recorded::replay::source::Source;

    fn subject(policies: &str) -> Subject {
        Subject { policies: policies.to_owned(), how: String::new() }
    }

    /// Items of a folder with two trail files.
    fn items(folder: &Path) -> Vec<Item> {
        for name in ["a.json", "b.json"] {
            fs::write(folder.join(name), "[]").unwrap();
        }
        let places = [folder.display().to_string()];
        let source = Source::find(&places, &Selection::default(), &mut |_| true, None).unwrap();
        source.items.read().unwrap().collect::<io::Result<_>>().unwrap()
    }

    #[test]
    fn what_is_done_is_known_again_and_what_was_cut_off_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (items, path) = (items(folder.path()), folder.path().join("journal"));
        let (mut journal, past) = Journal::open::<u64>(&path, &subject("p")).unwrap();
        assert!(!past.knows(&items[0]));
        journal.note(&items[0], 10, &7_u64).unwrap();
        journal.note(&items[1], 25, &8_u64).unwrap();
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 3]).unwrap();
        let (mut journal, past) = Journal::open::<u64>(&path, &subject("p")).unwrap();
        assert_eq!((past.knows(&items[0]), past.knows(&items[1])), (true, false));
        assert_eq!((past.written, past.tally), (10, 7));
        journal.note(&items[1], 30, &9_u64).unwrap();
        let (_, past) = Journal::open::<u64>(&path, &subject("p")).unwrap();
        assert_eq!((past.written, past.tally), (30, 16));
    }

    #[test]
    fn a_journal_serves_one_replay_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        Journal::open::<u64>(&path, &subject("p")).unwrap();
        let error = Journal::open::<u64>(&path, &subject("q")).unwrap_err();
        assert!(format!("{error:#}").contains("a replay of other policies"), "{error:#}");
        fs::write(&path, "something else\n").unwrap();
        let error = Journal::open::<u64>(&path, &subject("p")).unwrap_err();
        assert!(format!("{error:#}").contains("not a journal of a replay"), "{error:#}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "something else\n");
    }
}
