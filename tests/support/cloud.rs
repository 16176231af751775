//! An account in memory, below the cloud's traits: for faults and properties that a real
//! client cannot bring about at will.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use keepwatch::domain::account::Account;
use keepwatch::domain::action::containment::{ReadIdentities, UserState};
use keepwatch::domain::action::{Action, RoleChange, UserChange, quarantine};
use keepwatch::domain::cloud::{Caller, CloudError, CloudRead, CloudWrite, Readers, RecentCalls, Writers};
use keepwatch::domain::region::{Partition, Region};
use keepwatch::domain::resource::Change;
use keepwatch::domain::resource::bucket::{BucketChange, BucketLive, BucketPlace, ReadBuckets, Versioning};
use keepwatch::domain::resource::key::{KeyChange, KeyLive, ReadKeys};
use keepwatch::domain::resource::table::{ReadTables, TableChange, TableLive};
use keepwatch::domain::resource::trail::{ReadTrails, TrailChange, TrailLive};
use keepwatch::domain::resource::vault::{CopyJob, LegalHold, ReadVaults, RecoveryPoint, VaultChange, VaultState};
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
    pub tables: BTreeMap<String, TableLive>,
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

impl ReadIdentities for FakeCloud {
    async fn user(&self, name: &str) -> Result<UserState, CloudError> {
        self.find(name, |inside| inside.users.get(name))
    }
    async fn role_policies(&self, role: &str) -> Result<BTreeMap<String, String>, CloudError> {
        self.find(role, |inside| inside.roles.get(role))
    }
}

impl ReadBuckets for FakeCloud {
    async fn buckets(&self) -> Result<Vec<BucketPlace>, CloudError> {
        let inside = self.inside.lock().unwrap();
        let place = |name: &String| BucketPlace { name: name.clone(), region: home() };
        Ok(inside.buckets.keys().map(place).collect())
    }
    async fn bucket_region(&self, _: &str) -> Result<Region, CloudError> {
        Ok(home())
    }
    async fn bucket(&self, _: &Region, bucket: &str) -> Result<BucketLive, CloudError> {
        self.find(bucket, |inside| inside.buckets.get(bucket))
    }
}

impl ReadVaults for FakeCloud {
    async fn vaults(&self, _: &Region) -> Result<Vec<String>, CloudError> {
        Ok(self.inside.lock().unwrap().vaults.keys().cloned().collect())
    }
    async fn vault(&self, _: &Region, vault: &str) -> Result<VaultState, CloudError> {
        self.find(vault, |inside| inside.vaults.get(vault))
    }
    async fn recovery_points(&self, region: &Region, vault: &str) -> Result<Vec<RecoveryPoint>, CloudError> {
        let key = (region.to_string(), vault.to_owned());
        Ok(self.inside.lock().unwrap().points.get(&key).cloned().unwrap_or_default())
    }
    async fn copy_jobs(&self, _: &Region, destination: &str) -> Result<Vec<CopyJob>, CloudError> {
        let inside = self.inside.lock().unwrap();
        Ok(inside.jobs.iter().filter(|(to, _)| to == destination).map(|(_, job)| job.clone()).collect())
    }
    async fn legal_holds(&self, _: &Region) -> Result<Vec<LegalHold>, CloudError> {
        Ok(self.inside.lock().unwrap().holds.clone())
    }
}

impl ReadKeys for FakeCloud {
    async fn keys(&self, _: &Region) -> Result<Vec<String>, CloudError> {
        Ok(self.inside.lock().unwrap().keys.keys().cloned().collect())
    }
    async fn key(&self, _: &Region, key: &str) -> Result<KeyLive, CloudError> {
        let id = key.rsplit('/').next().unwrap_or(key);
        self.find(id, |inside| inside.keys.get(id))
    }
}

impl ReadTrails for FakeCloud {
    async fn trails(&self, _: &Region) -> Result<Vec<String>, CloudError> {
        Ok(self.inside.lock().unwrap().trails.keys().cloned().collect())
    }
    async fn trail(&self, _: &Region, trail: &str) -> Result<TrailLive, CloudError> {
        self.find(trail, |inside| inside.trails.get(trail))
    }
}

impl ReadTables for FakeCloud {
    async fn tables(&self, _: &Region) -> Result<Vec<String>, CloudError> {
        Ok(self.inside.lock().unwrap().tables.keys().cloned().collect())
    }
    async fn table(&self, _: &Region, table: &str) -> Result<TableLive, CloudError> {
        self.find(table, |inside| inside.tables.get(table))
    }
}

