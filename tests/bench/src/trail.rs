//! Reading a corpus: each file unpacked into one buffer that is used again.

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use libdeflater::Decompressor;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::meter::{Measured, Meter};

/// Arguments of `lines`.
#[derive(clap::Args)]
pub struct Lines {
    /// The folder of trail files
    folder: PathBuf,
    /// The file to write: a record on each line
    output: PathBuf,
}

/// Arguments of `gunzip` and `scan`.
#[derive(clap::Args)]
pub struct Trail {
    /// The folder of trail files
    folder: PathBuf,
}

/// Writes each record of a corpus as a line, in the order of the files' names.
pub fn lines(args: &Lines) -> Result<()> {
    let file = fs::File::create(&args.output).with_context(|| format!("cannot write `{}`", args.output.display()))?;
    let mut output = BufWriter::new(file);
    unpacked(&args.folder, |text| {
        let file: TrailFile<'_> = serde_json::from_slice(text)?;
        for record in file.records {
            writeln!(output, "{}", record.get())?;
        }
        Ok(())
    })?;
    output.flush()?;
    Ok(())
}

/// Unpacks a corpus and does nothing else: what no replay can be faster than.
pub fn gunzip(args: &Trail) -> Result<()> {
    let meter = Meter::start();
    let mut measured = Measured::default();
    unpacked(&args.folder, |text| {
        measured.bytes += text.len() as u64;
        Ok(())
    })?;
    measured.print(&meter)
}

/// Unpacks a corpus and reads of each record what a rule is chosen by: the least that a replay
/// must do.
pub fn scan(args: &Trail) -> Result<()> {
    let meter = Meter::start();
    let mut measured = Measured::default();
    unpacked(&args.folder, |text| {
        let file: Scanned<'_> = sonic_rs::from_slice(text)?;
        measured.bytes += text.len() as u64;
        measured.records += file.records.len() as u64;
        let failed = |record: &&Chosen<'_>| record.error.is_some_and(|code| !code.is_empty());
        measured.matches += file.records.iter().filter(failed).count() as u64;
        let odd = file.records.iter().any(|record| record.source.is_empty() || record.name.is_empty());
        ensure!(!odd, "a record of the corpus has no source or no name");
        Ok(())
    })?;
    measured.print(&meter)
}

/// What rules are chosen by.
#[derive(Deserialize)]
struct Chosen<'a> {
    #[serde(rename = "eventSource")]
    source: &'a str,
    #[serde(rename = "eventName")]
    name: &'a str,
    #[serde(rename = "errorCode", default)]
    error: Option<&'a str>,
}

#[derive(Deserialize)]
struct Scanned<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<Chosen<'a>>,
}

#[derive(Deserialize)]
struct TrailFile<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<&'a RawValue>,
}

fn unpacked(folder: &Path, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut paths = Vec::new();
    find(folder, &mut paths)?;
    paths.sort();
    let (mut unpacker, mut packed, mut text) = (Decompressor::new(), Vec::new(), Vec::new());
    for path in paths {
        let unpack = |packed: &mut Vec<u8>, text: &mut Vec<u8>, unpacker: &mut Decompressor| -> Result<usize> {
            packed.clear();
            std::io::Read::read_to_end(&mut fs::File::open(&path)?, packed)?;
            let size = packed.last_chunk().map(|size| u32::from_le_bytes(*size)).context("it is empty")?;
            // Grown only: zeroing it anew for each file would be work that nobody asked for.
            text.resize(text.len().max(usize::try_from(size)?), 0);
            Ok(unpacker.gzip_decompress(packed, text)?)
        };
        let length = unpack(&mut packed, &mut text, &mut unpacker)
            .with_context(|| format!("cannot unpack `{}`", path.display()))?;
        each(text.get(..length).unwrap_or_default())?;
    }
    Ok(())
}

fn find(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "gz") {
            paths.push(path);
        }
    }
    Ok(())
}
