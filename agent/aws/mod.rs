//! The edge: everything that is said to AWS is said here, one file for each service, one
//! function for each call, our types in and out. It decides nothing.
//!
//! Calls go out with a live session and on the clock ([`crate::ops::waited`]); their errors come back
//! sorted by what to do about them. The SDK's types never leave this folder.

mod backup;
mod call;
mod clients;
mod cloudtrail;
mod dynamodb;
mod error;
mod events;
mod iam;
mod kms;
mod lifecycle;
pub mod objects;
mod organisation;
pub mod queue;
mod read;
pub mod responses;
mod s3;
mod selectors;
mod sessions;
mod settings;
mod shapes;
mod sts;
mod write;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use crate::config::{Config, Intake, Roles};
use crate::domain::account::{Account, AccountId};
use crate::domain::action::{Action, UserChange};
use crate::domain::cloud::{CloudError, Object, ObjectStore, Readers, Writers};

use call::ServiceClient;
use queue::Queue;
use sessions::{AssumeRoleRequest, Session};

pub use self::events::Rule;
pub use self::organisation::Member;
pub use self::read::Reader;
pub use self::settings::{AccessKey, NoCredentials, SdkSettings};
pub use self::sts::Identity;
pub use self::write::Writer;

/// AWS, as the agent reads it: with its own credentials, and through the read roles that it
/// assumes in each account. It opens no way to write.
pub struct Aws(Arc<Shared>);

/// AWS, as the agent changes it: through the respond roles, one action at a time.
pub struct WriteAccess(Arc<Shared>);

/// What both ways have in common.
struct Shared {
    settings: SdkSettings,
    roles: Roles,
    sts: aws_sdk_sts::Client,
    readers: Mutex<HashMap<AccountId, Reader>>,
}

impl Aws {
    /// AWS, reached in this way. Nothing is said to it yet.
    #[must_use]
    pub fn new(settings: SdkSettings, config: &Config) -> Self {
        let sts = aws_sdk_sts::Client::new(&settings.sdk);
        Self(Arc::new(Shared { settings, roles: config.roles.clone(), sts, readers: Mutex::default() }))
    }

    /// The way to write, for the door of [`crate::respond::execute`] alone.
    #[must_use]
    pub fn write_access(&self) -> WriteAccess {
        WriteAccess(Arc::clone(&self.0))
    }

    /// Whether an account's respond role lets the agent in. Nothing is done with it.
    ///
    /// # Errors
    /// When it does not.
    pub async fn check_respond_role(&self, account: &Account) -> Result<(), CloudError> {
        let change = UserChange::Release { policy: "none".to_owned() };
        let harmless = Action::User { user: "keepwatch-doctor".to_owned(), change };
        self.0.respond_session(account, "doctor", &harmless).await.map(drop)
    }

    /// Whom AWS takes the agent for.
    ///
    /// # Errors
    /// When AWS cannot be reached or does not know the credentials.
    pub async fn identity(&self) -> Result<Identity, CloudError> {
        sts::caller_identity(&self.0.sts).await
    }

    /// The queue that events arrive in, and its queue of dead letters.
    ///
    /// # Errors
    /// When one does not exist or may not be used.
    pub async fn queue(&self, intake: &Intake) -> Result<Queue, CloudError> {
        Queue::open(self.own(aws_sdk_sqs::Client::new), intake).await
    }

    /// Every account of the organisation.
    ///
    /// # Errors
    /// When the agent's account may not ask.
    pub async fn organisation(&self) -> Result<Vec<Member>, CloudError> {
        organisation::accounts(&self.own(aws_sdk_organizations::Client::new)).await
    }

    /// Every rule of an event bus in the agent's own account.
    ///
    /// # Errors
    /// When the bus does not exist or may not be read.
    pub async fn rules(&self, bus: &str) -> Result<Vec<Rule>, CloudError> {
        events::rules(&self.own(aws_sdk_eventbridge::Client::new), bus).await
    }

    /// ARNs of what a rule of an event bus forwards to.
    ///
    /// # Errors
    /// When the rule does not exist or may not be read.
    pub async fn targets(&self, bus: &str, rule: &str) -> Result<Vec<String>, CloudError> {
        events::targets(&self.own(aws_sdk_eventbridge::Client::new), bus, rule).await
    }

    fn own_s3(&self) -> ServiceClient<aws_sdk_s3::Client> {
        ServiceClient::own(self.0.settings.s3())
    }

    /// A client that speaks with the agent's own credentials, in its own Region.
    fn own<C>(&self, make: impl FnOnce(&SdkConfig) -> C) -> ServiceClient<C> {
        ServiceClient::own(make(&self.0.settings.sdk))
    }
}

impl Shared {
    /// The one reader of an account; no role is assumed yet.
    fn known_reader(&self, account: &AccountId) -> Reader {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let session = Session::new(
                self.sts.clone(),
                AssumeRoleRequest::read(self.settings.partition(), &self.roles, account),
            );
            Reader::new(account.clone(), self.settings.clone(), Some(Arc::new(session)))
        };
        readers.entry(account.clone()).or_insert_with(new).clone()
    }

    /// A session of an account's respond role that can do this action and nothing else.
    async fn respond_session(
        &self,
        account: &Account,
        incident: &str,
        action: &Action,
    ) -> Result<Arc<Session>, CloudError> {
        let request =
            AssumeRoleRequest::respond(self.settings.partition(), &self.roles, &account.id, (incident, action));
        let session = Arc::new(Session::new(self.sts.clone(), request));
        session.credentials().await?;
        Ok(session)
    }
}

impl Readers for Aws {
    type Read = Reader;

    async fn reader(&self, account: &Account) -> Result<Reader, CloudError> {
        let reader = self.0.known_reader(&account.id);
        reader.enter().await?;
        Ok(reader)
    }
}

impl Writers for WriteAccess {
    type Write = Writer;

    async fn writer(&self, account: &Account, incident: &str, action: &Action) -> Result<Writer, CloudError> {
        let session = self.0.respond_session(account, incident, action).await?;
        Ok(Writer::new(self.0.settings.writing(), session, self.0.known_reader(&account.id)))
    }
}

impl ObjectStore for Aws {
    async fn tag(&self, bucket: &str, key: &str) -> Result<String, CloudError> {
        s3::object_tag(&self.own_s3(), bucket, key).await
    }

    async fn object(&self, bucket: &str, key: &str) -> Result<Object, CloudError> {
        s3::object(&self.own_s3(), bucket, key).await
    }
}

/// AWS's moment as ours; `None` when it is one that no calendar has.
fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}
