//! How much of a change is too much: limits that a pipeline sets, and whether they hold.

use std::fmt;

use serde::Serialize;

use super::report::Report;

/// The most that is allowed; what is not limited is `None`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Findings that appear.
    pub new_findings: Option<u64>,
    /// Actors that are newly contained, or contained harder.
    pub new_containments: Option<u64>,
    /// Threads that there are more.
    pub new_threads: Option<u64>,
    /// Findings that vanish.
    pub vanished: Option<u64>,
}

/// A limit, and what there was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitCheck {
    /// The option that set it, without its dashes.
    pub limit: &'static str,
    /// What is limited.
    pub what: &'static str,
    /// The most that is allowed.
    pub allowed: u64,
    /// What there was.
    pub found: u64,
    /// Whether it holds.
    pub holds: bool,
}

impl Limits {
    /// Measures a report.
    #[must_use]
    pub fn measure(&self, report: &Report) -> Vec<LimitCheck> {
        let delta = &report.findings.all;
        let more_threads = report.new.answers.threads.saturating_sub(report.old.answers.threads);
        let gates = [
            ("max-new-findings", "new findings", self.new_findings, delta.appeared),
            ("max-new-containments", "new containments", self.new_containments, report.containments.appeared),
            ("max-new-threads", "more threads", self.new_threads, more_threads),
            ("max-vanished", "vanished findings", self.vanished, delta.vanished),
        ];
        let measured = gates.into_iter().filter_map(|(limit, what, allowed, found)| {
            allowed.map(|allowed| LimitCheck { limit, what, allowed, found, holds: found <= allowed })
        });
        measured.collect()
    }
}

impl fmt::Display for LimitCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, what, allowed, found, holds } = self;
        if *holds {
            write!(f, "{found} {what}: within `--{limit} {allowed}`")
        } else {
            let over = found.saturating_sub(*allowed);
            write!(f, "{found} {what}: {over} over the limit (`--{limit} {allowed}`)")
        }
    }
}
