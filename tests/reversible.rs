//! A property of every repair: acting is idempotent and reversible, whatever was there before.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use keepwatch::config::Config;
use keepwatch::domain::action::containment::UserState;
use keepwatch::domain::action::{KeyStatus, Strength};
use keepwatch::domain::cloud::CloudError;
use keepwatch::domain::outcome::{Outcome, StepOutcome};
use keepwatch::domain::plan::{Plan, Step};
use keepwatch::domain::principal::{Principal, PrincipalKind};
use keepwatch::domain::resource::bucket::{BucketDesired, LifecycleRule, Versioning};
use keepwatch::domain::resource::key::KeyLive;
use keepwatch::domain::resource::trail::{TrailDesired, TrailLive, TrailSettings};
use keepwatch::domain::resource::vault::{VaultDesired, VaultState};
use keepwatch::domain::resource::{Desired, Kind, Place, Target};
use keepwatch::domain::response::Response;
use keepwatch::ops::metrics::Stopwatch;
use keepwatch::respond::execute::{Executor, WriteDoor};
use keepwatch::respond::plan::{DesiredStates, Planner};
use proptest::prelude::*;
use serde_json::json;

use crate::support::builders::user;
use crate::support::cloud::{FakeCloud, Inside, bucket};

struct Declared(Desired);

impl DesiredStates for Declared {
    async fn desired(&self, _: &Place) -> Result<Desired, CloudError> {
        Ok(self.0.clone())
    }
}

fn nothing(kind: Kind) -> Declared {
    Declared(Desired::silent(kind))
}

fn config() -> Config {
    Config::parse(include_str!("../accounts.toml")).unwrap()
}

fn target(kind: Kind, name: &str) -> Target {
    let (account, region) = ("111122223333".parse().unwrap(), "eu-west-1".parse().unwrap());
    Target::from(&Place { kind, account, region, name: name.to_owned() })
}

fn mallory() -> Box<Principal> {
    Box::new(Principal {
        account: Some("111122223333".to_owned()),
        name: Some("mallory".to_owned()),
        arn: Some("arn:aws:iam::111122223333:user/mallory".to_owned()),
        unique_id: Some("AIDAMALLORY".to_owned()),
        ..user()
    })
}

async fn plan(response: &Response, cloud: &FakeCloud, desired_states: &Declared) -> Vec<Step> {
    let config = config();
    let planner =
        Planner { readers: cloud, config: &config, desired_states, incident: "KW-TEST", now: Timestamp::UNIX_EPOCH };
    planner.steps(response).await.unwrap()
}

async fn execute(steps: Vec<Step>, cloud: &FakeCloud) -> Outcome {
    let (config, stopwatch) = (config(), Stopwatch::idle());
    let (door, claim) = (&WriteDoor::new(cloud.clone()), "KW-TEST/1".to_owned());
    let (config, stopwatch) = (&config, &stopwatch);
    let executor = Executor { readers: cloud, door, config, incident: "KW-TEST", claim, begun: false, stopwatch };
    let plan = Plan { account: "111122223333".parse().unwrap(), steps, proposed: false };
    executor.execute(&plan).await
}

