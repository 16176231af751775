//! The doors to one account of the cloud, in our own words.
//!
//! Planning and evaluating hold a [`CloudRead`], which cannot change anything. The one write
//! door, [`CloudWrite`], takes an [`Action`] and is opened by [`crate::respond::execute`] alone.
//! No type of an AWS SDK passes through here.

use std::collections::BTreeMap;
use std::future::Future;

use jiff::Timestamp;
use serde_json::Value;

use super::account::Account;
use super::action::{Action, KeyStatus};
use super::resource::bucket::BucketLive;
use super::resource::key::KeyLive;
use super::resource::trail::TrailLive;

/// Why a call to the cloud did not do what was asked, sorted by what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// The target does not exist (any more): nothing is left to fix.
    #[error("`{target}` does not exist")]
    Gone {
        /// What was looked for.
        target: String,
    },
    /// The role may not make this call.
    #[error("not allowed to call `{call}` on `{target}`")]
    Denied {
        /// The call, as IAM spells its action.
        call: String,
        /// What it was made on.
        target: String,
    },
    /// AWS asked to slow down.
    #[error("`{call}` was throttled")]
    Throttled {
        /// The call, as IAM spells its action.
        call: String,
    },
    /// AWS could not be reached or had an error of its own: worth trying again.
    #[error("`{call}` did not get an answer: {detail}")]
    Unavailable {
        /// The call, as IAM spells its action.
        call: String,
        /// What went wrong.
        detail: String,
    },
    /// A quota is used up, such as the room for inline policies.
    #[error("`{call}` on `{target}` went over a limit: {detail}")]
    Limit {
        /// The call, as IAM spells its action.
        call: String,
        /// What it was made on.
        target: String,
        /// What AWS said.
        detail: String,
    },
    /// AWS refused the call for a reason that will not pass by itself.
    #[error("`{call}` on `{target}` failed: {detail}")]
    Failed {
        /// The call, as IAM spells its action.
        call: String,
        /// What it was made on.
        target: String,
        /// What AWS said.
        detail: String,
    },
}

impl CloudError {
    /// Whether the same call may succeed later with nothing changed.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Throttled { .. } | Self::Unavailable { .. } => true,
            Self::Gone { .. } | Self::Denied { .. } | Self::Limit { .. } | Self::Failed { .. } => false,
        }
    }
}

/// An IAM user as containment needs to know it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserState {
    /// Inline policies by name: the document as JSON text, decoded.
    pub inline: BTreeMap<String, String>,
    /// ARNs of attached managed policies.
    pub attached: Vec<String>,
    /// Access keys by id.
    pub keys: BTreeMap<String, KeyStatus>,
}

/// A bucket and the Region it lives in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketPlace {
    /// The bucket's name.
    pub name: String,
    /// Its Region, such as `eu-west-1`.
    pub region: String,
}

/// A backup vault's own settings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VaultState {
    /// The vault's ARN.
    pub arn: String,
    /// Its access policy, if it has one.
    pub policy: Option<Value>,
    /// Whether a vault lock is on it.
    pub locked: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// One recovery point that AWS Backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryPoint {
    /// Its ARN.
    pub arn: String,
    /// ARN of what it is a backup of.
    pub resource: String,
    /// `COMPLETED`, `PARTIAL`, `DELETING`, `EXPIRED`, `AVAILABLE`, `STOPPED` or `CREATING`.
    pub status: String,
    /// When it was made.
    pub created: Timestamp,
    /// ARN of the role it was made with.
    pub role: Option<String>,
}

/// A job that copies a recovery point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyJob {
    /// ARN of the recovery point that is copied.
    pub recovery_point: String,
    /// `CREATED`, `RUNNING`, `COMPLETED`, `FAILED` or `PARTIAL`.
    pub state: String,
}

impl CopyJob {
    /// Whether the copy is still being made.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.state == "CREATED" || self.state == "RUNNING"
    }
}

/// A legal hold in one Region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegalHold {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Whether it holds (`CREATING` or `ACTIVE`).
    pub active: bool,
}

/// By what CloudTrail's event history finds a principal's calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// The key that signed them.
    AccessKey(String),
    /// What the history calls the principal: a user's name, a session's.
    Name(String),
}

/// A call that the event history holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastCall {
    /// CloudTrail's `eventID`.
    pub id: String,
    /// `eventName`.
    pub name: String,
    /// When it was made.
    pub at: Timestamp,
}

/// A principal's newest calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecentCalls {
    /// Newest first.
    pub calls: Vec<PastCall>,
    /// Whether there are older ones.
    pub more: bool,
}

