//! The edge itself, against the lab: what it reads is what is there, and each action's one
//! call does what the action says, with a session that can do nothing else.

use keepwatch::aws::Aws;
use keepwatch::config::Config;
use keepwatch::domain::account::Account;
use keepwatch::domain::action::{Action, KeyStatus, RoleSession, Strength};
use keepwatch::domain::cloud::{CloudError, CloudRead, CloudWrite, Readers, Writers};
use keepwatch::domain::resource::bucket::Versioning;
use keepwatch::domain::resource::bucket::{LifecycleRule, Transition};
use keepwatch::domain::resource::trail::{EventSelector, Selectors};
use keepwatch::ops::waited;
use serde_json::{Value, json};

use crate::support::lab::{As, BACKUP, Lab, PRODUCTION, REGION, SECURITY};

const INCIDENT: &str = "INC-edge";
const TOKEN: &str = "one plan";

/// The edge in a lab.
struct Edge {
    aws: Aws,
    config: Config,
    lab: Lab,
}

/// Runs a test in a lab of its own.
fn in_lab<F: Future<Output = ()>>(test: impl FnOnce(Edge) -> F) {
    after(|_| (), test);
}

/// The same, after something was done to the lab.
fn after<F: Future<Output = ()>>(response: impl FnOnce(&Lab), test: impl FnOnce(Edge) -> F) {
    let lab = Lab::start();
    response(&lab);
    let config = Config::load("accounts.toml".as_ref()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { test(Edge { aws: Aws::new(lab.settings(), &config), config, lab }).await });
}

impl Edge {
    fn account(&self, id: &str) -> &Account {
        self.config.account(&id.parse().unwrap()).unwrap()
    }

    fn world(&self, key: &str) -> &str {
        self.lab.ready["world"][key].as_str().unwrap()
    }

    async fn reads(&self) -> impl CloudRead + use<> {
        self.aws.reader(self.account(PRODUCTION)).await.unwrap()
    }

    async fn apply(&self, action: Action) -> Result<(), CloudError> {
        self.apply_with(action, TOKEN).await
    }

    async fn apply_with(&self, action: Action, token: &str) -> Result<(), CloudError> {
        let writer = self.aws.write_access().writer(self.account(PRODUCTION), INCIDENT, &action).await?;
        writer.apply(&action, token).await
    }

    async fn done(&self, action: Action) {
        let said = action.to_string();
        self.apply(action).await.unwrap_or_else(|error| panic!("{said}: {error}"));
    }

    async fn control(&self, path: &str, body: Value) {
        reqwest::Client::new().post(self.url(path)).json(&body).send().await.unwrap().error_for_status().unwrap();
    }

    /// CloudTrail's records of one operation.
    async fn records(&self, operation: &str) -> Vec<Value> {
        let all: Vec<Value> = reqwest::get(self.url("records?since=0")).await.unwrap().json().await.unwrap();
        let records = all.into_iter().map(|mut one| one["record"].take());
        records.filter(|record| record["eventName"] == operation).collect()
    }

    fn url(&self, path: &str) -> String {
        format!("{}/_lab/{path}", self.lab.ready["endpoint"].as_str().unwrap())
    }
}

fn region() -> String {
    REGION.to_owned()
}

#[test]
fn the_agent_finds_itself_its_queue_its_rule_and_its_organisation() {
    in_lab(async |edge| {
        let identity = edge.aws.identity().await.unwrap();
        assert_eq!(identity.account.as_str(), SECURITY);
        assert!(identity.arn.contains("assumed-role/KeepwatchAgent/"), "{}", identity.arn);
        let rules = edge.aws.rules("keepwatch").await.unwrap();
        assert!(rules.iter().any(|rule| rule.name == "keepwatch-to-queue" && rule.enabled), "{rules:?}");
        let targets = edge.aws.targets("keepwatch", "keepwatch-to-queue").await.unwrap();
        assert_eq!(targets, [edge.world("queue_arn")]);
        let members = edge.aws.organisation().await.unwrap();
        assert!(members.iter().any(|member| member.id.as_str() == BACKUP && member.status == "ACTIVE"), "{members:?}");
        let queue = edge.aws.queue(&edge.config.intake).await.unwrap();
        assert_eq!(queue.receive(10, 0, 30).await.unwrap(), []);
    });
}

#[test]
fn what_is_read_is_what_is_there() {
    in_lab(async |edge| {
        let (cloud, waited) = waited::measuring(edge.reads()).await;
        assert!(!waited.is_zero());
        users_and_buckets(&edge, &cloud).await;
        backups(&edge, &cloud).await;
        keys_and_trails(&edge, &cloud).await;
    });
}

