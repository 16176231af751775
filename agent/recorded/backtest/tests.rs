//! Cases to try on, and the comparison as a whole.

use jiff::SignedDuration;

use super::report::{About, Basis, Report, Trend};
use super::*;
use crate::domain::examples;
use crate::domain::examples::ACCOUNT;
use crate::domain::finding::{ResponseKind, Severity};
use crate::recorded::replay::Counts;

pub(super) fn finding(rule: &str, resource: Option<&str>, propose: &[ResponseKind]) -> Finding {
    let rule = Rule { severity: Severity::High, ..examples::rule(rule) };
    Finding { rule, resource: resource.map(str::to_owned), ..examples::finding("", propose) }
}

pub(super) fn enforcing() -> Config {
    Config::of_accounts(vec![examples::account()])
}

/// What a user did so many minutes after noon, without findings.
pub(super) fn case(minute: i64, user: &str) -> EventComparison {
    let noon: Timestamp = "2026-03-04T12:00:00Z".parse().unwrap();
    let id = format!("{user}-{minute}");
    let principal = examples::user(user);
    let correlation = format!("{ACCOUNT}/{}", principal.arn.clone().unwrap());
    EventComparison {
        file: "a.json".to_owned(),
        line: 1,
        key: format!("{id}:{ACCOUNT}"),
        id,
        name: "DeleteRecoveryPoint".to_owned(),
        time: noon.checked_add(SignedDuration::from_mins(minute)).unwrap(),
        region: "eu-west-1".to_owned(),
        account: examples::account_id(),
        principal,
        correlation,
        old: Vec::new(),
        new: Vec::new(),
    }
}

/// One finding that appears and contains, one that both sides have.
pub(super) fn two_cases() -> Vec<EventComparison> {
    let mut first = case(0, "mallory");
    first.new.push(finding("A-1", None, &[ResponseKind::Contain]));
    let mut second = case(1, "alice");
    second.old.push(finding("B-1", None, &[]));
    second.new.push(finding("B-1", None, &[]));
    vec![first, second]
}

pub(super) fn report_of(cases: Vec<EventComparison>) -> Report {
    let config = enforcing();
    let mut backtest = Backtest::new(&config);
    cases.into_iter().for_each(|case| backtest.take(case));
    let side = |name: &str| (name.to_owned(), "0".repeat(64), 2);
    let about = About {
        sides: [side("old"), side("new")],
        basis: Basis::EveryAccountEnforces,
        read: (1, Counts::default()),
        evaluated: 2,
        rules: rules::RuleChanges::default(),
    };
    Report::of(backtest, about)
}

#[test]
fn what_appears_is_counted_by_rule_and_principal_and_shown() {
    let report = report_of(two_cases());
    let all = report.findings.all;
    assert_eq!((all.old, all.new, all.appeared, all.vanished, all.changed), (1, 2, 1, 0, 0));
    let first = &report.findings.by_rule.rows[0];
    assert_eq!((first.name.as_str(), first.findings.appeared), ("A-1", 1));
    assert!(report.findings.by_principal.rows[0].name.ends_with("user/mallory"));
    let [group] = report.findings.groups.as_slice() else { panic!("one group appears") };
    assert_eq!((group.group.count, group.group.examples[0].event_id.as_str()), (1, "mallory-0"));
}

#[test]
fn a_new_containment_is_distinguished_from_one_of_both_sides() {
    let report = report_of(two_cases());
    assert_eq!((report.containments.old, report.containments.new, report.containments.appeared), (0, 1, 1));
    assert_eq!(report.containments.rows[0].change, Trend::Appeared);
    assert_eq!((report.old.answers.threads, report.new.answers.threads), (1, 2));

    let mut harder = case(0, "mallory");
    harder.old.push(finding("A-1", None, &[ResponseKind::Contain]));
    harder.new.push(finding("A-1", None, &[ResponseKind::ContainHard]));
    let report = report_of(vec![harder]);
    assert_eq!(report.containments.rows[0].change, Trend::Harder);
    assert_eq!((report.containments.new, report.containments.appeared, report.findings.all.changed), (1, 1, 1));
}

#[test]
fn an_event_that_stands_in_two_files_is_answered_once() {
    let [first, _] = two_cases().try_into().unwrap();
    let report = report_of(vec![first.clone(), first]);
    assert_eq!((report.findings.all.new, report.new.answers.cases, report.not_answered.repeated), (2, 1, 1));
}

#[test]
fn an_account_that_nobody_watches_is_not_answered() {
    let mut cases = two_cases();
    cases[0].account = "999988887777".parse().unwrap();
    let report = report_of(cases);
    assert_eq!((report.not_answered.unwatched, report.new.answers.cases), (1, 1));
    assert_eq!(report.findings.all.new, 2, "its findings count all the same");
}

#[test]
fn a_limit_holds_up_to_its_number() {
    let report = report_of(two_cases());
    let limits = gates::Limits { new_findings: Some(0), new_containments: Some(1), ..gates::Limits::default() };
    let gates = limits.measure(&report);
    assert_eq!(gates.iter().map(|gate| gate.holds).collect::<Vec<_>>(), [false, true]);
    assert_eq!(gates[0].to_string(), "1 new findings: 1 over the limit (`--max-new-findings 0`)");
}
