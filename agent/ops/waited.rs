//! How long a piece of work waited for AWS, so that the agent's own time can be measured apart.
//!
//! Calls that wait at the same time count once: the sum never exceeds the time that passed.
//! It follows a task, not what the task spawns. Outside [`measuring`] it does nothing.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

tokio::task_local! {
    static METER: Arc<Meter>;
}

/// Adds up the time during which at least one call waits.
#[derive(Default)]
struct Meter(Mutex<Reading>);

#[derive(Default)]
struct Reading {
    waiting: u32,
    since: Option<Instant>,
    total: Duration,
}

/// One call that waits. Dropped when its answer is there, or when nobody wants it any more.
struct Waiting(Arc<Meter>);

/// Runs a piece of work and tells how much of its time went into waiting for AWS.
pub async fn measuring<F: Future>(work: F) -> (F::Output, Duration) {
    let meter = Arc::new(Meter::default());
    let output = METER.scope(Arc::clone(&meter), work).await;
    let waited = meter.reading().so_far();
    (output, waited)
}

/// How long the work around this has waited so far; nothing where nobody measures.
#[must_use]
pub fn so_far() -> Duration {
    METER.try_with(|meter| meter.reading().so_far()).unwrap_or_default()
}

/// Waits for one call, on the meter of the work around it.
pub async fn during<F: Future>(call: F) -> F::Output {
    let _waiting = METER.try_with(Arc::clone).ok().map(Waiting::start);
    call.await
}

impl Meter {
    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    /// The sum, with the calls that still wait.
    fn so_far(&self) -> Duration {
        self.total + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Waiting {
    fn start(meter: Arc<Meter>) -> Self {
        {
            let mut reading = meter.reading();
            reading.waiting += 1;
            reading.since.get_or_insert_with(Instant::now);
        }
        Self(meter)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut reading = self.0.reading();
        reading.waiting -= 1;
        if reading.waiting == 0 {
            reading.total = reading.so_far();
            reading.since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn only_the_time_of_calls_counts() {
        let (answer, waited) = measuring(async {
            sleep(SECOND).await;
            during(sleep(2 * SECOND)).await;
            during(sleep(3 * SECOND)).await;
            "done"
        })
        .await;
        assert_eq!((answer, waited), ("done", 5 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn calls_at_the_same_time_count_once() {
        let both = async { tokio::join!(during(sleep(2 * SECOND)), during(during(sleep(3 * SECOND)))) };
        assert_eq!(measuring(both).await.1, 3 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_given_up_counts_until_then() {
        let given_up = tokio::time::timeout(SECOND, during(sleep(9 * SECOND)));
        assert_eq!(measuring(given_up).await.1, SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn it_can_be_read_while_the_work_goes_on() {
        let work = async {
            during(sleep(2 * SECOND)).await;
            sleep(SECOND).await;
            so_far()
        };
        assert_eq!(measuring(work).await.0, 2 * SECOND);
    }

    #[tokio::test]
    async fn nothing_is_measured_where_nobody_asked() {
        assert_eq!((during(async { 7 }).await, so_far()), (7, Duration::ZERO));
    }
}
