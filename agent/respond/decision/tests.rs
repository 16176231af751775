//! What is decided, for each mode, actor and budget.

use super::*;
use crate::domain::examples;
use crate::domain::principal::Flags;

const ACCOUNTS: &str = include_str!("../../../accounts.toml");
const BUCKET: &str = "arn:aws:s3:::securecart-invoices";

fn finding(propose: &[ResponseKind]) -> Finding {
    Finding { resource: Some(BUCKET.to_owned()), ..examples::finding("BKT-01", propose) }
}

fn principal(kind: PrincipalKind, name: &str) -> Principal {
    let named = if kind == PrincipalKind::AssumedRole { examples::role(name) } else { examples::user(name) };
    Principal { kind, ..named }
}

/// What findings lead to, when everything but `change` is as in accounts.toml.
fn decided(
    findings: &[Finding],
    who: Option<Principal>,
    change: impl FnOnce(&mut Config, &mut DecisionContext<'_>),
) -> Decision {
    let shipped = Config::parse(ACCOUNTS).expect("valid");
    let account = shipped.account(&"111122223333".parse().expect("an id")).expect("watched");
    let (mut config, past) = (shipped.clone(), BTreeMap::new());
    let mut detection = DecisionContext {
        config: &shipped,
        account,
        principal: who.as_ref(),
        usage: Usage::default(),
        usage_everywhere: Usage::default(),
        past: &past,
        now: "2026-06-01T12:00:00Z".parse().expect("a time"),
    };
    change(&mut config, &mut detection);
    decide(findings, &DecisionContext { config: &config, ..detection })
}

fn says(decision: &Decision, words: &str) -> bool {
    decision.reasons.iter().any(|reason| reason.because.to_string().contains(words))
}

#[test]
fn an_enforced_finding_contains_and_restores_at_once() {
    let decision = decided(
        &[finding(&[ResponseKind::Restore, ResponseKind::Contain])],
        Some(principal(PrincipalKind::IamUser, "mallory")),
        |_, _| {},
    );
    assert!(
        matches!(decision.act.as_slice(), [Response::Contain { strength: Strength::Soft, .. }, Response::Restore(_)]),
        "{decision:?}"
    );
    assert!(decision.ask.is_empty());
}

#[test]
fn the_least_of_the_three_modes_decides() {
    for (mode, acts, asks) in [(Mode::Observe, 0, 0), (Mode::Alert, 0, 0), (Mode::Approve, 0, 1), (Mode::Enforce, 1, 0)]
    {
        let decision = decided(&[finding(&[ResponseKind::Restore])], None, |config, _| config.mode = mode);
        assert_eq!((decision.act.len(), decision.ask.len()), (acts, asks), "global mode {mode}");
        let mut cautious = finding(&[ResponseKind::Restore]);
        cautious.rule.mode = mode;
        let decision = decided(&[cautious], None, |_, _| {});
        assert_eq!((decision.act.len(), decision.ask.len()), (acts, asks), "rule mode {mode}");
    }
}

#[test]
fn an_exemption_holds_until_the_end_of_its_last_day() {
    let exempt = |config: &mut Config| {
        config.exemptions.push(Exemption {
            rule: "BKT-01".to_owned(),
            resource: "arn:aws:s3:::securecart-*".to_owned(),
            reason: "migration".to_owned(),
            owner: "alice".to_owned(),
            expires: "2026-06-01".parse().expect("a date"),
        });
    };
    let on_the_day = decided(&[finding(&[ResponseKind::Restore])], None, |config, _| exempt(config));
    assert!(on_the_day.act.is_empty() && says(&on_the_day, "exempt until 2026-06-01 by alice: migration"));
    let the_day_after = decided(&[finding(&[ResponseKind::Restore])], None, |config, detection| {
        exempt(config);
        detection.now = "2026-06-02T00:00:00Z".parse().expect("a time");
    });
    assert_eq!(the_day_after.act.len(), 1);
}

#[test]
fn nobody_is_contained_where_no_event_says_who_did_it() {
    let decision = decided(&[finding(&[ResponseKind::Contain, ResponseKind::Restore])], None, |_, _| {});
    assert!(matches!(decision.act.as_slice(), [Response::Restore(_)]));
    assert!(says(&decision, "nobody to contain"));
}

#[test]
fn the_never_list_asks_instead() {
    let never = [
        principal(PrincipalKind::AssumedRole, "KeepwatchRespond"),
        principal(PrincipalKind::AssumedRole, "AWSBackupDefaultServiceRole"),
        principal(PrincipalKind::AssumedRole, "s3crr_role_for_invoices"),
        principal(PrincipalKind::AssumedRole, "securecart-payments"),
        principal(PrincipalKind::IamUser, "break-glass"),
    ];
    for who in never {
        let name = who.name.clone();
        let decision = decided(&[finding(&[ResponseKind::Contain])], Some(who), |_, _| {});
        assert!(decision.act.is_empty(), "{name:?}");
        assert_eq!(decision.ask.len(), 1, "{name:?}");
    }
}

#[test]
fn what_iam_cannot_bind_is_left_to_people_with_advice() {
    for kind in [PrincipalKind::Root, PrincipalKind::Service, PrincipalKind::RoleSessionSso, PrincipalKind::Unknown] {
        let decision = decided(&[finding(&[ResponseKind::Contain])], Some(principal(kind, "x")), |_, _| {});
        assert!(decision.act.is_empty() && decision.ask.is_empty(), "{kind:?}");
        assert!(says(&decision, "cannot be contained"), "{kind:?}");
    }
}

#[test]
fn a_user_named_like_our_role_is_no_friend() {
    let decision = decided(
        &[finding(&[ResponseKind::Contain])],
        Some(principal(PrincipalKind::IamUser, "KeepwatchRespond")),
        |_, _| {},
    );
    assert_eq!(decision.act.len(), 1);
}

#[test]
fn a_principal_of_an_unwatched_account_is_out_of_reach() {
    let mut stranger = principal(PrincipalKind::IamUser, "mallory");
    stranger.account = Some("999988887777".to_owned());
    let decision = decided(&[finding(&[ResponseKind::Contain])], Some(stranger), |_, _| {});
    assert!(decision.act.is_empty() && decision.ask.is_empty());
    assert!(says(&decision, "not in accounts.toml"));
}

#[test]
fn a_used_up_budget_asks() {
    let mallory = || Some(principal(PrincipalKind::IamUser, "mallory"));
    let here = decided(&[finding(&[ResponseKind::Contain])], mallory(), |_, detection| detection.usage.soft = 10);
    assert_eq!((here.act.len(), here.ask.len()), (0, 1));
    let everywhere =
        decided(&[finding(&[ResponseKind::Contain])], mallory(), |_, detection| detection.usage_everywhere.soft = 30);
    assert_eq!((everywhere.act.len(), everywhere.ask.len()), (0, 1));
    let hard = decided(&[finding(&[ResponseKind::ContainHard])], mallory(), |_, detection| detection.usage.hard = 3);
    assert_eq!((hard.act.len(), hard.ask.len()), (0, 1));
    let repairs = decided(&[finding(&[ResponseKind::Restore])], None, |_, detection| detection.usage.repairs = 20);
    assert_eq!((repairs.act.len(), repairs.ask.len()), (0, 1));
}

#[test]
fn the_third_repair_within_an_hour_is_a_fight() {
    let past = BTreeMap::from([(BUCKET.to_owned(), RecentRepairs { repairs: 3, taken_back: false })]);
    let decision = decided(&[finding(&[ResponseKind::Restore])], None, |_, detection| detection.past = leaked(past));
    assert_eq!((decision.act.len(), decision.ask.len()), (0, 1));
    assert!(says(&decision, "a fight over"));
}

#[test]
fn what_people_undid_is_not_restored_without_approval() {
    let past = BTreeMap::from([(BUCKET.to_owned(), RecentRepairs { repairs: 1, taken_back: true })]);
    let decision = decided(&[finding(&[ResponseKind::Restore])], None, |_, detection| detection.past = leaked(past));
    assert_eq!((decision.act.len(), decision.ask.len()), (0, 1));
    assert!(says(&decision, "was undone within the day"));
}

#[test]
fn the_stronger_of_two_containments_wins_and_nothing_is_done_twice() {
    let both = [
        finding(&[ResponseKind::Contain, ResponseKind::Restore]),
        finding(&[ResponseKind::ContainHard, ResponseKind::Restore]),
    ];
    let decision = decided(&both, Some(principal(PrincipalKind::IamUser, "mallory")), |_, _| {});
    assert!(
        matches!(decision.act.as_slice(), [Response::Contain { strength: Strength::Hard, .. }, Response::Restore(_)]),
        "{decision:?}"
    );
}

/// A test's past outlives the test.
fn leaked(past: BTreeMap<String, RecentRepairs>) -> &'static BTreeMap<String, RecentRepairs> {
    Box::leak(Box::new(past))
}

