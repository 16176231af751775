//! What a step changes, as lines of before and after. Pure: it is derived from the action and
//! its undo, which holds what was there, so that a dry run, a terminal and Slack say the same.
//!
//! Policy documents are never shown whole, only which statements come and go.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::domain::action::{Action, Undo};
use crate::domain::hash::digest;
use crate::domain::plan::Step;
use crate::domain::resource::bucket::{LifecycleRule, Transition};
use crate::domain::resource::trail::TrailSettings;

/// How many lines are shown of one step.
const LINES: usize = 12;
/// How many actions of a statement are named.
const ACTIONS: usize = 3;

impl Step {
    /// What is different after the step: `- before` and `+ after`. Empty where the action
    /// says it all, as for quarantines and holds.
    #[must_use]
    pub fn changes(&self) -> Vec<String> {
        let before = match &self.undo {
            Undo::By { action } => Some(action),
            Undo::Keep { .. } => None,
        };
        let mut lines: Vec<String> = difference(before, &self.action).iter().map(|line| one_line(line)).collect();
        if lines.len() > LINES {
            let hidden = lines.len() - LINES;
            lines.truncate(LINES);
            lines.push(format!("  … and {hidden} more"));
        }
        lines
    }
}

/// Names of rules and statements are anybody's to choose: they stay on their line.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

fn difference(before: Option<&Action>, after: &Action) -> Vec<String> {
    match (before, after) {
        (Some(Action::SetVersioning { versioning: old, .. }), Action::SetVersioning { versioning: new, .. }) => {
            replaced("versioning", &format!("{old:?}"), &format!("{new:?}"))
        }
        (Some(Action::SetLifecycle { rules: old, .. }), Action::SetLifecycle { rules: new, .. }) => {
            come_and_go(&rules(old), &rules(new))
        }
        (Some(Action::SetVaultPolicy { policy: old, .. }), Action::SetVaultPolicy { policy: new, .. }) => {
            come_and_go(&statements(old.as_ref()), &statements(new.as_ref()))
        }
        (Some(Action::UpdateTrail { settings: old, .. }), Action::UpdateTrail { settings: new, .. }) => {
            come_and_go(&settings(old), &settings(new))
        }
        (Some(Action::SetLogging { logging: old, .. }), Action::SetLogging { logging: new, .. }) => {
            replaced("logging", on(*old), on(*new))
        }
        (Some(Action::SetAccessKey { status: old, .. }), Action::SetAccessKey { status: new, .. }) => {
            replaced("access key", &format!("{old:?}"), &format!("{new:?}"))
        }
        (_, Action::CreateTrail { settings: new, .. }) => come_and_go(&BTreeSet::new(), &settings(new)),
        (_, Action::CancelKeyDeletion { .. }) => replaced("key", "pending deletion", "disabled"),
        (_, Action::EnableKey { .. }) => replaced("key", "disabled", "enabled"),
        (_, Action::DisableKey { .. }) => replaced("key", "enabled", "disabled"),
        (
            _,
            Action::SetVersioning { .. }
            | Action::SetLifecycle { .. }
            | Action::SetVaultPolicy { .. }
            | Action::UpdateTrail { .. }
            | Action::SetLogging { .. }
            | Action::SetAccessKey { .. }
            | Action::QuarantineUser { .. }
            | Action::ReleaseUser { .. }
            | Action::AttachDenyAll { .. }
            | Action::DetachDenyAll { .. }
            | Action::QuarantineSession { .. }
            | Action::ReleaseSession { .. }
            | Action::HoldVault { .. }
            | Action::ReleaseHold { .. }
            | Action::CopyRecoveryPoint { .. },
        ) => Vec::new(),
    }
}

fn replaced(what: &str, old: &str, new: &str) -> Vec<String> {
    vec![format!("- {what}: {old}"), format!("+ {what}: {new}")]
}

/// What was there and is not any more, then what is new; what stays is left out.
fn come_and_go(old: &BTreeSet<String>, new: &BTreeSet<String>) -> Vec<String> {
    let gone = old.difference(new).map(|line| format!("- {line}"));
    gone.chain(new.difference(old).map(|line| format!("+ {line}"))).collect()
}

const fn on(is: bool) -> &'static str {
    if is { "on" } else { "off" }
}

fn rules(rules: &[LifecycleRule]) -> BTreeSet<String> {
    rules.iter().map(rule).collect()
}

