//! Watches the tasks that the agent cannot do without, and catches a panic where only one
//! message or one resource is at stake.
//!
//! A task that ends without being asked to ends the process, with its name: whoever runs the
//! process starts another, which goes on from the store. Nothing is restarted in here, and what
//! a panic says is never logged: it may quote a message.

use std::collections::HashMap;
use std::future::poll_fn;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use tokio::task::{Id, JoinSet};
use tracing::error;

use super::fault;

/// Why the process must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// It came to an end.
    #[error("the task `{0}` ended, and was not asked to")]
    Ended(&'static str),
    /// It panicked.
    #[error("the task `{0}` panicked")]
    Panicked(&'static str),
}

/// A piece of work that panicked. Where is in the log, with the location alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("handling it panicked; the log says where")]
pub struct Panicked;

/// The tasks of a process, each by its name.
#[derive(Debug, Default)]
pub struct Tasks {
    running: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    /// Starts a task. Its name is also its fault point.
    pub fn spawn(&mut self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let task = self.running.spawn(async move {
            fault::point(name);
            work.await;
        });
        self.names.insert(task.id(), name);
    }

    /// Waits until one of them ends, which none may. Without tasks it waits for ever.
    pub async fn first_end(&mut self) -> TaskError {
        match self.next().await {
            Some(Ok(name)) => TaskError::Ended(name),
            Some(Err(panicked)) => panicked,
            None => std::future::pending().await,
        }
    }

    /// Waits until a task that was asked to end has ended, others with it or not.
    ///
    /// # Errors
    /// When any of them panics meanwhile.
    pub async fn finish(&mut self, name: &'static str) -> Result<(), TaskError> {
        while self.names.values().any(|running| *running == name) {
            self.next().await.transpose()?;
        }
        Ok(())
    }

    /// The name of the next one to end.
    async fn next(&mut self) -> Option<Result<&'static str, TaskError>> {
        let ended = self.running.join_next_with_id().await?;
        let id = ended.as_ref().map_or_else(tokio::task::JoinError::id, |(id, ())| *id);
        let name = self.names.remove(&id).unwrap_or("unnamed");
        Some(ended.map(|_| name).map_err(|_| TaskError::Panicked(name)))
    }
}

/// Does a piece of work, and survives its panic. What it held is released by unwinding.
///
/// # Errors
/// When it panicked.
pub async fn caught<F: Future>(work: F) -> Result<F::Output, Panicked> {
    let mut work = pin!(work);
    // What panicked is never polled again, and what it shares with others is behind locks.
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(polled) => polled.map(Ok),
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}

/// From now on a panic is logged with its location, and what it says is not printed.
pub fn log_panics() {
    panic::set_hook(Box::new(|panicking| {
        let location = panicking.location().map(ToString::to_string);
        let thread = std::thread::current();
        error!(location, thread = thread.name(), "panicked");
    }));
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_is_named() {
        let mut tasks = Tasks::default();
        tasks.spawn("sweep", pending());
        tasks.spawn("refresh", ready(()));
        assert_eq!(tasks.first_end().await, TaskError::Ended("refresh"));
    }

    #[tokio::test]
    async fn a_task_that_panics_is_named_even_while_another_is_awaited() {
        let mut tasks = Tasks::default();
        tasks.spawn("intake", pending());
        tasks.spawn("delivery", async { panic!("at the disk") });
        assert_eq!(tasks.finish("intake").await, Err(TaskError::Panicked("delivery")));
        assert_eq!(tasks.finish("delivery").await, Ok(()), "it is gone");
    }

    #[tokio::test]
    async fn tasks_that_were_asked_to_end_may_end_in_any_order() {
        let mut tasks = Tasks::default();
        tasks.spawn("intake", ready(()));
        tasks.spawn("delivery", ready(()));
        assert_eq!(tasks.finish("delivery").await, Ok(()));
        assert_eq!(tasks.finish("intake").await, Ok(()));
    }

    #[tokio::test]
    async fn a_panic_is_caught_and_what_was_held_is_released() {
        let lock = std::sync::Arc::new(tokio::sync::Mutex::new(()));
        let held = std::sync::Arc::clone(&lock).lock_owned().await;
        let work = async move {
            let _held = held;
            tokio::task::yield_now().await;
            panic!("somewhere");
        };
        assert_eq!(caught(work).await.map(|(): ()| ()), Err(Panicked));
        assert!(lock.try_lock().is_ok());
        assert_eq!(caught(ready(7)).await, Ok(7));
    }
}
