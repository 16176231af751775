//! What a notice says, before anybody renders it: pairs of label and value, and sentences.
//!
//! One place, so that Slack and a terminal tell the same.

use super::context::Activity;
use super::notification::{EventFacts, Notification, NotificationKind, StepReport};
use crate::domain::finding::{Finding, Severity};
use crate::domain::outcome::StepOutcome;
use crate::domain::principal::Principal;
use crate::ledger::Incident;

/// A label and what stands behind it.
pub(super) type Fact = (&'static str, String);

/// Where it happened, who did it and when it was known.
pub(super) fn facts(notification: &Notification) -> Vec<Fact> {
    let mut facts = vec![
        ("account", format!("{} ({})", notification.account_name, notification.account)),
        ("Region", notification.region.clone()),
    ];
    facts.extend(resources(notification).map(|arn| ("resource", owned(arn, notification))));
    if let Some(event) = &notification.event {
        facts.extend(event_facts(event, notification));
    }
    let activity = notification.context.activity.as_ref();
    facts.extend(activity.map(|activity| ("related", activity.to_string())));
    facts.extend(activity.and_then(Activity::span).map(|span| ("principal seen", span)));
    facts.extend(notification.at_stake.iter().map(|left| ("at stake", left.clone())));
    facts.extend((!notification.people.is_empty()).then(|| ("asked for by", notification.people.join(" and "))));
    facts
}

fn resources(notification: &Notification) -> impl Iterator<Item = &str> {
    let mut arns: Vec<&str> = notification.findings.iter().filter_map(|finding| finding.resource.as_deref()).collect();
    arns.sort_unstable();
    arns.dedup();
    arns.into_iter()
}

/// A resource and, where its tags say so, whose it is.
pub(super) fn owned(arn: &str, notification: &Notification) -> String {
    let owner = notification.context.owners.get(arn).map(|owner| format!(" (owner {owner})"));
    format!("{arn}{}", owner.unwrap_or_default())
}

fn event_facts(event: &EventFacts, notification: &Notification) -> Vec<Fact> {
    let called = match &event.error_code {
        Some(code) => format!("{} of {}, refused ({code})", event.name, event.source),
        None => format!("{} of {}", event.name, event.source),
    };
    let latency = notification.at.duration_since(event.time).as_millis();
    let mut facts = vec![("who", who(&event.principal)), ("call", called)];
    let origin = event.origin.as_ref().map(|origin| format!(" ({origin})")).unwrap_or_default();
    facts.extend(event.source_ip.as_ref().map(|ip| ("from", format!("{ip}{origin}"))));
    facts.extend(event.user_agent.clone().map(|agent| ("user agent", agent)));
    facts.push(("when", format!("{}, known {}.{:03} s later", event.time, latency / 1000, (latency % 1000).abs())));
    facts.extend(event.mfa.map(|mfa| ("MFA", if mfa { "yes".to_owned() } else { "no".to_owned() })));
    facts.push(("event", event.id.clone()));
    facts.push(("CloudTrail", console(&notification.region, &event.id)));
    facts
}

/// Where the console shows the event.
fn console(region: &str, event: &str) -> String {
    format!("https://{region}.console.aws.amazon.com/cloudtrailv2/home?region={region}#/events/{event}")
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
pub(super) fn step_line(step: &StepReport, kind: NotificationKind) -> String {
    match (&step.outcome, kind) {
        (Some(outcome), _) => format!("{outcome}: {}", step.action),
        (None, NotificationKind::Denial) => format!("not done: {}", step.action),
        (
            None,
            NotificationKind::Response
            | NotificationKind::Approval
            | NotificationKind::Undo
            | NotificationKind::Consent
            | NotificationKind::Policies,
        ) => {
            format!("waits for a person's word: {}", step.action)
        }
    }
}

/// Why the agent did what it did; the ordinary reason goes without saying.
pub(super) fn reasons(notification: &Notification) -> impl Iterator<Item = &str> {
    let reasons = notification.reasons.iter().map(|reason| reason.because.as_str());
    reasons.filter(|because| !because.ends_with("mode say `enforce`"))
}

/// What people can do about it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way<'a> {
    /// Approve the plan with this id, or deny it.
    Approve(&'a str),
    /// Take back the plan with this id.
    Undo(&'a str),
}

/// What people can do about a notice, if anything.
pub(super) fn way(notification: &Notification) -> Option<Way<'_>> {
    let plan = notification.plan.as_deref()?;
    let waits = notification.steps.iter().any(|step| step.outcome.is_none());
    let changed = notification.steps.iter().any(|step| step.outcome.as_ref().is_some_and(StepOutcome::changed));
    match notification.kind {
        NotificationKind::Response | NotificationKind::Approval if waits => Some(Way::Approve(plan)),
        NotificationKind::Response | NotificationKind::Approval if changed => Some(Way::Undo(plan)),
        NotificationKind::Response
        | NotificationKind::Approval
        | NotificationKind::Undo
        | NotificationKind::Denial
        | NotificationKind::Consent
        | NotificationKind::Policies => None,
    }
}

/// What people can do about it now, as a command.
pub(super) fn command(notification: &Notification) -> Option<String> {
    way(notification).map(|way| match way {
        Way::Approve(plan) => format!("keepwatch approve {plan} --by you"),
        Way::Undo(plan) => format!("keepwatch undo {plan} --by you --with second-person"),
    })
}

/// What was done, in a few words.
pub(super) fn heading(notification: &Notification) -> &'static str {
    let (mut done, mut failed, mut waits) = (false, false, false);
    for step in &notification.steps {
        match &step.outcome {
            None => waits = true,
            Some(outcome) if outcome.changed() => done = true,
            Some(_) => failed = true,
        }
    }
    match (notification.kind, done, failed, waits) {
        (NotificationKind::Denial, ..) => "denied",
        (NotificationKind::Consent, ..) => "waits for a second person",
        (NotificationKind::Undo, _, false, _) => "taken back",
        (NotificationKind::Undo, _, true, _) => "taken back in part",
        (NotificationKind::Policies, ..) => "the policies in force stay",
        (_, _, _, true) => "waits for approval",
        (_, true, false, false) => "dealt with",
        (_, true, true, false) => "dealt with in part",
        (_, false, true, false) => "could not be dealt with",
        (_, false, false, false) => "nothing was changed",
    }
}

/// The worst finding of several notices.
pub(super) fn worst<'a>(notifications: &[&'a Notification]) -> Option<&'a Finding> {
    notifications.iter().flat_map(|notification| &notification.findings).max_by_key(|finding| finding.rule.severity)
}

/// How bad an incident is.
pub(super) fn severity(notifications: &[&Notification]) -> Severity {
    worst(notifications).map_or(Severity::Low, |finding| finding.rule.severity)
}

/// Whether somebody must be woken.
pub(super) fn wakes(notifications: &[&Notification]) -> bool {
    match severity(notifications) {
        Severity::Critical | Severity::High => true,
        Severity::Medium | Severity::Low => false,
    }
}

/// An incident in one line.
pub(super) fn headline(incident: &Incident, notifications: &[&Notification]) -> String {
    let account =
        notifications.first().map_or(incident.account.as_str(), |notification| notification.account_name.as_str());
    format!("{} · {} in {account} · {}", severity(notifications), incident.title, incident.id)
}
