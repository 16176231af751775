//! `keepwatch incident`: what happened, what was done, what can be taken back.

use anyhow::bail;
use clap::Subcommand;

use super::{StorePlace, Verdict, look_into_store, say, say_json};
use crate::domain::outcome::Outcome;
use crate::ledger::{Incident, Ledger as _, PlanRecord};
use crate::notify::text;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// One line for each incident, newest first.
    List {
        #[command(flatten)]
        store: StorePlace,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Everything about one incident.
    Show {
        /// The incident's id, such as `KW-7F3A2C01`.
        id: String,
        #[command(flatten)]
        store: StorePlace,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command) -> anyhow::Result<Verdict> {
    match command {
        Command::List { store, json } => {
            let incidents = look_into_store(&store)?.incidents().await?;
            if json {
                say_json(&incidents.iter().map(|(incident, plans)| view(incident, plans)).collect::<Vec<_>>())?;
            } else {
                for (incident, plans) in &incidents {
                    let Incident { id, opened, account, title, .. } = incident;
                    say(format!("{id}  {opened}  {account}  {} plan(s)  {title}", plans.len()))?;
                }
            }
        }
        Command::Show { id, store, json } => {
            let incidents = look_into_store(&store)?.incidents().await?;
            let Some((incident, plans)) = incidents.iter().find(|(incident, _)| incident.id == id) else {
                bail!("no incident `{id}`: `keepwatch incident list` shows what there is");
            };
            if json {
                say_json(&view(incident, plans))?;
            } else {
                say(format!("{} {} (account {})\n", incident.id, incident.title, incident.account))?;
                for stored in plans {
                    say(text::render(incident, &stored.report(&outcome(stored))))?;
                }
            }
        }
    }
    Ok(Verdict::Well)
}

fn outcome(stored: &PlanRecord) -> Outcome {
    stored.outcome.clone().unwrap_or_default()
}

fn view(incident: &Incident, plans: &[PlanRecord]) -> serde_json::Value {
    let plans = plans.iter().map(|stored| {
        serde_json::json!({
            "id": stored.id,
            "state": stored.state,
            "claimed": stored.claimed,
            "case": stored.report(&outcome(stored)),
            "plan": stored.plan,
        })
    });
    serde_json::json!({ "incident": incident, "plans": plans.collect::<Vec<_>>() })
}
