//! `/metrics`, read as strictly as `promtool check metrics` and OpenMetrics ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use keepwatch::domain::finding::Severity;
use keepwatch::domain::outcome::StepOutcome;
use keepwatch::ops::metrics::{Document, Exposition, Metrics, Outside, Settled};
use keepwatch::ops::waited;

use crate::support::builders::finding;

/// Every part of a name that is a unit must be one of these.
const BASE_UNITS: [&str; 2] = ["seconds", "bytes"];
/// What promtool knows to stand for another unit, in full or abbreviated.
const OTHER_UNITS: [&str; 18] = [
    "s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d", "minutes", "hours", "days", "bits",
];
const UNIT_PREFIXES: [&str; 8] = ["nano", "micro", "milli", "kilo", "kibi", "mega", "giga", "gibi"];

/// A family of series, as its lines stand in the text.
#[derive(Debug, Default)]
struct Family {
    help: Option<String>,
    kind: Option<String>,
    unit: Option<String>,
    series: Vec<(String, String, f64)>,
}

fn families(text: &str) -> Result<Vec<(String, Family)>, String> {
    let mut families: Vec<(String, Family)> = Vec::new();
    for line in text.lines().filter(|line| *line != "# EOF") {
        let (name, rest) = match line.strip_prefix("# ") {
            Some(about) => {
                let mut words = about.splitn(3, ' ');
                let (Some(keyword), Some(name), Some(rest)) = (words.next(), words.next(), words.next()) else {
                    return Err(format!("`{line}` is cut"));
                };
                (name, Err((keyword, rest)))
            }
            None => {
                let (series, value) = line.rsplit_once(' ').ok_or_else(|| format!("`{line}` has no value"))?;
                let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
                let labels = labels.strip_suffix('}').ok_or_else(|| format!("`{line}`: open labels"))?;
                (name, Ok((labels, value.parse::<f64>().map_err(|_| format!("`{line}` has no number"))?)))
            }
        };
        if rest.is_err() && families.last().is_none_or(|(last, _)| last != name) {
            if families.iter().any(|(other, _)| other == name) {
                return Err(format!("the lines of `{name}` do not stand together"));
            }
            families.push((name.to_owned(), Family::default()));
        }
        let Some((family, known)) = families.last_mut() else { return Err(format!("`{name}` has no HELP")) };
        match rest {
            Err(("HELP", help)) if known.help.is_none() => known.help = Some(help.to_owned()),
            Err(("TYPE", kind)) if known.kind.is_none() => known.kind = Some(kind.to_owned()),
            Err(("UNIT", unit)) if known.unit.is_none() => known.unit = Some(unit.to_owned()),
            Err((keyword, _)) => return Err(format!("`{name}` has no place for `{keyword}`")),
            Ok((labels, value)) => {
                let suffix = name.strip_prefix(family.as_str()).ok_or_else(|| format!("`{name}` has no HELP"))?;
                known.series.push((suffix.to_owned(), labels.to_owned(), value));
            }
        }
    }
    Ok(families)
}

/// What is wrong with a family; `counter` is the end of a counter's name or of its series.
fn problems(name: &str, family: &Family, exposition: Exposition) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |fine: bool, what: &str| {
        if !fine {
            wrong.push(format!("{name}: {what}"));
        }
    };
    let kind = family.kind.as_deref().unwrap_or("none");
    check(family.help.as_deref().is_some_and(|help| help.len() > 10), "no help");
    check(["counter", "gauge", "histogram"].contains(&kind), "no type");
    check(name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'), "not in snake case");
    check(!name.split('_').any(|word| word == kind), "its type in its name");
    for word in name.split('_') {
        check(!OTHER_UNITS.contains(&word), "another unit, or an abbreviated one");
        let prefixed = |prefix: &&str| word.strip_prefix(*prefix).is_some_and(|unit| BASE_UNITS.contains(&unit));
        check(!UNIT_PREFIXES.iter().any(prefixed), "not a base unit");
    }
    if let Some(unit) = &family.unit {
        check(name.ends_with(&format!("_{unit}")), "its unit is not in its name");
    }
    let (in_name, in_series) = (name.ends_with("_total"), family.series.iter().all(|(end, ..)| end == "_total"));
    match (kind, exposition) {
        ("counter", Exposition::OpenMetrics) => check(!in_name && in_series, "a counter without `_total`"),
        ("counter", Exposition::Text) => check(in_name, "a counter without `_total`"),
        _ => check(!in_name && !in_series, "`_total`, and no counter"),
    }
    let ends = ["_bucket", "_count", "_sum"];
    let is_histogram = kind == "histogram";
    check(family.series.iter().all(|(end, ..)| ends.contains(&end.as_str()) == is_histogram), "series of another type");
    let distinct: BTreeSet<_> = family.series.iter().map(|(end, labels, _)| (end, labels)).collect();
    check(distinct.len() == family.series.len() && !distinct.is_empty(), "a series twice, or none");
    check(!is_histogram || cumulative(family), "buckets that do not add up");
    wrong
}