/// Acts, plans again (nothing is left), undoes, and gives what is there then.
async fn there_and_back(response: Response, inside: Inside, desired_states: Declared) -> Inside {
    let cloud = FakeCloud { inside: Arc::new(std::sync::Mutex::new(inside)), ..FakeCloud::default() };
    let steps = plan(&response, &cloud, &desired_states).await;
    let outcome = execute(steps.clone(), &cloud).await;
    assert!(outcome.steps.iter().all(|step| *step == StepOutcome::Done), "{outcome:?}");
    let again = plan(&response, &cloud, &desired_states).await;
    assert!(again.is_empty(), "left to do after it was done: {again:?}");
    let undo: Vec<Step> = steps.iter().rev().filter_map(Step::inverse).collect();
    execute(undo, &cloud).await;
    let mut after = cloud.inside.lock().unwrap().clone();
    after.applied.clear();
    after
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

fn any_rules() -> impl Strategy<Value = Vec<LifecycleRule>> {
    prop::collection::vec((1..400_i32, any::<bool>()), 0..4).prop_map(|days| {
        let rule = |(number, (days, current)): (usize, (i32, bool))| LifecycleRule {
            id: format!("rule-{number}"),
            status: "Enabled".to_owned(),
            expiration_days: current.then_some(days),
            noncurrent_days: (!current).then_some(days),
            ..LifecycleRule::default()
        };
        days.into_iter().enumerate().map(rule).collect()
    })
}

proptest! {
    #[test]
    fn a_bucket_comes_back_and_its_former_state_can_be_brought_back(
        before in any_rules(), wanted in any_rules(), suspended in any::<bool>()
    ) {
        let versioning = if suspended { Versioning::Suspended } else { Versioning::Enabled };
        let mut live = bucket(versioning);
        live.lifecycle = before;
        let inside = Inside { buckets: BTreeMap::from([("b".to_owned(), live)]), ..Inside::default() };
        let desired = BucketDesired { class: None, versioning: Some(Versioning::Enabled), lifecycle: Some(wanted) };
        let desired_states = Declared(desired.into());
        let after = run(there_and_back(Response::Restore(target(Kind::Bucket, "b")), inside.clone(), desired_states));
        prop_assert_eq!(after, inside);
    }

    #[test]
    fn a_vault_policy_comes_back_and_its_former_one_can_be_brought_back(before in prop::option::of("[a-z]{1,8}")) {
        let policy = before.map(|sid| json!({"Version": "2012-10-17", "Statement": [{"Sid": sid}]}));
        let vault = VaultState { policy, ..VaultState::default() };
        let inside = Inside { vaults: BTreeMap::from([("v".to_owned(), vault)]), ..Inside::default() };
        let desired_states = Declared(VaultDesired { policy: Some(json!({"Statement": []})), copies: None }.into());
        let after = run(there_and_back(Response::Restore(target(Kind::Vault, "v")), inside.clone(), desired_states));
        prop_assert_eq!(after, inside);
    }

    #[test]
    fn a_user_is_contained_and_released_whatever_it_had(
        taken in 0..2_100_usize, keys in prop::collection::btree_map("AKIA[A-Z]{4}", any::<bool>(), 0..3), hard in any::<bool>()
    ) {
        let status = |active| if active { KeyStatus::Active } else { KeyStatus::Inactive };
        let user = UserState {
            inline: BTreeMap::from([("own".to_owned(), "x".repeat(taken))]),
            attached: Vec::new(),
            keys: keys.into_iter().map(|(id, active)| (id, status(active))).collect(),
        };
        let inside = Inside { users: BTreeMap::from([("mallory".to_owned(), user)]), ..Inside::default() };
        let strength = if hard { Strength::Hard } else { Strength::Soft };
        let response = Response::Contain { principal: mallory(), strength };
        let after = run(there_and_back(response, inside.clone(), nothing(Kind::Key)));
        prop_assert_eq!(after, inside);
    }
}

#[test]
fn a_session_of_the_same_name_that_is_issued_later_is_contained_anew() {
    run(async {
        let cloud = FakeCloud::default();
        cloud.inside.lock().unwrap().roles.insert("deployer".to_owned(), BTreeMap::new());
        let contain = |issued: &str| {
            let session = Principal {
                kind: PrincipalKind::AssumedRole,
                name: Some("deployer".to_owned()),
                unique_id: Some("AROAX:build".to_owned()),
                issued_at: Some(issued.to_owned()),
                ..*mallory()
            };
            Response::Contain { principal: Box::new(session), strength: Strength::Soft }
        };
        let (first, later) = (contain("1969-12-31T23:00:00Z"), contain("1970-01-01T00:00:30Z"));
        execute(plan(&first, &cloud, &nothing(Kind::Key)).await, &cloud).await;
        assert_eq!(plan(&first, &cloud, &nothing(Kind::Key)).await, []);
        assert_eq!(plan(&later, &cloud, &nothing(Kind::Key)).await.len(), 1, "the denial is older than the session");
    });
}

#[test]
fn a_stopped_trail_logs_again_and_undo_stops_it() {
    let settings = TrailSettings { bucket: "logs".to_owned(), ..TrailSettings::default() };
    let trail = TrailLive { logging: false, settings, tags: BTreeMap::new() };
    let inside = Inside { trails: BTreeMap::from([("t".to_owned(), trail)]), ..Inside::default() };
    let desired = TrailDesired { logging: Some(true), multi_region: Some(true), settings: None };
    let desired_states = Declared(desired.into());
    let after = run(there_and_back(Response::Restore(target(Kind::Trail, "t")), inside.clone(), desired_states));
    assert_eq!(after, inside);
}

#[test]
fn a_key_whose_deletion_was_called_off_is_left_disabled_by_undo() {
    let key = KeyLive { state: "PendingDeletion".to_owned(), deletion_date: None, tags: BTreeMap::new() };
    let inside = Inside { keys: BTreeMap::from([("k".to_owned(), key)]), ..Inside::default() };
    let after = run(there_and_back(Response::Restore(target(Kind::Key, "k")), inside, nothing(Kind::Key)));
    assert_eq!(after.keys["k"].state, "Disabled");
}

#[test]
fn a_deleted_trail_is_made_again_from_its_baseline() {
    let settings = TrailSettings { bucket: "logs".to_owned(), multi_region: true, ..TrailSettings::default() };
    let desired = TrailDesired { settings: Some(settings.clone()), logging: Some(true), multi_region: None };
    let desired_states = Declared(desired.into());
    let after = run(there_and_back(Response::Restore(target(Kind::Trail, "t")), Inside::default(), desired_states));
    assert_eq!(after.trails["t"].settings, settings);
    assert!(!after.trails["t"].logging, "undo stops it; nothing deletes it");
}

#[test]
fn a_throttled_step_is_postponed_and_stops_no_other() {
    run(async {
        let cloud = FakeCloud::default();
        cloud.inside.lock().unwrap().users.insert(
            "mallory".to_owned(),
            UserState { keys: BTreeMap::from([("AKIA1".to_owned(), KeyStatus::Active)]), ..UserState::default() },
        );
        cloud.fail_next(CloudError::Throttled { call: "iam:PutUserPolicy".to_owned() });
        let response = Response::Contain { principal: mallory(), strength: Strength::Hard };
        let outcome = execute(plan(&response, &cloud, &nothing(Kind::Key)).await, &cloud).await;
        assert!(matches!(outcome.steps[0], StepOutcome::Postponed { .. }), "{outcome:?}");
        assert_eq!(outcome.steps[1], StepOutcome::Done);
        assert!(outcome.worth_retrying().is_some());
    });
}