async fn users_and_buckets(edge: &Edge, cloud: &impl CloudRead) {
    let user = cloud.user("ci-deployer").await.unwrap();
    let document: Value = serde_json::from_str(&user.inline["deploy"]).unwrap();
    assert_eq!(document["Statement"][0]["Action"], "*");
    assert_eq!(user.keys[edge.lab.ready["attacker"]["access_key_id"].as_str().unwrap()], KeyStatus::Active);
    assert_eq!(cloud.user("alice").await.unwrap().attached, ["arn:aws:iam::aws:policy/AdministratorAccess"]);
    assert_eq!(cloud.user("nobody").await.unwrap_err(), CloudError::Gone { target: "nobody".into() });
    assert!(cloud.role_policies("securecart-app").await.unwrap().contains_key("app"));

    let buckets = cloud.buckets().await.unwrap();
    assert!(buckets.iter().any(|place| place.name == "securecart-images" && place.region == REGION), "{buckets:?}");
    assert_eq!(cloud.bucket_region("securecart-images").await.unwrap(), REGION);
    let bucket = cloud.bucket(REGION, "securecart-images").await.unwrap();
    assert_eq!((bucket.versioning, bucket.mfa_delete), (Versioning::Enabled, false));
    assert_eq!(bucket.lifecycle[0].noncurrent_days, Some(35));
    assert_eq!(bucket.tags["keepwatch:protected"], "true");
    assert!(matches!(cloud.bucket(REGION, "no-such-bucket-here").await, Err(CloudError::Gone { .. })));
}

async fn backups(edge: &Edge, cloud: &impl CloudRead) {
    let name = edge.world("vault");
    assert_eq!(cloud.vaults(REGION).await.unwrap(), [name]);
    let vault = cloud.vault(REGION, name).await.unwrap();
    assert_eq!((vault.arn.as_str(), vault.locked), (edge.world("vault_arn"), false));
    assert_eq!(vault.policy.unwrap()["Statement"][0]["Effect"], "Deny");
    assert_eq!(vault.tags["keepwatch:protected"], "true");
    assert_eq!(cloud.vault("eu-central-1", "securecart-vault-dr").await.unwrap().policy, None);
    assert!(matches!(cloud.vault(REGION, "no-vault").await, Err(CloudError::Gone { .. })));
    assert!(matches!(cloud.recovery_points(REGION, "no-vault").await, Err(CloudError::Gone { .. })));
    let points = cloud.recovery_points(REGION, name).await.unwrap();
    assert_eq!(points.len(), 6);
    assert!(
        points
            .iter()
            .all(|point| point.status == "COMPLETED" && point.role.as_deref() == Some(edge.world("backup_role")))
    );
    assert_eq!(cloud.copy_jobs(REGION, edge.world("dr_vault_arn")).await.unwrap(), []);
    assert_eq!(cloud.legal_holds(REGION).await.unwrap(), []);
}

async fn keys_and_trails(edge: &Edge, cloud: &impl CloudRead) {
    assert_eq!(cloud.keys(REGION).await.unwrap(), [edge.world("kms_key_arn")]);
    let key = cloud.key(REGION, edge.world("kms_key_arn")).await.unwrap();
    assert_eq!((key.state.as_str(), key.deletion_date), ("Enabled", None));
    assert_eq!(key.tags["keepwatch:protected"], "true");

    assert_eq!(cloud.trails(REGION).await.unwrap(), ["securecart-trail"]);
    assert_eq!(cloud.trails("eu-central-1").await.unwrap(), [""; 0]);
    let trail = cloud.trail(REGION, "securecart-trail").await.unwrap();
    assert!(trail.logging && trail.settings.multi_region && trail.settings.log_file_validation);
    assert_eq!(trail.settings.bucket, edge.world("trail_bucket"));
    assert_eq!(trail.tags["keepwatch:protected"], "true");
    assert!(matches!(cloud.trail(REGION, "no-trail").await, Err(CloudError::Gone { .. })));
}

