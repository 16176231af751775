//! `keepwatch run`: the agent itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::{Places, Verdict, agent_and_look, cache};
use crate::aws::Aws;
use crate::intake;
use crate::ledger::Ledger as _;
use crate::ledger::sqlite::Sqlite;
use crate::notify::deliver::deliver;
use crate::notify::notifier::Notifier;
use crate::notify::slack::button::Answers;
use crate::notify::slack::interactions;
use crate::notify::slack::interactions::InteractionEndpoint;
use crate::ops::metrics::{Metrics, Outside};
use crate::ops::serve;
use crate::ops::serve::Pages;
use crate::respond::agent::Agent;
use crate::rules::refresh::Refresher;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    places: Places,
    /// Where /healthz and /metrics are served.
    #[arg(long, env = "KEEPWATCH_LISTEN", default_value = "127.0.0.1:9464")]
    listen: SocketAddr,
}

pub(super) async fn run(arguments: Arguments, started: Instant) -> anyhow::Result<Verdict> {
    let (agent, refresher) = watchful(&arguments.places, started).await?;
    let agent = Arc::new(agent);
    let (door, desk) = match &agent.config.notify.slack {
        Some(slack) => interactions::open(slack, Arc::clone(&agent.clock))?.unzip(),
        None => (None, None),
    };
    let answers = if door.is_some() { Answers::Buttons } else { Answers::Commands };
    let outlet = Notifier::from_config(&agent.config.notify, answers)?;
    let queue = agent
        .clouds
        .queue(&agent.config.intake)
        .await
        .context("cannot open the queue; `keepwatch doctor` says what is missing")?;
    let (stop, stopped) = watch::channel(false);

    let listener =
        serve::bind(arguments.listen).await.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    tokio::spawn(serve::run(listener, Pages { metrics: metrics_of(&agent), slack: door.map(received_by) }));
    agent.resume().await.context("cannot finish what an earlier run began")?;
    let telling = {
        let (agent, stopped) = (Arc::clone(&agent), stopped.clone());
        tokio::spawn(async move { deliver(&agent.ledger, outlet, &agent.reports, agent.clock.as_ref(), stopped).await })
    };
    let pressed = desk.map(|desk| {
        let (agent, stopped) = (Arc::clone(&agent), stopped.clone());
        tokio::spawn(async move { desk.attend(&agent, stopped).await })
    });
    tokio::spawn(sweep_often(Arc::clone(&agent)));
    tokio::spawn(refresh_often(Arc::clone(&agent), refresher));
    tokio::spawn(evaluate_shadows(Arc::clone(&agent)));
    tokio::spawn(async move { stop_on_signal(&stop).await });

    intake::run(Arc::clone(&agent), Arc::new(queue), stopped).await;
    if let Some(pressed) = pressed {
        pressed.await.context("answering buttons failed")?;
    }
    agent.evaluate_shadows().await;
    agent.reports.notify_one();
    telling.await.context("the delivery of notices broke down")?;
    info!("stopped");
    Ok(Verdict::Well)
}

fn received_by(door: InteractionEndpoint) -> Arc<serve::Receive> {
    Arc::new(move |headers, body| door.receive(headers, body))
}

fn metrics_of(agent: &Arc<Agent<Aws, Sqlite>>) -> Arc<serve::Render> {
    let agent = Arc::clone(agent);
    Arc::new(move || {
        let (store_writes, refused_builtins) = (agent.ledger.writes(), agent.rules.refused_builtins());
        let bundle = agent.rules.now().policies.digest().to_owned();
        agent.metrics.render(&Outside { bundle, store_writes, refused_builtins })
    })
}

/// The first sweep comes with the first tick, at once: what happened while no agent ran is
/// found by looking.
async fn sweep_often(agent: Arc<Agent<Aws, Sqlite>>) {
    let every = Duration::from_secs(60 * u64::from(agent.config.sweep.every_minutes.max(1)));
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let swept = agent.sweep().await;
        Metrics::add(&agent.metrics.count.sweeps, 1);
        info!("swept {} resource(s), {} could not be evaluated", swept.evaluated, swept.failed.len());
    }
}

/// The agent, and what keeps its rules fresh.
async fn watchful(places: &Places, started: Instant) -> anyhow::Result<(Agent<Aws, Sqlite>, Refresher)> {
    let compiler = cache::compiler_that_stays();
    let (agent, look) = agent_and_look(places, compiler.clone(), started).await?;
    let source = places.policies.source(&agent.config.policies);
    let rules = agent.rules.now();
    let (count, digest) = (rules.policies.rules().len(), rules.policies.digest());
    info!(rules = count, bundle = digest, revision = rules.policies.revision(), "policies loaded from `{source}`");
    agent.refresh_context().adopt(&rules, &source).await?;
    agent.metrics.rules_checked(agent.clock.now());
    let home = agent.clouds.identity().await.context("cannot find out which account the agent is in")?.account;
    let mut refresher = Refresher::new(source, home, look, agent.clock.now());
    refresher.trust = agent.config.policies.trust()?;
    refresher.compiler = compiler;
    refresher.max_age = agent.config.policies.max_age();
    refresher.candidate = agent.config.policies.shadow.clone();
    Ok((agent, refresher))
}

/// Evaluates by the rules in shadow whenever there is something for them.
async fn evaluate_shadows(agent: Arc<Agent<Aws, Sqlite>>) {
    loop {
        agent.evaluate_shadows().await;
        agent.shadows.more().await;
    }
}

/// Looks for new policies, again and again.
async fn refresh_often(agent: Arc<Agent<Aws, Sqlite>>, mut refresher: Refresher) {
    let mut ticks = interval(agent.config.policies.pause(&refresher.source));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(problem) = refresher.refresh(&agent.refresh_context(), &agent.clouds).await {
            warn!("the ledger could not note what became of the policies: {problem}");
        }
    }
}

async fn stop_on_signal(stop: &watch::Sender<bool>) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return warn!("cannot listen for signals: only a kill will stop the agent");
    };
    tokio::select! {
        _ = terminate.recv() => info!("asked to stop"),
        _ = interrupt.recv() => info!("interrupted"),
    }
    stop.send_replace(true);
}
