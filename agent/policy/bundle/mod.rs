//! An OPA bundle on disk: the compiled module, its data and its manifest.
//!
//! Reading checks that the file is whole and, with a key, whose it is; whether its rules make sense is
//! [`super::catalogue`]'s question, whether its module runs is [`super::engine`]'s.

mod archive;
pub mod build;
mod canonical;
pub(crate) mod files;
mod revision;
pub mod signature;
pub mod signing;
pub mod source;

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::engine::{READS_FILE, Reads};
use super::error::PolicyError;
use signature::Trust;

/// Everything that the agent takes from a bundle.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// The module, as OPA compiled it.
    pub wasm: Vec<u8>,
    /// `data.json`: what rules know beyond their input.
    pub data: Value,
    /// The manifest's entry points.
    pub manifest: Manifest,
    /// What each rule reads of its input, as far as whoever built the bundle found out.
    pub reads: Reads,
    /// SHA-256 of the file, in hexadecimal.
    pub digest: String,
}

/// The part of `.manifest` that the agent reads.
#[derive(Debug, Clone, Deserialize)]
pub struct Manifest {
    /// What the bundle calls its version.
    #[serde(default)]
    pub revision: String,
    /// The compiled entry points.
    #[serde(default, rename = "wasm")]
    pub entrypoints: Vec<Entrypoint>,
}

/// A rule that can be called from outside the module.
#[derive(Debug, Clone, Deserialize)]
pub struct Entrypoint {
    /// Its path, such as `events/backup/recovery_point_deleted/findings`.
    #[serde(rename = "entrypoint")]
    pub path: String,
    /// The METADATA blocks that stand on it.
    #[serde(default)]
    pub annotations: Vec<Annotation>,
}

/// A METADATA block.
#[derive(Debug, Clone, Deserialize)]
pub struct Annotation {
    /// One line that a responder reads first.
    #[serde(default)]
    pub title: String,
    /// What the rule is about.
    #[serde(default)]
    pub description: String,
    /// Our own fields.
    #[serde(default)]
    pub custom: Value,
}

impl Bundle {
    /// Reads a bundle, whoever made it.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or lacks a part.
    pub fn read(path: &Path) -> Result<Self, PolicyError> {
        let packed =
            fs::read(path).map_err(|source| PolicyError::Io { operation: "read", path: path.to_owned(), source })?;
        Self::open(path, &packed, None)
    }

    /// Reads the bytes of a bundle that come from a place. With trust, only what the trusted
    /// key signed is read at all.
    ///
    /// # Errors
    /// When they are damaged, lack a part, or are not trusted.
    pub fn open(place: &Path, packed: &[u8], trust: Option<&Trust>) -> Result<Self, PolicyError> {
        let damaged = |detail| PolicyError::Bundle { path: place.to_owned(), detail };
        let mut files = archive::read(packed).map_err(damaged)?;
        if let Some(trust) = trust {
            signature::verify(&files, trust)
                .map_err(|source| PolicyError::Untrusted { path: place.to_owned(), source })?;
        }
        if files.keys().any(|name| name.rsplit('/').next() == Some("patch.json")) {
            return Err(damaged("it is a delta bundle (`patch.json`), which the agent does not apply".to_owned()));
        }
        Ok(Self {
            wasm: files.remove("policy.wasm").ok_or_else(|| damaged("it has no `policy.wasm`".to_owned()))?,
            data: json("data.json", files.remove("data.json")).map_err(damaged)?,
            manifest: json(".manifest", files.remove(".manifest")).map_err(damaged)?,
            reads: match files.remove(READS_FILE) {
                Some(bytes) => json(READS_FILE, Some(bytes)).map_err(damaged)?,
                None => Reads::default(),
            },
            digest: hex::encode(Sha256::digest(packed)),
        })
    }
}

/// A part that is JSON.
fn json<T: serde::de::DeserializeOwned>(name: &str, bytes: Option<Vec<u8>>) -> Result<T, String> {
    let bytes = bytes.ok_or_else(|| format!("it has no `{name}`"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("its `{name}` is not what it should be ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::bundle::archive::tests::pack;

    const WHOLE: &[(&str, &[u8])] =
        &[("/data.json", b"{\"a\":1}"), ("/policy.wasm", b"\0asm"), ("/.manifest", b"{\"wasm\":[]}")];

    fn open(packed: &[u8]) -> Result<Bundle, String> {
        Bundle::open(Path::new("b"), packed, None).map_err(|error| {
            let PolicyError::Bundle { detail, .. } = error else { panic!("{error}") };
            detail
        })
    }

    #[test]
    fn a_bundle_has_its_parts_and_a_digest() {
        let bundle = open(&pack(WHOLE)).unwrap();
        assert_eq!(bundle.wasm, b"\0asm");
        assert_eq!(bundle.data["a"], 1);
        assert_eq!(bundle.digest.len(), 64);
    }

    #[test]
    fn a_bundle_without_a_part_names_it() {
        let without = |name: &str| {
            let files: Vec<_> = WHOLE.iter().copied().filter(|(file, _)| *file != name).collect();
            open(&pack(&files)).unwrap_err()
        };
        assert_eq!(without("/.manifest"), "it has no `.manifest`");
        assert_eq!(without("/policy.wasm"), "it has no `policy.wasm`");
        assert_eq!(without("/data.json"), "it has no `data.json`");
    }

    #[test]
    fn a_damaged_bundle_is_refused() {
        let whole = pack(WHOLE);
        let cut = &whole[..whole.len() - 6];
        assert!(open(cut).unwrap_err().starts_with("it cannot be unpacked"));
        let mut bent = whole.clone();
        let checksum = bent.len() - 8;
        bent[checksum] ^= 1;
        assert!(open(&bent).unwrap_err().starts_with("it cannot be unpacked"));
        assert!(open(b"{}").is_err());
        assert!(open(b"").is_err());
    }

    #[test]
    fn a_delta_bundle_is_refused() {
        let files: Vec<(&str, &[u8])> = WHOLE.iter().copied().chain([("/patch.json", b"{}".as_slice())]).collect();
        assert!(open(&pack(&files)).unwrap_err().starts_with("it is a delta bundle"));
    }

    #[test]
    fn a_manifest_of_another_shape_is_refused() {
        let files: Vec<(&str, &[u8])> = vec![WHOLE[0], WHOLE[1], ("/.manifest", b"{\"wasm\":3}")];
        assert!(open(&pack(&files)).unwrap_err().starts_with("its `.manifest` is not what it should be"));
    }
}
