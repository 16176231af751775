//! Which files there are to replay, and the way to their content.

use std::fs::{self, File};
use std::io::{self, Read, Seek as _};
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context as _, bail};
use tokio::runtime::Handle;

use super::Selection;
use crate::aws::objects::{Depth, Objects};
use crate::intake::file::{self, Layout};
use crate::intake::gunzip::{self, MOST_BYTES};

/// How a place in S3 begins.
const SCHEME: &str = "s3://";
/// An object larger than this is replayed from a copy on disk; CloudTrail writes none.
const MOST_OBJECT_BYTES: u64 = 256 << 20;

/// A file to replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its path, or `s3://bucket/key`.
    pub name: String,
    /// Its size, as it is stored.
    pub bytes: u64,
    /// Where it lies.
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Disk,
    /// In this one of the opener's buckets, under this key.
    Bucket(usize, String),
}

/// A file's content.
pub(super) enum Content {
    /// It was put into memory, whole.
    Whole,
    /// It is too large for that.
    Stream(File),
}

/// What there is to replay, and the way to it.
#[derive(Default)]
pub struct Source {
    /// The trail files, in the order in which they are replayed.
    pub items: Vec<Item>,
    /// How many files of other kinds lay between them.
    pub skipped: u64,
    buckets: Vec<Objects>,
    runtime: Option<Handle>,
}

impl Source {
    /// Finds the trail files in places that may hold what is selected: files, folders, and
    /// `s3://bucket/prefix`.
    ///
    /// # Errors
    /// When a place does not exist, or a folder or a bucket cannot be listed.
    pub fn find(places: &[String], selection: &Selection, runtime: &Handle) -> anyhow::Result<Self> {
        let mut source = Self { runtime: Some(runtime.clone()), ..Self::default() };
        for place in places {
            match place.strip_prefix(SCHEME) {
                Some(address) => runtime.block_on(source.add_bucket(address, selection)),
                None => source.add_path(Path::new(place), selection),
            }
            .with_context(|| format!("cannot replay `{place}`"))?;
        }
        Ok(source)
    }

    /// Whether content comes over a network, which takes waiting more than work.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        !self.buckets.is_empty()
    }

    fn add_path(&mut self, path: &Path, selection: &Selection) -> anyhow::Result<()> {
        let mut trouble = None;
        let walked = file::walk(path, &mut |file| {
            match file.map(|file| (file.to_string_lossy(), fs::metadata(file))) {
                None => self.skipped += 1,
                Some((name, _)) if !selection.may_lie_in(&name) => {}
                Some((name, Ok(about))) => {
                    self.items.push(Item { name: name.into_owned(), bytes: about.len(), place: Place::Disk });
                }
                Some((name, Err(error))) => trouble = Some(anyhow::Error::new(error).context(name.into_owned())),
            }
            if trouble.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let _ = walked?; // what stopped it, if anything did, is in `trouble`
        trouble.map_or(Ok(()), Err)
    }

    async fn add_bucket(&mut self, address: &str, selection: &Selection) -> anyhow::Result<()> {
        let (name, prefix) = address.split_once('/').unwrap_or((address, ""));
        let bucket = Objects::open(name).await?;
        let mut folders = vec![prefix.to_owned()];
        // Level by level only where that leaves something out: a level more is a request more.
        let depth = if selection.is_narrow() { Depth::OneLevel } else { Depth::Everything };
        while let Some(folder) = folders.pop() {
            let listing = bucket.list(&folder, depth).await?;
            folders.extend(listing.folders.into_iter().filter(|below| selection.may_lie_in(below)));
            for (key, bytes) in listing.objects {
                if Layout::of(&key).is_none() {
                    self.skipped += 1;
                } else if selection.may_lie_in(&key) {
                    let place = Place::Bucket(self.buckets.len(), key.clone());
                    self.items.push(Item { name: format!("{SCHEME}{name}/{key}"), bytes, place });
                }
            }
        }
        if self.items.is_empty() && self.skipped == 0 {
            bail!("no object of the bucket `{name}` begins with `{prefix}`, or none may hold what is asked for");
        }
        self.items.sort_by(|one, other| one.name.cmp(&other.name));
        self.buckets.push(bucket);
        Ok(())
    }

    /// Puts a file's content into `memory`, if it is small enough to be dealt with there.
    pub(super) fn open(&self, item: &Item, memory: &mut Vec<u8>) -> anyhow::Result<Content> {
        match &item.place {
            Place::Disk => Ok(from_disk(&item.name, memory)?),
            Place::Bucket(bucket, key) => {
                let (Some(bucket), Some(runtime)) = (self.buckets.get(*bucket), &self.runtime) else {
                    bail!("its bucket is not open");
                };
                if item.bytes > MOST_OBJECT_BYTES {
                    bail!("larger than 256 MiB: copy it to a disk and replay it from there");
                }
                *memory = runtime.block_on(bucket.get(key))?;
                Ok(Content::Whole)
            }
        }
    }
}

fn from_disk(name: &str, memory: &mut Vec<u8>) -> io::Result<Content> {
    let mut file = File::open(name)?;
    memory.clear();
    (&file).take(MOST_BYTES as u64 + 1).read_to_end(memory)?;
    if memory.len() <= MOST_BYTES && gunzip::size(memory).is_none_or(|size| size <= MOST_BYTES) {
        return Ok(Content::Whole);
    }
    file.rewind()?;
    Ok(Content::Stream(file))
}
