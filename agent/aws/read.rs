//! The read door of one account: which client answers which question.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::Value;

use super::clients::Clients;
use super::sessions::Session;
use super::settings::SdkSettings;
use super::{backup, cloudtrail, iam, kms, s3};
use crate::domain::account::AccountId;
use crate::domain::cloud::{
    BucketPlace, Caller, CloudError, CloudRead, CopyJob, LegalHold, RecentCalls, RecoveryPoint, UserState, VaultState,
};
use crate::domain::resource::bucket::BucketLive;
use crate::domain::resource::key::KeyLive;
use crate::domain::resource::trail::TrailLive;

/// The Region in which S3 knows every bucket of the account, and IAM lives.
pub(super) const GLOBAL: &str = "us-east-1";

/// Reads in one account. Cheap to clone.
#[derive(Clone)]
pub struct Reader(Arc<Entered>);

/// An account with its session, and a set of clients for each Region that was asked about.
struct Entered {
    account: AccountId,
    settings: SdkSettings,
    session: Arc<Session>,
    regions: Mutex<HashMap<String, Arc<Clients>>>,
}

impl Reader {
    pub(super) fn new(account: AccountId, settings: SdkSettings, session: Arc<Session>) -> Self {
        Self(Arc::new(Entered { account, settings, session, regions: Mutex::default() }))
    }

    /// Assumes the read role, if that is not done yet.
    pub(super) async fn enter(&self) -> Result<(), CloudError> {
        self.0.session.credentials().await.map(drop)
    }

    fn clients(&self, region: &str) -> Arc<Clients> {
        let mut regions = self.0.regions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = regions.get(region) {
            return Arc::clone(known);
        }
        let new = Arc::new(Clients::new(&self.0.settings, region, &self.0.session));
        regions.insert(region.to_owned(), Arc::clone(&new));
        new
    }
}

impl CloudRead for Reader {
    async fn user(&self, name: &str) -> Result<UserState, CloudError> {
        iam::user(self.clients(GLOBAL).iam(), name).await
    }

    async fn role_policies(&self, role: &str) -> Result<BTreeMap<String, String>, CloudError> {
        iam::role_policies(self.clients(GLOBAL).iam(), role).await
    }

    async fn buckets(&self) -> Result<Vec<BucketPlace>, CloudError> {
        s3::buckets(self.clients(GLOBAL).s3()).await
    }

    async fn bucket_region(&self, bucket: &str) -> Result<String, CloudError> {
        s3::bucket_region(self.clients(GLOBAL).s3(), bucket).await
    }

    async fn bucket(&self, region: &str, bucket: &str) -> Result<BucketLive, CloudError> {
        s3::bucket(self.clients(region).s3(), bucket).await
    }

    async fn vaults(&self, region: &str) -> Result<Vec<String>, CloudError> {
        backup::vaults(self.clients(region).backup()).await
    }

    async fn vault(&self, region: &str, vault: &str) -> Result<VaultState, CloudError> {
        backup::vault(self.clients(region).backup(), vault).await
    }

    async fn recovery_points(&self, region: &str, vault: &str) -> Result<Vec<RecoveryPoint>, CloudError> {
        backup::recovery_points(self.clients(region).backup(), vault).await
    }

    async fn copy_jobs(&self, region: &str, destination: &str) -> Result<Vec<CopyJob>, CloudError> {
        backup::copy_jobs(self.clients(region).backup(), destination).await
    }

    async fn legal_holds(&self, region: &str) -> Result<Vec<LegalHold>, CloudError> {
        backup::legal_holds(self.clients(region).backup()).await
    }

    async fn keys(&self, region: &str) -> Result<Vec<String>, CloudError> {
        kms::keys(self.clients(region).kms()).await
    }

    async fn key(&self, region: &str, key: &str) -> Result<KeyLive, CloudError> {
        kms::key(self.clients(region).kms(), key).await
    }

    async fn trails(&self, region: &str) -> Result<Vec<String>, CloudError> {
        cloudtrail::trails(self.clients(region).cloudtrail(), &self.0.account, region).await
    }

    async fn trail(&self, region: &str, trail: &str) -> Result<TrailLive, CloudError> {
        cloudtrail::trail(self.clients(region).cloudtrail(), trail).await
    }

    async fn event_history(&self, region: &str, since: Timestamp) -> Result<Vec<Value>, CloudError> {
        cloudtrail::event_history(self.clients(region).cloudtrail(), since).await
    }

    async fn calls_of(&self, region: &str, caller: &Caller) -> Result<RecentCalls, CloudError> {
        cloudtrail::calls_of(self.clients(region).cloudtrail(), caller).await
    }
}
