//! What a notification says, before anybody renders it: pairs of label and value, and sentences.
//!
//! One place, so that Slack and a terminal say the same.

use crate::domain::case::{CaseRecord, CaseSubject, CaseUpdate, EventFacts, StepRecord};
use crate::domain::enrichment::Activity;
use crate::domain::finding::{Finding, Severity};
use crate::domain::outcome::StepOutcome;
use crate::domain::principal::Principal;
use crate::domain::reason::Because;
use crate::domain::region::Region;
use crate::ledger::Incident;

/// A label and what stands behind it.
pub(super) type Fact = (&'static str, String);

/// Where it happened, who did it and when it was known.
pub(super) fn facts(case: &CaseRecord) -> Vec<Fact> {
    let mut facts = vec![("account", format!("{} ({})", case.account_name, case.account))];
    facts.extend(case.region.as_ref().map(|region| ("Region", region.to_string())));
    facts.extend(resources(case).map(|arn| ("resource", owned(arn, case))));
    if let Some(event) = case.event() {
        facts.extend(event_facts(event, case));
    }
    let activity = case.enrichment.activity.as_ref();
    facts.extend(activity.map(|activity| ("related", activity.to_string())));
    facts.extend(activity.and_then(Activity::span).map(|span| ("principal seen", span)));
    facts.extend(case.enrichment.at_stake.iter().map(|left| ("at stake", left.clone())));
    facts.extend((!case.people.is_empty()).then(|| ("asked for by", case.people.join(" and "))));
    facts
}

fn resources(case: &CaseRecord) -> impl Iterator<Item = &str> {
    let mut arns: Vec<&str> = case.findings.iter().filter_map(|finding| finding.resource.as_deref()).collect();
    arns.sort_unstable();
    arns.dedup();
    arns.into_iter()
}

/// A resource and, where its tags say so, whose it is.
pub(super) fn owned(arn: &str, case: &CaseRecord) -> String {
    let owner = case.enrichment.owners.get(arn).map(|owner| format!(" (owner {owner})"));
    format!("{arn}{}", owner.unwrap_or_default())
}

fn event_facts(event: &EventFacts, case: &CaseRecord) -> Vec<Fact> {
    let called = match &event.error_code {
        Some(code) => format!("{} of {}, refused ({code})", event.name, event.source),
        None => format!("{} of {}", event.name, event.source),
    };
    let latency = case.at.duration_since(event.time).as_millis();
    let mut facts = vec![("who", who(&event.principal)), ("call", called)];
    let origin = case.enrichment.origin.as_ref().map(|origin| format!(" ({origin})")).unwrap_or_default();
    facts.extend(event.source_ip.as_ref().map(|ip| ("from", format!("{ip}{origin}"))));
    facts.extend(event.user_agent.clone().map(|agent| ("user agent", agent)));
    facts.push(("when", format!("{}, known {}.{:03} s later", event.time, latency / 1000, (latency % 1000).abs())));
    facts.extend(event.mfa.map(|mfa| ("MFA", if mfa { "yes".to_owned() } else { "no".to_owned() })));
    facts.push(("event", event.id.clone()));
    facts.extend(case.region.as_ref().map(|region| ("CloudTrail", console(region, &event.id))));
    facts
}

/// Where the console shows the event.
fn console(region: &Region, event: &str) -> String {
    let domain = region.partition().console_domain();
    format!("https://{region}.{domain}/cloudtrailv2/home?region={region}#/events/{event}")
}

/// The principal in a phrase; of its key only the end, which is enough to find it.
pub(super) fn who(principal: &Principal) -> String {
    let name = principal.name.as_deref().or(principal.arn.as_deref()).unwrap_or("unknown");
    let mut text = format!("{} {name}", kind(principal));
    let mut add = |label: &str, value: Option<&str>| {
        if let Some(value) = value {
            text.push_str(&format!(", {label} {value}"));
        }
    };
    add("session", principal.session.as_deref());
    add("source identity", principal.source_identity.as_deref());
    add("invoked by", principal.invoked_by.as_deref());
    let key = principal.access_key.as_deref().and_then(|key| key.get(key.len().saturating_sub(4)..));
    add("key ending in", key);
    text
}

/// The kind of principal, as its serialised name in words.
fn kind(principal: &Principal) -> String {
    let name = serde_json::to_value(principal.kind).ok();
    name.as_ref().and_then(serde_json::Value::as_str).unwrap_or("principal").replace('_', " ")
}

/// One line for each finding.
pub(super) fn finding_line(finding: &Finding) -> String {
    let Finding { rule, message, .. } = finding;
    format!("{} {}: {message}", rule.severity, rule.id)
}

/// One line for each step: what came of it, and what.
pub(super) fn step_line(record: &StepRecord, update: CaseUpdate) -> String {
    let action = &record.step.action;
    match (&record.outcome, update) {
        (Some(outcome), _) => format!("{outcome}: {action}"),
        (None, CaseUpdate::Denial) => format!("denied: {action}"),
        (None, CaseUpdate::Response | CaseUpdate::Approval | CaseUpdate::Undo | CaseUpdate::Consent) => {
            format!("waits for approval: {action}")
        }
    }
}

/// Why the agent did what it did; the ordinary reason goes without saying.
pub(super) fn reasons(case: &CaseRecord) -> impl Iterator<Item = String> {
    let reasons = case.reasons.iter().map(|reason| &reason.because);
    reasons.filter(|because| **because != Because::Enforced).map(ToString::to_string)
}

/// What people can do about it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way<'a> {
    /// Approve the plan with this id, or deny it.
    Approve(&'a str),
    /// Take back the plan with this id.
    Undo(&'a str),
}

/// What people can do about a case, if anything.
pub(super) fn way(case: &CaseRecord) -> Option<Way<'_>> {
    let plan = case.plan.as_deref()?;
    let waits = case.steps.iter().any(|record| record.outcome.is_none());
    let changed = case.steps.iter().any(|record| record.outcome.as_ref().is_some_and(StepOutcome::changed));
    match case.update {
        CaseUpdate::Response | CaseUpdate::Approval if waits => Some(Way::Approve(plan)),
        CaseUpdate::Response | CaseUpdate::Approval if changed => Some(Way::Undo(plan)),
        CaseUpdate::Response | CaseUpdate::Approval | CaseUpdate::Undo | CaseUpdate::Denial | CaseUpdate::Consent => {
            None
        }
    }
}

/// What people can do about it now, as a command.
pub(super) fn command(case: &CaseRecord) -> Option<String> {
    way(case).map(|way| match way {
        Way::Approve(plan) => format!("keepwatch approve {plan} --by you"),
        Way::Undo(plan) => format!("keepwatch undo {plan} --by you --with second-person"),
    })
}

/// What was done, in a few words.
pub(super) fn heading(case: &CaseRecord) -> &'static str {
    let (mut done, mut failed, mut waits) = (false, false, false);
    for record in &case.steps {
        match &record.outcome {
            None => waits = true,
            Some(outcome) => {
                done |= outcome.changed();
                failed |= outcome.failed();
            }
        }
    }
    match (case.update, done, failed, waits) {
        (CaseUpdate::Denial, ..) => "denied",
        (CaseUpdate::Consent, ..) => "waits for a second person",
        (CaseUpdate::Undo, _, false, _) => "undone",
        (CaseUpdate::Undo, _, true, _) => "undone in part",
        (CaseUpdate::Response | CaseUpdate::Approval, _, _, true) => "waits for approval",
        (CaseUpdate::Response | CaseUpdate::Approval, true, false, false) => "remediated",
        (CaseUpdate::Response | CaseUpdate::Approval, true, true, false) => "remediated in part",
        (CaseUpdate::Response | CaseUpdate::Approval, false, true, false) => "not remediated",
        (CaseUpdate::Response | CaseUpdate::Approval, false, false, false) => without_steps(&case.subject),
    }
}

