//! `keepwatch sweep`: evaluates every resource of every account as it is now.

use std::time::Instant;

use clap::Args;

use super::{Places, Verdict, agent, open_existing_store, open_store, say, say_json};
use crate::ledger::sqlite::Sqlite;
use crate::respond::sweep::Swept;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    places: Places,
    /// Sweep one time and stop; the running agent sweeps by itself.
    #[arg(long, required = true)]
    once: bool,
    /// Print what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments, started: Instant) -> anyhow::Result<Verdict> {
    let agent = agent(&arguments.places, store(&arguments)?, started).await?;
    let swept = if arguments.dry_run {
        let (dry_runs, swept) = agent.preview().await;
        if arguments.json {
            say_json(&dry_runs)?;
        } else {
            dry_runs.iter().try_for_each(say)?;
        }
        swept
    } else {
        let swept = agent.sweep().await;
        agent.evaluate_shadows().await;
        swept
    };
    print_result(&swept, &arguments)?;
    Ok(if swept.failed.is_empty() { Verdict::Well } else { Verdict::Wrong })
}

/// The agent's store. A dry run makes none: without one, nothing was done before.
fn store(Arguments { places, dry_run, .. }: &Arguments) -> anyhow::Result<Sqlite> {
    match (dry_run, places.store.store.exists()) {
        (false, _) => open_store(&places.store),
        (true, true) => open_existing_store(&places.store),
        (true, false) => Ok(Sqlite::open_in_memory()?),
    }
}

fn print_result(swept: &Swept, arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.json {
        return if arguments.dry_run { Ok(()) } else { say_json(swept) };
    }
    if !arguments.dry_run {
        say(format!("{} resource(s) evaluated", swept.evaluated))?;
    }
    swept.failed.iter().try_for_each(|failure| say(format!("not evaluated: {failure}")))
}
