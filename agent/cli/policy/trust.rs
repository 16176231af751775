//! `keepwatch policy build --signing-key` and `keepwatch policy verify`: whose a bundle is.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::cli::{Verdict, say};
use crate::config::policies::PolicySettings;
use crate::policy::bundle::Bundle;
use crate::policy::bundle::signature::Algorithm;
use crate::policy::bundle::signing::Signing;

/// How a bundle is signed, by the names of `opa`'s own options where it has them.
#[derive(Debug, Args)]
pub(in crate::cli) struct SigningArguments {
    /// Sign the bundle with the private key in this PEM file.
    #[arg(long)]
    signing_key: Option<PathBuf>,
    /// The algorithm: ES256, ES384, RS256, RS384, RS512, PS256, PS384 or PS512.
    #[arg(long, default_value_t, requires = "signing_key")]
    signing_alg: Algorithm,
    /// The name of the key, which the signature carries.
    #[arg(long, default_value = "default", requires = "signing_key")]
    key_id: String,
    /// What the signature is for; whoever verifies it must ask for the same.
    #[arg(long, default_value = "", requires = "signing_key")]
    scope: String,
}

impl SigningArguments {
    pub(super) fn signing(&self) -> Option<Signing> {
        let key = self.signing_key.clone()?;
        let (algorithm, key_id, scope) = (self.signing_alg, self.key_id.clone(), self.scope.clone());
        Some(Signing { key, algorithm, key_id, scope })
    }
}

/// Arguments of `keepwatch policy verify`.
#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyArguments {
    /// The bundle.
    bundle: PathBuf,
    /// The PEM file of the public key that must have signed it.
    #[arg(long)]
    verification_key: PathBuf,
    /// The algorithm that it must be signed with.
    #[arg(long, default_value_t)]
    algorithm: Algorithm,
    /// The name that the signature must give its key, if it gives one.
    #[arg(long)]
    key_id: Option<String>,
    /// What the signature must be for.
    #[arg(long)]
    scope: Option<String>,
}

/// Proves that a bundle is what a key signed.
pub(super) fn verify(arguments: &VerifyArguments) -> anyhow::Result<Verdict> {
    let settings = PolicySettings {
        verification_key: Some(arguments.verification_key.clone()),
        algorithm: Some(arguments.algorithm),
        key_id: arguments.key_id.clone(),
        scope: arguments.scope.clone(),
        ..PolicySettings::default()
    };
    let path = &arguments.bundle;
    let packed = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let bundle = Bundle::open(path, &packed, settings.trust()?.as_ref())?;
    say(format!("`{}` is what the key signed\nrevision: {}", path.display(), bundle.manifest.revision))?;
    say(format!("digest: {}", bundle.digest))?;
    Ok(Verdict::Well)
}
