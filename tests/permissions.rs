//! The roles that users deploy, the code's own lists, and what the actions need: all the same.

use std::collections::BTreeSet;

use keepwatch::domain::action::permissions::RolePermissions;
use keepwatch::domain::action::quarantine::user_policy;
use keepwatch::domain::action::{Action, KeyStatus, RoleChange, RoleSession, Strength, UserChange};
use keepwatch::domain::region::Partition;
use keepwatch::domain::resource::bucket::{BucketChange, Versioning};
use keepwatch::domain::resource::key::KeyChange;
use keepwatch::domain::resource::table::TableChange;
use keepwatch::domain::resource::trail::{TrailChange, TrailSettings};
use keepwatch::domain::resource::vault::VaultChange;
use keepwatch::domain::resource::{Change, Place};
use keepwatch::rules::strategy::matches_glob;
use serde_json::Value;

const MEMBER: &str = include_str!("../deploy/member.yaml");

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
    let policy = "q".to_owned();
    let session = RoleSession { unique_id: "AROA:s".into(), issued_before: "2026-01-01T00:00:00Z".into() };
    let (strength, status) = (Strength::Hard, KeyStatus::Inactive);
    let user = |change| Action::User { user: "eve".to_owned(), change };
    let role = |change| Action::Role { role: "r".to_owned(), change };
    let mut actions = vec![
        user(UserChange::Quarantine { policy: policy.clone(), strength }),
        user(UserChange::Release { policy: policy.clone() }),
        user(UserChange::AttachDenyAll),
        user(UserChange::DetachDenyAll),
        user(UserChange::SetAccessKey { key_id: "k".to_owned(), status }),
        role(RoleChange::QuarantineSession { session, policy: policy.clone(), strength }),
        role(RoleChange::Release { policy }),
    ];
    let on = |change: Change| {
        let account = "111122223333".parse().unwrap();
        let place = Place { kind: change.kind(), account, region: "eu-west-1".parse().unwrap(), name: "n".to_owned() };
        Action::Resource { place, change }
    };
    actions.extend(every_change().into_iter().map(on));
    actions
}

fn every_change() -> Vec<Change> {
    let title = || "n".to_owned();
    vec![
        BucketChange::SetVersioning(Versioning::Enabled).into(),
        BucketChange::SetLifecycle(Vec::new()).into(),
        VaultChange::Hold { title: title() }.into(),
        VaultChange::ReleaseHold { title: title() }.into(),
        VaultChange::SetPolicy(Some(serde_json::json!({}))).into(),
        VaultChange::SetPolicy(None).into(),
        VaultChange::Copy { recovery_point: title(), destination: title(), role: title() }.into(),
        KeyChange::CancelDeletion.into(),
        KeyChange::Enable.into(),
        KeyChange::Disable.into(),
        TrailChange::Create(TrailSettings::default()).into(),
        TrailChange::Update(TrailSettings::default()).into(),
        TrailChange::SetLogging(true).into(),
        TrailChange::SetLogging(false).into(),
        TableChange::SetRecoveryDays(35).into(),
        TableChange::SetDeletionProtection(true).into(),
    ]
}

#[test]
fn the_deployed_read_role_may_do_what_the_code_reads_and_no_more() {
    assert_eq!(allowed(MEMBER, "ReadRole"), RolePermissions::needed().read);
}

#[test]
fn the_deployed_respond_role_may_do_what_the_actions_need_and_no_more() {
    assert_eq!(allowed(MEMBER, "RespondRole"), RolePermissions::needed().respond);
}

#[test]
fn the_respond_list_is_the_union_of_what_the_actions_need() {
    let actions = every_action();
    let needed: BTreeSet<&str> = actions.iter().flat_map(|action| action.permissions().iter().copied()).collect();
    assert_eq!(needed, RolePermissions::needed().respond);
}

#[test]
fn no_action_may_touch_everything_but_a_hold_that_has_no_name_yet() {
    let account = "111122223333".parse().unwrap();
    for action in every_action() {
        let wide = action.resource_arns(Partition::Aws, &account).iter().any(|arn| arn == "*");
        let hold = matches!(action, Action::Resource { change: Change::Vault(VaultChange::Hold { .. }), .. });
        assert_eq!(wide, hold, "{action}");
    }
}

#[test]
fn a_session_policy_fits_into_the_request_that_carries_it() {
    let account = "111122223333".parse().unwrap();
    for action in every_action() {
        assert!(action.session_policy(Partition::AwsUsGov, &account).len() < 2048, "{action}");
    }
}

/// What the policies' data calls destructive.
fn destructive() -> Vec<String> {
    let data: Value = serde_json::from_str(include_str!("../policies/data/destructive/data.json")).unwrap();
    let services = data["actions"].as_object().unwrap().values();
    let actions = services.flat_map(|actions| actions.as_object().unwrap().values());
    actions.map(|action| action.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_soft_quarantine_denies_all_that_the_rules_call_destructive_and_every_way_on() {
    let document: Value = serde_json::from_str(&user_policy(Strength::Soft)).unwrap();
    let denied: Vec<&str> =
        document["Statement"][0]["Action"].as_array().unwrap().iter().map(|action| action.as_str().unwrap()).collect();
    let ways_on =
        ["sts:AssumeRoot", "sts:GetFederationToken", "iam:PassRole", "lambda:UpdateFunctionCode", "ssm:SendCommand"];
    let wanted = destructive().into_iter().chain(ways_on.map(str::to_owned));
    let open: Vec<String> =
        wanted.filter(|action| !denied.iter().any(|pattern| matches_glob(pattern, action))).collect();
    assert_eq!(open, [""; 0]);
}
