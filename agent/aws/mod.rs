//! The edge: everything that is said to AWS is said here, one file for each service, one
//! function for each call, our types in and out. It decides nothing.
//!
//! Calls go out with a live session and on the clock ([`crate::ops::waited`]); their errors come back
//! sorted by what to do about them. The SDK's types never leave this folder.

mod backup;
mod call;
mod clients;
mod cloudtrail;
mod error;
mod events;
mod iam;
mod kms;
mod lifecycle;
pub mod objects;
mod organisation;
mod percent;
pub mod queue;
mod read;
mod s3;
mod selectors;
mod sessions;
mod sts;
mod write;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_sdk_sts::config::ProvideCredentials;
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use crate::config::{Config, Intake, Roles};
use crate::domain::account::{Account, AccountId};
use crate::domain::action::Action;
use crate::domain::cloud::{CloudError, Clouds, Object, ObjectStore};

use call::ServiceClient;
use clients::Base;
use queue::Queue;
use sessions::{AssumeRoleRequest, Session};

pub use self::events::Rule;
pub use self::iam::DENY_ALL;
pub use self::organisation::Member;
pub use self::read::Reader;
pub use self::sessions::SESSION_PREFIX;
pub use self::sts::{Identity, SOURCE_IDENTITY};
pub use self::write::Writer;

/// AWS, as the agent reaches it: with its own credentials, and through the roles that it
/// assumes in each account.
pub struct Aws {
    base: Base,
    roles: Roles,
    sts: aws_sdk_sts::Client,
    readers: Mutex<HashMap<AccountId, Reader>>,
}

/// The agent has no credentials of its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no AWS credentials in the environment, the profile, the container or the instance: {detail}")]
pub struct NoCredentials {
    detail: String,
}

impl Aws {
    /// Finds the agent's own credentials, the way every AWS tool finds them. Nothing is said
    /// to AWS yet.
    ///
    /// # Errors
    /// When there are none.
    pub async fn connect(config: &Config) -> Result<Self, NoCredentials> {
        let base = Base::load(Some(&config.intake.region)).await;
        let provider =
            base.sdk.credentials_provider().ok_or_else(|| NoCredentials { detail: "none are set up".into() })?;
        let none = |error| NoCredentials { detail: error::chain(&error) };
        provider.provide_credentials().await.map_err(none)?;
        let sts = aws_sdk_sts::Client::new(&base.sdk);
        Ok(Self { base, roles: config.roles.clone(), sts, readers: Mutex::default() })
    }

    /// Whom AWS takes the agent for.
    ///
    /// # Errors
    /// When AWS cannot be reached or does not know the credentials.
    pub async fn identity(&self) -> Result<Identity, CloudError> {
        sts::caller_identity(&self.sts).await
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

    /// A client that speaks with the agent's own credentials, in its own Region.
    fn own<C>(&self, make: impl FnOnce(&SdkConfig) -> C) -> ServiceClient<C> {
        ServiceClient::own(make(&self.base.sdk))
    }

    /// The one reader of an account; no role is assumed yet.
    fn known_reader(&self, account: &AccountId) -> Reader {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let session = Session::new(self.sts.clone(), AssumeRoleRequest::read(&self.roles, account));
            Reader::new(account.clone(), self.base.clone(), Arc::new(session))
        };
        readers.entry(account.clone()).or_insert_with(new).clone()
    }
}

impl Clouds for Aws {
    type Read = Reader;
    type Write = Writer;

    async fn reader(&self, account: &Account) -> Result<Reader, CloudError> {
        let reader = self.known_reader(&account.id);
        reader.enter().await?;
        Ok(reader)
    }

    async fn writer(&self, account: &Account, incident: &str, action: &Action) -> Result<Writer, CloudError> {
        let pass = AssumeRoleRequest::respond(&self.roles, &account.id, incident, action);
        let session = Arc::new(Session::new(self.sts.clone(), pass));
        session.credentials().await?;
        Ok(Writer::new(self.base.writing(), session, self.known_reader(&account.id)))
    }
}

impl ObjectStore for Aws {
    async fn tag(&self, bucket: &str, key: &str) -> Result<String, CloudError> {
        s3::object_tag(&self.own(clients::s3_client), bucket, key).await
    }

    async fn object(&self, bucket: &str, key: &str) -> Result<Object, CloudError> {
        s3::object(&self.own(clients::s3_client), bucket, key).await
    }
}

/// AWS's moment as ours; `None` when it is one that no calendar has.
fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}
