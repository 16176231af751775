//! Delivery of notifications: from the store to people, in order, until they have arrived.
//!
//! It runs beside the pipeline and never holds it up. What cannot be delivered now stays in
//! the store and is tried again, after a restart too.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::facts::wakes;
use super::notifier::{Batch, Notifier, Tried, Wake};
use super::slack::api::{Mark, SlackError};
use crate::domain::case::CaseRecord;
use crate::domain::clock::Clock;
use crate::ledger::{Delivery, Ledger, LedgerError, Thread};

/// Slack takes about one message a second in a channel; what comes meanwhile is merged.
const PACE: Duration = Duration::from_secs(1);
/// How long a failing notifier is left alone, at first and at most.
const RETRY_BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Why a notification was not delivered.
#[derive(Debug, thiserror::Error)]
enum DeliverError {
    #[error(transparent)]
    Slack(#[from] SlackError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Delivers until it is asked to stop, and then once more what is left.
pub async fn deliver(
    ledger: &impl Ledger,
    notifier: Notifier,
    undelivered: &Notify,
    clock: &dyn Clock,
    mut stop: watch::Receiver<bool>,
) {
    let mut backoff = RETRY_BACKOFF.0;
    loop {
        let stopping = *stop.borrow();
        let pause = match round(ledger, &notifier, clock).await {
            Ok(0) => None,
            Ok(_) => {
                backoff = RETRY_BACKOFF.0;
                Some(PACE)
            }
            Err(problem) => {
                error!("notifications are not delivered, they stay in the store: {problem}");
                let pause = wait_of(&problem, backoff);
                backoff = (backoff * 2).min(RETRY_BACKOFF.1);
                Some(pause)
            }
        };
        if stopping {
            return;
        }
        tokio::select! {
            () = undelivered.notified(), if pause.is_none() => {}
            () = sleep(pause.unwrap_or(RETRY_BACKOFF.1)) => {}
            _ = stop.changed() => {}
        }
    }
}

fn wait_of(problem: &DeliverError, backoff: Duration) -> Duration {
    match problem {
        DeliverError::Slack(SlackError::Wait { after }) => *after,
        DeliverError::Slack(SlackError::Unavailable(_) | SlackError::Blocks(_) | SlackError::Setup(_))
        | DeliverError::Ledger(_) => backoff,
    }
}

/// Sends what is undelivered, incident by incident. Answers with how many messages were sent.
async fn round(ledger: &impl Ledger, notifier: &Notifier, clock: &dyn Clock) -> Result<usize, DeliverError> {
    let mut incidents: BTreeMap<String, Vec<Delivery>> = BTreeMap::new();
    for delivery in ledger.undelivered().await? {
        incidents.entry(delivery.incident.id.clone()).or_default().push(delivery);
    }
    let (mut sent, mut refused) = (0, None);
    for deliveries in incidents.values() {
        match all_of(ledger, notifier, clock, deliveries).await {
            Ok(messages) => sent += messages,
            // It may be about this message or its thread alone: the other incidents do not wait for it.
            Err(problem @ DeliverError::Slack(SlackError::Blocks(_) | SlackError::Setup(_))) => refused = Some(problem),
            Err(problem) => return Err(problem),
        }
    }
    for (incident, thread) in ledger.stale_threads().await? {
        let reported = ledger.reported(&incident.id).await?;
        let Some(newest) = reported.last().map(|delivery| delivery.number) else { continue };
        let cases: Vec<&CaseRecord> = reported.iter().map(|delivery| &delivery.case).collect();
        match notifier.refresh(&incident, &cases, &thread).await {
            // The next notification tries it again; what is refused once is refused at each round.
            Err(problem @ (SlackError::Blocks(_) | SlackError::Setup(_))) => {
                warn!(incident = incident.id, "the thread's first message is out of date: {problem}");
            }
            answer => answer?,
        }
        ledger.keep_thread(&incident.id, &Thread { shown: newest, ..thread }).await?;
    }
    refused.map_or(Ok(sent), Err)
}

/// Sends what is undelivered of one incident. Answers with how many messages were sent.
async fn all_of(
    ledger: &impl Ledger,
    notifier: &Notifier,
    clock: &dyn Clock,
    deliveries: &[Delivery],
) -> Result<usize, DeliverError> {
    // What an unknown try may have sent goes first and alone: a part of it may have arrived.
    let tried = deliveries.iter().take_while(|delivery| delivery.tries > 0).count();
    let (again, fresh) = deliveries.split_at(tried);
    let mut sent = 0;
    for batch in again.chunks(1).chain([fresh]).filter(|batch| !batch.is_empty()) {
        incident(ledger, notifier, clock, batch).await?;
        sent += 1;
    }
    Ok(sent)
}

/// Sends one batch of an incident's notifications as one message.
async fn incident(
    ledger: &impl Ledger,
    notifier: &Notifier,
    clock: &dyn Clock,
    batch: &[Delivery],
) -> Result<(), DeliverError> {
    let Some(first) = batch.first() else { return Ok(()) };
    let incident = &first.incident;
    let tried = if first.tries > 0 { Tried::Perhaps } else { Tried::Never };
    let numbers: Vec<i64> = batch.iter().map(|delivery| delivery.number).collect();
    ledger.trying(&numbers).await?;
    let cases: Vec<&CaseRecord> = batch.iter().map(|delivery| &delivery.case).collect();
    let mut thread = ledger.thread(&incident.id).await?;
    if thread.is_none() {
        thread = notifier.begin(incident, &cases, tried).await?;
        if let Some(thread) = &thread {
            ledger.keep_thread(&incident.id, thread).await?;
        }
    }
    let mark = Mark { incident: incident.id.clone(), numbers: numbers.clone() };
    let wake = wake(ledger, first, &cases).await?;
    notifier.post(incident, &Batch { cases: &cases, mark, tried, wake }, thread.as_ref()).await?;
    ledger.delivered(&numbers, clock.now()).await?;
    if numbers.len() > 1 {
        info!(incident = incident.id, "{} notifications were sent as one", numbers.len());
    }
    Ok(())
}

/// An incident wakes people once: with the first of its notifications that is urgent. Worked out
/// from what was sent before, so that a message that is tried again says the same.
async fn wake(ledger: &impl Ledger, first: &Delivery, cases: &[&CaseRecord]) -> Result<Wake, LedgerError> {
    if !wakes(cases) {
        return Ok(Wake::Nobody);
    }
    let reported = ledger.reported(&first.incident.id).await?;
    let before = reported.iter().filter(|delivery| delivery.number < first.number);
    let before: Vec<&CaseRecord> = before.map(|delivery| &delivery.case).collect();
    Ok(if wakes(&before) { Wake::Nobody } else { Wake::Somebody })
}
