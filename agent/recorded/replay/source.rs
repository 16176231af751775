//! Which files there are to replay, and the way to their content.

use std::fs::{self, File};
use std::io::{self, Read, Seek as _};
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context as _, bail};
use tokio::runtime::Handle;

use super::Selection;
use super::items::{Item, Items, Place};
use crate::aws::SdkSettings;
use crate::aws::objects::{Depth, Objects};
use crate::recorded::trail::file;
use crate::recorded::trail::file::Layout;
use crate::recorded::trail::gunzip;
use crate::recorded::trail::gunzip::MOST_BYTES;

/// How a place in S3 begins.
const SCHEME: &str = "s3://";
const NO_ROOM: &str = "cannot keep the list of files in a temporary file\n\nhint: `TMPDIR` says where";
const NO_WAY: &str = "nobody said how AWS is reached";
/// An object larger than this is replayed from a copy on disk; CloudTrail writes none.
const MOST_OBJECT_BYTES: u64 = 256 << 20;

/// A file's content.
pub(super) enum Content {
    /// It was put into memory, whole.
    Whole,
    /// It is too large for that.
    Stream(File),
}

/// What there is to replay, and the way to it.
pub struct Source {
    /// The trail files that are left to read, in the order in which they are replayed.
    pub items: Items,
    /// Every trail file that was found.
    pub whole: Whole,
    /// How many files of other kinds lay between them.
    pub skipped: u64,
    buckets: Vec<Objects>,
    s3: Option<S3>,
}

/// The way to what lies in S3.
pub struct S3 {
    /// Where the waiting is done.
    pub runtime: Handle,
    /// How AWS is reached.
    pub settings: SdkSettings,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Whole {
    /// Trail files.
    pub files: u64,
    /// Their bytes, as they are stored.
    pub bytes: u64,
}

/// Whether a trail file that was found is left to read.
pub type Choice<'a> = dyn FnMut(&Item) -> bool + 'a;

impl Source {
    /// Whether a place lies in S3.
    #[must_use]
    pub fn is_in_s3(place: &str) -> bool {
        place.starts_with(SCHEME)
    }

    /// Finds the trail files in places that may hold what is selected: files, folders, and
    /// `s3://bucket/prefix`.
    ///
    /// # Errors
    /// When a place does not exist, a folder or a bucket cannot be listed, or there is no room
    /// for the list.
    pub fn find(
        places: &[String],
        selection: &Selection,
        is_left: &mut Choice<'_>,
        s3: Option<S3>,
    ) -> anyhow::Result<Self> {
        let (items, whole) = (Items::new().context(NO_ROOM)?, Whole::default());
        let mut source = Self { items, whole, skipped: 0, buckets: Vec::new(), s3 };
        for place in places {
            match place.strip_prefix(SCHEME) {
                Some(address) => source.add_bucket(address, selection, is_left),
                None => source.add_path(Path::new(place), selection, is_left),
            }
            .with_context(|| format!("cannot replay `{place}`"))?;
        }
        source.items.close().context(NO_ROOM)?;
        Ok(source)
    }

    /// Whether content comes over a network, which takes waiting more than work.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        !self.buckets.is_empty()
    }

    fn add(&mut self, item: &Item, is_left: &mut Choice<'_>) -> anyhow::Result<()> {
        self.whole.files += 1;
        self.whole.bytes += item.bytes;
        if is_left(item) { self.items.put(item).context(NO_ROOM) } else { Ok(()) }
    }

    fn add_path(&mut self, path: &Path, selection: &Selection, is_left: &mut Choice<'_>) -> anyhow::Result<()> {
        let mut added = Ok(());
        let walked = file::walk(path, &mut |file| {
            match file.map(|file| (file.to_string_lossy(), file)) {
                None => self.skipped += 1,
                Some((name, _)) if !selection.may_lie_in(&name) => {}
                Some((name, file)) => {
                    let about = fs::metadata(file).with_context(|| name.clone().into_owned());
                    added = about.and_then(|about| {
                        self.add(&Item { name: name.into_owned(), bytes: about.len(), place: Place::Disk }, is_left)
                    });
                }
            }
            if added.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let _ = walked?; // what stopped it, if anything did, is in `added`
        added
    }

    fn add_bucket(&mut self, address: &str, selection: &Selection, is_left: &mut Choice<'_>) -> anyhow::Result<()> {
        let (name, prefix) = address.split_once('/').unwrap_or((address, ""));
        let S3 { runtime, settings } = self.s3.as_ref().context(NO_WAY)?;
        let runtime = runtime.clone();
        let bucket = runtime.block_on(Objects::open(settings, name))?;
        let found = (self.whole.files, self.skipped);
        let mut left = vec![prefix.to_owned()];
        // Level by level only where that leaves something out: a level more is a request more.
        let depth = if selection.is_narrow() { Depth::OneLevel } else { Depth::Everything };
        while let Some(folder) = left.pop() {
            let (mut below, mut next) = (Vec::new(), None);
            loop {
                let page = runtime.block_on(bucket.list(&folder, depth, next))?;
                below.extend(page.folders.into_iter().filter(|below| selection.may_lie_in(below)));
                for (key, bytes) in page.objects {
                    if Layout::of(&key).is_none() {
                        self.skipped += 1;
                    } else if selection.may_lie_in(&key) {
                        let place = Place::Bucket(self.buckets.len(), key.clone());
                        self.add(&Item { name: format!("{SCHEME}{name}/{key}"), bytes, place }, is_left)?;
                    }
                }
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
            left.extend(below.into_iter().rev());
        }
        if found == (self.whole.files, self.skipped) {
            bail!("no object of the bucket `{name}` begins with `{prefix}`, or none may hold what is asked for");
        }
        self.buckets.push(bucket);
        Ok(())
    }

    /// Puts a file's content into `memory`, if it is small enough to be handled there.
    pub(super) fn open(&self, item: &Item, memory: &mut Vec<u8>) -> anyhow::Result<Content> {
        match &item.place {
            Place::Disk => Ok(from_disk(&item.name, memory)?),
            Place::Bucket(bucket, key) => {
                let Some(bucket) = self.buckets.get(*bucket) else { bail!("its bucket is not open") };
                if item.bytes > MOST_OBJECT_BYTES {
                    bail!("larger than 256 MiB: copy it to a disk and replay it from there");
                }
                *memory = self.s3.as_ref().context(NO_WAY)?.runtime.block_on(bucket.get(key))?;
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
