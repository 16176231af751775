//! From the queue to the pipeline, at our own pace: bounded batches, bounded concurrency.
//!
//! A message is deleted when its consequences are stored, released when another try may
//! help, and put into the dead-letter queue with the reason when none can. Nothing is dropped:
//! a message whose handling panics is one that failed, and the others go on.

pub mod message;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{interval, sleep, timeout};
use tracing::{error, info, warn};

use crate::aws::queue::{Queue, Received};
use crate::domain::cloud::Readers;
use crate::ledger::Ledger;
use crate::ops::fault;
use crate::ops::metrics::{Metrics, Settled, Stopwatch};
use crate::ops::supervise::{Panicked, caught};
use crate::ops::waited;
use crate::respond::agent::{Agent, HandleError};
use crate::respond::pipeline::Disposition;
use message::Message;

/// SQS hands out at most this many at once.
const BATCH: usize = 10;
/// How long a poll waits for the first message, in seconds: SQS's longest.
const POLL_SECONDS: u32 = 20;
/// How long a message stays hidden; the heartbeat renews it.
const HIDDEN_SECONDS: u32 = 60;
/// The queue's redrive policy moves a message away at its fifth receipt, without a word of
/// why: before that, we do it with the reason.
const LAST_TRY: u32 = 4;
/// How long a stopping agent works on what it has received.
const DRAIN: Duration = Duration::from_secs(25);

/// What comes of one message.
enum Fate {
    /// As handled, or as ignored.
    Delete(Settled),
    Release(String),
    DeadLetter(String),
}

/// Polls the queue until it is asked to stop, then finishes what it has received.
pub async fn run<C, L>(agent: Arc<Agent<C, L>>, queue: Arc<Queue>, mut stop: watch::Receiver<bool>)
where
    C: Readers + 'static,
    L: Ledger + 'static,
{
    let room = Arc::new(Semaphore::new(agent.config.intake.concurrency));
    let mut working = JoinSet::new();
    agent.metrics.ready();
    info!("polling `{}`", queue.name());
    while !*stop.borrow() {
        let received = tokio::select! {
            _ = stop.changed() => break,
            received = receive(&queue, &room) => received,
        };
        for message in received {
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { break };
            let (agent, queue) = (Arc::clone(&agent), Arc::clone(&queue));
            working.spawn(async move {
                see_to(&agent, &queue, message).await;
                drop(place);
            });
        }
        while let Some(ended) = working.try_join_next() {
            note(ended, &agent.metrics);
        }
    }
    info!("stopping: {} message(s) in hand", working.len());
    let drain = async {
        while let Some(ended) = working.join_next().await {
            note(ended, &agent.metrics);
        }
    };
    let drained = timeout(DRAIN, drain).await;
    if drained.is_err() {
        warn!("{} message(s) were not finished in time; the queue delivers them again", working.len());
    }
}

/// A message that was lost on its way to the queue or back: it was not settled, so the queue
/// delivers it again when its time is over.
fn note(ended: Result<(), JoinError>, metrics: &Metrics) {
    if ended.is_err() {
        metrics.count.panics.inc();
        error!("settling a message panicked; the queue delivers it again");
    }
}

/// The next messages, never more than there is room for.
async fn receive(queue: &Queue, room: &Semaphore) -> Vec<Received> {
    let free = loop {
        match room.available_permits() {
            0 => sleep(Duration::from_millis(5)).await,
            free => break free.min(BATCH),
        }
    };
    match queue.receive(free, POLL_SECONDS, HIDDEN_SECONDS).await {
        Ok(received) => received,
        Err(problem) => {
            error!("cannot receive from `{}`: {problem}", queue.name());
            sleep(Duration::from_secs(5)).await;
            Vec::new()
        }
    }
}

