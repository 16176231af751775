//! A CloudTrail trail: whether anybody would see the next attack.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Formatter, Result as Written};
use std::future::Future;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::difference::{come_and_go, mark, on, replaced};
use super::kind::{Observed, ResourceChange, ResourceKind};
use super::place::{Kind, Place};
use crate::domain::cloud_error::CloudError;
use crate::domain::region::Region;
use crate::domain::undo::{Reversible, by, keep};

/// CloudTrail trails. Event rules report them, so no event touches one.
pub struct Trail;

/// What is read of trails.
pub trait ReadTrails: Send + Sync {
    /// Names of the trails whose home this Region is.
    fn trails(&self, region: &Region) -> impl Future<Output = Result<Vec<String>, CloudError>> + Send;
    /// A trail's settings and whether it delivers.
    fn trail(&self, region: &Region, trail: &str) -> impl Future<Output = Result<TrailLive, CloudError>> + Send;
}

/// A trail as CloudTrail reports it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TrailLive {
    /// Whether it delivers now.
    pub logging: bool,
    /// Its settings.
    #[serde(flatten)]
    pub settings: TrailSettings,
    /// The trail's tags.
    #[serde(skip)]
    pub tags: BTreeMap<String, String>,
}

/// What can be set on a trail.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TrailSettings {
    /// The bucket that receives log files.
    pub bucket: String,
    /// Key prefix in that bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Whether it records every Region.
    pub multi_region: bool,
    /// Whether it records IAM and the other global services.
    pub global_service_events: bool,
    /// Whether digests prove that files are whole.
    pub log_file_validation: bool,
    /// Whether it records the whole organisation.
    pub organization: bool,
    /// ARN of the key that encrypts log files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// What it selects; `None` when it was not read or was never set.
    pub selectors: Option<Selectors>,
}

/// Which events a trail records. CloudTrail keeps one of the two lists, never both.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Selectors {
    /// Basic event selectors.
    pub basic: Vec<EventSelector>,
    /// Advanced event selectors.
    pub advanced: Vec<AdvancedSelector>,
}

/// A basic event selector.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EventSelector {
    /// `All`, `ReadOnly` or `WriteOnly`.
    pub read_write: String,
    /// Whether management events are recorded.
    pub management: bool,
    /// Services whose management events are left out.
    pub exclude: Vec<String>,
    /// Data resources by type, such as `AWS::S3::Object`.
    pub data: BTreeMap<String, Vec<String>>,
}

/// An advanced event selector.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AdvancedSelector {
    /// Its name.
    pub name: String,
    /// Its conditions, all of which must hold.
    pub fields: Vec<FieldSelector>,
}

/// One condition of an advanced event selector.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FieldSelector {
    /// The field, such as `eventCategory`.
    pub field: String,
    /// By operator (`Equals`, `NotEquals`, `StartsWith`, `NotStartsWith`, `EndsWith`, `NotEndsWith`): the values.
    pub is: BTreeMap<String, Vec<String>>,
}

/// What a trail should be.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrailDesired {
    /// Whether it records every Region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_region: Option<bool>,
    /// All of its settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<TrailSettings>,
    /// Whether it delivers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging: Option<bool>,
}

/// A change to a trail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrailChange {
    /// Make one that is gone, as it was.
    Create(TrailSettings),
    /// Change its settings and selectors.
    Update(TrailSettings),
    /// Start or stop its delivery.
    SetLogging(bool),
}

impl ResourceKind for Trail {
    const KIND: Kind = Kind::Trail;
    const NAME: &'static str = "trail";
    const SERVICE: &'static str = "cloudtrail";
    const ARN_PREFIX: &'static str = "trail/";
    const READS: &'static [&'static str] = &[
        "cloudtrail:DescribeTrails",
        "cloudtrail:GetEventSelectors",
        "cloudtrail:GetTrailStatus",
        "cloudtrail:ListTags",
    ];

    type Live = TrailLive;
    type Desired = TrailDesired;
    type Change = TrailChange;

    fn tags(live: &TrailLive) -> &BTreeMap<String, String> {
        &live.tags
    }

    fn or(declared: TrailDesired, other: TrailDesired) -> TrailDesired {
        TrailDesired {
            multi_region: declared.multi_region.or(other.multi_region),
            settings: declared.settings.or(other.settings),
            logging: declared.logging.or(other.logging),
        }
    }

    fn baseline(live: &TrailLive) -> TrailDesired {
        let logging = live.logging.then_some(true);
        TrailDesired { multi_region: None, settings: Some(live.settings.clone()), logging }
    }
}

impl<C: ReadTrails> Observed<C> for Trail {
    async fn list(region: &Region, cloud: &C) -> Result<Vec<String>, CloudError> {
        cloud.trails(region).await
    }

    async fn read(place: &Place, _: &TrailDesired, cloud: &C) -> Result<TrailLive, CloudError> {
        cloud.trail(&place.region, &place.name).await
    }

    async fn restore(
        place: &Place,
        desired: &TrailDesired,
        cloud: &C,
    ) -> Result<Vec<Reversible<TrailChange>>, CloudError> {
        match cloud.trail(&place.region, &place.name).await {
            Ok(live) => Ok(steps(desired, &live)),
            Err(CloudError::Gone { .. }) => lost(place, desired),
            Err(error) => Err(error),
        }
    }

    async fn is_true(change: &TrailChange, place: &Place, cloud: &C) -> Result<bool, CloudError> {
        let live = cloud.trail(&place.region, &place.name).await?;
        Ok(match change {
            TrailChange::Create(settings) | TrailChange::Update(settings) => matches(&live.settings, settings),
            TrailChange::SetLogging(logging) => live.logging == *logging,
        })
    }
}

