//! Where policies come from: a folder, a bundle, or an object in S3.
//!
//! It reads files and remembers how they looked; it evaluates nothing and reaches no network.
//! What is in S3 is fetched by whoever holds the door to AWS.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};

use super::Bundle;
use super::build;
use super::signature::Trust;
use crate::policy::Policies;
use crate::policy::engine::{Compiler, Limits};
use crate::policy::error::PolicyError;

/// Where policies come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A bundle, or a folder of policies.
    Path(PathBuf),
    /// A bundle in S3.
    S3 {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
    },
}

impl Source {
    /// The same source, where a path is meant from this folder.
    #[must_use]
    pub fn within(self, folder: &Path) -> Self {
        match self {
            Self::Path(path) => Self::Path(folder.join(path)),
            Self::S3 { .. } => self,
        }
    }

    /// What stands for it in errors about a bundle.
    #[must_use]
    pub fn place(&self) -> PathBuf {
        PathBuf::from(self.to_string())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::S3 { bucket, key } => write!(f, "s3://{bucket}/{key}"),
        }
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(object) = text.strip_prefix("s3://") else {
            if text.is_empty() || text.contains("://") {
                return Err(format!("`{text}` is neither a path nor `s3://bucket/key`"));
            }
            return Ok(Self::Path(PathBuf::from(text)));
        };
        match object.split_once('/') {
            Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => {
                Ok(Self::S3 { bucket: bucket.to_owned(), key: key.to_owned() })
            }
            Some(_) | None => Err(format!("`{text}` names no object: say `s3://bucket/key`")),
        }
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How a source looked; while it looks the same, it need not be read. Of a file it is time,
/// length and inode, of a folder those of every file in it, of an object its entity tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// How an object in S3 looks.
    #[must_use]
    pub fn of_object(tag: &str) -> Self {
        Self(format!("etag {tag}"))
    }

    /// How a file or a folder looks now.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn of_path(path: &Path) -> Result<Self, PolicyError> {
        let mut hasher = Sha256::new();
        fingerprint(path, &mut hasher).map_err(|source| PolicyError::Io {
            operation: "read",
            path: path.to_owned(),
            source,
        })?;
        Ok(Self(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn fingerprint(path: &Path, hasher: &mut Sha256) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    hasher.update(path.to_string_lossy().as_bytes());
    if !metadata.is_dir() {
        let seen =
            [metadata.mtime(), metadata.mtime_nsec(), metadata.size().cast_signed(), metadata.ino().cast_signed()];
        seen.iter().for_each(|number| hasher.update(number.to_be_bytes()));
        return Ok(());
    }
    let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    entries.iter().try_for_each(|entry| fingerprint(&entry.path(), hasher))
}

/// What was found at a source, and still has to be understood.
#[derive(Debug, Clone)]
pub enum PolicyContent {
    /// A file or a folder.
    Path(PathBuf),
    /// The bytes of a bundle.
    Bytes(Vec<u8>),
}

impl PolicyContent {
    /// Verifies and compiles what was found. It takes a while and may run `opa`.
    ///
    /// # Errors
    /// When it is not trusted, cannot be read, or cannot be run.
    pub fn compile(self, source: &Source, trust: Option<&Trust>, compiler: &Compiler) -> Result<Policies, PolicyError> {
        let place = source.place();
        let bundle = match self {
            Self::Path(path) if path.is_dir() && trust.is_some() => return Err(PolicyError::UnsignedFolder(path)),
            Self::Path(path) if path.is_dir() => build::in_passing(&path)?,
            Self::Path(path) => {
                let packed = fs::read(&path).map_err(|source| PolicyError::Io { operation: "read", path, source })?;
                Bundle::open(&place, &packed, trust)?
            }
            Self::Bytes(packed) => Bundle::open(&place, &packed, trust)?,
        };
        Policies::of(bundle, Limits::default(), compiler)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_looks_the_same_until_it_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("b.tar.gz");
        fs::write(&file, "one").unwrap();
        let (before, folder_before) =
            (Fingerprint::of_path(&file).unwrap(), Fingerprint::of_path(folder.path()).unwrap());
        assert_eq!(before, Fingerprint::of_path(&file).unwrap());
        // The same length, put there by a rename, as builds do it.
        fs::write(folder.path().join("new"), "two").unwrap();
        fs::rename(folder.path().join("new"), &file).unwrap();
        assert_ne!(before, Fingerprint::of_path(&file).unwrap());
        assert_ne!(folder_before, Fingerprint::of_path(folder.path()).unwrap());
        fs::remove_file(&file).unwrap();
        assert!(Fingerprint::of_path(&file).is_err());
    }
}