/// A lifecycle rule in a line, with everything that it does.
fn rule(rule: &LifecycleRule) -> String {
    let days = |days: Option<i32>| days.map(|days| format!("after {days} d"));
    let dated = |date: &Option<String>| date.as_ref().map(|date| format!("on {date}"));
    let mut does: Vec<String> = Vec::new();
    let mut add = |what: &str, when: Option<String>| does.extend(when.map(|when| format!("{what} {when}")));
    add("expires", days(rule.expiration_days).or_else(|| dated(&rule.expiration_date)));
    add("noncurrent versions expire", days(rule.noncurrent_days));
    add("newest noncurrent versions kept:", rule.newer_noncurrent_versions.map(|kept| kept.to_string()));
    add("lonely delete markers go:", rule.expired_delete_markers.map(|go| on(go).to_owned()));
    add("unfinished uploads go", days(rule.abort_incomplete_days));
    for (what, moves) in [("moves", &rule.transitions), ("noncurrent versions move", &rule.noncurrent_transitions)] {
        for Transition { days: after, date, newer_versions, storage_class } in moves {
            let kept = newer_versions.map(|kept| format!(" but for the newest {kept}")).unwrap_or_default();
            let when = days(*after).or_else(|| dated(date)).unwrap_or_default();
            add(&format!("{what} to {storage_class}{kept}"), Some(when));
        }
    }
    let does = if does.is_empty() { "does nothing".to_owned() } else { does.join(", ") };
    format!("rule `{}` ({}{}): {does}", rule.id, rule.status, filter(rule))
}

/// What a rule applies to, unless it is the whole bucket.
fn filter(rule: &LifecycleRule) -> String {
    let mut parts = Vec::new();
    parts.extend((!rule.prefix.is_empty()).then(|| format!("prefix `{}`", rule.prefix)));
    parts.extend(rule.tags.iter().map(|(key, value)| format!("tag `{key}={value}`")));
    parts.extend(rule.larger_than.map(|size| format!("over {size} bytes")));
    parts.extend(rule.smaller_than.map(|size| format!("under {size} bytes")));
    parts.into_iter().map(|part| format!(", {part}")).collect()
}

