//! The AWS accounts that are watched, and how far the agent may go in them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// How far a response may go. Ordered: what happens is the least of the global, the
/// account's and the rule's mode.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Record the finding; notify nobody, change nothing.
    #[default]
    Observe,
    /// Notify people; change nothing.
    Alert,
    /// Notify people and wait for an approval.
    Approve,
    /// Act at once.
    Enforce,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Observe => "observe",
            Self::Alert => "alert",
            Self::Approve => "approve",
            Self::Enforce => "enforce",
        })
    }
}

/// What an account is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccountClass {
    /// Runs the business and makes the backups.
    Production,
    /// Isolated: holds copies of backups.
    Backup,
    /// Holds logs and security tooling.
    Log,
    /// The organisation's management account.
    Management,
}

/// A 12-digit AWS account id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct AccountId(String);

impl AccountId {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An account id that is not 12 digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an AWS account id: it takes 12 digits, in quotes")]
pub struct NotAnAccountId(String);

impl FromStr for AccountId {
    type Err = NotAnAccountId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnAccountId(text.to_owned()))
        }
    }
}

impl<'de> Deserialize<'de> for AccountId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One account that the agent watches.
#[derive(Debug, Clone, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its id, 12 digits in quotes.
    #[schemars(with = "String")]
    pub id: AccountId,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub class: AccountClass,
    /// Regions that are read in sweeps.
    #[serde(skip_serializing)]
    pub regions: Vec<String>,
    /// How far the agent may go in it. `observe` until it says otherwise.
    #[serde(default)]
    pub mode: Mode,
    /// The organisational unit it is in.
    #[serde(default)]
    pub ou: Option<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}
