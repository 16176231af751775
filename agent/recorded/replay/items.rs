//! The files that are to be replayed, listed on disk and not in memory: a month of an
//! organisation has millions of them. It keeps their order and knows nothing of their content.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Lines, Seek as _, Write as _};

use serde::{Deserialize, Serialize};

/// A file to replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its path, or `s3://bucket/key`.
    pub name: String,
    /// Its size, as it is stored.
    pub bytes: u64,
    /// Where it lies.
    pub(super) place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Place {
    Disk,
    /// In this one of the opener's buckets, under this key.
    Bucket(usize, String),
}

/// A list of files, in a temporary file (below `TMPDIR`) that goes away with it.
#[derive(Debug)]
pub struct Items {
    file: BufWriter<File>,
    count: usize,
}

impl Items {
    /// Begins a list.
    ///
    /// # Errors
    /// When there is no place for it.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { file: BufWriter::new(tempfile::tempfile()?), count: 0 })
    }

    pub(super) fn put(&mut self, item: &Item) -> io::Result<()> {
        serde_json::to_writer(&mut self.file, item)?;
        self.file.write_all(b"\n")?;
        self.count += 1;
        Ok(())
    }

    /// Puts everything where it is read from.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    /// How many files are listed.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// Reads the list from its beginning.
    pub(super) fn read(&self) -> io::Result<Reading<'_>> {
        let mut file = self.file.get_ref();
        file.rewind()?;
        Ok(Reading(BufReader::new(file).lines()))
    }
}

/// A list that is being read.
#[derive(Debug)]
pub(super) struct Reading<'a>(Lines<BufReader<&'a File>>);

impl Iterator for Reading<'_> {
    type Item = io::Result<Item>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.next()?.and_then(|line| Ok(serde_json::from_str(&line)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_was_written_and_again() {
        let items = ["a\nb.json", "ä.json", "s3://bucket/key"].map(|name| Item {
            name: name.to_owned(),
            bytes: 7,
            place: Place::Bucket(1, name.to_owned()),
        });
        let mut list = Items::new().unwrap();
        items.iter().for_each(|item| list.put(item).unwrap());
        list.close().unwrap();
        for _ in 0..2 {
            assert_eq!(list.read().unwrap().collect::<io::Result<Vec<_>>>().unwrap(), items);
        }
        assert_eq!(list.count(), 3);
    }
}