/// What to say of a case that led to no step.
const fn without_steps(subject: &CaseSubject) -> &'static str {
    match subject {
        CaseSubject::Policies => "the active policies stay",
        CaseSubject::Event { .. } | CaseSubject::Resource { .. } | CaseSubject::Unreadable => "reported, not changed",
    }
}

/// The worst finding of several notifications.
pub(super) fn worst<'a>(cases: &[&'a CaseRecord]) -> Option<&'a Finding> {
    cases.iter().flat_map(|case| &case.findings).max_by_key(|finding| finding.rule.severity)
}

/// How bad an incident is.
pub(super) fn severity(cases: &[&CaseRecord]) -> Severity {
    worst(cases).map_or(Severity::Low, |finding| finding.rule.severity)
}

/// Whether somebody must be woken.
pub(super) fn wakes(cases: &[&CaseRecord]) -> bool {
    match severity(cases) {
        Severity::Critical | Severity::High => true,
        Severity::Medium | Severity::Low => false,
    }
}

/// An incident in one line.
pub(super) fn headline(incident: &Incident, cases: &[&CaseRecord]) -> String {
    let account = cases.first().map_or(incident.account.as_str(), |case| case.account_name.as_str());
    format!("{} · {} in {account} · {}", severity(cases), incident.title, incident.id)
}
