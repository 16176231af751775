//! What a bundle calls its own version: a digest of what it was built from, so that the same
//! policies have the same revision wherever and whenever they are built.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::policy::error::PolicyError;

/// What `opa` takes into a bundle, by the ends of names.
const SOURCES: [&str; 4] = [".rego", ".json", ".yaml", ".yml"];

/// The revision of these parts of a policies folder; files with one of these names or ends
/// are no part of the bundle.
pub(super) fn of(folder: &Path, parts: &[&str], ignored: &[&str]) -> Result<String, PolicyError> {
    let mut files = Vec::new();
    for part in parts {
        collect(&folder.join(part), &mut files)?;
    }
    let taken = |path: &&PathBuf| {
        let name = path.to_string_lossy();
        SOURCES.iter().any(|end| name.ends_with(end)) && !ignored.iter().any(|end| name.ends_with(end))
    };
    let mut hasher = Sha256::new();
    for path in files.iter().filter(taken) {
        let bytes = fs::read(path).map_err(|source| unreadable(path, source))?;
        let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy();
        for part in [name.as_bytes(), &bytes] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }
    let hex: String = hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok(hex)
}

/// Every file below a folder, in the order of their names.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), PolicyError> {
    let listed = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = listed.map_err(|source| unreadable(folder, source))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn unreadable(path: &Path, source: std::io::Error) -> PolicyError {
    PolicyError::Io { operation: "read", path: path.to_owned(), source }
}
