//! `keepwatch policy check`: what can be said about rules without running them.

use std::path::PathBuf;

use clap::Args;

use super::super::{Verdict, load_policies, say};
use crate::policy::build;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder of policies.
    #[arg(default_value = "policies")]
    folder: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let checked = build::check(&arguments.folder)?;
    if !checked.passed {
        say(&checked.text)?;
        return Ok(Verdict::Wrong);
    }
    let policies = load_policies(&arguments.folder)?;
    say(format!("{} rule(s) are well typed and described", policies.rules().len()))?;
    Ok(Verdict::Well)
}
