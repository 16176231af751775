//! Where a protected resource is, and of which kind.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::account::AccountId;
use crate::domain::event::Event;
use crate::domain::region::Region;

/// The kinds of resource that are protected.
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
    /// A DynamoDB table.
    Table,
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
    /// The resource that a parameter of an event names, in the event's account and Region.
    #[must_use]
    pub fn named_by(event: &Event, kind: Kind, parameter: &str) -> Option<Self> {
        let name = event.parameter(parameter)?.to_owned();
        Some(Self { kind, account: event.account.clone(), region: event.region.clone()?, name })
    }
}
