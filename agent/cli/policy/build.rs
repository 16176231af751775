//! `keepwatch policy build`: from a folder of Rego to the bundle that the agent loads.

use std::path::PathBuf;

use clap::Args;

use super::trust::SigningArguments;
use crate::cli::{Verdict, say};
use crate::policy::bundle::build;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The folder: acts/, states/, lib/, data/.
    #[arg(default_value = "policies")]
    folder: PathBuf,
    /// The bundle to write.
    #[arg(long, short, default_value = "bundle.tar.gz")]
    output: PathBuf,
    #[command(flatten)]
    signing: SigningArguments,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    build::build_signed(&arguments.folder, &arguments.output, arguments.signing.signing().as_ref())?;
    say(arguments.output.display())?;
    Ok(Verdict::Well)
}