impl ResourceChange for TrailChange {
    const PERMISSIONS: &'static [&'static str] = &[
        "cloudtrail:CreateTrail",
        "cloudtrail:PutEventSelectors",
        "cloudtrail:StartLogging",
        "cloudtrail:StopLogging",
        "cloudtrail:UpdateTrail",
    ];

    fn describe(&self, Place { name, .. }: &Place, f: &mut Formatter<'_>) -> Written {
        match self {
            Self::Create(settings) => write!(f, "create trail `{name}` to bucket `{}`", settings.bucket),
            Self::Update(_) => write!(f, "set the settings and selectors of trail `{name}`"),
            Self::SetLogging(true) => write!(f, "start logging of trail `{name}`"),
            Self::SetLogging(false) => write!(f, "stop logging of trail `{name}`"),
        }
    }

    fn permissions(&self) -> &'static [&'static str] {
        match self {
            Self::Create(_) => &["cloudtrail:CreateTrail", "cloudtrail:PutEventSelectors"],
            Self::Update(_) => &["cloudtrail:UpdateTrail", "cloudtrail:PutEventSelectors"],
            Self::SetLogging(true) => &["cloudtrail:StartLogging"],
            Self::SetLogging(false) => &["cloudtrail:StopLogging"],
        }
    }

    fn arns(&self, place: &Place) -> Vec<String> {
        vec![Trail::arn(place)]
    }

    fn difference(&self, before: Option<&Self>) -> Vec<String> {
        match (before, self) {
            (Some(Self::Update(old)), Self::Update(new)) => come_and_go(&settings(old), &settings(new)),
            (Some(Self::SetLogging(old)), Self::SetLogging(new)) => replaced("logging", on(*old), on(*new)),
            (_, Self::Create(new)) => come_and_go(&BTreeSet::new(), &settings(new)),
            (_, Self::Update(_) | Self::SetLogging(_)) => Vec::new(),
        }
    }
}

fn steps(desired: &TrailDesired, live: &TrailLive) -> Vec<Reversible<TrailChange>> {
    let mut steps = Vec::new();
    let mut wanted = desired.settings.clone().unwrap_or_else(|| live.settings.clone());
    wanted.multi_region = desired.multi_region.unwrap_or(wanted.multi_region);
    if !matches(&live.settings, &wanted) {
        steps.push(by(TrailChange::Update(wanted), TrailChange::Update(live.settings.clone())));
    }
    if !live.logging {
        steps.push(start());
    }
    steps
}

/// A deleted trail comes back from its baseline; without one nobody knows where it wrote to.
fn lost(place: &Place, desired: &TrailDesired) -> Result<Vec<Reversible<TrailChange>>, CloudError> {
    let settings = desired.settings.clone().ok_or_else(|| CloudError::Failed {
        call: "cloudtrail:CreateTrail".to_owned(),
        target: Trail::arn(place),
        detail: "the trail is gone, and no sweep had learnt how it was set: create it again by hand".to_owned(),
    })?;
    let why = "a trail is never deleted by Keepwatch; undo stops its logging";
    Ok(vec![keep(TrailChange::Create(settings), why), start()])
}

const fn start() -> Reversible<TrailChange> {
    by(TrailChange::SetLogging(true), TrailChange::SetLogging(false))
}

/// Whether a trail is set as wanted; selectors that nobody asked for may be anything.
fn matches(live: &TrailSettings, wanted: &TrailSettings) -> bool {
    let selectors = wanted.selectors.clone().or_else(|| live.selectors.clone());
    TrailSettings { selectors, ..wanted.clone() } == *live
}

/// A trail's settings, a line each.
fn settings(settings: &TrailSettings) -> BTreeSet<String> {
    let TrailSettings {
        bucket,
        prefix,
        multi_region,
        global_service_events,
        log_file_validation,
        organization,
        kms_key,
        selectors,
    } = settings;
    let mut lines = BTreeSet::from([
        format!("bucket: {bucket}"),
        format!("every Region: {}", on(*multi_region)),
        format!("global services: {}", on(*global_service_events)),
        format!("log file validation: {}", on(*log_file_validation)),
        format!("whole organisation: {}", on(*organization)),
        format!("prefix: {}", prefix.as_deref().unwrap_or("none")),
        format!("key: {}", kms_key.as_deref().unwrap_or("none")),
    ]);
    for selector in selectors.iter().flat_map(|selectors| &selectors.basic) {
        let data: usize = selector.data.values().map(Vec::len).sum();
        let (events, management) = (&selector.read_write, on(selector.management));
        lines.insert(format!(
            "selector: {events}, management events {management}, {data} data resource(s) (#{})",
            mark(selector)
        ));
    }
    for selector in selectors.iter().flat_map(|selectors| &selectors.advanced) {
        let fields: Vec<&str> = selector.fields.iter().map(|field| field.field.as_str()).collect();
        lines.insert(format!("selector `{}` on {} (#{})", selector.name, fields.join(", "), mark(selector)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_that_nobody_knows_how_to_make_again_is_said_to_be_lost() {
        let account = "111122223333".parse().expect("an account");
        let place = Place { kind: Kind::Trail, account, region: "eu-west-1".parse().unwrap(), name: "main".to_owned() };
        let error = lost(&place, &TrailDesired::default()).expect_err("nothing is known of it");
        assert!(error.to_string().contains("create it again by hand") && !error.is_transient(), "{error}");
    }
}
