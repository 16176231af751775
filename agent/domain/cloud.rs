//! The doors to one account of the cloud, in our own words.
//!
//! Planning and evaluating hold a [`CloudRead`], which cannot change anything. The one write
//! door, [`CloudWrite`], takes an [`Action`] and is opened by [`crate::respond::execute`] alone.
//! What a kind of resource reads of its own stands in that kind's file. No type of an AWS SDK
//! passes through here.

use std::future::Future;

use jiff::Timestamp;
use serde_json::Value;

use super::account::Account;
use super::action::Action;
use super::action::containment::ReadIdentities;
use super::region::Region;
use super::resource::ReadResources;

pub use super::cloud_error::CloudError;

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
/// Regional reads name their Region first. What does not exist is [`CloudError::Gone`]; a list
/// of nothing is empty.
pub trait CloudRead: ReadIdentities + ReadResources {
    /// Management events of a Region since a moment, from CloudTrail's own event history: it
    /// goes on recording when every trail is stopped.
    fn event_history(
        &self,
        region: &Region,
        since: Timestamp,
    ) -> impl Future<Output = Result<Vec<Value>, CloudError>> + Send;
    /// The newest page of what a principal did in a Region, from the same history.
    fn calls_of(
        &self,
        region: &Region,
        caller: &Caller,
    ) -> impl Future<Output = Result<RecentCalls, CloudError>> + Send;
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
    /// Carries out one action, with a session that can make no calls but the action's own: one,
    /// or two where AWS has no single call for it. Where AWS takes an idempotency token, `token` makes a repeated request
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
