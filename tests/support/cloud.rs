//! An account in memory, below the cloud's traits: for faults and properties that a real
//! client cannot bring about at will.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use keepwatch::domain::account::Account;
use keepwatch::domain::action::{Action, quarantine};
use keepwatch::domain::cloud::{
    BucketPlace, Caller, CloudError, CloudRead, CloudWrite, CopyJob, LegalHold, Readers, RecentCalls, RecoveryPoint,
    UserState, VaultState, Writers,
};
use keepwatch::domain::resource::bucket::BucketLive;
use keepwatch::domain::resource::bucket::Versioning;
use keepwatch::domain::resource::key::KeyLive;
use keepwatch::domain::resource::trail::TrailLive;
use serde_json::Value;

/// What is in the account.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inside {
    pub users: BTreeMap<String, UserState>,
    pub roles: BTreeMap<String, BTreeMap<String, String>>,
    pub buckets: BTreeMap<String, BucketLive>,
    pub vaults: BTreeMap<String, VaultState>,
    pub points: BTreeMap<(String, String), Vec<RecoveryPoint>>,
    pub holds: Vec<LegalHold>,
    pub keys: BTreeMap<String, KeyLive>,
    pub trails: BTreeMap<String, TrailLive>,
    pub jobs: Vec<(String, CopyJob)>,
    pub applied: Vec<Action>,
}

/// One account for every id: all doors lead into it.
#[derive(Debug, Clone, Default)]
pub struct FakeCloud {
    pub inside: Arc<Mutex<Inside>>,
    pub failures: Arc<Mutex<VecDeque<CloudError>>>,
}

impl FakeCloud {
    /// The next write fails like this.
    pub fn fail_next(&self, error: CloudError) {
        self.failures.lock().unwrap().push_back(error);
    }

    fn find<T: Clone>(&self, target: &str, pick: impl Fn(&Inside) -> Option<&T>) -> Result<T, CloudError> {
        pick(&self.inside.lock().unwrap()).cloned().ok_or_else(|| CloudError::Gone { target: target.to_owned() })
    }
}

impl Readers for FakeCloud {
    type Read = Self;

    async fn reader(&self, _: &Account) -> Result<Self, CloudError> {
        Ok(self.clone())
    }
}

impl Writers for FakeCloud {
    type Write = Self;

    async fn writer(&self, _: &Account, _: &str, _: &Action) -> Result<Self, CloudError> {
        Ok(self.clone())
    }
}

impl CloudRead for FakeCloud {
    async fn user(&self, name: &str) -> Result<UserState, CloudError> {
        self.find(name, |inside| inside.users.get(name))
    }
    async fn role_policies(&self, role: &str) -> Result<BTreeMap<String, String>, CloudError> {
        self.find(role, |inside| inside.roles.get(role))
    }
    async fn buckets(&self) -> Result<Vec<BucketPlace>, CloudError> {
        let inside = self.inside.lock().unwrap();
        let place = |name: &String| BucketPlace { name: name.clone(), region: "eu-west-1".to_owned() };
        Ok(inside.buckets.keys().map(place).collect())
    }
    async fn bucket_region(&self, _: &str) -> Result<String, CloudError> {
        Ok("eu-west-1".to_owned())
    }
    async fn bucket(&self, _: &str, bucket: &str) -> Result<BucketLive, CloudError> {
        self.find(bucket, |inside| inside.buckets.get(bucket))
    }
    async fn vaults(&self, _: &str) -> Result<Vec<String>, CloudError> {
        Ok(self.inside.lock().unwrap().vaults.keys().cloned().collect())
    }
    async fn vault(&self, _: &str, vault: &str) -> Result<VaultState, CloudError> {
        self.find(vault, |inside| inside.vaults.get(vault))
    }
    async fn recovery_points(&self, region: &str, vault: &str) -> Result<Vec<RecoveryPoint>, CloudError> {
        let key = (region.to_owned(), vault.to_owned());
        Ok(self.inside.lock().unwrap().points.get(&key).cloned().unwrap_or_default())
    }
    async fn copy_jobs(&self, _: &str, destination: &str) -> Result<Vec<CopyJob>, CloudError> {
        let inside = self.inside.lock().unwrap();
        Ok(inside.jobs.iter().filter(|(to, _)| to == destination).map(|(_, job)| job.clone()).collect())
    }
    async fn legal_holds(&self, _: &str) -> Result<Vec<LegalHold>, CloudError> {
        Ok(self.inside.lock().unwrap().holds.clone())
    }
    async fn keys(&self, _: &str) -> Result<Vec<String>, CloudError> {
        Ok(self.inside.lock().unwrap().keys.keys().cloned().collect())
    }
    async fn key(&self, _: &str, key: &str) -> Result<KeyLive, CloudError> {
        let id = key.rsplit('/').next().unwrap_or(key);
        self.find(id, |inside| inside.keys.get(id))
    }
    async fn trails(&self, _: &str) -> Result<Vec<String>, CloudError> {
        Ok(self.inside.lock().unwrap().trails.keys().cloned().collect())
    }
    async fn trail(&self, _: &str, trail: &str) -> Result<TrailLive, CloudError> {
        self.find(trail, |inside| inside.trails.get(trail))
    }
    async fn event_history(&self, _: &str, _: Timestamp) -> Result<Vec<Value>, CloudError> {
        Ok(Vec::new())
    }
    async fn calls_of(&self, _: &str, _: &Caller) -> Result<RecentCalls, CloudError> {
        Ok(RecentCalls::default())
    }
}

