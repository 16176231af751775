//! `keepwatch undo`, `keepwatch approve` and `keepwatch deny`: what a person says to a plan.

use std::time::Instant;

use clap::Args;

use super::{Places, Verdict, agent, open_existing_store, say, say_json};
use crate::domain::outcome::Outcome;
use crate::domain::plan::Plan;
use crate::ledger::PlanRecord;
use crate::respond::undo::Undoable;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A plan's id (`KW-7F3A2C01.1`), or an incident's for all that was done in it.
    id: String,
    /// Who asks for it.
    #[arg(long)]
    by: String,
    /// A second person, where an actor or a vault is released.
    #[arg(long)]
    with: Option<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(super) struct ApproveArguments {
    /// The plan's id, such as `KW-7F3A2C01.2`.
    id: String,
    /// Who approves it.
    #[arg(long)]
    by: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(super) struct DenyArguments {
    /// The plan's id, such as `KW-7F3A2C01.2`.
    id: String,
    /// Who denies it.
    #[arg(long)]
    by: String,
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
struct How {
    #[command(flatten)]
    places: Places,
    /// Print what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments, started: Instant) -> anyhow::Result<Verdict> {
    let Arguments { id, by, with, how } = arguments;
    let agent = agent(&how.places, open_existing_store(&how.places.store)?, started).await?;
    let people: Vec<String> = std::iter::once(by).chain(with).collect();
    let undoable = agent.undoable(&id).await?;
    let outcomes = if how.dry_run { Vec::new() } else { agent.undo(&undoable, &people).await? };
    if how.json {
        let outcomes = outcomes.iter().map(Some).chain(std::iter::repeat(None));
        let shown = undoable.iter().zip(outcomes).map(|(one, outcome)| as_json(&one.stored, &one.plan, outcome));
        say_json(&shown.collect::<Vec<_>>())?;
    } else if undoable.is_empty() {
        say(format!("nothing to undo: `{id}` changed nothing, or is undone already"))?;
    } else {
        let mut outcomes = outcomes.iter();
        undoable.iter().try_for_each(|Undoable { stored, plan }| show(stored, plan, outcomes.next()))?;
    }
    Ok(outcomes.iter().fold(Verdict::Well, verdict_of))
}

pub(super) async fn approve(arguments: ApproveArguments, started: Instant) -> anyhow::Result<Verdict> {
    let ApproveArguments { id, by, how } = arguments;
    let agent = agent(&how.places, open_existing_store(&how.places.store)?, started).await?;
    if how.dry_run {
        let stored = agent.proposed(&id).await?;
        show_approval(&stored, None, how.json)?;
        return Ok(Verdict::Well);
    }
    let (stored, outcome) = agent.approve(&id, &by).await?;
    show_approval(&stored, Some(&outcome), how.json)?;
    Ok(verdict_of(Verdict::Well, &outcome))
}

pub(super) async fn deny(arguments: DenyArguments, started: Instant) -> anyhow::Result<Verdict> {
    let DenyArguments { id, by, places } = arguments;
    let denied = agent(&places, open_existing_store(&places.store)?, started).await?.deny(&id, &by).await?;
    say(format!("{}: denied, nothing of it is done", denied.id))?;
    Ok(Verdict::Well)
}

fn as_json(stored: &PlanRecord, plan: &Plan, outcome: Option<&Outcome>) -> serde_json::Value {
    serde_json::json!({ "plan": stored.id, "steps": plan.steps, "outcome": outcome })
}

fn show_approval(stored: &PlanRecord, outcome: Option<&Outcome>, json: bool) -> anyhow::Result<()> {
    if json { say_json(&as_json(stored, &stored.plan, outcome)) } else { show(stored, &stored.plan, outcome) }
}

fn show(stored: &PlanRecord, plan: &Plan, outcome: Option<&Outcome>) -> anyhow::Result<()> {
    say(format!("{}:", stored.id))?;
    let mut outcomes = outcome.iter().flat_map(|outcome| &outcome.steps);
    for step in &plan.steps {
        let result = outcomes.next().map_or_else(|| "would be done".to_owned(), ToString::to_string);
        say(format!("* {}: {result}", step.action))?;
        step.changes().iter().try_for_each(|line| say(format!("    {line}")))?;
    }
    if plan.steps.is_empty() {
        say("* nothing to do")?;
    }
    Ok(())
}

fn verdict_of(verdict: Verdict, outcome: &Outcome) -> Verdict {
    if outcome.is_whole() { verdict } else { Verdict::Wrong }
}