impl CloudRead for FakeCloud {
    async fn event_history(&self, _: &Region, _: Timestamp) -> Result<Vec<Value>, CloudError> {
        Ok(Vec::new())
    }
    async fn calls_of(&self, _: &Region, _: &Caller) -> Result<RecentCalls, CloudError> {
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
        match action {
            Action::User { user, change } => change_user(self.users.get_mut(user).unwrap(), change.clone()),
            Action::Role { role, change } => change_role(self.roles.get_mut(role).unwrap(), change.clone()),
            Action::Resource { place, change } => match change.clone() {
                Change::Bucket(change) => change_bucket(self.buckets.get_mut(&place.name).unwrap(), change),
                Change::Vault(change) => self.change_vault(&place.name, change),
                Change::Key(change) => change_key(self.keys.get_mut(&place.name).unwrap(), change),
                Change::Table(change) => change_table(self.tables.get_mut(&place.name).unwrap(), change),
                Change::Trail(change) => self.change_trail(&place.name, change),
            },
        }
    }

    fn change_vault(&mut self, vault: &str, change: VaultChange) {
        match change {
            VaultChange::Hold { title } => self.holds.push(LegalHold { id: title.clone(), title, active: true }),
            VaultChange::ReleaseHold { title } => self.holds.retain(|hold| hold.title != title),
            VaultChange::SetPolicy(policy) => self.vaults.get_mut(vault).unwrap().policy = policy,
            VaultChange::Copy { recovery_point, destination, .. } => {
                self.jobs.push((destination, CopyJob { recovery_point, state: "RUNNING".to_owned() }));
            }
        }
    }

    fn change_trail(&mut self, trail: &str, change: TrailChange) {
        match change {
            TrailChange::Create(settings) => {
                let live = TrailLive { logging: false, settings, tags: BTreeMap::new() };
                self.trails.insert(trail.to_owned(), live);
            }
            TrailChange::Update(settings) => self.trails.get_mut(trail).unwrap().settings = settings,
            TrailChange::SetLogging(logging) => self.trails.get_mut(trail).unwrap().logging = logging,
        }
    }
}

fn change_user(user: &mut UserState, change: UserChange) {
    match change {
        UserChange::Quarantine { policy, strength } => {
            user.inline.insert(policy, quarantine::user_policy(strength));
        }
        UserChange::Release { policy } => drop(user.inline.remove(&policy)),
        UserChange::AttachDenyAll => user.attached.push(quarantine::deny_all(Partition::Aws)),
        UserChange::DetachDenyAll => user.attached.retain(|arn| !quarantine::is_deny_all(arn)),
        UserChange::SetAccessKey { key_id, status } => drop(user.keys.insert(key_id, status)),
    }
}

fn change_role(inline: &mut BTreeMap<String, String>, change: RoleChange) {
    match change {
        RoleChange::QuarantineSession { session, policy, strength } => {
            inline.insert(policy, quarantine::session_policy(&session, strength));
        }
        RoleChange::Release { policy } => drop(inline.remove(&policy)),
    }
}

fn change_bucket(bucket: &mut BucketLive, change: BucketChange) {
    match change {
        BucketChange::SetVersioning(versioning) => bucket.versioning = versioning,
        BucketChange::SetLifecycle(rules) => bucket.lifecycle = rules,
    }
}

fn change_key(key: &mut KeyLive, change: KeyChange) {
    let state = match change {
        KeyChange::CancelDeletion | KeyChange::Disable => "Disabled",
        KeyChange::Enable => "Enabled",
    };
    *key = KeyLive { state: state.to_owned(), deletion_date: None, tags: key.tags.clone() };
}

fn home() -> Region {
    "eu-west-1".parse().unwrap()
}

fn change_table(table: &mut TableLive, change: TableChange) {
    match change {
        TableChange::SetRecoveryDays(days) => table.recovery_days = Some(days),
        TableChange::SetDeletionProtection(protection) => table.deletion_protection = protection,
    }
}

/// A bucket as its strategy wants it.
pub fn bucket(versioning: Versioning) -> BucketLive {
    BucketLive { versioning, mfa_delete: false, lifecycle: Vec::new(), tags: BTreeMap::new() }
}
