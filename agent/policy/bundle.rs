//! An OPA bundle on disk: the compiled module, its data and its manifest.
//!
//! Reading checks that the file is whole; whether its rules make sense is
//! [`super::catalogue`]'s question, whether its module runs is [`super::engine`]'s.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::error::PolicyError;

/// What a bundle may hold once unpacked: a guard against one made to fill the memory.
const UNPACKED_BYTES: u64 = 256 * 1024 * 1024;

/// Everything that the agent takes from a bundle.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// The module, as OPA compiled it.
    pub wasm: Vec<u8>,
    /// `data.json`: what rules know beyond their input.
    pub data: Value,
    /// The manifest's entry points.
    pub manifest: Manifest,
    /// SHA-256 of the file, in hexadecimal.
    pub digest: String,
}

/// The part of `.manifest` that the agent reads.
#[derive(Debug, Clone, Deserialize)]
pub struct Manifest {
    /// The compiled entry points.
    #[serde(default, rename = "wasm")]
    pub entrypoints: Vec<Entrypoint>,
}

/// A rule that can be called from outside the module.
#[derive(Debug, Clone, Deserialize)]
pub struct Entrypoint {
    /// Its path, such as `acts/backup/recovery_point_deleted/findings`.
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
    /// Reads a bundle.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or lacks a part.
    pub fn read(path: &Path) -> Result<Self, PolicyError> {
        let packed =
            fs::read(path).map_err(|source| PolicyError::Io { deed: "read", path: path.to_owned(), source })?;
        Self::unpack(&packed).map_err(|detail| PolicyError::Bundle { path: path.to_owned(), detail })
    }

    /// Reads the bytes of a bundle; the error says what is wrong with them.
    ///
    /// # Errors
    /// When they are damaged or lack a part.
    pub fn unpack(packed: &[u8]) -> Result<Self, String> {
        let archive = inflate(packed)?;
        let parts = Parts::find(&archive).map_err(|error| format!("its archive is damaged ({error})"))?;
        Ok(Self {
            wasm: parts.wasm.ok_or("it has no `policy.wasm`")?,
            data: json("data.json", parts.data)?,
            manifest: json(".manifest", parts.manifest)?,
            digest: hex(&Sha256::digest(packed)),
        })
    }
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
    Ok(archive)
}

/// The files of a bundle that the agent reads.
#[derive(Default)]
struct Parts {
    wasm: Option<Vec<u8>>,
    data: Option<Vec<u8>>,
    manifest: Option<Vec<u8>>,
}

impl Parts {
    fn find(archive: &[u8]) -> io::Result<Self> {
        let mut parts = Self::default();
        for entry in tar::Archive::new(archive).entries()? {
            let mut entry = entry?;
            let path = entry.path()?.to_string_lossy().trim_start_matches("./").trim_start_matches('/').to_owned();
            let part = match path.as_str() {
                "policy.wasm" => &mut parts.wasm,
                "data.json" => &mut parts.data,
                ".manifest" => &mut parts.manifest,
                _ => continue,
            };
            entry.read_to_end(part.insert(Vec::new()))?;
        }
        Ok(parts)
    }
}

/// A part that is JSON.
fn json<T: serde::de::DeserializeOwned>(name: &str, bytes: Option<Vec<u8>>) -> Result<T, String> {
    let bytes = bytes.ok_or_else(|| format!("it has no `{name}`"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("its `{name}` is not what it should be ({error})"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// A bundle of these files.
    pub fn pack(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o600);
            // OPA writes absolute names, which `Builder::append_data` would refuse.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            archive.append(&header, *bytes).unwrap();
        }
        let mut encoder = archive.into_inner().unwrap();
        encoder.flush().unwrap();
        encoder.finish().unwrap()
    }

    const WHOLE: &[(&str, &[u8])] =
        &[("/data.json", b"{\"a\":1}"), ("/policy.wasm", b"\0asm"), ("/.manifest", b"{\"wasm\":[]}")];

    #[test]
    fn a_bundle_has_its_parts_and_a_digest() {
        let bundle = Bundle::unpack(&pack(WHOLE)).unwrap();
        assert_eq!(bundle.wasm, b"\0asm");
        assert_eq!(bundle.data["a"], 1);
        assert_eq!(bundle.digest.len(), 64);
    }

    #[test]
    fn a_bundle_without_a_part_names_it() {
        let without = |name: &str| {
            let files: Vec<_> = WHOLE.iter().copied().filter(|(file, _)| *file != name).collect();
            Bundle::unpack(&pack(&files)).unwrap_err()
        };
        assert_eq!(without("/.manifest"), "it has no `.manifest`");
        assert_eq!(without("/policy.wasm"), "it has no `policy.wasm`");
        assert_eq!(without("/data.json"), "it has no `data.json`");
    }

    #[test]
    fn a_damaged_bundle_is_refused() {
        let whole = pack(WHOLE);
        let cut = &whole[..whole.len() - 6];
        assert!(Bundle::unpack(cut).unwrap_err().starts_with("it cannot be unpacked"));
        let mut bent = whole.clone();
        let checksum = bent.len() - 8;
        bent[checksum] ^= 1;
        assert!(Bundle::unpack(&bent).unwrap_err().starts_with("it cannot be unpacked"));
        assert!(Bundle::unpack(b"{}").is_err());
        assert!(Bundle::unpack(b"").is_err());
    }

    #[test]
    fn a_manifest_of_another_shape_is_refused() {
        let files: Vec<(&str, &[u8])> = vec![WHOLE[0], WHOLE[1], ("/.manifest", b"{\"wasm\":3}")];
        assert!(Bundle::unpack(&pack(&files)).unwrap_err().starts_with("its `.manifest` is not what it should be"));
    }
}
