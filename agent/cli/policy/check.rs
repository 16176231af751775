//! `keepwatch policy check`: what can be said about rules without running them.

use clap::Args;

use super::Meant;
use crate::cli::{Verdict, say, say_json};
use crate::policy::author::check;

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