/// Buckets grow and end at `+Inf` with the count.
fn cumulative(family: &Family) -> bool {
    let mut counts: BTreeMap<&str, f64> = BTreeMap::new();
    let mut buckets: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for (end, labels, value) in &family.series {
        if end == "_count" {
            counts.insert(labels, *value);
        } else if end == "_bucket" {
            let (bound, others) = labels.strip_prefix("le=\"").unwrap().split_once('"').unwrap();
            buckets.entry(others.trim_start_matches(',')).or_default().push((bound.parse().unwrap(), *value));
        }
    }
    counts.len() == buckets.len()
        && buckets.iter().all(|(labels, buckets)| {
            buckets.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1)
                && buckets.last() == counts.get(labels).map(|count| (f64::INFINITY, *count)).as_ref()
        })
}

async fn used() -> Metrics {
    let metrics = Metrics::new(Instant::now());
    metrics.ready();
    metrics.rules_checked("2026-01-01T00:00:00Z".parse().unwrap());
    metrics.count.received.inc_by(3);
    metrics.count.settled(Settled::Handled);
    metrics.count.step(&StepOutcome::Failed { error: "a \"quote\"\n".to_owned() });
    let finding = finding("BKP-01", Severity::Critical);
    metrics.count.found(&[finding.clone(), finding]);
    metrics.evaluating(Document::Event, async {}).await;
    let stopwatch = metrics.stopwatch();
    let message = async {
        waited::during(tokio::time::sleep(Duration::from_millis(40))).await;
        stopwatch.containing();
    };
    waited::measuring(message).await;
    metrics
}

fn outside() -> Outside {
    Outside { bundle: "0a1b".to_owned(), store_writes: 7, refused_builtins: 0 }
}

#[tokio::test(start_paused = true)]
async fn every_metric_is_clean_in_both_formats() {
    let metrics = used().await;
    for exposition in [Exposition::OpenMetrics, Exposition::Text] {
        let text = metrics.render(&outside(), exposition);
        let families = families(&text).unwrap();
        assert!(families.len() > 12, "{text}");
        let wrong: Vec<_> = families.iter().flat_map(|(name, family)| problems(name, family, exposition)).collect();
        assert!(wrong.is_empty(), "{wrong:#?}\n{text}");
        assert_eq!(text.ends_with("# EOF\n"), exposition == Exposition::OpenMetrics);
        assert_eq!(text.contains("# UNIT "), exposition == Exposition::OpenMetrics);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_measured_stands_there_with_its_labels() {
    let text = used().await.render(&outside(), Exposition::Text);
    for line in [
        "# TYPE keepwatch_messages_received_total counter",
        "keepwatch_messages_received_total 3",
        "keepwatch_messages_settled_total{outcome=\"handled\"} 1",
        "keepwatch_messages_settled_total{outcome=\"released\"} 0",
        "keepwatch_findings_total{rule=\"BKP-01\",severity=\"critical\"} 2",
        "keepwatch_steps_total{outcome=\"failed\"} 1",
        "keepwatch_evaluation_seconds_count{document=\"event\"} 1",
        "keepwatch_time_to_containment_seconds_bucket{le=\"0.03\",spent=\"aws\"} 0",
        "keepwatch_time_to_containment_seconds_bucket{le=\"0.05\",spent=\"aws\"} 1",
        "keepwatch_policy_checked_timestamp_seconds 1767225600",
        "keepwatch_policy_info{digest=\"0a1b\"} 1",
        "keepwatch_store_writes_total 7",
    ] {
        assert!(text.lines().any(|one| one == line), "`{line}` is not in\n{text}");
    }
}

#[test]
fn what_promtool_refuses_is_refused_here() {
    let refused = |text: &str| match families(text) {
        Err(problem) => problem,
        Ok(families) => {
            let wrong: Vec<_> =
                families.iter().flat_map(|(name, family)| problems(name, family, Exposition::Text)).collect();
            wrong.join("; ")
        }
    };
    let of = |name: &str, kind: &str| format!("# HELP {name} some help text\n# TYPE {name} {kind}\n{name} 1\n");
    assert_eq!(refused(&of("keepwatch_sweeps_total", "counter")), "");
    for (text, why) in [
        ("keepwatch_x 1\n".to_owned(), "no HELP"),
        ("# TYPE keepwatch_x gauge\nkeepwatch_x 1\n".to_owned(), "no help"),
        (of("keepwatch_sweeps", "counter"), "without `_total`"),
        (of("keepwatch_sweeps_total", "gauge"), "no counter"),
        (of("keepwatch_ready_milliseconds", "gauge"), "not a base unit"),
        (of("keepwatch_ready_ms", "gauge"), "another unit"),
        (of("keepwatch_ready_gauge", "gauge"), "its type"),
        (of("keepwatch_readyNow", "gauge"), "snake case"),
        (of("keepwatch_ready_seconds", "histogram"), "series of another type"),
        (of("keepwatch_ready_seconds", "gauge").repeat(2), "no place for `HELP`"),
    ] {
        assert!(refused(&text).contains(why), "{text}: {}", refused(&text));
    }
}