#[test]
fn every_containing_action_does_what_it_says_and_can_be_taken_back() {
    in_lab(async |edge| {
        let cloud = edge.reads().await;
        let (user, policy) = ("ci-deployer".to_owned(), "KeepwatchQuarantine-test".to_owned());
        let key_id = edge.lab.ready["attacker"]["access_key_id"].as_str().unwrap().to_owned();
        for strength in [Strength::Soft, Strength::Hard] {
            edge.done(Action::QuarantineUser { user: user.clone(), policy: policy.clone(), strength }).await;
            let document = cloud.user(&user).await.unwrap().inline[&policy].clone();
            assert_eq!(document, keepwatch::domain::action::quarantine::user_policy(strength));
        }
        edge.done(Action::ReleaseUser { user: user.clone(), policy: policy.clone() }).await;
        let again = edge.apply(Action::ReleaseUser { user: user.clone(), policy: policy.clone() }).await;
        assert!(matches!(again, Err(CloudError::Gone { .. })), "{again:?}");

        edge.done(Action::AttachDenyAll { user: user.clone() }).await;
        assert_eq!(cloud.user(&user).await.unwrap().attached, [keepwatch::aws::DENY_ALL]);
        edge.done(Action::DetachDenyAll { user: user.clone() }).await;
        for status in [KeyStatus::Inactive, KeyStatus::Active] {
            edge.done(Action::SetAccessKey { user: user.clone(), key_id: key_id.clone(), status }).await;
            assert_eq!(cloud.user(&user).await.unwrap().keys[&key_id], status);
        }

        let role = "securecart-app".to_owned();
        let session = RoleSession {
            role: role.clone(),
            unique_id: "AROAEXAMPLE:evil".into(),
            issued_before: "2026-01-01T00:00:00Z".into(),
        };
        edge.done(Action::QuarantineSession { session, policy: policy.clone(), strength: Strength::Hard }).await;
        assert!(cloud.role_policies(&role).await.unwrap()[&policy].contains("AROAEXAMPLE:evil"));
        edge.done(Action::ReleaseSession { role: role.clone(), policy: policy.clone() }).await;
        assert!(!cloud.role_policies(&role).await.unwrap().contains_key(&policy));
    });
}

#[test]
fn every_repair_of_backups_and_keys_does_what_it_says_and_can_be_taken_back() {
    in_lab(async |edge| {
        let cloud = edge.reads().await;
        let (vault, title) = (edge.world("vault").to_owned(), "Keepwatch INC-edge".to_owned());
        let hold = Action::HoldVault { region: region(), vault: vault.clone(), title: title.clone() };
        for _ in 0..2 {
            edge.done(hold.clone()).await;
        }
        let holds = cloud.legal_holds(REGION).await.unwrap();
        assert!(matches!(&holds[..], [hold] if hold.active && hold.title == title), "{holds:?}");
        edge.done(Action::ReleaseHold { region: region(), title: title.clone() }).await;
        assert!(cloud.legal_holds(REGION).await.unwrap().iter().all(|hold| !hold.active));
        let again = edge.apply(Action::ReleaseHold { region: region(), title: title.clone() }).await;
        assert!(matches!(again, Err(CloudError::Gone { .. })), "{again:?}");
        edge.done(hold.clone()).await;
        let held = async || cloud.legal_holds(REGION).await.unwrap().iter().any(|hold| hold.active);
        assert!(!held().await, "AWS answers a token that it knows and does nothing");
        edge.apply_with(hold, "another plan").await.unwrap();
        assert!(held().await);

        let before = cloud.vault(REGION, &vault).await.unwrap().policy;
        for policy in [None, before] {
            edge.done(Action::SetVaultPolicy { region: region(), vault: vault.clone(), policy: policy.clone() }).await;
            assert_eq!(cloud.vault(REGION, &vault).await.unwrap().policy, policy);
        }

        let destination = edge.world("dr_vault_arn").to_owned();
        let recovery_point = edge.lab.ready["world"]["recovery_points"][0].as_str().unwrap().to_owned();
        let copy = Action::CopyRecoveryPoint {
            region: region(),
            vault,
            recovery_point: recovery_point.clone(),
            destination: destination.clone(),
            role: edge.world("backup_role").to_owned(),
        };
        edge.done(copy.clone()).await;
        edge.done(copy).await;
        let jobs = cloud.copy_jobs(REGION, &destination).await.unwrap();
        assert!(matches!(&jobs[..], [job] if job.recovery_point == recovery_point), "{jobs:?}");

        let key = edge.world("kms_key_arn").to_owned();
        edge.done(Action::DisableKey { region: region(), key: key.clone() }).await;
        assert_eq!(cloud.key(REGION, &key).await.unwrap().state, "Disabled");
        edge.done(Action::EnableKey { region: region(), key: key.clone() }).await;
        assert_eq!(cloud.key(REGION, &key).await.unwrap().state, "Enabled");
    });
}

