//! What the agent measures of itself, for `/metrics` and for the demo's figures.
//!
//! The time from a message's arrival to the first containing call is split: what the agent
//! needed itself, and what it waited for AWS's answers.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use jiff::Timestamp;

/// Counts since the start, each named as `/metrics` names it.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages received.
    pub received: AtomicU64,
    /// Messages whose consequences are stored, or that had none.
    pub handled: AtomicU64,
    /// Messages without a finding that touched nothing.
    pub noise: AtomicU64,
    /// Messages given back to the queue for a later try.
    pub released: AtomicU64,
    /// Messages put into the dead-letter queue.
    pub dead_lettered: AtomicU64,
    /// Findings of rules.
    pub findings: AtomicU64,
    /// Steps taken in accounts.
    pub steps: AtomicU64,
    /// Sweeps that came to their end.
    pub sweeps: AtomicU64,
    /// Findings of rules in shadow, of which nothing comes.
    pub shadow_findings: AtomicU64,
    /// Documents that rules in shadow did not evaluate, because too many waited.
    pub shadow_skipped: AtomicU64,
    /// Policy bundles that were put in force while running.
    pub policy_swaps: AtomicU64,
    /// Policy bundles that were refused while running.
    pub policy_refusals: AtomicU64,
}

/// What other parts count for themselves.
#[derive(Debug, Clone)]
pub struct Outside {
    /// Digest of the policy bundle in force.
    pub bundle: String,
    /// Writes to the store since it was opened.
    pub store_writes: u64,
    /// Calls of builtins that were undefined because of their arguments.
    pub refused_builtins: u64,
}

/// Everything that the agent measures.
#[derive(Debug)]
pub struct Metrics {
    started: Instant,
    /// Counts.
    pub count: Counters,
    ready_ms: AtomicU64,
    rules_checked_s: AtomicI64,
    containment_own: Mutex<Histogram<u64>>,
    containment_waited: Mutex<Histogram<u64>>,
}

impl Metrics {
    /// Starts measuring; `started` is the process's first moment.
    ///
    /// # Panics
    /// Never: the histograms' bounds are constants that are known to be valid.
    #[must_use]
    pub fn new(started: Instant) -> Self {
        Self {
            started,
            count: Counters::default(),
            ready_ms: AtomicU64::new(0),
            rules_checked_s: AtomicI64::new(0),
            containment_own: Mutex::new(microseconds()),
            containment_waited: Mutex::new(microseconds()),
        }
    }

    /// Notes that the agent polls its queue from now on.
    pub fn ready(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.ready_ms.store(millis, Ordering::Relaxed);
    }

    /// Notes when the rules were last seen to be up to date.
    pub fn rules_checked(&self, at: Timestamp) {
        self.rules_checked_s.store(at.as_second(), Ordering::Relaxed);
    }

    /// Adds one.
    pub fn add(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Ordering::Relaxed);
    }

    /// A stopwatch for one message, running.
    #[must_use]
    pub fn stopwatch(&self) -> Stopwatch<'_> {
        Stopwatch { metrics: Some(self), began: Instant::now(), stopped: AtomicBool::new(false) }
    }

    /// Everything in Prometheus's text format.
    #[must_use]
    pub fn render(&self, outside: &Outside) -> String {
        let mut text = String::new();
        let counts = [
            ("keepwatch_messages_received_total", &self.count.received),
            ("keepwatch_messages_handled_total", &self.count.handled),
            ("keepwatch_messages_noise_total", &self.count.noise),
            ("keepwatch_messages_released_total", &self.count.released),
            ("keepwatch_messages_dead_lettered_total", &self.count.dead_lettered),
            ("keepwatch_findings_total", &self.count.findings),
            ("keepwatch_steps_total", &self.count.steps),
            ("keepwatch_sweeps_total", &self.count.sweeps),
            ("keepwatch_shadow_findings_total", &self.count.shadow_findings),
            ("keepwatch_shadow_skipped_total", &self.count.shadow_skipped),
            ("keepwatch_policy_swaps_total", &self.count.policy_swaps),
            ("keepwatch_policy_refusals_total", &self.count.policy_refusals),
        ];
        for (name, counter) in counts {
            line(&mut text, name, "counter", counter.load(Ordering::Relaxed));
        }
        line(&mut text, "keepwatch_store_writes_total", "counter", outside.store_writes);
        line(&mut text, "keepwatch_policy_refused_builtins_total", "counter", outside.refused_builtins);
        line(&mut text, "keepwatch_ready_milliseconds", "gauge", self.ready_ms.load(Ordering::Relaxed));
        let checked = self.rules_checked_s.load(Ordering::Relaxed);
        let _ = writeln!(text, "# TYPE keepwatch_policy_checked_timestamp_seconds gauge");
        let _ = writeln!(text, "keepwatch_policy_checked_timestamp_seconds {checked}");
        let _ = writeln!(text, "# TYPE keepwatch_policy_info gauge");
        let _ = writeln!(text, "keepwatch_policy_info{{digest=\"{}\"}} 1", outside.bundle);
        line(&mut text, "process_resident_memory_bytes", "gauge", resident_bytes());
        summary(&mut text, "keepwatch_containment_own_microseconds", &self.containment_own);
        summary(&mut text, "keepwatch_containment_waited_microseconds", &self.containment_waited);
        text
    }
}

/// Measures one message from its arrival to its first containing call.
#[derive(Debug)]
pub struct Stopwatch<'a> {
    metrics: Option<&'a Metrics>,
    began: Instant,
    stopped: AtomicBool,
}

impl Stopwatch<'_> {
    /// A stopwatch whose time nobody keeps: a person asked, no message arrived.
    #[must_use]
    pub fn idle() -> Self {
        Self { metrics: None, began: Instant::now(), stopped: AtomicBool::new(false) }
    }

    /// Notes that a containing call is about to be made; only the first one counts.
    pub fn containing(&self) {
        let Some(metrics) = self.metrics else { return };
        if self.stopped.swap(true, Ordering::Relaxed) {
            return;
        }
        let waited = super::waited::so_far();
        keep(&metrics.containment_own, self.began.elapsed().saturating_sub(waited));
        keep(&metrics.containment_waited, waited);
    }
}

/// Up to an hour, to three digits.
#[expect(clippy::expect_used, reason = "the bounds are constants")]
fn microseconds() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("constant bounds are valid")
}

fn keep(histogram: &Mutex<Histogram<u64>>, time: Duration) {
    if let Ok(mut histogram) = histogram.lock() {
        histogram.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }
}

fn line(text: &mut String, name: &str, kind: &str, value: u64) {
    let _ = writeln!(text, "# TYPE {name} {kind}\n{name} {value}"); // writing to a String cannot fail
}

fn summary(text: &mut String, name: &str, histogram: &Mutex<Histogram<u64>>) {
    let Ok(histogram) = histogram.lock() else { return };
    let _ = writeln!(text, "# TYPE {name} summary");
    for quantile in [0.5, 0.9, 0.99, 1.0] {
        let _ = writeln!(text, "{name}{{quantile=\"{quantile}\"}} {}", histogram.value_at_quantile(quantile));
    }
    let _ = writeln!(text, "{name}_count {}", histogram.len());
}

/// Resident memory of this process; 0 where the system does not say.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
