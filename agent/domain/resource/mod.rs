//! What Keepwatch protects: vaults, buckets, keys and trails, as AWS reports them now.
//!
//! Events say where to look ([`touched_by`]); the live state says what is true ([`read`]).
//! Nothing here decides whether a state is right.

pub mod bucket;
pub mod key;
pub mod trail;
pub mod vault;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::account::AccountId;
use super::cloud::{CloudError, CloudRead};
use super::event::Event;

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
    /// Its Region; empty for a bucket whose Region is not known yet.
    pub region: String,
    /// Its name; for a key, the key id.
    pub name: String,
}

impl Place {
    /// The resource that an ARN names, seen from an account: S3's ARNs name no owner.
    /// `None` for kinds that have no states.
    #[must_use]
    pub fn from_arn(arn: &str, seen_from: &AccountId) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let (_, _, service, region, owner, rest) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (kind, name) = match service {
            "backup" => (Kind::Vault, rest.strip_prefix("backup-vault:")?),
            "s3" => (Kind::Bucket, rest.split('/').next()?),
            "kms" => (Kind::Key, rest.strip_prefix("key/")?),
            "cloudtrail" => (Kind::Trail, rest.strip_prefix("trail/")?),
            _ => return None,
        };
        let account = if owner.is_empty() { seen_from.clone() } else { owner.parse().ok()? };
        (!name.is_empty()).then(|| Self { kind, account, region: region.to_owned(), name: name.to_owned() })
    }

    /// The resource's ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        let Self { account, region, name, .. } = self;
        match self.kind {
            Kind::Vault => format!("arn:aws:backup:{region}:{account}:backup-vault:{name}"),
            Kind::Bucket => format!("arn:aws:s3:::{name}"),
            Kind::Key => format!("arn:aws:kms:{region}:{account}:key/{name}"),
            Kind::Trail => format!("arn:aws:cloudtrail:{region}:{account}:trail/{name}"),
        }
    }
}

/// The same resource with the Region it lives in: a bucket's ARN names none, and S3 answers
/// about a bucket in its own Region only.
///
/// # Errors
/// [`CloudError::Gone`] when there is no such bucket, otherwise as the cloud answers.
pub async fn located<'a>(place: &'a Place, cloud: &impl CloudRead) -> Result<Cow<'a, Place>, CloudError> {
    if !place.region.is_empty() {
        return Ok(Cow::Borrowed(place));
    }
    let region = cloud.bucket_region(&place.name).await?;
    Ok(Cow::Owned(Place { region, ..place.clone() }))
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
    region: &str,
    cloud: &impl CloudRead,
) -> Result<Vec<Place>, CloudError> {
    let names = match kind {
        Kind::Vault => cloud.vaults(region).await?,
        Kind::Bucket => {
            let all = cloud.buckets().await?;
            all.into_iter().filter(|bucket| bucket.region == region).map(|bucket| bucket.name).collect()
        }
        Kind::Key => cloud.keys(region).await?,
        Kind::Trail => cloud.trails(region).await?,
    };
    let place = |name| Place { kind, account: account.clone(), region: region.to_owned(), name };
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