#[test]
fn a_key_whose_deletion_is_scheduled_is_kept() {
    let schedule = |lab: &Lab| {
        let params = json!({"KeyId": lab.world("kms_key_arn"), "PendingWindowInDays": 7});
        lab.done(As::Attacker, "kms", "schedule_key_deletion", params);
    };
    after(schedule, async |edge| {
        let (cloud, key) = (edge.reads().await, edge.world("kms_key_arn").to_owned());
        let doomed = cloud.key(REGION, &key).await.unwrap();
        assert_eq!((doomed.state.as_str(), doomed.deletion_date.is_some()), ("PendingDeletion", true));
        edge.done(Action::CancelKeyDeletion { region: region(), key: key.clone() }).await;
        let kept = cloud.key(REGION, &key).await.unwrap();
        assert_eq!((kept.state.as_str(), kept.deletion_date), ("Disabled", None));
        edge.done(Action::EnableKey { region: region(), key: key.clone() }).await;
        assert_eq!(cloud.key(REGION, &key).await.unwrap().state, "Enabled");
    });
}

#[test]
fn every_repair_of_buckets_and_trails_does_what_it_says_and_can_be_taken_back() {
    in_lab(async |edge| {
        let cloud = edge.reads().await;
        let bucket = "securecart-images".to_owned();
        for versioning in [Versioning::Suspended, Versioning::Enabled] {
            edge.done(Action::SetVersioning { region: region(), bucket: bucket.clone(), versioning }).await;
            assert_eq!(cloud.bucket(REGION, &bucket).await.unwrap().versioning, versioning);
        }
        let before = cloud.bucket(REGION, &bucket).await.unwrap().lifecycle;
        for rules in [vec![rule("a"), LifecycleRule { prefix: "logs/".into(), ..rule("b") }], Vec::new(), before] {
            edge.done(Action::SetLifecycle { region: region(), bucket: bucket.clone(), rules: rules.clone() }).await;
            assert_eq!(cloud.bucket(REGION, &bucket).await.unwrap().lifecycle, rules);
        }
        trails(&edge, &cloud).await;
    });
}

fn rule(id: &str) -> LifecycleRule {
    LifecycleRule {
        id: id.into(),
        status: "Enabled".into(),
        tags: [("class".to_owned(), "cold".to_owned()), ("team".to_owned(), "a&b".to_owned())].into(),
        larger_than: Some(1024),
        expiration_days: Some(400),
        noncurrent_days: Some(35),
        newer_noncurrent_versions: Some(3),
        transitions: vec![Transition { days: Some(30), storage_class: "GLACIER".into(), ..Transition::default() }],
        ..LifecycleRule::default()
    }
}

async fn trails(edge: &Edge, cloud: &impl CloudRead) {
    let trail = "securecart-trail".to_owned();
    for logging in [false, true] {
        edge.done(Action::SetLogging { region: region(), trail: trail.clone(), logging }).await;
        assert_eq!(cloud.trail(REGION, &trail).await.unwrap().logging, logging);
    }
    let before = cloud.trail(REGION, &trail).await.unwrap().settings;
    let mut narrow = before.clone();
    narrow.multi_region = false;
    narrow.prefix = Some("elsewhere".into());
    let basic = EventSelector { read_write: "WriteOnly".into(), management: true, ..EventSelector::default() };
    narrow.selectors = Some(Selectors { basic: vec![basic], advanced: Vec::new() });
    for settings in [narrow.clone(), before] {
        edge.done(Action::UpdateTrail { region: region(), trail: trail.clone(), settings: settings.clone() }).await;
        assert_eq!(cloud.trail(REGION, &trail).await.unwrap().settings, settings);
    }
    for _ in 0..2 {
        edge.done(Action::CreateTrail { region: region(), trail: "anew".into(), settings: narrow.clone() }).await;
    }
    assert_eq!(cloud.trail(REGION, "anew").await.unwrap().settings, narrow);

    let since = jiff::Timestamp::UNIX_EPOCH;
    let history = cloud.event_history(REGION, since).await.unwrap();
    let named = |name: &str| history.iter().any(|event| event["eventName"] == name);
    assert!(named("UpdateTrail") && named("CreateTrail"), "{history:?}");
    assert!(!named("DescribeTrails"), "reads are left out");
}

#[test]
fn a_session_can_do_its_action_and_nothing_else() {
    in_lab(async |edge| {
        let (region, key) = (region(), edge.world("kms_key_arn").to_owned());
        let enable = Action::EnableKey { region: region.clone(), key: key.clone() };
        let writer = edge.aws.write_access().writer(edge.account(PRODUCTION), INCIDENT, &enable).await.unwrap();
        writer.apply(&enable, TOKEN).await.unwrap();
        let others = [
            Action::DisableKey { region: region.clone(), key },
            Action::AttachDenyAll { user: "alice".into() },
            Action::SetVersioning {
                region: region.clone(),
                bucket: "securecart-images".into(),
                versioning: Versioning::Suspended,
            },
            Action::SetLogging { region, trail: "securecart-trail".into(), logging: false },
        ];
        for other in others {
            let refused = writer.apply(&other, TOKEN).await;
            assert!(matches!(refused, Err(CloudError::Denied { .. })), "{other}: {refused:?}");
        }
    });
}

