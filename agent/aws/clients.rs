//! The clients of one account in one Region, each made when it is first needed.

use std::sync::{Arc, OnceLock};

use aws_config::SdkConfig;

use super::call::ServiceClient;
use super::sessions::Session;
use super::settings::SdkSettings;
use crate::domain::region::Region;

/// The clients of one account and Region, each made when first needed.
pub(super) struct Clients {
    settings: SdkSettings,
    session: Option<Arc<Session>>,
    backup: OnceLock<ServiceClient<aws_sdk_backup::Client>>,
    cloudtrail: OnceLock<ServiceClient<aws_sdk_cloudtrail::Client>>,
    dynamodb: OnceLock<ServiceClient<aws_sdk_dynamodb::Client>>,
    iam: OnceLock<ServiceClient<aws_sdk_iam::Client>>,
    kms: OnceLock<ServiceClient<aws_sdk_kms::Client>>,
    s3: OnceLock<ServiceClient<aws_sdk_s3::Client>>,
}

impl Clients {
    /// Clients that speak with a session, or with the settings' own credentials.
    pub fn new(settings: &SdkSettings, region: &Region, session: Option<&Arc<Session>>) -> Self {
        Self {
            settings: session.map_or_else(|| settings.in_region(region), |session| settings.entered(region, session)),
            session: session.cloned(),
            backup: OnceLock::new(),
            cloudtrail: OnceLock::new(),
            dynamodb: OnceLock::new(),
            iam: OnceLock::new(),
            kms: OnceLock::new(),
            s3: OnceLock::new(),
        }
    }

    pub fn backup(&self) -> &ServiceClient<aws_sdk_backup::Client> {
        self.client(&self.backup, of_sdk(aws_sdk_backup::Client::new))
    }

    pub fn cloudtrail(&self) -> &ServiceClient<aws_sdk_cloudtrail::Client> {
        self.client(&self.cloudtrail, of_sdk(aws_sdk_cloudtrail::Client::new))
    }

    pub fn dynamodb(&self) -> &ServiceClient<aws_sdk_dynamodb::Client> {
        self.client(&self.dynamodb, of_sdk(aws_sdk_dynamodb::Client::new))
    }

    pub fn iam(&self) -> &ServiceClient<aws_sdk_iam::Client> {
        self.client(&self.iam, of_sdk(aws_sdk_iam::Client::new))
    }

    pub fn kms(&self) -> &ServiceClient<aws_sdk_kms::Client> {
        self.client(&self.kms, of_sdk(aws_sdk_kms::Client::new))
    }

    pub fn s3(&self) -> &ServiceClient<aws_sdk_s3::Client> {
        self.client(&self.s3, SdkSettings::s3)
    }

    fn client<'a, C>(
        &self,
        place: &'a OnceLock<ServiceClient<C>>,
        make: impl FnOnce(&SdkSettings) -> C,
    ) -> &'a ServiceClient<C> {
        place.get_or_init(|| ServiceClient::with(make(&self.settings), self.session.clone()))
    }
}

/// A client that needs nothing but the SDK's own settings.
fn of_sdk<C>(make: impl FnOnce(&SdkConfig) -> C) -> impl FnOnce(&SdkSettings) -> C {
    |settings| make(&settings.sdk)
}
