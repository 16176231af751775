//! A KMS key: whether what it encrypted can still be read.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

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