/// Handles one message and settles it with the queue, keeping it hidden meanwhile.
async fn see_to<C: Readers, L: Ledger>(agent: &Agent<C, L>, queue: &Queue, message: Received) {
    fault::point("received");
    agent.metrics.count.received.inc();
    let stopwatch = agent.metrics.stopwatch();
    let fate = tokio::select! {
        fate = waited::measuring(handle(agent, &message, &stopwatch)) => fate.0,
        () = heartbeat(queue, &message) => Fate::Release("it could not be kept hidden".to_owned()),
    };
    fault::point("handled");
    let count = &agent.metrics.count;
    let (outcome, settled) = match fate {
        Fate::Delete(outcome) => (outcome, queue.delete(&message).await),
        Fate::Release(reason) => {
            warn!(message.id = message.id, "released for another try: {reason}");
            (Settled::Released, queue.release(&message, backoff_seconds(message.received_count)).await)
        }
        Fate::DeadLetter(reason) => {
            warn!(message.id = message.id, "sent to the dead-letter queue: {reason}");
            (Settled::DeadLettered, queue.dead_letter(&message, &reason).await)
        }
    };
    match settled {
        Ok(()) => count.settled(outcome),
        Err(problem) => return warn!(message.id = message.id, "not deleted, the queue delivers it again: {problem}"),
    };
    fault::point("settled");
}

/// What comes of a message's events: all of them must be handled before it is deleted.
async fn handle<C: Readers, L: Ledger>(agent: &Agent<C, L>, message: &Received, stopwatch: &Stopwatch<'_>) -> Fate {
    let messages = match caught(async { message::unwrap(&message.body) }).await {
        Ok(Ok(messages)) => messages,
        Ok(Err(problem)) => return Fate::DeadLetter(problem.reason()),
        Err(panicked) => return failed(agent, message, (None, panicked.into())),
    };
    let mut ignored = true;
    for inner in messages {
        let event = inner.event_id().map(str::to_owned);
        match caught(handle_one(agent, inner, stopwatch)).await.map_err(HandleError::from).flatten() {
            Ok(disposition) => ignored &= disposition == Disposition::Ignored,
            Err(problem) => return failed(agent, message, (event, problem)),
        }
    }
    Fate::Delete(if ignored { Settled::Ignored } else { Settled::Handled })
}

/// What comes of a message one of whose events was not handled.
fn failed<C, L>(agent: &Agent<C, L>, message: &Received, (event, problem): (Option<String>, HandleError)) -> Fate {
    if let HandleError::Panicked(Panicked) = problem {
        agent.metrics.count.panics.inc();
        error!(message.id = message.id, event.id = event, "handling a message panicked");
    }
    if problem.is_hopeless() || message.received_count >= LAST_TRY {
        return Fate::DeadLetter(problem.to_string());
    }
    Fate::Release(problem.to_string())
}

async fn handle_one<C: Readers, L: Ledger>(
    agent: &Agent<C, L>,
    message: Message,
    stopwatch: &Stopwatch<'_>,
) -> Result<Disposition, HandleError> {
    match message {
        Message::CloudTrail(event) => match agent.handle(*event, stopwatch).await? {
            Disposition::TrailGap(event) => agent.catch_up(&event).await.map(|()| Disposition::Handled),
            disposition @ (Disposition::Ignored | Disposition::Handled) => Ok(disposition),
        },
        Message::Backup(change) => agent.handle_backup(&change).await,
        Message::Ignored { .. } => Ok(Disposition::Ignored),
    }
}

/// Keeps a message hidden while it is handled. Ends only when that fails.
async fn heartbeat(queue: &Queue, message: &Received) {
    let mut beat = interval(Duration::from_secs(u64::from(HIDDEN_SECONDS) / 2));
    beat.tick().await; // the first tick is immediate
    loop {
        beat.tick().await;
        if let Err(problem) = queue.extend(message, HIDDEN_SECONDS).await {
            warn!(message.id = message.id, "cannot keep the message hidden: {problem}");
            return;
        }
    }
}

/// 4, 16, 64 seconds …: the longer it fails, the less it is tried.
const fn backoff_seconds(received_count: u32) -> u32 {
    let exponent = if received_count > 4 { 4 } else { received_count };
    4_u32.pow(exponent)
}
