//! `keepwatch ledger`: reads the hash chain and proves it.

use clap::Subcommand;

use super::{StorePlace, Verdict, look_into_store, say, say_json};
use crate::ledger::{Ledger as _, chain};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print every entry, oldest first.
    Show {
        #[command(flatten)]
        store: StorePlace,
        /// Print JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Prove that no entry was changed, removed or moved.
    Verify {
        #[command(flatten)]
        store: StorePlace,
        /// The head that an earlier `verify` printed: the chain must contain it.
        #[arg(long)]
        head: Option<String>,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command) -> anyhow::Result<Verdict> {
    match command {
        Command::Show { store, json } => {
            for entry in look_into_store(&store)?.entries().await? {
                if json {
                    say(serde_json::to_string(&entry)?)?;
                } else {
                    say(format!("{:>6}  {}  {:<9} {}", entry.number, entry.at, entry.kind, entry.body))?;
                }
            }
            Ok(Verdict::Well)
        }
        Command::Verify { store, head, json } => {
            let entries = look_into_store(&store)?.entries().await?;
            verify(&entries, head.as_deref(), json)
        }
    }
}

fn verify(entries: &[chain::Entry], head: Option<&str>, json: bool) -> anyhow::Result<Verdict> {
    let proof = head.map_or_else(|| chain::verify(entries), |head| chain::verify_to(entries, head));
    if json {
        say_json(&serde_json::json!({
            "whole": proof.is_ok(),
            "entries": entries.len(),
            "head": chain::head(entries),
            "broken": proof.as_ref().err().map(ToString::to_string),
        }))?;
    } else {
        match &proof {
            Ok(count) => say(format!("the chain of {count} entries is whole"))?,
            Err(broken) => say(broken)?,
        }
        say(format!("head: {}", chain::head(entries)))?;
    }
    Ok(if proof.is_ok() { Verdict::Well } else { Verdict::Wrong })
}
