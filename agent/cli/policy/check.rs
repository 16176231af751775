//! `keepwatch policy check`: what is wrong with rules, for people and for programs.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::{Meant, report};
use crate::author::{Lint, Work, check};
use crate::cli::{Verdict, load_config, say, say_json};
use crate::domain::spelling::nearest;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    meant: Meant,
    /// How to print what was found.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as `--format json`.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Check the rules that this accounts.toml names, too.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Who reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// People, in a terminal.
    Text,
    /// Programs: an array of objects.
    Json,
    /// GitHub Actions: annotations of a pull request.
    Github,
    /// Code scanning: SARIF 2.1.0.
    Sarif,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let work = arguments.meant.work()?;
    let check::Checked { lints, rules } = check::check(&work)?;
    let mut lints = named_from_here(&work, lints);
    if let Some(config) = &arguments.config {
        lints.extend(unknown_rules(config, &work)?);
    }
    match if arguments.json { Format::Json } else { arguments.format } {
        Format::Text if lints.is_empty() => say(format!("{rules} rule(s) are well typed, described and tested"))?,
        Format::Text => lints.iter().try_for_each(say)?,
        Format::Json => say_json(&lints)?,
        Format::Github => report::github(&lints).iter().try_for_each(say)?,
        Format::Sarif => say_json(&report::sarif(&lints))?,
    }
    Ok(if lints.is_empty() { Verdict::Well } else { Verdict::Wrong })
}

/// The lints with their files as a path from here, the same in every format.
pub(super) fn named_from_here(work: &Work, lints: Vec<Lint>) -> Vec<Lint> {
    let named = |lint: Lint| Lint { file: work.folder.join(&lint.file).display().to_string(), ..lint };
    lints.into_iter().map(named).collect()
}

/// The ids in an accounts.toml that no rule has.
fn unknown_rules(config: &std::path::Path, work: &Work) -> anyhow::Result<Vec<Lint>> {
    let settings = load_config(config)?.policies;
    let text = std::fs::read_to_string(config).with_context(|| format!("cannot read `{}`", config.display()))?;
    let ids = check::ids(work)?;
    let unknown = settings.shadow_rules.iter().filter(|id| !ids.contains(*id));
    let lint = |id: &String| {
        let at = text.lines().zip(1..).find(|(line, _)| line.contains(&format!("\"{id}\"")));
        Lint {
            file: config.display().to_string(),
            line: at.map_or(1, |(_, line)| line),
            column: 1,
            lint: "shadow-rules".to_owned(),
            what: format!("`shadow_rules` names `{id}`, and no rule has that id"),
            why: "the rule that is meant acts".to_owned(),
            next: nearest(id, ids.iter().map(String::as_str))
                .map(|id| format!("did you mean `{id}`?"))
                .unwrap_or_default(),
        }
    };
    Ok(unknown.map(lint).collect())
}
