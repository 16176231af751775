//! `keepwatch policy check`: what can be said about rules without running them.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;

use super::super::{Verdict, say, say_json};
use crate::policy::author::{Work, check};

/// Which rules are meant.
#[derive(Debug, Args)]
pub(in crate::cli) struct Meant {
    /// A folder of policies, or one rule: its place `acts/<service>/<rule>`, its folder, or the
    /// last part of its place.
    what: Option<String>,
    /// The folder of policies in which a rule is looked for.
    #[arg(long, default_value = "policies")]
    folder: PathBuf,
}

impl Meant {
    pub(super) fn work(&self) -> anyhow::Result<Work> {
        Work::find(&self.folder, self.what.as_deref()).map_err(|detail| anyhow!(detail))
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    meant: Meant,
    /// Print the findings as a JSON array.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let work = arguments.meant.work()?;
    let check::Checked { flaws, rules } = check::check(&work)?;
    if arguments.json {
        say_json(&flaws)?;
    } else if flaws.is_empty() {
        say(format!("{rules} rule(s) are well typed and described"))?;
    } else {
        for flaw in &flaws {
            say(format!("{}/{flaw}", work.folder.display()))?;
        }
    }
    Ok(if flaws.is_empty() { Verdict::Well } else { Verdict::Wrong })
}
