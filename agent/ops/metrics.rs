//! What the agent measures of itself, for `/metrics` and for the demo's figures.
//!
//! The time from a message's arrival to the first containing call is split: what the agent
//! needed itself, and what it waited for AWS's answers. Names, units and labels are Prometheus's
//! conventions; nothing here decides by what it counts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::domain::finding::Finding;
use crate::domain::outcome::StepOutcome;

/// Seconds from a message's arrival to the first containing call, up to the worst that a
/// throttled IAM makes of it.
const CONTAINMENT_BUCKETS: [f64; 16] =
    [0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// Seconds that rules take on one document: from next to nothing to past a rule's deadline.
const EVALUATION_BUCKETS: [f64; 11] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25];

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages received.
    pub received: Counter,
    /// Panics that cost a message or a resource its handling, and not the process.
    pub panics: Counter,
    /// Sweeps that came to their end.
    pub sweeps: Counter,
    /// Findings of rules in shadow, of which nothing comes.
    pub shadow_findings: Counter,
    /// Documents that rules in shadow did not evaluate, because too many waited.
    pub shadow_skipped: Counter,
    /// Policy bundles that became active while running.
    pub policy_swaps: Counter,
    /// Policy bundles that were refused while running.
    pub policy_refusals: Counter,
    settled: Family<OutcomeLabel, Counter>,
    findings: Family<FindingLabels, Counter>,
    steps: Family<OutcomeLabel, Counter>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Its consequences are stored.
    Handled,
    /// It led to no finding and touched nothing.
    Ignored,
    /// It was given back to the queue for a later try.
    Released,
    /// It was put into the dead-letter queue.
    DeadLettered,
}

/// What rules are evaluated on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// An event.
    Event,
    /// A resource.
    Resource,
}

/// What other parts count for themselves.
#[derive(Debug, Clone)]
pub struct Outside {
    /// Digest of the active policy bundle.
    pub bundle: String,
    /// Writes to the store since it was opened.
    pub store_writes: u64,
    /// Calls of builtins that were undefined because of their arguments.
    pub refused_builtins: u64,
}

/// How the metrics are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// OpenMetrics 1.0, which Prometheus asks for.
    OpenMetrics,
    /// Prometheus's older text format, for whoever does not ask (`promtool check metrics` reads no other).
    Text,
}

