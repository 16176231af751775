//! How AWS is reached, as one value: whose credentials, which Region, which endpoint, how long
//! and how often. Whoever starts the agent makes it; nothing below reads the environment.

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_s3::config::{IdentityCache, SharedCredentialsProvider, SharedHttpClient};
use aws_sdk_sts::config::ProvideCredentials as _;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

use super::error;
use super::sessions::{FromSession, Session};
use crate::domain::region::{Partition, Region};

/// How often a read is tried before its error is returned.
const READ_ATTEMPTS: u32 = 3;
/// How often a write is tried: whoever asked decides what to do next, not the SDK.
const WRITE_ATTEMPTS: u32 = 2;
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// How AWS is reached. Cheap to clone; clones share one connection pool.
#[derive(Clone)]
pub struct SdkSettings {
    /// The agent's own credentials, and its home Region.
    pub(super) sdk: SdkConfig,
    /// Whether a bucket's name stands in the path: an endpoint of one's own has no host name
    /// for each bucket.
    pub(super) path_style: bool,
}

/// An access key, and the token of its session if it is a session's.
#[derive(Clone)]
pub struct AccessKey {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// The session's token.
    pub session_token: Option<String>,
}

/// The agent has no credentials of its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no AWS credentials in the environment, the profile, the container or the instance: {detail}")]
pub struct NoCredentials {
    detail: String,
}

impl SdkSettings {
    /// What every AWS tool finds: environment, profile, container or instance. The Region too
    /// comes from there, unless it is given. Nothing is said to AWS yet.
    pub async fn from_environment(region: Option<&Region>) -> Self {
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(region) = region {
            loader = loader.region(theirs(region));
        }
        let loader = loader.http_client(https()).timeout_config(timeouts()).retry_config(attempts(READ_ATTEMPTS));
        let sdk = loader.load().await;
        Self { path_style: sdk.endpoint_url().is_some(), sdk }
    }

    /// These keys and this endpoint, whatever the environment says.
    #[must_use]
    pub fn at_endpoint(endpoint: &str, region: &Region, key: AccessKey) -> Self {
        let AccessKey { id, secret, session_token } = key;
        let credentials = Credentials::new(id, secret, session_token, None, "keepwatch");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .region(theirs(region))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(https())
            .timeout_config(timeouts())
            .retry_config(attempts(READ_ATTEMPTS))
            .build();
        Self { sdk, path_style: true }
    }

    /// The same, with the names of buckets in the path.
    #[must_use]
    pub fn with_path_style(self) -> Self {
        Self { path_style: true, ..self }
    }

    /// Whether there are credentials at all.
    ///
    /// # Errors
    /// When there are none.
    pub async fn check_credentials(&self) -> Result<(), NoCredentials> {
        let none = || NoCredentials { detail: "none are set up".to_owned() };
        let provider = self.sdk.credentials_provider().ok_or_else(none)?;
        let given = provider.provide_credentials().await;
        given.map(drop).map_err(|error| NoCredentials { detail: error::chain(&error) })
    }

    /// The agent's home Region, if anybody named one.
    pub(super) fn region(&self) -> Option<Region> {
        self.sdk.region()?.as_ref().parse().ok()
    }

    /// The partition of the agent's home Region, in which everything is that it can reach.
    pub(super) fn partition(&self) -> Partition {
        self.region().map_or(Partition::Aws, |region| region.partition())
    }

    /// The same, for clients that write.
    pub(super) fn writing(&self) -> Self {
        let sdk = self.sdk.clone().into_builder().retry_config(attempts(WRITE_ATTEMPTS)).build();
        Self { sdk, path_style: self.path_style }
    }

    /// The same in another Region.
    pub(super) fn in_region(&self, region: &Region) -> Self {
        let sdk = self.sdk.clone().into_builder().region(theirs(region)).build();
        Self { sdk, path_style: self.path_style }
    }

    /// The same in another Region, with a session's credentials, which the SDK must not keep.
    pub(super) fn entered(&self, region: &Region, session: &Arc<Session>) -> Self {
        let entered = self.in_region(region);
        let sdk = entered
            .sdk
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(FromSession(Arc::clone(session))))
            .identity_cache(IdentityCache::no_cache())
            .build();
        Self { sdk, ..entered }
    }

    /// A client of S3.
    pub(super) fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.sdk).force_path_style(self.path_style).build();
        aws_sdk_s3::Client::from_conf(config)
    }
}

/// A Region as the SDK has it.
fn theirs(region: &Region) -> aws_config::Region {
    aws_config::Region::new(region.to_string())
}

fn https() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https()
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build()
}

fn attempts(most: u32) -> RetryConfig {
    RetryConfig::standard().with_max_attempts(most)
}
