//! Signing a bundle after it is built: `opa sign` makes the signature, and here it is put in.
//!
//! The private key is read by `opa` alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::archive;
use super::build::opa;
use super::signature::{Algorithm, SIGNATURES};
use crate::policy::error::PolicyError;

/// How a bundle is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signing {
    /// The PEM file of the private key.
    pub key: PathBuf,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The name of the key, which the signature carries.
    pub key_id: String,
    /// What the signature is for; empty when it is for nothing in particular.
    pub scope: String,
}

impl Signing {
    /// Signs a bundle where it lies. What `opa` reads and what it answers goes through a
    /// folder that must be there until then.
    pub(super) fn sign(&self, bundle: &Path, workshop: &Path) -> Result<(), PolicyError> {
        let failed = |operation, path: &Path| {
            let path = path.to_owned();
            move |source| PolicyError::Io { operation, path, source }
        };
        fs::metadata(&self.key).map_err(failed("read the signing key", &self.key))?;
        let (claims, answer) = (workshop.join("claims.json"), workshop.join(SIGNATURES));
        fs::write(&claims, self.claims()).map_err(failed("write", &claims))?;
        let mut command = Command::new(opa());
        command.args(["sign", "--signing-alg", self.algorithm.name(), "--signing-key"]).arg(&self.key);
        command.arg("--claims-file").arg(&claims).arg("--output-file-path").arg(workshop).arg("--bundle").arg(bundle);
        let said = command.output().map_err(failed("run `opa sign` on", bundle))?;
        if !said.status.success() {
            let detail = String::from_utf8_lossy(&said.stderr).trim().to_owned();
            return Err(PolicyError::Sign { key: self.key.clone(), algorithm: self.algorithm, detail });
        }
        let signature = fs::read(&answer).map_err(failed("read", &answer))?;
        let packed = fs::read(bundle).map_err(failed("read", bundle))?;
        let damaged = |detail| PolicyError::Bundle { path: bundle.to_owned(), detail };
        let signed = archive::with(&packed, SIGNATURES, &signature).map_err(damaged)?;
        fs::write(bundle, signed).map_err(failed("write", bundle))
    }

    /// What is signed beside the files.
    fn claims(&self) -> String {
        let mut claims = json!({ "keyid": self.key_id });
        if !self.scope.is_empty()
            && let Some(claims) = claims.as_object_mut()
        {
            claims.insert("scope".to_owned(), self.scope.clone().into());
        }
        claims.to_string()
    }
}
