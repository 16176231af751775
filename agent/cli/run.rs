//! `keepwatch run`: the agent itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{error, info, warn};

use super::{Places, Verdict, agent_and_look, cache, open_store};
use crate::aws::Aws;
use crate::intake;
use crate::ledger::Ledger as _;
use crate::ledger::sqlite::Sqlite;
use crate::notify::deliver::deliver;
use crate::notify::notifier::Notifier;
use crate::notify::slack::button::Answers;
use crate::notify::slack::interactions;
use crate::notify::slack::interactions::InteractionEndpoint;
use crate::ops::metrics::Outside;
use crate::ops::serve;
use crate::ops::serve::Pages;
use crate::ops::supervise;
use crate::ops::supervise::{TaskError, Tasks};
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

/// The tasks, by the names that the log and their fault points know.
const SERVE: &str = "serve";
const INTAKE: &str = "intake";
const DELIVERY: &str = "delivery";
const INTERACTIONS: &str = "interactions";
const SWEEP: &str = "sweep";
const REFRESH: &str = "refresh";
const SHADOWS: &str = "shadows";
const DEADLINES: &str = "deadlines";
/// How often it is checked that rules that do not end are stopped.
const DEADLINES_CHECK_INTERVAL: Duration = Duration::from_secs(1);

pub(super) async fn run(arguments: Arguments, started: Instant) -> anyhow::Result<Verdict> {
    supervise::log_panics();
    let (agent, refresher) = watchful(&arguments.places, started).await?;
    let agent = Arc::new(agent);
    let (endpoint, worker) = match &agent.config.notify.slack {
        Some(slack) => interactions::open(slack, Arc::clone(&agent.clock))?.unzip(),
        None => (None, None),
    };
    let answers = if endpoint.is_some() { Answers::Buttons } else { Answers::Commands };
    let notifier = Notifier::from_config(&agent.config.notify, answers)?;
    let queue = agent
        .clouds
        .queue(&agent.config.intake)
        .await
        .context("cannot open the queue; `keepwatch doctor` says what is missing")?;
    let listener =
        serve::bind(arguments.listen).await.with_context(|| format!("cannot listen on {}", arguments.listen))?;

    let (stop, stopped) = watch::channel(false);
    let mut tasks = Tasks::default();
    tasks.spawn(SERVE, serve::run(listener, Pages { metrics: metrics_of(&agent), slack: endpoint.map(received_by) }));
    agent.resume().await.context("cannot finish what an earlier run began")?;
    tasks.spawn(SWEEP, sweep_often(Arc::clone(&agent)));
    tasks.spawn(REFRESH, refresh_often(Arc::clone(&agent), refresher));
    tasks.spawn(SHADOWS, evaluate_shadows(Arc::clone(&agent)));
    tasks.spawn(DEADLINES, while_deadlines_pass(Arc::clone(&agent)));
    if let Some(worker) = worker {
        let (agent, stopped) = (Arc::clone(&agent), stopped.clone());
        tasks.spawn(INTERACTIONS, async move { worker.attend(&agent, stopped).await });
    }
    let (finish, finished) = watch::channel(false);
    let delivering = Arc::clone(&agent);
    tasks.spawn(DELIVERY, async move {
        deliver(&delivering.ledger, notifier, &delivering.reports, delivering.clock.as_ref(), finished).await;
    });
    tasks.spawn(INTAKE, intake::run(Arc::clone(&agent), Arc::new(queue), stopped));

    let stopping = tokio::select! {
        ended = tasks.first_end() => Err(ended),
        () = asked_to_stop() => {
            stop.send_replace(true);
            drained(&agent, &mut tasks, &finish).await
        }
    };
    stopping.inspect_err(|ended| error!("the agent cannot go on: {ended}"))?;
    info!("stopped");
    Ok(Verdict::Well)
}

/// Waits for what is in hand; what it leads to is delivered before the process ends.
async fn drained(agent: &Agent<Aws, Sqlite>, tasks: &mut Tasks, finish: &watch::Sender<bool>) -> Result<(), TaskError> {
    tasks.finish(INTAKE).await?;
    tasks.finish(INTERACTIONS).await?;
    agent.evaluate_shadows().await;
    finish.send_replace(true);
    tasks.finish(DELIVERY).await
}

/// Ends when rules that do not end are no longer stopped.
async fn while_deadlines_pass(agent: Arc<Agent<Aws, Sqlite>>) {
    while agent.rules.now().keeps_deadlines() {
        sleep(DEADLINES_CHECK_INTERVAL).await;
    }
}

fn received_by(endpoint: InteractionEndpoint) -> Arc<serve::Receive> {
    Arc::new(move |headers, body| endpoint.receive(headers, body))
}

fn metrics_of(agent: &Arc<Agent<Aws, Sqlite>>) -> Arc<serve::Render> {
    let agent = Arc::clone(agent);
    Arc::new(move |exposition| {
        let (store_writes, refused_builtins) = (agent.ledger.writes(), agent.rules.refused_builtins());
        let bundle = agent.rules.now().policies.digest().to_owned();
        agent.metrics.render(&Outside { bundle, store_writes, refused_builtins }, exposition)
    })
}

/// The first sweep comes with the first tick, at once: what happened while no agent ran is
/// found by looking.
async fn sweep_often(agent: Arc<Agent<Aws, Sqlite>>) {
    let every = Duration::from_secs(60 * u64::from(agent.config.sweep.every_minutes));
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let swept = agent.sweep().await;
        agent.metrics.count.sweeps.inc();
        info!("swept {} resource(s), {} could not be evaluated", swept.evaluated, swept.failed.len());
    }
}

/// The agent, and what keeps its rules fresh.
async fn watchful(places: &Places, started: Instant) -> anyhow::Result<(Agent<Aws, Sqlite>, Refresher)> {
    let compiler = cache::compiler_that_stays();
    let (agent, look) = agent_and_look(places, open_store(&places.store)?, compiler.clone(), started).await?;
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
            warn!("the ledger could not record which policies are active: {problem}");
        }
    }
}

/// Ends when the process is asked to.
async fn asked_to_stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        warn!("cannot listen for signals: only a kill will stop the agent");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => info!("asked to stop"),
        _ = interrupt.recv() => info!("interrupted"),
    }
}
