//! `keepwatch policy test`: whether the rules do what their tests and examples say.

use std::path::PathBuf;

use clap::Args;

use super::super::{Verdict, load_policies, say};
use crate::policy::{build, fixtures};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The folder of policies.
    #[arg(default_value = "policies")]
    folder: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let tested = build::test(&arguments.folder)?;
    say(&tested.text)?;
    let failures = fixtures::check(&arguments.folder, &load_policies(&arguments.folder)?)?;
    failures.iter().try_for_each(say)?;
    Ok(if tested.passed && failures.is_empty() { Verdict::Well } else { Verdict::Wrong })
}
