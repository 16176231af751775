//! `keepwatch policy build`: from a folder of Rego to the bundle that the agent loads.

use std::path::PathBuf;

use clap::Args;

use super::trust::SigningArguments;
use crate::cli::{Verdict, say};
use crate::policy::bundle::build;
use crate::policy::error::PolicyError;
use crate::rules::active::RuleSet;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The folder: events/, resources/, lib/, data/.
    #[arg(default_value = "policies")]
    folder: PathBuf,
    /// The bundle to write.
    #[arg(long, short, default_value = "bundle.tar.gz")]
    output: PathBuf,
    #[command(flatten)]
    signing: SigningArguments,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let accept = |policies| match RuleSet::new(policies) {
        Ok(_) => Ok(()),
        Err(refused) => Err(PolicyError::Refused(refused.chain())),
    };
    build::build_accepted(&arguments.folder, &arguments.output, arguments.signing.signing().as_ref(), accept)?;
    say(arguments.output.display())?;
    Ok(Verdict::Well)
}