/// Everything that the agent measures.
#[derive(Debug)]
pub struct Metrics {
    started: Instant,
    /// Counts.
    pub count: Counters,
    startup: Gauge<f64, AtomicU64>,
    rules_checked: Gauge,
    evaluation: Family<DocumentLabel, Histogram, fn() -> Histogram>,
    containment: Family<SpentLabel, Histogram, fn() -> Histogram>,
    registry: Registry,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FindingLabels {
    rule: String,
    severity: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DocumentLabel {
    document: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SpentLabel {
    spent: &'static str,
}

impl Settled {
    const ALL: [Self; 4] = [Self::Handled, Self::Ignored, Self::Released, Self::DeadLettered];

    const fn label(self) -> OutcomeLabel {
        OutcomeLabel {
            outcome: match self {
                Self::Handled => "handled",
                Self::Ignored => "ignored",
                Self::Released => "released",
                Self::DeadLettered => "dead_lettered",
            },
        }
    }
}

impl Exposition {
    /// What a caller wants, by its `Accept` header.
    #[must_use]
    pub fn wanted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Text }
    }

    /// Its media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

impl Counters {
    /// Counts a message that was settled with the queue.
    pub fn settled(&self, outcome: Settled) {
        self.settled.get_or_create(&outcome.label()).inc();
    }

    /// Counts what rules found.
    pub fn found(&self, findings: &[Finding]) {
        for Finding { rule, .. } in findings {
            let labels = FindingLabels { rule: rule.id.clone(), severity: rule.severity.to_string() };
            self.findings.get_or_create(&labels).inc();
        }
    }

    /// Counts a step in an account.
    pub fn step(&self, outcome: &StepOutcome) {
        let outcome = match outcome {
            StepOutcome::Done => "done",
            StepOutcome::Unverified => "unverified",
            StepOutcome::Already => "already",
            StepOutcome::Gone => "gone",
            StepOutcome::Failed { .. } => "failed",
            StepOutcome::Postponed { .. } => "postponed",
        };
        self.steps.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    fn register(&self, registry: &mut Registry) {
        let counters = [
            ("messages_received", "Messages received from the queue", &self.received),
            ("panics", "Panics that cost a message or a resource its handling, and not the process", &self.panics),
            ("sweeps", "Sweeps that came to their end", &self.sweeps),
            ("shadow_findings", "Findings of rules in shadow, of which nothing comes", &self.shadow_findings),
            ("shadow_skipped", "Documents that rules in shadow skipped, too many waiting", &self.shadow_skipped),
            ("policy_swaps", "Policy bundles that became active while running", &self.policy_swaps),
            ("policy_refusals", "Policy bundles that were refused while running", &self.policy_refusals),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        for outcome in Settled::ALL {
            drop(self.settled.get_or_create(&outcome.label())); // a series that is there can be alerted on
        }
        registry.register("messages_settled", "Messages settled with the queue", self.settled.clone());
        registry.register("findings", "Findings of active rules", self.findings.clone());
        registry.register("steps", "Steps of plans, by what came of them", self.steps.clone());
    }
}

impl Metrics {
    /// Starts measuring; `started` is the process's first moment.
    #[must_use]
    pub fn new(started: Instant) -> Self {
        let mut metrics = Self {
            started,
            count: Counters::default(),
            startup: Gauge::default(),
            rules_checked: Gauge::default(),
            evaluation: Family::new_with_constructor(|| Histogram::new(EVALUATION_BUCKETS)),
            containment: Family::new_with_constructor(|| Histogram::new(CONTAINMENT_BUCKETS)),
            registry: Registry::with_prefix("keepwatch"),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        self.count.register(registry);
        let help = "From the start of the process to polling the queue";
        registry.register_with_unit("startup", help, Unit::Seconds, self.startup.clone());
        let help = "When the policies were last seen to be up to date";
        registry.register_with_unit("policy_checked_timestamp", help, Unit::Seconds, self.rules_checked.clone());
        let help = "Evaluation of the rules that a document concerns, waiting for a thread included";
        registry.register_with_unit("evaluation", help, Unit::Seconds, self.evaluation.clone());
        let help = "From a message's arrival to the first containing call: spent by the agent, and waiting for AWS";
        registry.register_with_unit("time_to_containment", help, Unit::Seconds, self.containment.clone());
    }

    /// Notes that the agent polls its queue from now on.
    pub fn ready(&self) {
        self.startup.set(self.started.elapsed().as_secs_f64());
    }

    /// Notes when the rules were last seen to be up to date.
    pub fn rules_checked(&self, at: Timestamp) {
        self.rules_checked.set(at.as_second());
    }

    /// Evaluates rules, and notes how long it took.
    pub async fn evaluating<F: Future>(&self, document: Document, work: F) -> F::Output {
        let document = match document {
            Document::Event => "event",
            Document::Resource => "resource",
        };
        let began = Instant::now();
        let output = work.await;
        self.evaluation.get_or_create(&DocumentLabel { document }).observe(began.elapsed().as_secs_f64());
        output
    }

    /// A stopwatch for one message, running.
    #[must_use]
    pub fn stopwatch(&self) -> Stopwatch<'_> {
        Stopwatch { metrics: Some(self), began: Instant::now(), stopped: AtomicBool::new(false) }
    }

    /// Everything, as `/metrics` shows it.
    #[must_use]
    pub fn render(&self, outside: &Outside, exposition: Exposition) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode_registry(&mut text, &self.registry);
        let _ = encode_registry(&mut text, &outside.registry());
        match exposition {
            Exposition::OpenMetrics => {
                let _ = encode_eof(&mut text);
                text
            }
            Exposition::Text => in_text_format(&text),
        }
    }

    fn contained(&self, spent: &'static str, time: Duration) {
        self.containment.get_or_create(&SpentLabel { spent }).observe(time.as_secs_f64());
    }
}

impl Outside {
    fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        let resident = ConstGauge::new(resident_bytes());
        registry.register_with_unit("process_resident_memory", "Resident memory", Unit::Bytes, resident);
        let ours = registry.sub_registry_with_prefix("keepwatch");
        ours.register("store_writes", "Writes to the store since it was opened", ConstCounter::new(self.store_writes));
        let refused = ConstCounter::new(self.refused_builtins);
        ours.register("policy_refused_builtins", "Calls of builtins that were undefined", refused);
        let digest = ("digest".into(), self.bundle.clone().into());
        let info = ConstGauge::new(1_i64);
        ours.sub_registry_with_label(digest).register("policy_info", "The active policy bundle", info);
        registry
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
        metrics.contained("agent", self.began.elapsed().saturating_sub(waited));
        metrics.contained("aws", waited);
    }
}

/// OpenMetrics names a counter without `_total` in its HELP and TYPE; the older format does not,
/// and knows neither UNIT nor EOF.
fn in_text_format(open_metrics: &str) -> String {
    let counters: Vec<&str> =
        open_metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let line = |line: &str| {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("UNIT"), ..) => None,
            (Some("#"), Some(keyword), Some(name), Some(rest)) if counters.contains(&name) => {
                Some(format!("# {keyword} {name}_total {rest}\n"))
            }
            _ => Some(format!("{line}\n")),
        }
    };
    open_metrics.lines().filter_map(line).collect()
}

/// Resident memory of this process; 0 where the system does not say.
fn resident_bytes() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<i64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
