//! Whether AWS has the events that a rule declares.
//!
//! AWS has the calls in its service models (`schema/calls/`), and the events that its services
//! write without a call. Of a service that has no file there nothing is known, and nothing said.

use super::described::Described;
use super::parameters::Calls;
use super::{Lint, nearest};
use crate::policy::catalogue::{EventPattern, Name, Subscription};

/// Events that services write into a trail without anybody's call.
const WITHOUT_CALL: [(&str, &[&str]); 3] = [
    (
        "backup.amazonaws.com",
        &[
            "BackupDeleted",
            "BackupJobCompleted",
            "BackupJobStarted",
            "BackupSelectionDeletedDueToSLRDeletion",
            "BackupTransitioned",
            "CopyJobCompleted",
            "CopyJobStarted",
            "ReportJobCompleted",
            "ReportJobStarted",
            "RestoreCompleted",
            "RestoreStarted",
        ],
    ),
    ("ec2.amazonaws.com", &["BidEvictedEvent", "SharedSnapshotCopyInitiated", "SharedSnapshotVolumeCreated"]),
    ("kms.amazonaws.com", &["DeleteExpiredKeyMaterial", "DeleteKey", "RotateKey", "SynchronizeMultiRegionKey"]),
];

/// Tells which events of a rule AWS does not have.
pub(super) fn lints(rule: &Described, calls: &Calls) -> Vec<Lint> {
    let Subscription::Events(patterns) = &rule.entry.subscription else { return Vec::new() };
    patterns.iter().filter_map(|pattern| unknown(rule, pattern, calls)).collect()
}

fn unknown(rule: &Described, pattern: &EventPattern, calls: &Calls) -> Option<Lint> {
    let said = |what: String, next: String| Lint {
        file: rule.file.clone(),
        line: rule.line_of_event(&pattern.to_string()),
        column: 1,
        lint: "unknown-event".to_owned(),
        what,
        why: "no such event will ever come, so this part of the rule never runs".to_owned(),
        next,
    };
    let Some(known) = names(&pattern.source, calls) else {
        let meant = misspelt_source(&pattern.source, calls.sources())?;
        return Some(said(format!("AWS has no event source `{}`", pattern.source), format!("did you mean `{meant}`?")));
    };
    if known.iter().any(|name| pattern.name.covers(&Name::Is((*name).to_owned()))) {
        return None;
    }
    let (Name::Is(name) | Name::BeginsWith(name)) = &pattern.name;
    let next = match nearest(name, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("`schema/calls/{}` lists its calls as CloudTrail spells them", file(&pattern.source)),
    };
    Some(said(format!("AWS has no event `{pattern}`"), next))
}

/// The known source that a source is a misspelling of. Short names lie too near to each other, as
/// those of SQS, SNS and SSM do, to tell.
fn misspelt_source<'a>(source: &str, known: &'a [String]) -> Option<&'a str> {
    let service = |source: &str| source.split('.').next().unwrap_or_default().to_owned();
    let own = service(source);
    let near = |known: &&String| own.len() > 4 && strsim::osa_distance(&own, &service(known)) <= 2;
    known.iter().find(near).map(String::as_str)
}

/// What a source's events are called; nothing when that is not known.
fn names<'a>(source: &str, calls: &'a Calls) -> Option<Vec<&'a str>> {
    let called = calls.names(source)?;
    let written = WITHOUT_CALL.iter().filter(|(of, _)| *of == source).flat_map(|(_, names)| names.iter().copied());
    Some(called.chain(written).collect())
}

fn file(source: &str) -> String {
    format!("{}.json", source.trim_end_matches(".amazonaws.com"))
}
