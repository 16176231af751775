//! An S3 bucket: versioning and lifecycle.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, Place};
use crate::domain::event::Event;

/// What a bucket does with overwritten and deleted objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Versioning {
    /// Old versions are kept.
    Enabled,
    /// Old versions stay, new ones replace.
    Suspended,
    /// Never switched on.
    Unversioned,
}

/// A bucket's settings as S3 reports them.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct BucketLive {
    /// What happens to overwritten and deleted objects.
    pub versioning: Versioning,
    /// Whether deleting a version takes the root user's MFA.
    pub mfa_delete: bool,
    /// Every lifecycle rule, in S3's order; none when there is no configuration.
    pub lifecycle: Vec<LifecycleRule>,
    /// The bucket's tags.
    #[serde(skip)]
    pub tags: BTreeMap<String, String>,
}

/// One lifecycle rule, whole: what is restored replaces all there is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LifecycleRule {
    /// The rule's id.
    pub id: String,
    /// `Enabled` or `Disabled`.
    pub status: String,
    /// Key prefix it applies to; empty for the whole bucket.
    pub prefix: String,
    /// Object tags it applies to, all of them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Applies to objects larger than this, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub larger_than: Option<i64>,
    /// Applies to objects smaller than this, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smaller_than: Option<i64>,
    /// Days after which current versions expire.
    pub expiration_days: Option<i32>,
    /// Date on which current versions expire, RFC 3339.
    pub expiration_date: Option<String>,
    /// Whether lonely delete markers are removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expired_delete_markers: Option<bool>,
    /// Days after which noncurrent versions expire.
    pub noncurrent_days: Option<i32>,
    /// How many noncurrent versions are kept regardless.
    pub newer_noncurrent_versions: Option<i32>,
    /// Moves of current versions to another storage class.
    pub transitions: Vec<Transition>,
    /// Moves of noncurrent versions to another storage class.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub noncurrent_transitions: Vec<Transition>,
    /// Days after which an unfinished multipart upload is dropped.
    pub abort_incomplete_days: Option<i32>,
}

/// A move to another storage class.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Transition {
    /// Days after creation, or after becoming noncurrent.
    pub days: Option<i32>,
    /// Date of the move, RFC 3339; only for current versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Versions that stay behind; only for noncurrent versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newer_versions: Option<i32>,
    /// The class, such as `GLACIER`.
    pub storage_class: String,
}

/// The bucket whose settings an S3 management event changed. Its Region is the event's:
/// S3 logs bucket calls where the bucket lives.
pub(super) fn touched_by(event: &Event) -> Vec<Place> {
    let settings = ["PutBucketVersioning", "PutBucketLifecycle", "DeleteBucketLifecycle"];
    if !settings.contains(&event.name.as_str()) {
        return Vec::new();
    }
    let place = |name: &str| Place {
        kind: Kind::Bucket,
        account: event.account.clone(),
        region: event.region.clone(),
        name: name.to_owned(),
    };
    event.parameter("bucketName").map(place).into_iter().collect()
}
