//! The roles that users deploy, the code's own lists, and what the actions need: all the same.

use std::collections::BTreeSet;

use keepwatch::domain::action::permissions::{READ, RESPOND};
use keepwatch::domain::action::{Action, KeyStatus, RoleSession, Strength};
use keepwatch::domain::resource::bucket::Versioning;
use keepwatch::domain::resource::trail::TrailSettings;

const MEMBER: &str = include_str!("../deploy/member.yaml");

fn set<'a>(permissions: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    permissions.into_iter().collect()
}

/// The lines of one resource of the template.
fn resource<'a>(template: &'a str, name: &str) -> Vec<&'a str> {
    let heading = format!("  {name}:");
    let inside = template.lines().skip_while(|line| **line != heading).skip(1);
    inside.take_while(|line| line.is_empty() || line.starts_with("   ")).collect()
}

/// What a role of the template is allowed by its own policies; who may assume it is not asked.
fn allowed<'a>(template: &'a str, role: &str) -> BTreeSet<&'a str> {
    let lines = resource(template, role);
    let mut lines = lines.into_iter().map(str::trim).skip_while(|line| *line != "Policies:").peekable();
    let (mut effect, mut found) = ("", BTreeSet::new());
    while let Some(line) = lines.next() {
        if let Some(said) = line.strip_prefix("Effect: ") {
            effect = said;
        }
        let Some(inline) = line.strip_prefix("Action:") else { continue };
        let mut actions: Vec<&str> = inline.split(&['[', ']', ',', ' '][..]).collect();
        while let Some(item) = lines.next_if(|line| inline.is_empty() && line.starts_with("- ")) {
            actions.push(&item[2..]);
        }
        if effect == "Allow" {
            found.extend(actions.into_iter().filter(|action| !action.is_empty()));
        }
    }
    found
}

/// One of each kind, and of each form that needs other permissions.
fn every_action() -> Vec<Action> {
    let (region, user, policy) = ("eu-west-1".to_owned(), "eve".to_owned(), "q".to_owned());
    let session =
        RoleSession { role: "r".into(), unique_id: "AROA:s".into(), issued_before: "2026-01-01T00:00:00Z".into() };
    let (strength, status, settings) = (Strength::Hard, KeyStatus::Inactive, TrailSettings::default());
    let name = || "n".to_owned();
    vec![
        Action::QuarantineUser { user: user.clone(), policy: policy.clone(), strength },
        Action::ReleaseUser { user: user.clone(), policy: policy.clone() },
        Action::AttachDenyAll { user: user.clone() },
        Action::DetachDenyAll { user: user.clone() },
        Action::SetAccessKey { user, key_id: name(), status },
        Action::QuarantineSession { session, policy: policy.clone(), strength },
        Action::ReleaseSession { role: name(), policy },
        Action::HoldVault { region: region.clone(), vault: name(), title: name() },
        Action::ReleaseHold { region: region.clone(), title: name() },
        Action::SetVersioning { region: region.clone(), bucket: name(), versioning: Versioning::Enabled },
        Action::SetLifecycle { region: region.clone(), bucket: name(), rules: Vec::new() },
        Action::SetVaultPolicy { region: region.clone(), vault: name(), policy: Some(serde_json::json!({})) },
        Action::SetVaultPolicy { region: region.clone(), vault: name(), policy: None },
        Action::CancelKeyDeletion { region: region.clone(), key: name() },
        Action::EnableKey { region: region.clone(), key: name() },
        Action::DisableKey { region: region.clone(), key: name() },
        Action::CreateTrail { region: region.clone(), trail: name(), settings: settings.clone() },
        Action::UpdateTrail { region: region.clone(), trail: name(), settings },
        Action::SetLogging { region: region.clone(), trail: name(), logging: true },
        Action::SetLogging { region: region.clone(), trail: name(), logging: false },
        Action::CopyRecoveryPoint { region, vault: name(), recovery_point: name(), destination: name(), role: name() },
    ]
}

#[test]
fn the_deployed_read_role_may_do_what_the_code_reads_and_no_more() {
    assert_eq!(allowed(MEMBER, "ReadRole"), set(READ.iter().copied()));
}

#[test]
fn the_deployed_respond_role_may_do_what_the_actions_need_and_no_more() {
    assert_eq!(allowed(MEMBER, "RespondRole"), set(RESPOND.iter().copied()));
}

#[test]
fn the_respond_list_is_the_union_of_what_the_actions_need() {
    let actions = every_action();
    let needed = actions.iter().flat_map(|action| action.permissions().iter().copied());
    assert_eq!(set(needed), set(RESPOND.iter().copied()));
}

#[test]
fn no_action_may_touch_everything_but_a_hold_that_has_no_name_yet() {
    let account = "111122223333".parse().unwrap();
    for action in every_action() {
        let wide = action.resource_arns(&account).iter().any(|arn| arn == "*");
        assert_eq!(wide, matches!(action, Action::HoldVault { .. }), "{action}");
    }
}

#[test]
fn a_session_policy_fits_into_the_request_that_carries_it() {
    let account = "111122223333".parse().unwrap();
    for action in every_action() {
        assert!(action.session_policy(&account).len() < 2048, "{action}");
    }
}
