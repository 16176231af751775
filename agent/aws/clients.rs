//! What clients are made of: one connection pool, one set of timeouts, one session each.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_sdk_s3::config::{IdentityCache, SharedCredentialsProvider};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

use super::call::ServiceClient;
use super::sessions::{FromSession, Session};

/// How often a read is tried before its error is returned.
const READ_ATTEMPTS: u32 = 3;
/// How often a write is tried: whoever asked decides what to do next, not the SDK.
const WRITE_ATTEMPTS: u32 = 2;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// What all clients share.
#[derive(Clone)]
pub(super) struct Base {
    /// The agent's own credentials, and its home Region.
    pub sdk: SdkConfig,
}

impl Base {
    /// The SDK's default chain: environment, profile, container or instance. The Region too
    /// comes from there, unless it is given.
    pub async fn load(region: Option<&str>) -> Self {
        let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build();
        let mut loader = aws_config::defaults(aws_config::BehaviorVersion::latest());
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        let sdk = loader
            .http_client(http.build_https())
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(READ_ATTEMPTS))
            .load()
            .await;
        Self { sdk }
    }

    /// The same, for clients that write.
    pub fn writing(&self) -> Self {
        let retries = RetryConfig::standard().with_max_attempts(WRITE_ATTEMPTS);
        Self { sdk: self.sdk.clone().into_builder().retry_config(retries).build() }
    }

    /// The same in another Region, with a session's credentials, which the SDK must not keep.
    fn entered(&self, region: &str, session: &Arc<Session>) -> SdkConfig {
        self.sdk
            .clone()
            .into_builder()
            .region(Region::new(region.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(FromSession(Arc::clone(session))))
            .identity_cache(IdentityCache::no_cache())
            .build()
    }
}

/// The clients of one account and Region, each made when first needed.
pub(super) struct Clients {
    sdk: SdkConfig,
    session: Arc<Session>,
    backup: OnceLock<ServiceClient<aws_sdk_backup::Client>>,
    cloudtrail: OnceLock<ServiceClient<aws_sdk_cloudtrail::Client>>,
    iam: OnceLock<ServiceClient<aws_sdk_iam::Client>>,
    kms: OnceLock<ServiceClient<aws_sdk_kms::Client>>,
    s3: OnceLock<ServiceClient<aws_sdk_s3::Client>>,
}

impl Clients {
    pub fn new(base: &Base, region: &str, session: &Arc<Session>) -> Self {
        Self {
            sdk: base.entered(region, session),
            session: Arc::clone(session),
            backup: OnceLock::new(),
            cloudtrail: OnceLock::new(),
            iam: OnceLock::new(),
            kms: OnceLock::new(),
            s3: OnceLock::new(),
        }
    }

    pub fn backup(&self) -> &ServiceClient<aws_sdk_backup::Client> {
        self.line(&self.backup, aws_sdk_backup::Client::new)
    }

    pub fn cloudtrail(&self) -> &ServiceClient<aws_sdk_cloudtrail::Client> {
        self.line(&self.cloudtrail, aws_sdk_cloudtrail::Client::new)
    }

    pub fn iam(&self) -> &ServiceClient<aws_sdk_iam::Client> {
        self.line(&self.iam, aws_sdk_iam::Client::new)
    }

    pub fn kms(&self) -> &ServiceClient<aws_sdk_kms::Client> {
        self.line(&self.kms, aws_sdk_kms::Client::new)
    }

    pub fn s3(&self) -> &ServiceClient<aws_sdk_s3::Client> {
        self.line(&self.s3, s3_client)
    }

    fn line<'a, C>(
        &self,
        place: &'a OnceLock<ServiceClient<C>>,
        make: impl FnOnce(&SdkConfig) -> C,
    ) -> &'a ServiceClient<C> {
        place.get_or_init(|| ServiceClient::with(make(&self.sdk), Arc::clone(&self.session)))
    }
}

/// An endpoint of one's own has no host name for each bucket.
pub(super) fn s3_client(sdk: &SdkConfig) -> aws_sdk_s3::Client {
    let elsewhere = sdk.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
    let config = aws_sdk_s3::config::Builder::from(sdk).force_path_style(elsewhere).build();
    aws_sdk_s3::Client::from_conf(config)
}
