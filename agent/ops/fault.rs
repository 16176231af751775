//! Points in the pipeline at which a test may kill the process, one for each step whose
//! loss would matter. Built only with the feature `faults`; in a release build a point is nothing.

/// Dies as `kill -9` would when the environment's `KEEPWATCH_FAULT` names this point.
///
/// A name with a count (`claimed:2`) dies the second time the point is passed.
#[cfg(feature = "faults")]
pub fn point(name: &str) {
    use std::collections::HashMap;
    use std::sync::{LazyLock, Mutex};

    static PASSED: LazyLock<Mutex<HashMap<String, u32>>> = LazyLock::new(Mutex::default);
    let Ok(wanted) = std::env::var("KEEPWATCH_FAULT") else {
        return;
    };
    let (point, nth) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    if point != name {
        return;
    }
    let passed = PASSED.lock().map_or(u32::MAX, |mut all| {
        let count = all.entry(name.to_owned()).or_default();
        *count += 1;
        *count
    });
    if nth.parse() == Ok(passed) {
        std::process::abort();
    }
}

/// Nothing: release builds have no fault points.
#[cfg(not(feature = "faults"))]
pub const fn point(_name: &str) {}
