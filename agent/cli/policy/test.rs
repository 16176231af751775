//! `keepwatch policy test`: whether the rules do what their tests and examples say.

use clap::Args;

use super::Meant;
use crate::author::trial;
use crate::author::trial::Trial;
use crate::cli::{Verdict, say, say_json};
use crate::domain::clock::{Clock as _, SystemClock};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    meant: Meant,
    /// The least percent of each file's lines that the tests must reach.
    #[arg(long, value_name = "PERCENT")]
    threshold: Option<f64>,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let work = arguments.meant.work()?;
    let trial = trial::run(&work, SystemClock.now())?;
    if arguments.json {
        say_json(&trial)?;
    } else {
        print(&trial)?;
        for file in arguments.threshold.iter().flat_map(|least| trial.below(*least)) {
            say(format!("{file}: its tests reach too little of it; `opa test --coverage` names the lines"))?;
        }
    }
    Ok(if trial.passed(arguments.threshold) { Verdict::Well } else { Verdict::Wrong })
}

/// What is wrong first, then what was done.
pub(super) fn print(trial: &Trial) -> anyhow::Result<()> {
    let wrong: Vec<_> = trial.tests.iter().filter(|test| test.is_wrong()).collect();
    wrong.iter().try_for_each(say)?;
    trial.examples.iter().try_for_each(say)?;
    trial.untested.iter().try_for_each(|place| say(format!("{place}: no test speaks of it")))?;
    if let Some(why) = &trial.unbuilt {
        say(format!("the agent's engine cannot run these tests: {why}"))?;
    }
    let both = trial.tests.iter().filter(|test| test.ours.is_some() && !test.is_wrong()).count();
    say(format!("{both} of {} test(s) pass in `opa test` and in the agent's engine", trial.tests.len()))?;
    for (file, percent) in &trial.coverage {
        say(format!("{percent:6.1} %  {file}"))?;
    }
    Ok(())
}
