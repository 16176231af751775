//! A KMS key: whether what it encrypted can still be read.

use std::collections::BTreeMap;
use std::fmt::{Formatter, Result as Written};
use std::future::Future;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::difference::replaced;
use super::kind::{Observed, ResourceChange, ResourceKind};
use super::place::{Kind, Place};
use crate::domain::cloud_error::CloudError;
use crate::domain::region::Region;
use crate::domain::undo::{Reversible, by, keep};

/// KMS keys that the customer manages. Event rules report them, so no event touches one.
pub struct Key;

/// What is read of keys.
pub trait ReadKeys: Send + Sync {
    /// ARNs of the customer managed keys of a Region.
    fn keys(&self, region: &Region) -> impl Future<Output = Result<Vec<String>, CloudError>> + Send;
    /// A key's state.
    fn key(&self, region: &Region, key: &str) -> impl Future<Output = Result<KeyLive, CloudError>> + Send;
}

/// A key as KMS reports it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct KeyLive {
    /// KMS's `KeyState`: `Enabled`, `Disabled`, `PendingDeletion`, …
    pub state: String,
    /// When the key will be gone, while its deletion is pending.
    #[schemars(with = "Option<String>")]
    pub deletion_date: Option<Timestamp>,
    /// The key's tags.
    #[serde(skip)]
    pub tags: BTreeMap<String, String>,
}

/// What a key should be.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeyDesired {
    /// KMS's `KeyState`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// A change to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyChange {
    /// Call off its scheduled deletion. AWS leaves it disabled.
    CancelDeletion,
    /// Let it encrypt and decrypt again.
    Enable,
    /// Make it unusable without scheduling its deletion.
    Disable,
}

impl ResourceKind for Key {
    const KIND: Kind = Kind::Key;
    const NAME: &'static str = "key";
    const SERVICE: &'static str = "kms";
    const ARN_PREFIX: &'static str = "key/";
    const READS: &'static [&'static str] = &["kms:DescribeKey", "kms:ListKeys", "kms:ListResourceTags"];

    type Live = KeyLive;
    type Desired = KeyDesired;
    type Change = KeyChange;

    fn tags(live: &KeyLive) -> &BTreeMap<String, String> {
        &live.tags
    }

    fn or(declared: KeyDesired, other: KeyDesired) -> KeyDesired {
        KeyDesired { state: declared.state.or(other.state) }
    }

    fn baseline(live: &KeyLive) -> KeyDesired {
        KeyDesired { state: (live.state == "Enabled").then(|| live.state.clone()) }
    }
}

impl<C: ReadKeys> Observed<C> for Key {
    async fn list(region: &Region, cloud: &C) -> Result<Vec<String>, CloudError> {
        let id = |arn: String| arn.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(cloud.keys(region).await?.into_iter().map(id).collect())
    }

    async fn read(place: &Place, _: &KeyDesired, cloud: &C) -> Result<KeyLive, CloudError> {
        cloud.key(&place.region, &place.name).await
    }

    async fn restore(place: &Place, _: &KeyDesired, cloud: &C) -> Result<Vec<Reversible<KeyChange>>, CloudError> {
        let enable = by(KeyChange::Enable, KeyChange::Disable);
        Ok(match cloud.key(&place.region, &place.name).await?.state.as_str() {
            "PendingDeletion" => {
                let why = "a key's deletion is never scheduled by Keepwatch; undo leaves it disabled";
                vec![keep(KeyChange::CancelDeletion, why), enable]
            }
            "Disabled" => vec![enable],
            _ => Vec::new(),
        })
    }

    async fn is_true(change: &KeyChange, place: &Place, cloud: &C) -> Result<bool, CloudError> {
        let state = cloud.key(&place.region, &place.name).await?.state;
        Ok(match change {
            KeyChange::CancelDeletion => state != "PendingDeletion",
            KeyChange::Enable => state == "Enabled",
            KeyChange::Disable => state == "Disabled",
        })
    }
}

impl ResourceChange for KeyChange {
    const PERMISSIONS: &'static [&'static str] = &["kms:CancelKeyDeletion", "kms:DisableKey", "kms:EnableKey"];

    fn describe(&self, place: &Place, f: &mut Formatter<'_>) -> Written {
        let what = match self {
            Self::CancelDeletion => "cancel the deletion of",
            Self::Enable => "enable",
            Self::Disable => "disable",
        };
        write!(f, "{what} key `{}`", Key::arn(place))
    }

    fn permissions(&self) -> &'static [&'static str] {
        match self {
            Self::CancelDeletion => &["kms:CancelKeyDeletion"],
            Self::Enable => &["kms:EnableKey"],
            Self::Disable => &["kms:DisableKey"],
        }
    }

    fn arns(&self, place: &Place) -> Vec<String> {
        vec![Key::arn(place)]
    }

    fn difference(&self, _: Option<&Self>) -> Vec<String> {
        match self {
            Self::CancelDeletion => replaced("key", "pending deletion", "disabled"),
            Self::Enable => replaced("key", "disabled", "enabled"),
            Self::Disable => replaced("key", "enabled", "disabled"),
        }
    }
}
