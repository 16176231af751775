//! What Keepwatch protects: vaults, buckets, keys and trails, as AWS reports them now.
//!
//! Events say where to look ([`touched_by`]); the live state says what is true ([`read`]).
//! Nothing here decides whether a state is right.

pub mod bucket;
pub mod key;
mod target;
pub mod trail;
pub mod vault;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use target::Target;

use super::account::AccountId;
use super::cloud::{CloudError, CloudRead};
use super::event::Event;
use super::region::Region;

/// The kinds of resource that have states to evaluate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An AWS Backup vault.
    Vault,
    /// An S3 bucket.
    Bucket,
    /// A KMS key.
    Key,
    /// A CloudTrail trail.
    Trail,
}

impl Kind {
    /// Every kind, in the order in which a sweep reads them.
    pub const ALL: [Self; 4] = [Self::Trail, Self::Vault, Self::Bucket, Self::Key];

    /// The word for it in rules and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::Bucket => "bucket",
            Self::Key => "key",
            Self::Trail => "trail",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where one resource is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// What kind it is.
    pub kind: Kind,
    /// The account that owns it.
    pub account: AccountId,
    /// Its Region.
    pub region: Region,
    /// Its name; for a key, the key id.
    pub name: String,
}

impl Place {
    /// The resource's ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        let Self { account, region, name, .. } = self;
        match self.kind {
            Kind::Vault => region.arn("backup", account.as_str(), &format!("backup-vault:{name}")),
            Kind::Bucket => region.partition().global_arn("s3", "", name),
            Kind::Key => region.arn("kms", account.as_str(), &format!("key/{name}")),
            Kind::Trail => region.arn("cloudtrail", account.as_str(), &format!("trail/{name}")),
        }
    }
}

/// A resource's state, as AWS reports it now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Live {
    /// A vault's.
    Vault(vault::VaultLive),
    /// A bucket's.
    Bucket(bucket::BucketLive),
    /// A key's.
    Key(key::KeyLive),
    /// A trail's.
    Trail(trail::TrailLive),
}

impl Live {
    /// The resource's tags.
    #[must_use]
    pub const fn tags(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Vault(live) => &live.tags,
            Self::Bucket(live) => &live.tags,
            Self::Key(live) => &live.tags,
            Self::Trail(live) => &live.tags,
        }
    }
}

/// What a resource should be, as far as anybody declared it: a strategy's words, or the
/// last approved baseline. Every field may be absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Desired {
    /// A bucket's part in the strategy, such as `source` or `replica`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// A bucket's versioning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versioning: Option<self::bucket::Versioning>,
    /// A bucket's whole lifecycle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Vec<bucket::LifecycleRule>>,
    /// A vault's access policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Value>,
    /// The copies that a vault's recovery points must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copies: Option<Vec<vault::DesiredCopy>>,
    /// A key's state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Whether a trail records every Region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_region: Option<bool>,
    /// All of a trail's settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<trail::TrailSettings>,
    /// Whether a trail delivers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging: Option<bool>,
}

/// Reads a resource as it is now. What should be true says where to look for copies.
///
/// # Errors
/// [`CloudError::Gone`] when it does not exist, otherwise as the cloud answers.
pub async fn read(place: &Place, desired: &Desired, cloud: &impl CloudRead) -> Result<Live, CloudError> {
    let Place { region, name, .. } = place;
    match place.kind {
        Kind::Vault => vault::read(place, desired, cloud).await.map(Live::Vault),
        Kind::Bucket => cloud.bucket(region, name).await.map(Live::Bucket),
        Kind::Key => cloud.key(region, name).await.map(Live::Key),
        Kind::Trail => cloud.trail(region, name).await.map(Live::Trail),
    }
}

/// Every resource of one kind in an account's Region. A bucket is listed once, by the
/// Region it lives in.
///
/// # Errors
/// As the cloud answers.
pub async fn list(
    kind: Kind,
    account: &AccountId,
    region: &Region,
    cloud: &impl CloudRead,
) -> Result<Vec<Place>, CloudError> {
    let names = match kind {
        Kind::Vault => cloud.vaults(region).await?,
        Kind::Bucket => {
            let all = cloud.buckets().await?;
            all.into_iter().filter(|bucket| bucket.region == *region).map(|bucket| bucket.name).collect()
        }
        Kind::Key => cloud.keys(region).await?,
        Kind::Trail => cloud.trails(region).await?,
    };
    let place = |name| Place { kind, account: account.clone(), region: region.clone(), name };
    Ok(names.into_iter().map(place).collect())
}

/// The resources whose state an event may have changed: where to look, not what is true.
#[must_use]
pub fn touched_by(event: &Event) -> Vec<Place> {
    if event.read_only || event.failed() {
        return Vec::new();
    }
    match event.source.as_str() {
        "backup.amazonaws.com" => vault::touched_by(event),
        "s3.amazonaws.com" => bucket::touched_by(event),
        _ => Vec::new(),
    }
}