impl CloudWrite for FakeCloud {
    async fn apply(&self, action: &Action, _: &str) -> Result<(), CloudError> {
        if let Some(error) = self.failures.lock().unwrap().pop_front() {
            return Err(error);
        }
        let mut inside = self.inside.lock().unwrap();
        inside.applied.push(action.clone());
        inside.apply(action);
        Ok(())
    }
}

impl Inside {
    fn apply(&mut self, action: &Action) {
        match action.clone() {
            Action::QuarantineUser { user, policy, strength } => {
                let document = quarantine::user_policy(strength);
                self.users.get_mut(&user).unwrap().inline.insert(policy, document);
            }
            Action::ReleaseUser { user, policy } => drop(self.users.get_mut(&user).unwrap().inline.remove(&policy)),
            Action::AttachDenyAll { user } => {
                self.users.get_mut(&user).unwrap().attached.push("arn:aws:iam::aws:policy/AWSDenyAll".to_owned());
            }
            Action::DetachDenyAll { user } => {
                self.users.get_mut(&user).unwrap().attached.retain(|arn| !arn.ends_with("AWSDenyAll"))
            }
            Action::SetAccessKey { user, key_id, status } => {
                self.users.get_mut(&user).unwrap().keys.insert(key_id, status);
            }
            Action::QuarantineSession { session, policy, strength } => {
                let document = quarantine::session_policy(&session, strength);
                self.roles.get_mut(&session.role).unwrap().insert(policy, document);
            }
            Action::ReleaseSession { role, policy } => drop(self.roles.get_mut(&role).unwrap().remove(&policy)),
            Action::HoldVault { title, .. } => {
                self.holds.push(LegalHold { id: title.clone(), title, active: true });
            }
            Action::ReleaseHold { title, .. } => self.holds.retain(|hold| hold.title != title),
            Action::SetVersioning { bucket, versioning, .. } => {
                self.buckets.get_mut(&bucket).unwrap().versioning = versioning
            }
            Action::SetLifecycle { bucket, rules, .. } => self.buckets.get_mut(&bucket).unwrap().lifecycle = rules,
            Action::SetVaultPolicy { vault, policy, .. } => self.vaults.get_mut(&vault).unwrap().policy = policy,
            Action::CancelKeyDeletion { key, .. } | Action::DisableKey { key, .. } => self.set_key(&key, "Disabled"),
            Action::EnableKey { key, .. } => self.set_key(&key, "Enabled"),
            Action::CreateTrail { trail, settings, .. } => {
                self.trails.insert(trail, TrailLive { logging: false, settings, tags: BTreeMap::new() });
            }
            Action::UpdateTrail { trail, settings, .. } => self.trails.get_mut(&trail).unwrap().settings = settings,
            Action::SetLogging { trail, logging, .. } => self.trails.get_mut(&trail).unwrap().logging = logging,
            Action::CopyRecoveryPoint { recovery_point, destination, .. } => {
                self.jobs.push((destination, CopyJob { recovery_point, state: "RUNNING".to_owned() }));
            }
        }
    }

    fn set_key(&mut self, arn: &str, state: &str) {
        let id = arn.rsplit('/').next().unwrap();
        let key = self.keys.get_mut(id).unwrap();
        *key = KeyLive { state: state.to_owned(), deletion_date: None, tags: key.tags.clone() };
    }
}

/// A bucket as its strategy wants it.
pub fn bucket(versioning: Versioning) -> BucketLive {
    BucketLive { versioning, mfa_delete: false, lifecycle: Vec::new(), tags: BTreeMap::new() }
}
