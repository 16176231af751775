//! What the agent may do to an account, as values.
//!
//! An [`Action`] can be printed, stored, compared and undone before anything happens. Carrying
//! one out is [`crate::respond::execute`]'s job alone.

pub mod containment;
pub mod permissions;
pub mod quarantine;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::resource::{Change, Place};

pub use self::containment::{KeyStatus, RoleChange, UserChange};
pub use self::quarantine::{RoleSession, Strength};

/// A change to one thing in one account: the target, and what becomes of it. What a change says,
/// needs and takes back is the business of its own kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "target", rename_all = "snake_case")]
pub enum Action {
    /// To an IAM user.
    User {
        /// The user's name.
        user: String,
        /// What becomes of it.
        change: UserChange,
    },
    /// To an IAM role.
    Role {
        /// The role's name, without its path.
        role: String,
        /// What becomes of it.
        change: RoleChange,
    },
    /// To a protected resource.
    Resource {
        /// Where the resource is.
        place: Place,
        /// What becomes of it.
        change: Change,
    },
}

impl Action {
    /// What is different after it: `- before` and `+ after`, where `before` would take it back.
    /// Empty where its description says it all, as for quarantines and holds.
    #[must_use]
    pub fn difference(&self, before: Option<&Self>) -> Vec<String> {
        match (self, before) {
            (Self::User { change, .. }, Some(Self::User { change: before, .. })) => change.difference(before),
            (Self::Resource { change, .. }, Some(Self::Resource { change: before, .. })) => {
                change.difference(Some(before))
            }
            (Self::Resource { change, .. }, _) => change.difference(None),
            (Self::User { .. } | Self::Role { .. }, _) => Vec::new(),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { user, change } => change.describe(user, f),
            Self::Role { role, change } => change.describe(role, f),
            Self::Resource { place, change } => change.describe(place, f),
        }
    }
}