/// Reads in one account. Planning holds only this, so a plan cannot change anything.
///
/// Regional reads name their Region first. A resource that does not exist is
/// [`CloudError::Gone`]; a list of nothing is empty.
pub trait CloudRead: Send + Sync {
    /// An IAM user's policies and keys.
    fn user(&self, name: &str) -> impl Future<Output = Result<UserState, CloudError>> + Send;
    /// A role's inline policies by name: the document as JSON text, decoded.
    fn role_policies(&self, role: &str) -> impl Future<Output = Result<BTreeMap<String, String>, CloudError>> + Send;
    /// Every bucket of the account, wherever it lives.
    fn buckets(&self) -> impl Future<Output = Result<Vec<BucketPlace>, CloudError>> + Send;
    /// The Region that a bucket lives in.
    fn bucket_region(&self, bucket: &str) -> impl Future<Output = Result<String, CloudError>> + Send;
    /// A bucket's settings.
    fn bucket(&self, region: &str, bucket: &str) -> impl Future<Output = Result<BucketLive, CloudError>> + Send;
    /// Names of the backup vaults of a Region.
    fn vaults(&self, region: &str) -> impl Future<Output = Result<Vec<String>, CloudError>> + Send;
    /// A vault's settings.
    fn vault(&self, region: &str, vault: &str) -> impl Future<Output = Result<VaultState, CloudError>> + Send;
    /// The recovery points in a vault.
    fn recovery_points(
        &self,
        region: &str,
        vault: &str,
    ) -> impl Future<Output = Result<Vec<RecoveryPoint>, CloudError>> + Send;
    /// The jobs that copy recovery points of a Region into the vault with this ARN.
    fn copy_jobs(
        &self,
        region: &str,
        destination: &str,
    ) -> impl Future<Output = Result<Vec<CopyJob>, CloudError>> + Send;
    /// The legal holds of a Region.
    fn legal_holds(&self, region: &str) -> impl Future<Output = Result<Vec<LegalHold>, CloudError>> + Send;
    /// ARNs of the customer managed keys of a Region.
    fn keys(&self, region: &str) -> impl Future<Output = Result<Vec<String>, CloudError>> + Send;
    /// A key's state.
    fn key(&self, region: &str, key: &str) -> impl Future<Output = Result<KeyLive, CloudError>> + Send;
    /// Names of the trails whose home this Region is.
    fn trails(&self, region: &str) -> impl Future<Output = Result<Vec<String>, CloudError>> + Send;
    /// A trail's settings and whether it delivers.
    fn trail(&self, region: &str, trail: &str) -> impl Future<Output = Result<TrailLive, CloudError>> + Send;
    /// Management events of a Region since a moment, from CloudTrail's own event history: it
    /// goes on recording when every trail is stopped.
    fn event_history(
        &self,
        region: &str,
        since: Timestamp,
    ) -> impl Future<Output = Result<Vec<Value>, CloudError>> + Send;
    /// The newest page of what a principal did in a Region, from the same history.
    fn calls_of(&self, region: &str, caller: &Caller) -> impl Future<Output = Result<RecentCalls, CloudError>> + Send;
}

/// What lies in S3 under the agent's own credentials.
pub trait ObjectStore: Send + Sync {
    /// The entity tag of an object.
    fn tag(&self, bucket: &str, key: &str) -> impl Future<Output = Result<String, CloudError>> + Send;
    /// An object and its entity tag.
    fn object(&self, bucket: &str, key: &str) -> impl Future<Output = Result<Object, CloudError>> + Send;
}

/// An object in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its entity tag, which is another one when it is another object.
    pub tag: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// The one write. Only [`crate::respond::execute`] calls it.
pub trait CloudWrite: Send + Sync {
    /// Carries out one action. It is the action's only call, made with a session that can
    /// make no other. Where AWS takes an idempotency token, `token` makes a repeated request
    /// the same request.
    fn apply(&self, action: &Action, token: &str) -> impl Future<Output = Result<(), CloudError>> + Send;
}

/// The way into accounts with their read roles. Whoever holds this alone can change nothing.
pub trait Readers: Send + Sync {
    /// What reads in an account.
    type Read: CloudRead;

    /// Enters an account with its read role. Sessions are kept and refreshed.
    fn reader(&self, account: &Account) -> impl Future<Output = Result<Self::Read, CloudError>> + Send;
}

/// The way into accounts with their respond roles, one action at a time. Only
/// [`crate::respond::execute`] goes it.
pub trait Writers: Send + Sync {
    /// What carries out one action in an account.
    type Write: CloudWrite;

    /// Enters an account with its respond role, narrowed to this one action; the session's
    /// name carries the incident.
    fn writer(
        &self,
        account: &Account,
        incident: &str,
        action: &Action,
    ) -> impl Future<Output = Result<Self::Write, CloudError>> + Send;
}
