//! `keepwatch policy build`: from a folder of Rego to the bundle that the agent loads.

use std::path::PathBuf;

use clap::Args;

use super::super::{Verdict, say};
use crate::policy::build;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The folder: acts/, states/, lib/, data/.
    #[arg(default_value = "policies")]
    folder: PathBuf,
    /// The bundle to write.
    #[arg(long, short, default_value = "bundle.tar.gz")]
    output: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    build::build(&arguments.folder, &arguments.output)?;
    say(arguments.output.display())?;
    Ok(Verdict::Well)
}
