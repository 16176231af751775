//! The read door of one account. What is read of each service stands in that service's file.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::Value;

use super::clients::Clients;
use super::cloudtrail;
use super::sessions::Session;
use super::settings::SdkSettings;
use crate::domain::account::AccountId;
use crate::domain::cloud::{Caller, CloudError, CloudRead, RecentCalls};
use crate::domain::region::Region;

/// Reads in one account. Cheap to clone.
#[derive(Clone)]
pub struct Reader(Arc<Entered>);

/// An account with its session, and a set of clients for each Region that was asked about.
struct Entered {
    account: AccountId,
    settings: SdkSettings,
    /// `None` when the settings' own credentials are those of the account.
    session: Option<Arc<Session>>,
    regions: Mutex<HashMap<Region, Arc<Clients>>>,
}

impl Reader {
    pub(super) fn new(account: AccountId, settings: SdkSettings, session: Option<Arc<Session>>) -> Self {
        Self(Arc::new(Entered { account, settings, session, regions: Mutex::default() }))
    }

    /// Assumes the read role, if that is not done yet.
    pub(super) async fn enter(&self) -> Result<(), CloudError> {
        match &self.0.session {
            Some(session) => session.credentials().await.map(drop),
            None => Ok(()),
        }
    }

    /// The account that is read.
    pub(super) fn account(&self) -> &AccountId {
        &self.0.account
    }

    /// The clients of the Region in which S3 knows every bucket of the account, and IAM lives.
    pub(super) fn global(&self) -> Arc<Clients> {
        self.clients(&self.0.settings.partition().global_region())
    }

    /// The clients of a Region.
    pub(super) fn clients(&self, region: &Region) -> Arc<Clients> {
        let mut regions = self.0.regions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = regions.get(region) {
            return Arc::clone(known);
        }
        let new = Arc::new(Clients::new(&self.0.settings, region, self.0.session.as_ref()));
        regions.insert(region.clone(), Arc::clone(&new));
        new
    }
}

impl CloudRead for Reader {
    async fn event_history(&self, region: &Region, since: Timestamp) -> Result<Vec<Value>, CloudError> {
        cloudtrail::event_history(self.clients(region).cloudtrail(), since).await
    }

    async fn calls_of(&self, region: &Region, caller: &Caller) -> Result<RecentCalls, CloudError> {
        cloudtrail::calls_of(self.clients(region).cloudtrail(), caller).await
    }
}
