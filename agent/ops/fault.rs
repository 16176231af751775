//! Points in the agent at which a test may kill the process or make it panic, one for each step
//! whose loss would matter. Built only with the feature `faults`; in a release build a point is
//! nothing.

/// Dies as `kill -9` would when the environment's `KEEPWATCH_FAULT` names this point, and
/// panics when `KEEPWATCH_PANIC` does.
///
/// A name with a count (`claimed:2`) means the second time that the point is passed.
#[cfg(feature = "faults")]
#[expect(clippy::panic, reason = "it is what a test asks for")]
pub fn point(name: &str) {
    let passed = passed(name);
    let meant = |variable| std::env::var(variable).is_ok_and(|fault| is_meant(&fault, name, passed));
    if meant("KEEPWATCH_FAULT") {
        std::process::abort();
    }
    if meant("KEEPWATCH_PANIC") {
        std::panic::panic_any("a fault point");
    }
}

/// How often a point was passed, this time included.
#[cfg(feature = "faults")]
fn passed(name: &str) -> u32 {
    use std::collections::HashMap;
    use std::sync::{LazyLock, Mutex, PoisonError};

    static PASSED: LazyLock<Mutex<HashMap<String, u32>>> = LazyLock::new(Mutex::default);
    let mut all = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    let count = all.entry(name.to_owned()).or_default();
    *count += 1;
    *count
}

#[cfg(feature = "faults")]
fn is_meant(fault: &str, name: &str, passed: u32) -> bool {
    let (point, nth) = fault.split_once(':').unwrap_or((fault, "1"));
    point == name && nth.parse() == Ok(passed)
}

/// Nothing: release builds have no fault points.
#[cfg(not(feature = "faults"))]
pub const fn point(_name: &str) {}
