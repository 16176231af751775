//! An S3 bucket: versioning and lifecycle.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Formatter, Result as Written};
use std::future::Future;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::difference::{come_and_go, on, replaced};
use super::kind::{Observed, ResourceChange, ResourceKind};
use super::place::{Kind, Place};
use crate::domain::cloud_error::CloudError;
use crate::domain::event::Event;
use crate::domain::region::Region;
use crate::domain::undo::{Reversible, by};

/// S3 buckets.
pub struct Bucket;

/// What is read of buckets.
pub trait ReadBuckets: Send + Sync {
    /// Every bucket of the account, wherever it lives.
    fn buckets(&self) -> impl Future<Output = Result<Vec<BucketPlace>, CloudError>> + Send;
    /// The Region that a bucket lives in.
    fn bucket_region(&self, bucket: &str) -> impl Future<Output = Result<Region, CloudError>> + Send;
    /// A bucket's settings.
    fn bucket(&self, region: &Region, bucket: &str) -> impl Future<Output = Result<BucketLive, CloudError>> + Send;
}

/// A bucket and the Region it lives in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketPlace {
    /// The bucket's name.
    pub name: String,
    /// Its Region.
    pub region: Region,
}

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
#[serde(default, deny_unknown_fields)]
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
#[serde(default, deny_unknown_fields)]
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

/// What a bucket should be.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BucketDesired {
    /// Its part in the strategy, such as `source` or `replica`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// What happens to overwritten and deleted objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versioning: Option<Versioning>,
    /// Its whole lifecycle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Vec<LifecycleRule>>,
}

/// A change to a bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BucketChange {
    /// Set its versioning.
    SetVersioning(Versioning),
    /// Replace its whole lifecycle configuration; no rules removes it.
    SetLifecycle(Vec<LifecycleRule>),
}

impl ResourceKind for Bucket {
    const KIND: Kind = Kind::Bucket;
    const NAME: &'static str = "bucket";
    const SERVICE: &'static str = "s3";
    const ARN_PREFIX: &'static str = "";
    const READS: &'static [&'static str] = &[
        "s3:GetBucketLocation",
        "s3:GetBucketTagging",
        "s3:GetBucketVersioning",
        "s3:GetLifecycleConfiguration",
        "s3:ListAllMyBuckets",
    ];

    type Live = BucketLive;
    type Desired = BucketDesired;
    type Change = BucketChange;

    /// S3's ARNs name neither Region nor owner.
    fn arn(place: &Place) -> String {
        place.region.partition().global_arn(Self::SERVICE, "", &place.name)
    }

    /// S3 logs bucket calls where the bucket lives: its Region is the event's.
    fn touched_by(event: &Event) -> Vec<Place> {
        let settings = ["PutBucketVersioning", "PutBucketLifecycle", "DeleteBucketLifecycle"];
        let is_setting = settings.contains(&event.name.as_str());
        Place::named_by(event, Kind::Bucket, "bucketName").filter(|_| is_setting).into_iter().collect()
    }

    fn tags(live: &BucketLive) -> &BTreeMap<String, String> {
        &live.tags
    }

    fn or(declared: BucketDesired, other: BucketDesired) -> BucketDesired {
        BucketDesired {
            class: declared.class.or(other.class),
            versioning: declared.versioning.or(other.versioning),
            lifecycle: declared.lifecycle.or(other.lifecycle),
        }
    }

    fn baseline(live: &BucketLive) -> BucketDesired {
        let enabled = live.versioning == Versioning::Enabled;
        BucketDesired {
            class: None,
            versioning: enabled.then_some(live.versioning),
            lifecycle: Some(live.lifecycle.clone()),
        }
    }
}

impl<C: ReadBuckets> Observed<C> for Bucket {
    async fn list(region: &Region, cloud: &C) -> Result<Vec<String>, CloudError> {
        let all = cloud.buckets().await?;
        Ok(all.into_iter().filter(|bucket| bucket.region == *region).map(|bucket| bucket.name).collect())
    }

    async fn read(place: &Place, _: &BucketDesired, cloud: &C) -> Result<BucketLive, CloudError> {
        cloud.bucket(&place.region, &place.name).await
    }

    async fn restore(
        place: &Place,
        desired: &BucketDesired,
        cloud: &C,
    ) -> Result<Vec<Reversible<BucketChange>>, CloudError> {
        let live = cloud.bucket(&place.region, &place.name).await?;
        let versioning = desired.versioning.filter(|wanted| *wanted != live.versioning);
        // S3 knows no way back to a bucket that never had versions.
        let before = if live.versioning == Versioning::Enabled { live.versioning } else { Versioning::Suspended };
        let versioning =
            versioning.map(|wanted| by(BucketChange::SetVersioning(wanted), BucketChange::SetVersioning(before)));
        let lifecycle = desired.lifecycle.as_ref().filter(|wanted| !same_lifecycle(wanted, &live.lifecycle));
        let set = |rules: &[LifecycleRule]| BucketChange::SetLifecycle(rules.to_vec());
        let lifecycle = lifecycle.map(|wanted| by(set(wanted), set(&live.lifecycle)));
        Ok(versioning.into_iter().chain(lifecycle).collect())
    }