#[test]
fn what_an_approved_principal_does_is_recorded_and_nothing_else() {
    let approved = Finding { approved: Some("may_change".to_owned()), ..finding(&[ResponseKind::Contain]) };
    let decision = decided(&[approved], Some(principal(PrincipalKind::IamUser, "ops")), |_, _| {});
    assert!(decision.act.is_empty() && decision.ask.is_empty(), "{decision:?}");
    assert!(says(&decision, "approved by `data.approved.may_change`"), "{decision:?}");
    assert_eq!(decision.reasons[0].mode, Mode::Observe);
}

#[test]
fn what_keepwatch_itself_did_is_recorded_and_nothing_else() {
    let own = Principal {
        flags: Flags { agent: true, ..Flags::default() },
        ..principal(PrincipalKind::AssumedRole, "KeepwatchRespond")
    };
    let both = [finding(&[ResponseKind::Contain, ResponseKind::Restore])];
    let decision = decided(&both, Some(own), |_, _| {});
    assert!(decision.act.is_empty() && decision.ask.is_empty(), "{decision:?}");
    assert!(says(&decision, "Keepwatch itself did it"), "{decision:?}");
}

#[test]
fn the_mode_of_the_actor_s_own_account_counts_too() {
    let mut guest = principal(PrincipalKind::AssumedRole, "deployer");
    guest.account = Some("333344445555".to_owned()); // in mode `alert`
    for (mode, acts, asks) in [(Mode::Alert, 0, 0), (Mode::Approve, 0, 1), (Mode::Enforce, 1, 0)] {
        let decision = decided(&[finding(&[ResponseKind::Contain])], Some(guest.clone()), |config, _| {
            let home = format!("mode = \"{mode}\"");
            *config = Config::parse(&ACCOUNTS.replace("mode = \"alert\"", &home)).expect("valid");
        });
        assert_eq!((decision.act.len(), decision.ask.len()), (acts, asks), "{mode}");
        assert_eq!(says(&decision, "account `securecart-security` is in mode `alert`"), mode == Mode::Alert);
    }
}
