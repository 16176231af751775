//! `[policies]` of `accounts.toml`: where the rules come from, whom to trust with them, and
//! which of them are only watched.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::policy::PolicyError;
use crate::policy::bundle::signature::{Algorithm, Trust};
use crate::policy::bundle::source::Source;

/// Where the rules come from, and how far they are trusted.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySettings {
    /// A bundle, a folder, or `s3://bucket/key`. `--policies` overrides it; without either
    /// it is the folder `policies`.
    pub source: Option<Source>,
    /// The PEM file of the public key that bundles are signed with. With it, a bundle that
    /// this key did not sign is refused, and so is a folder.
    pub verification_key: Option<PathBuf>,
    /// How bundles are signed. `ES256` unless set; never what a bundle says.
    pub algorithm: Option<Algorithm>,
    /// The name that a signature must give its key, if it gives one.
    pub key_id: Option<String>,
    /// What a signature must be for. Nothing in particular unless set.
    pub scope: Option<String>,
    /// Seconds between two looks for a change. 10 for files and 60 for S3 unless set.
    pub check_seconds: Option<u32>,
    /// Hours without a successful look after which this is reported. 24 unless set.
    pub max_age_hours: Option<u32>,
    /// The candidate bundle: evaluated, and never acted on.
    pub shadow: Option<Source>,
    /// Ids of rules that are evaluated and never acted on, whatever their METADATA says.
    pub shadow_rules: BTreeSet<String>,
}

impl PolicySettings {
    /// Whom to trust with bundles; `None` when no key is set.
    ///
    /// # Errors
    /// When the key cannot be read or is none.
    pub fn trust(&self) -> Result<Option<Trust>, PolicyError> {
        let Some(path) = &self.verification_key else {
            return Ok(None);
        };
        let pem = fs::read(path).map_err(|source| PolicyError::Io {
            operation: "read the verification key",
            path: path.clone(),
            source,
        })?;
        let scope = self.scope.clone().unwrap_or_default();
        let trust = Trust::new(&pem, self.algorithm.unwrap_or_default(), self.key_id.clone(), scope);
        trust.map(Some).map_err(|detail| PolicyError::Key { path: path.clone(), detail })
    }

    /// How long a source is left alone between two looks.
    #[must_use]
    pub fn pause(&self, source: &Source) -> Duration {
        let usual = match source {
            Source::Path(_) => 10,
            Source::S3 { .. } => 60,
        };
        Duration::from_secs(self.check_seconds.map_or(usual, u64::from))
    }

    /// How long rules may go without a successful look.
    #[must_use]
    pub fn max_age(&self) -> Duration {
        Duration::from_secs(3600 * u64::from(self.max_age_hours.unwrap_or(24)))
    }

    /// Paths are meant from the folder of `accounts.toml`.
    pub(super) fn settle(&mut self, folder: &Path) {
        self.verification_key = self.verification_key.take().map(|path| folder.join(path));
        for source in [&mut self.source, &mut self.shadow] {
            *source = source.take().map(|source| source.within(folder));
        }
    }

    /// What the types cannot say: the word that is wrong, and what is wrong with it.
    pub(super) fn complaint(&self) -> Option<(&'static str, &'static str)> {
        // INVARIANT: whoever asks for a signature in any way gets one. A setting of it that
        // lacks only the key must not mean that nothing is verified.
        let of_key = [
            ("key_id", self.key_id.is_some()),
            ("algorithm", self.algorithm.is_some()),
            ("scope", self.scope.is_some()),
        ];
        if let (None, Some((word, _))) = (&self.verification_key, of_key.into_iter().find(|(_, set)| *set)) {
            return Some((word, "without a `verification_key` nothing would be verified: name the public key's file"));
        }
        let zero = [("check_seconds", self.check_seconds), ("max_age_hours", self.max_age_hours)];
        let zero = zero.into_iter().find(|(_, value)| *value == Some(0));
        zero.map(|(word, _)| (word, "it must be at least 1"))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const SHIPPED: &str = include_str!("../../accounts.toml");

    fn with(settings: &str) -> Result<Config, String> {
        Config::parse(&SHIPPED.replace("[organisation]", &format!("[policies]\n{settings}\n\n[organisation]")))
    }

    #[test]
    fn paths_are_meant_from_the_folder_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let text = SHIPPED.replace(
            "[organisation]",
            "[policies]\nsource = \"b.tar.gz\"\nverification_key = \"key.pem\"\nshadow = \"s3://b/k\"\n\n[organisation]",
        );
        std::fs::write(folder.path().join("accounts.toml"), text).unwrap();
        let settings = Config::load(&folder.path().join("accounts.toml")).unwrap().policies;
        assert_eq!(settings.source.unwrap().to_string(), folder.path().join("b.tar.gz").display().to_string());
        assert_eq!(settings.verification_key.unwrap(), folder.path().join("key.pem"));
        assert_eq!(settings.shadow.unwrap().to_string(), "s3://b/k");
    }

    #[test]
    fn a_signature_asked_for_without_a_key_is_refused() {
        for settings in ["key_id = \"k\"", "scope = \"keepwatch\"", "algorithm = \"ES256\""] {
            let complaint = with(settings).unwrap_err();
            assert!(complaint.contains("without a `verification_key` nothing would be verified"), "{complaint}");
        }
        assert!(with("key_id = \"k\"\nverification_key = \"k.pem\"").is_ok());
    }

    #[test]
    fn what_is_misspelt_or_senseless_is_refused() {
        for (settings, said) in [
            ("verification_kee = \"k\"", "unknown field `verification_kee`"),
            ("verification_key = \"k\"\nalgorithm = \"none\"", "`none` is no algorithm for signed bundles"),
            ("verification_key = \"k\"\nalgorithm = \"HS256\"", "`HS256` is no algorithm for signed bundles"),
            ("source = \"s3://bucket\"", "`s3://bucket` names no object"),
            ("source = \"https://x/y\"", "`https://x/y` is neither a path nor `s3://bucket/key`"),
            ("check_seconds = 0", "it must be at least 1"),
            ("max_age_hours = 0", "it must be at least 1"),
        ] {
            let complaint = with(settings).unwrap_err();
            assert!(complaint.contains(said), "{complaint}");
        }
    }
}