    async fn is_true(change: &BucketChange, place: &Place, cloud: &C) -> Result<bool, CloudError> {
        let live = cloud.bucket(&place.region, &place.name).await?;
        Ok(match change {
            BucketChange::SetVersioning(versioning) => live.versioning == *versioning,
            BucketChange::SetLifecycle(rules) => same_lifecycle(&live.lifecycle, rules),
        })
    }
}

impl ResourceChange for BucketChange {
    const PERMISSIONS: &'static [&'static str] = &["s3:PutBucketVersioning", "s3:PutLifecycleConfiguration"];

    fn describe(&self, Place { name, .. }: &Place, f: &mut Formatter<'_>) -> Written {
        match self {
            Self::SetVersioning(versioning) => write!(f, "set versioning of bucket `{name}` to {versioning:?}"),
            Self::SetLifecycle(rules) if rules.is_empty() => write!(f, "remove the lifecycle of bucket `{name}`"),
            Self::SetLifecycle(rules) => {
                let ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
                write!(f, "set the lifecycle of bucket `{name}` to {} rule(s): {}", rules.len(), ids.join(", "))
            }
        }
    }

    fn permissions(&self) -> &'static [&'static str] {
        match self {
            Self::SetVersioning(_) => &["s3:PutBucketVersioning"],
            // Removing the configuration is authorised as putting one.
            Self::SetLifecycle(_) => &["s3:PutLifecycleConfiguration"],
        }
    }

    fn arns(&self, place: &Place) -> Vec<String> {
        vec![Bucket::arn(place)]
    }

    fn difference(&self, before: Option<&Self>) -> Vec<String> {
        match (before, self) {
            (Some(Self::SetVersioning(old)), Self::SetVersioning(new)) => {
                replaced("versioning", &format!("{old:?}"), &format!("{new:?}"))
            }
            (Some(Self::SetLifecycle(old)), Self::SetLifecycle(new)) => come_and_go(&rules(old), &rules(new)),
            (_, Self::SetVersioning(_) | Self::SetLifecycle(_)) => Vec::new(),
        }
    }
}

/// Whether two lifecycles are the same: S3 keeps no order.
fn same_lifecycle(left: &[LifecycleRule], right: &[LifecycleRule]) -> bool {
    let sorted = |rules: &[LifecycleRule]| {
        let mut rules = rules.to_vec();
        rules.sort_by(|left, right| left.id.cmp(&right.id));
        rules
    };
    sorted(left) == sorted(right)
}

fn rules(rules: &[LifecycleRule]) -> BTreeSet<String> {
    rules.iter().map(rule).collect()
}

/// A lifecycle rule in a line, with everything that it does.
fn rule(rule: &LifecycleRule) -> String {
    let days = |days: Option<i32>| days.map(|days| format!("after {days} d"));
    let dated = |date: &Option<String>| date.as_ref().map(|date| format!("on {date}"));
    let mut does: Vec<String> = Vec::new();
    let mut add = |what: &str, when: Option<String>| does.extend(when.map(|when| format!("{what} {when}")));
    add("expires", days(rule.expiration_days).or_else(|| dated(&rule.expiration_date)));
    add("noncurrent versions expire", days(rule.noncurrent_days));
    add("newest noncurrent versions kept:", rule.newer_noncurrent_versions.map(|kept| kept.to_string()));
    add("lonely delete markers go:", rule.expired_delete_markers.map(|go| on(go).to_owned()));
    add("unfinished uploads go", days(rule.abort_incomplete_days));
    for (what, moves) in [("moves", &rule.transitions), ("noncurrent versions move", &rule.noncurrent_transitions)] {
        for Transition { days: after, date, newer_versions, storage_class } in moves {
            let kept = newer_versions.map(|kept| format!(" but for the newest {kept}")).unwrap_or_default();
            let when = days(*after).or_else(|| dated(date)).unwrap_or_default();
            add(&format!("{what} to {storage_class}{kept}"), Some(when));
        }
    }
    let does = if does.is_empty() { "does nothing".to_owned() } else { does.join(", ") };
    format!("rule `{}` ({}{}): {does}", rule.id, rule.status, filter(rule))
}

/// What a rule applies to, unless it is the whole bucket.
fn filter(rule: &LifecycleRule) -> String {
    let mut parts = Vec::new();
    parts.extend((!rule.prefix.is_empty()).then(|| format!("prefix `{}`", rule.prefix)));
    parts.extend(rule.tags.iter().map(|(key, value)| format!("tag `{key}={value}`")));
    parts.extend(rule.larger_than.map(|size| format!("over {size} bytes")));
    parts.extend(rule.smaller_than.map(|size| format!("under {size} bytes")));
    parts.into_iter().map(|part| format!(", {part}")).collect()
}
