//! The door to time. Nothing else in the agent asks what time it is, so that tests own it.

use jiff::Timestamp;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the door that everything else takes")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
