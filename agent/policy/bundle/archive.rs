//! The files of a bundle: a gzipped tar, read whole into memory.
//!
//! It never writes to the disk and never guesses: a name that stands twice or leads out of
//! the bundle, a link, or anything behind the end refuses the whole bundle.

use std::collections::BTreeMap;
use std::io::{self, Read};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use tar::EntryType;

/// What a bundle may hold once unpacked: a guard against one made to fill the memory.
const UNPACKED_BYTES: u64 = 256 * 1024 * 1024;

/// What everything in a tar is rounded up to.
const BLOCK: u64 = 512;

/// The files of a bundle by their names, which begin with no `/`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Reads the files of a bundle; the error says what is wrong with it.
///
/// # Errors
/// When it is damaged, or holds what no bundle holds.
pub fn read(packed: &[u8]) -> Result<Files, String> {
    let archive = inflate(packed)?;
    let damaged = |error: io::Error| format!("its archive is damaged ({error})");
    let mut files = Files::new();
    for entry in tar::Archive::new(archive.as_slice()).entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let written = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        if kind == EntryType::Directory {
            continue;
        }
        if kind != EntryType::Regular {
            return Err(format!("`{written}` in it is no plain file ({kind:?})"));
        }
        let name = name(&written).ok_or_else(|| format!("`{}` is no name for a file in it", written.escape_debug()))?;
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(damaged)?;
        if files.insert(name.to_owned(), bytes).is_some() {
            return Err(format!("`{name}` stands in it twice"));
        }
    }
    Ok(files)
}

/// A bundle with one file more; everything in it stays as it is, byte for byte.
pub(crate) fn with(packed: &[u8], name: &str, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut archive = inflate(packed)?;
    let damaged = |error: io::Error| format!("its archive is damaged ({error})");
    let mut end = 0;
    for entry in tar::Archive::new(archive.as_slice()).entries().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        end = entry.raw_file_position() + entry.size().next_multiple_of(BLOCK);
    }
    archive.truncate(usize::try_from(end).unwrap_or(usize::MAX));
    let mut header = tar::Header::new_ustar();
    header.set_path(name).map_err(damaged)?;
    header.set_size(bytes.len() as u64);
    header.set_mode(0o600);
    header.set_cksum();
    let mut builder = tar::Builder::new(archive);
    builder.append(&header, bytes).map_err(damaged)?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    io::Write::write_all(&mut encoder, &builder.into_inner().map_err(damaged)?).map_err(damaged)?;
    encoder.finish().map_err(damaged)
}

/// The whole archive. It is read to its end before any of it is used: only there does gzip
/// keep its checksum.
fn inflate(packed: &[u8]) -> Result<Vec<u8>, String> {
    let mut archive = Vec::new();
    let mut bounded = GzDecoder::new(packed).take(UNPACKED_BYTES + 1);
    bounded.read_to_end(&mut archive).map_err(|error| format!("it cannot be unpacked ({error})"))?;
    if archive.len() as u64 > UNPACKED_BYTES {
        return Err(format!("it holds more than {} MiB", UNPACKED_BYTES / 1024 / 1024));
    }
    if !bounded.into_inner().into_inner().is_empty() {
        return Err("something stands behind its end".to_owned());
    }
    Ok(archive)
}

/// A file's name without its root: OPA writes `/data.json`, `tar` writes `./data.json`, and
/// both mean `data.json`. `None` when it leads elsewhere or could be read in two ways.
fn name(written: &str) -> Option<&str> {
    let name = written.strip_prefix("./").or_else(|| written.strip_prefix('/')).unwrap_or(written);
    let odd = |c: char| c.is_control() || c == '\\' || c == char::REPLACEMENT_CHARACTER;
    let sound = |part: &str| !part.is_empty() && part != "." && part != "..";
    (!name.contains(odd) && name.split('/').all(sound)).then_some(name)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write as _;

    use super::*;

    /// A bundle of these files, under just these names.
    pub fn pack(files: &[(&str, &[u8])]) -> Vec<u8> {
        let entries: Vec<_> = files.iter().map(|(name, bytes)| (*name, *bytes, EntryType::Regular)).collect();
        pack_entries(&entries)
    }

    fn pack_entries(entries: &[(&str, &[u8], EntryType)]) -> Vec<u8> {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, bytes, kind) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o600);
            header.set_entry_type(*kind);
            // OPA writes absolute names, which `Builder::append_data` would refuse.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            archive.append(&header, *bytes).unwrap();
        }
        let mut encoder = archive.into_inner().unwrap();
        encoder.flush().unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_name_is_the_same_however_its_root_is_written() {
        for written in ["data.json", "/data.json", "./data.json"] {
            assert!(read(&pack(&[(written, b"{}")])).unwrap().contains_key("data.json"), "{written}");
        }
    }

    #[test]
    fn one_file_more_changes_no_other() {
        let long = format!("{}data.json", "long/".repeat(18));
        let files: [(&str, &[u8]); 3] = [("/data.json", b"{}"), (&long, &[7; 1000]), ("/empty", b"")];
        let more = read(&with(&pack(&files), ".signatures.json", b"{}").unwrap()).unwrap();
        assert_eq!(more.len(), 4);
        assert_eq!(more[".signatures.json"], b"{}");
        assert_eq!(more[&long], [7; 1000]);
        let none = read(&with(&pack(&[]), "one", b"1").unwrap()).unwrap();
        assert_eq!(none["one"], b"1");
    }

    #[test]
    fn a_name_stands_once_however_it_is_written() {
        for again in ["policy.wasm", "/policy.wasm", "./policy.wasm"] {
            let error = read(&pack(&[("/policy.wasm", b"good"), (again, b"evil")])).unwrap_err();
            assert_eq!(error, "`policy.wasm` stands in it twice");
        }
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        let names =
            ["../x", "/../x", "a/../policy.wasm", "a/./b", "//etc/passwd", "./", "a//b", "a\\b", "a\nb", "/./x"];
        for written in names {
            let error = read(&pack(&[(written, b"")])).unwrap_err();
            assert!(error.ends_with("is no name for a file in it"), "{written}: {error}");
        }
    }

    #[test]
    fn links_and_devices_are_refused() {
        for kind in [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Fifo, EntryType::GNUSparse] {
            let error = read(&pack_entries(&[("policy.wasm", b"", kind)])).unwrap_err();
            assert!(error.contains("`policy.wasm` in it is no plain file") || error.contains("damaged"), "{error}");
        }
    }

    #[test]
    fn nothing_may_stand_behind_the_end() {
        let mut twice = pack(&[("data.json", b"{}")]);
        twice.extend(pack(&[("data.json", b"[]")]));
        assert_eq!(read(&twice).unwrap_err(), "something stands behind its end");
    }
}
