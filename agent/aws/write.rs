//! The write door of one account: which service carries out an action.

use std::sync::Arc;

use super::clients::Clients;
use super::read::Reader;
use super::sessions::Session;
use super::settings::SdkSettings;
use super::{backup, cloudtrail, dynamodb, iam, kms, s3};
use crate::domain::action::Action;
use crate::domain::cloud::{CloudError, CloudWrite};
use crate::domain::region::Region;
use crate::domain::resource::Change;

/// Carries out one action in one account, with a session that can make no other.
pub struct Writer {
    settings: SdkSettings,
    session: Arc<Session>,
    reads: Reader,
}

impl Writer {
    /// `reads` only finds out the ids that AWS gave.
    pub(super) const fn new(settings: SdkSettings, session: Arc<Session>, reads: Reader) -> Self {
        Self { settings, session, reads }
    }

    fn clients(&self, region: &Region) -> Clients {
        Clients::new(&self.settings, region, Some(&self.session))
    }
}

impl CloudWrite for Writer {
    /// One call for each action, but for two: a trail's settings and its selectors are two
    /// calls to CloudTrail, and a hold is looked up before it is cancelled.
    async fn apply(&self, action: &Action, token: &str) -> Result<(), CloudError> {
        match action {
            Action::User { user, change } => {
                let partition = self.settings.partition();
                iam::change_user(self.clients(&partition.global_region()).iam(), partition, user, change).await
            }
            Action::Role { role, change } => {
                let global = self.settings.partition().global_region();
                iam::change_role(self.clients(&global).iam(), role, change).await
            }
            Action::Resource { place, change } => {
                let at = self.clients(&place.region);
                match change {
                    Change::Vault(change) => backup::change(at.backup(), place, change, token, &self.reads).await,
                    Change::Bucket(change) => s3::change(at.s3(), place, change).await,
                    Change::Key(change) => kms::change(at.kms(), place, change).await,
                    Change::Table(change) => dynamodb::change(at.dynamodb(), place, change).await,
                    Change::Trail(change) => cloudtrail::change(at.cloudtrail(), place, change).await,
                }
            }
        }
    }
}
