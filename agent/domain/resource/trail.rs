//! A CloudTrail trail: whether anybody would see the next attack.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