#[test]
fn a_session_that_ended_is_replaced_and_a_refused_account_stands_alone() {
    in_lab(async |edge| {
        let cloud = edge.reads().await;
        cloud.user("alice").await.unwrap();
        edge.control("clock", json!({"advance_seconds": 2 * 3600})).await;
        cloud.user("alice").await.expect("with a new session");

        let mut stranger = edge.account(PRODUCTION).clone();
        stranger.id = "999999999999".parse().unwrap();
        let refused = edge.aws.reader(&stranger).await.err().expect("nobody lets us in there");
        let role = "arn:aws:iam::999999999999:role/KeepwatchRead".to_owned();
        assert_eq!(refused, CloudError::Denied { call: "sts:AssumeRole".into(), target: role });
        cloud.user("alice").await.unwrap();
    });
}

#[test]
fn a_message_is_hidden_released_and_put_aside_with_the_reason() {
    in_lab(async |edge| {
        let production = edge.reads().await;
        let queue = edge.aws.queue(&edge.config.intake).await.unwrap();
        production.user("alice").await.unwrap();
        edge.done(Action::AttachDenyAll { user: "alice".into() }).await;
        let first = queue.receive(1, 5, 60).await.unwrap().remove(0);
        assert_eq!(first.received_count, 1);
        assert!(first.body.contains("via CloudTrail"), "{}", first.body);
        queue.extend(&first, 60).await.unwrap();
        queue.release(&first, 0).await.unwrap();
        let mut all = queue.receive(10, 5, 60).await.unwrap();
        while !all.iter().any(|message| message.id == first.id) {
            all.extend(queue.receive(10, 5, 60).await.unwrap());
        }
        let second = all.iter().find(|message| message.id == first.id).unwrap();
        assert_eq!(second.received_count, 2);
        queue.dead_letter(second, "a test says so").await.unwrap();
        for other in all.iter().filter(|message| message.id != first.id) {
            queue.delete(other).await.unwrap();
        }
        assert_eq!(queue.receive(10, 0, 60).await.unwrap(), []);
    });
}

#[test]
fn however_many_ask_at_once_one_role_is_assumed() {
    in_lab(async |edge| {
        let account = edge.account(PRODUCTION);
        let ask = || async { edge.aws.reader(account).await.unwrap().user("alice").await.unwrap() };
        tokio::join!(ask(), ask(), ask(), ask(), ask(), ask());
        let assumed: Vec<Value> = edge.records("AssumeRole").await;
        let read: Vec<_> =
            assumed.iter().filter(|one| one["requestParameters"]["roleSessionName"] == "keepwatch-read").collect();
        // STS writes it down in the caller's account and in the role's.
        assert_eq!(read.iter().filter(|one| one["recipientAccountId"] == PRODUCTION).count(), 1, "{read:?}");
        assert_eq!(read[0]["requestParameters"]["sourceIdentity"], "keepwatch");
        edge.done(Action::AttachDenyAll { user: "alice".into() }).await;
        let attached = edge.records("AttachUserPolicy").await;
        let arn = attached.last().unwrap()["userIdentity"]["arn"].as_str().unwrap();
        assert!(arn.ends_with(":assumed-role/KeepwatchRespond/keepwatch-INC-edge"), "{arn}");
    });
}

#[test]
fn trouble_is_sorted_by_what_to_do_about_it_and_a_short_one_is_not_noticed() {
    in_lab(async |edge| {
        let cloud = edge.reads().await;
        let key = edge.world("kms_key_arn");
        for kind in ["throttle", "500", "drop"] {
            edge.control("faults", json!({"service": "kms", "operation": "DescribeKey", "kind": kind})).await;
            let error = cloud.key(REGION, key).await.unwrap_err();
            assert_eq!(matches!(error, CloudError::Throttled { .. }), kind == "throttle", "{kind}: {error:?}");
            assert!(error.is_transient(), "{kind}: {error:?}");
            reqwest::Client::new().delete(edge.url("faults")).send().await.unwrap();
            edge.control("faults", json!({"service": "kms", "kind": kind, "times": 1})).await;
            cloud.key(REGION, key).await.unwrap_or_else(|error| panic!("once {kind}: {error}"));
        }
    });
}
