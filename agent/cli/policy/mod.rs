//! `keepwatch policy`: the commands of a policy author, one file each.

mod build;
mod check;
mod explain;
mod new;
mod report;
mod schema;
mod shadow;
mod test;
mod trust;
mod watch;

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, Subcommand};

use super::{Verdict, on_runtime};
use crate::author::Work;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Compile a folder of policies into a bundle.
    Build(build::Arguments),
    /// Prove that a bundle is what a key signed.
    Verify(trust::VerifyArguments),
    /// List the rules that are evaluated and never acted on, or what one of them found.
    Shadow(shadow::ShadowArguments),
    /// Take a rule out of shadow: from then on it acts.
    Promote(shadow::PromoteArguments),
    /// Put a rule into shadow: from then on it is evaluated and never acts.
    Demote(shadow::DemoteArguments),
    /// Run the rules' tests: Rego's own by `opa test` and in the agent's engine, which must
    /// agree, and every `fires.json` and `silent.json` in the agent's engine.
    Test(test::Arguments),
    /// Check types down to each call's parameters, builtins, declared events, metadata,
    /// examples, and what makes a rule slow or silent.
    Check(check::Arguments),
    /// Say which rules asked for an event, whether they fired, and where they stopped.
    Explain(explain::Arguments),
    /// Start a rule: its folder with rule, test, fixtures and runbook.
    New(new::Arguments),
    /// Check, test and evaluate a rule at each save, until Ctrl-C.
    Watch(watch::Arguments),
    /// Write the JSON schemas of the rules' input.
    Schema(schema::Arguments),
}

/// Which rules are meant.
#[derive(Debug, Args)]
struct Meant {
    /// A folder of policies, or one rule: its place `events/<service>/<rule>`, its folder, or the
    /// last part of its place.
    what: Option<String>,
    /// The folder of policies in which a rule is looked for.
    #[arg(long, default_value = "policies")]
    folder: PathBuf,
}

impl Meant {
    fn work(&self) -> anyhow::Result<Work> {
        Work::find(&self.folder, self.what.as_deref()).map_err(|detail| anyhow!(detail))
    }
}

pub(super) fn run(command: &Command) -> anyhow::Result<Verdict> {
    match command {
        Command::Build(arguments) => build::run(arguments),
        Command::Verify(arguments) => trust::verify(arguments),
        Command::Shadow(arguments) => on_runtime(shadow::list(arguments)),
        Command::Promote(arguments) => on_runtime(shadow::promote(arguments)),
        Command::Demote(arguments) => on_runtime(shadow::demote(arguments)),
        Command::Test(arguments) => test::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::New(arguments) => new::run(arguments),
        Command::Watch(arguments) => watch::run(arguments),
        Command::Schema(arguments) => schema::run(arguments),
    }
}
