//! `keepwatch policy`: what a policy author runs all day.

mod shadow;
mod trust;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Subcommand;

use super::{Verdict, load_policies, on_runtime, say};
use crate::policy::{build, fixtures, input};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Compile a folder of policies into a bundle.
    Build {
        /// The folder: acts/, states/, lib/, data/.
        #[arg(default_value = "policies")]
        folder: PathBuf,
        /// The bundle to write.
        #[arg(long, short, default_value = "bundle.tar.gz")]
        output: PathBuf,
        #[command(flatten)]
        signing: trust::SigningArguments,
    },
    /// Prove that a bundle is what a key signed.
    Verify(trust::VerifyArguments),
    /// List the rules that are judged by and never acted on, or what one of them found.
    Shadow(shadow::ShadowArguments),
    /// Take a rule out of shadow: from then on it acts.
    Promote(shadow::PromoteArguments),
    /// Run the policies' tests: Rego's own by `opa test`, and every `fires.json` and
    /// `silent.json` in the agent's engine.
    Test {
        /// The folder of policies.
        #[arg(default_value = "policies")]
        folder: PathBuf,
    },
    /// Check types against the schemas, builtins, metadata and fixtures.
    Check {
        /// The folder of policies.
        #[arg(default_value = "policies")]
        folder: PathBuf,
    },
    /// Start a rule: its folder with rule, test, fixtures and runbook.
    New {
        /// Where: `acts/<service>/<rule>` or `states/<service>/<rule>`.
        rule: String,
        /// The folder of policies.
        #[arg(long, default_value = "policies")]
        folder: PathBuf,
    },
    /// Write the JSON schemas of the rules' input.
    Schema {
        /// The folder to write to.
        #[arg(default_value = "policies/schema")]
        folder: PathBuf,
    },
}

pub(super) fn run(command: &Command) -> anyhow::Result<Verdict> {
    match command {
        Command::Build { folder, output, signing } => {
            build::build_signed(folder, output, signing.signing().as_ref())?;
            say(output.display())?;
            Ok(Verdict::Well)
        }
        Command::Verify(arguments) => trust::verify(arguments),
        Command::Shadow(arguments) => on_runtime(shadow::list(arguments)),
        Command::Promote(arguments) => on_runtime(shadow::promote(arguments)),
        Command::Test { folder } => test(folder),
        Command::Check { folder } => check(folder),
        Command::New { rule, folder } => new(rule, folder),
        Command::Schema { folder } => schema(folder),
    }
}

fn test(folder: &Path) -> anyhow::Result<Verdict> {
    let tested = build::test(folder)?;
    say(&tested.text)?;
    let failures = fixtures::check(folder, &load_policies(folder)?)?;
    failures.iter().try_for_each(say)?;
    Ok(if tested.passed && failures.is_empty() { Verdict::Well } else { Verdict::Wrong })
}

fn check(folder: &Path) -> anyhow::Result<Verdict> {
    let checked = build::check(folder)?;
    if !checked.passed {
        say(&checked.text)?;
        return Ok(Verdict::Wrong);
    }
    let policies = load_policies(folder)?;
    say(format!("{} rule(s) are well typed and described", policies.rules().len()))?;
    Ok(Verdict::Well)
}

fn schema(folder: &Path) -> anyhow::Result<Verdict> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    for (name, schema) in input::schemas() {
        let path = folder.join(name);
        let text = serde_json::to_string_pretty(&schema)? + "\n";
        fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        say(path.display())?;
    }
    Ok(Verdict::Well)
}

fn new(rule: &str, folder: &Path) -> anyhow::Result<Verdict> {
    let parts: Vec<&str> = rule.split('/').collect();
    let [kind @ ("acts" | "states"), service, name] = parts.as_slice() else {
        bail!("`{rule}` is no place for a rule: say `acts/<service>/<rule>` or `states/<service>/<rule>`");
    };
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let plain = |word: &str| !word.is_empty() && word.bytes().all(letter);
    ensure!(plain(service) && plain(name), "a service and a rule are named in lower case, digits and `_`: `{rule}`");
    let place = folder.join(rule);
    ensure!(!place.exists(), "`{}` is there already", place.display());
    fs::create_dir_all(&place).with_context(|| format!("cannot make `{}`", place.display()))?;
    let (text, input) = match *kind {
        "acts" => (include_str!("../policy/template/act.rego"), include_str!("../policy/template/act.json")),
        _ => (include_str!("../policy/template/state.rego"), include_str!("../policy/template/state.json")),
    };
    let fill = |text: &str| text.replace("SERVICE", service).replace("RULE", name);
    let files = [
        (format!("{name}.rego"), fill(text)),
        (format!("{name}_test.rego"), fill(include_str!("../policy/template/test.rego")).replace("KIND", kind)),
        ("fires.json".to_owned(), fill(input)),
        ("silent.json".to_owned(), "[]\n".to_owned()),
    ];
    for (file, text) in files {
        let path = place.join(file);
        fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        say(path.display())?;
    }
    Ok(Verdict::Well)
}
