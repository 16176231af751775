//! `keepwatch policy`: what a policy author runs all day, one file per verb.

mod build;
mod check;
mod new;
mod schema;
mod test;

use clap::Subcommand;

use super::Verdict;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Compile a folder of policies into a bundle.
    Build(build::Arguments),
    /// Run the policies' tests: Rego's own by `opa test`, and every `fires.json` and
    /// `silent.json` in the agent's engine.
    Test(test::Arguments),
    /// Check types against the schemas, builtins, metadata and fixtures.
    Check(check::Arguments),
    /// Start a rule: its folder with rule, test, fixtures and runbook.
    New(new::Arguments),
    /// Write the JSON schemas of the rules' input.
    Schema(schema::Arguments),
}

pub(super) fn run(command: &Command) -> anyhow::Result<Verdict> {
    match command {
        Command::Build(arguments) => build::run(arguments),
        Command::Test(arguments) => test::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::New(arguments) => new::run(arguments),
        Command::Schema(arguments) => schema::run(arguments),
    }
}