/// The statements of a policy, each in a line that does not show the whole of it.
fn statements(policy: Option<&Value>) -> BTreeSet<String> {
    let all = match policy.and_then(|policy| policy.get("Statement")) {
        Some(Value::Array(all)) => all.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    all.into_iter().map(statement).collect()
}

/// A statement by name, effect and actions. What else is in it is shown as a short digest, so
/// that one whose condition or principal changed is not taken for the same.
fn statement(statement: &Value) -> String {
    let word = |name: &str| statement.get(name).and_then(Value::as_str);
    let (key, except) = if statement.get("NotAction").is_some() { ("NotAction", "all but ") } else { ("Action", "") };
    let actions = match statement.get(key) {
        Some(Value::Array(actions)) => actions.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(action)) => vec![action.as_str()],
        Some(_) | None => Vec::new(),
    };
    let named = actions.iter().take(ACTIONS).copied().collect::<Vec<_>>().join(", ");
    let more = match actions.len().saturating_sub(ACTIONS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let sid = word("Sid").map(|sid| format!(" `{sid}`")).unwrap_or_default();
    let effect = word("Effect").unwrap_or("no effect");
    format!("statement{sid}: {effect} {except}{named}{more} (#{})", mark(statement))
}

/// Tells apart what looks the same in short.
fn mark(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    digest(&text).chars().take(6).collect()
}

/// A trail's settings, a line each.
fn settings(settings: &TrailSettings) -> BTreeSet<String> {
    let TrailSettings {
        bucket,
        prefix,
        multi_region,
        global_service_events,
        log_file_validation,
        organization,
        kms_key,
        selectors,
    } = settings;
    let mut lines = BTreeSet::from([
        format!("bucket: {bucket}"),
        format!("every Region: {}", on(*multi_region)),
        format!("global services: {}", on(*global_service_events)),
        format!("log file validation: {}", on(*log_file_validation)),
        format!("whole organisation: {}", on(*organization)),
        format!("prefix: {}", prefix.as_deref().unwrap_or("none")),
        format!("key: {}", kms_key.as_deref().unwrap_or("none")),
    ]);
    for selector in selectors.iter().flat_map(|selectors| &selectors.basic) {
        let data: usize = selector.data.values().map(Vec::len).sum();
        let (events, management) = (&selector.read_write, on(selector.management));
        lines.insert(format!(
            "selector: {events}, management events {management}, {data} data resource(s) (#{})",
            mark(selector)
        ));
    }
    for selector in selectors.iter().flat_map(|selectors| &selectors.advanced) {
        let fields: Vec<&str> = selector.fields.iter().map(|field| field.field.as_str()).collect();
        lines.insert(format!("selector `{}` on {} (#{})", selector.name, fields.join(", "), mark(selector)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::finding::ResponseKind;
    use crate::domain::resource::bucket::Versioning;

    fn step(action: Action, before: Action) -> Step {
        let account = "111122223333".parse().expect("an id");
        Step { account, verb: ResponseKind::Restore, action, undo: Undo::By { action: before } }
    }

    fn shown(action: Action, before: Action) -> String {
        step(action, before).changes().join("\n")
    }

    fn versioning(versioning: Versioning) -> Action {
        Action::SetVersioning { region: "eu-west-1".to_owned(), bucket: "invoices".to_owned(), versioning }
    }

    fn policy(policy: Option<Value>) -> Action {
        Action::SetVaultPolicy { region: "eu-west-1".to_owned(), vault: "main".to_owned(), policy }
    }

    fn lifecycle(rules: Vec<LifecycleRule>) -> Action {
        Action::SetLifecycle { region: "eu-west-1".to_owned(), bucket: "invoices".to_owned(), rules }
    }

    #[test]
    fn versioning_changes_in_two_lines_and_back() {
        let step = step(versioning(Versioning::Enabled), versioning(Versioning::Suspended));
        assert_eq!(step.changes(), ["- versioning: Suspended", "+ versioning: Enabled"]);
        let back = step.inverse().expect("it can be taken back");
        assert_eq!(back.changes(), ["- versioning: Enabled", "+ versioning: Suspended"]);
    }

    #[test]
    fn a_lifecycle_change_is_shown_rule_by_rule_without_what_stays() {
        let rule = |id: &str, noncurrent_days| LifecycleRule {
            id: id.to_owned(),
            status: "Enabled".to_owned(),
            noncurrent_days: Some(noncurrent_days),
            ..LifecycleRule::default()
        };
        let keep = LifecycleRule { prefix: "logs/".to_owned(), expiration_days: Some(400), ..rule("keep", 35) };
        insta::assert_snapshot!(shown(
            lifecycle(vec![rule("versions", 35), keep.clone()]),
            lifecycle(vec![keep, rule("versions", 1)])
        ), @r"
        - rule `versions` (Enabled): noncurrent versions expire after 1 d
        + rule `versions` (Enabled): noncurrent versions expire after 35 d
        ");
    }

    #[test]
    fn of_a_policy_only_what_comes_and_goes_is_shown_and_never_all_of_it() {
        let deny = json!({"Sid": "NoDeletion", "Effect": "Deny", "Principal": "*", "Resource": "*",
            "Action": ["backup:DeleteRecoveryPoint", "backup:UpdateRecoveryPointLifecycle", "backup:DeleteBackupVault",
                "backup:PutBackupVaultAccessPolicy"]});
        let open = json!({"Effect": "Allow", "Principal": {"AWS": "999988887777"}, "NotAction": "backup:List*"});
        let before = policy(Some(json!({"Version": "2012-10-17", "Statement": open})));
        let after = policy(Some(json!({"Version": "2012-10-17", "Statement": [deny]})));
        let shown = shown(after, before);
        insta::assert_snapshot!(shown, @r"
        - statement: Allow all but backup:List* (#4a745c)
        + statement `NoDeletion`: Deny backup:DeleteRecoveryPoint, backup:UpdateRecoveryPointLifecycle, backup:DeleteBackupVault and 1 more (#5fba24)
        ");
        assert!(!shown.contains("999988887777"));
    }

    #[test]
    fn a_statement_whose_condition_changed_is_not_the_same() {
        let with = |condition: &str| {
            policy(Some(json!({"Statement": [{"Sid": "A", "Effect": "Deny", "Action": "*", "Condition": condition}]})))
        };
        assert_eq!(step(with("one"), with("two")).changes().len(), 2);
    }

    #[test]
    fn names_stay_on_their_line_and_a_long_change_is_cut() {
        let rules = (0..40).map(|number| LifecycleRule { id: format!("r\n{number}"), ..LifecycleRule::default() });
        let lines = step(lifecycle(rules.collect()), lifecycle(Vec::new())).changes();
        assert_eq!(lines.len(), LINES + 1);
        assert!(lines.iter().all(|line| !line.contains('\n')));
        assert_eq!(lines.last().map(String::as_str), Some("  … and 28 more"));
    }
}
