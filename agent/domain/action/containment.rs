//! What limits an actor: changes to an IAM user or role, each with what takes it back.
//!
//! Nothing here decides whom to contain, or how much.

use std::collections::BTreeMap;
use std::fmt::{Formatter, Result as Written};
use std::future::Future;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::quarantine::{RoleSession, Strength, is_deny_all, session_policy, user_policy};
use crate::domain::cloud_error::CloudError;
use crate::domain::resource::difference::replaced;

/// The IAM permissions that looking at users and roles takes.
pub const READS: &[&str] = &[
    "iam:GetRolePolicy",
    "iam:GetUserPolicy",
    "iam:ListAccessKeys",
    "iam:ListAttachedUserPolicies",
    "iam:ListRolePolicies",
    "iam:ListUserPolicies",
];

/// The IAM permissions that any of these changes takes.
pub const PERMISSIONS: &[&str] = &[
    "iam:AttachUserPolicy",
    "iam:DeleteRolePolicy",
    "iam:DeleteUserPolicy",
    "iam:DetachUserPolicy",
    "iam:PutRolePolicy",
    "iam:PutUserPolicy",
    "iam:UpdateAccessKey",
];

/// What is read of users and roles.
pub trait ReadIdentities: Send + Sync {
    /// An IAM user's policies and keys.
    fn user(&self, name: &str) -> impl Future<Output = Result<UserState, CloudError>> + Send;
    /// A role's inline policies by name: the document as JSON text, decoded.
    fn role_policies(&self, role: &str) -> impl Future<Output = Result<BTreeMap<String, String>, CloudError>> + Send;
}

/// An IAM user as containment needs to know it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserState {
    /// Inline policies by name: the document as JSON text, decoded.
    pub inline: BTreeMap<String, String>,
    /// ARNs of attached managed policies.
    pub attached: Vec<String>,
    /// Access keys by id.
    pub keys: BTreeMap<String, KeyStatus>,
}

/// Whether an IAM access key can sign requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyStatus {
    /// It can.
    Active,
    /// It cannot.
    Inactive,
}

/// A change to an IAM user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserChange {
    /// Put the inline quarantine policy on the user.
    Quarantine {
        /// Name of the inline policy, unique to the incident.
        policy: String,
        /// What it denies.
        strength: Strength,
    },
    /// Take the inline quarantine policy off the user.
    Release {
        /// Name of the inline policy.
        policy: String,
    },
    /// Attach `AWSDenyAll` to a user whose inline policies have no room left.
    AttachDenyAll,
    /// Detach `AWSDenyAll`.
    DetachDenyAll,
    /// Switch an access key on or off; never delete it.
    SetAccessKey {
        /// The key's id.
        key_id: String,
        /// What it shall be.
        status: KeyStatus,
    },
}

/// A change to an IAM role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleChange {
    /// Deny one of its sessions by an inline policy.
    QuarantineSession {
        /// The session.
        session: RoleSession,
        /// Name of the inline policy, unique to the incident.
        policy: String,
        /// What it denies.
        strength: Strength,
    },
    /// Take an inline quarantine policy off the role.
    Release {
        /// Name of the inline policy.
        policy: String,
    },
}

impl UserChange {
    /// What it does to a user, in words.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn describe(&self, user: &str, f: &mut Formatter<'_>) -> Written {
        match self {
            Self::Quarantine { policy, strength } => {
                write!(f, "deny user `{user}` {} (inline policy `{policy}`)", strength.what())
            }
            Self::Release { policy } => write!(f, "remove policy `{policy}` from user `{user}`"),
            Self::AttachDenyAll => write!(f, "deny user `{user}` everything (attach `AWSDenyAll`)"),
            Self::DetachDenyAll => write!(f, "detach `AWSDenyAll` from user `{user}`"),
            Self::SetAccessKey { key_id, status } => {
                let verb = match status {
                    KeyStatus::Active => "activate",
                    KeyStatus::Inactive => "deactivate",
                };
                write!(f, "{verb} access key `{key_id}` of user `{user}`")
            }
        }
    }

    /// The IAM permissions that carrying it out takes.
    #[must_use]
    pub const fn permissions(&self) -> &'static [&'static str] {
        match self {
            Self::Quarantine { .. } => &["iam:PutUserPolicy"],
            Self::Release { .. } => &["iam:DeleteUserPolicy"],
            Self::AttachDenyAll => &["iam:AttachUserPolicy"],
            Self::DetachDenyAll => &["iam:DetachUserPolicy"],
            Self::SetAccessKey { .. } => &["iam:UpdateAccessKey"],
        }
    }

    /// Lines of `- before` and `+ after`; empty where the description says it all.
    #[must_use]
    pub fn difference(&self, before: &Self) -> Vec<String> {
        match (before, self) {
            (Self::SetAccessKey { status: old, .. }, Self::SetAccessKey { status: new, .. }) => {
                replaced("access key", &format!("{old:?}"), &format!("{new:?}"))
            }
            (
                _,
                Self::SetAccessKey { .. }
                | Self::Quarantine { .. }
                | Self::Release { .. }
                | Self::AttachDenyAll
                | Self::DetachDenyAll,
            ) => Vec::new(),
        }
    }

    /// Whether what is true of a user now is what it would make true.
    ///
    /// # Errors
    /// When the user cannot be read.
    pub async fn is_true(&self, user: &str, cloud: &impl ReadIdentities) -> Result<bool, CloudError> {
        let state = cloud.user(user).await?;
        Ok(match self {
            Self::Quarantine { policy, strength } => {
                let held = state.inline.get(policy);
                held.is_some_and(|document| same_document(document, &user_policy(*strength)))
            }
            Self::Release { policy } => !state.inline.contains_key(policy),
            Self::AttachDenyAll => state.is_denied_all(),
            Self::DetachDenyAll => !state.is_denied_all(),
            Self::SetAccessKey { key_id, status } => state.keys.get(key_id) == Some(status),
        })
    }
}

impl RoleChange {
    /// What it does to a role, in words.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn describe(&self, role: &str, f: &mut Formatter<'_>) -> Written {
        match self {
            Self::QuarantineSession { session: RoleSession { unique_id, issued_before }, policy, strength } => {
                let what = strength.what();
                write!(
                    f,
                    "deny session `{unique_id}` of role `{role}` {what}, if issued before {issued_before} (inline policy `{policy}`)"
                )
            }
            Self::Release { policy } => write!(f, "remove policy `{policy}` from role `{role}`"),
        }
    }

    /// The IAM permissions that carrying it out takes.
    #[must_use]
    pub const fn permissions(&self) -> &'static [&'static str] {
        match self {
            Self::QuarantineSession { .. } => &["iam:PutRolePolicy"],
            Self::Release { .. } => &["iam:DeleteRolePolicy"],
        }
    }

    /// Whether what is true of a role now is what it would make true.
    ///
    /// # Errors
    /// When the role cannot be read.
    pub async fn is_true(&self, role: &str, cloud: &impl ReadIdentities) -> Result<bool, CloudError> {
        let held = cloud.role_policies(role).await?;
        Ok(match self {
            Self::QuarantineSession { session, policy, strength } => {
                held.get(policy).is_some_and(|document| same_document(document, &session_policy(session, *strength)))
            }
            Self::Release { policy } => !held.contains_key(policy),
        })
    }
}

impl UserState {
    /// Whether `AWSDenyAll` is attached to the user.
    #[must_use]
    pub fn is_denied_all(&self) -> bool {
        self.attached.iter().any(|arn| is_deny_all(arn))
    }
}

/// Whether two policy documents say the same, however they are laid out.
#[must_use]
pub fn same_document(left: &str, right: &str) -> bool {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    parsed(left).is_some_and(|left| Some(left) == parsed(right))
}

/// Whether a document on a role denies a session, issued at this moment, at least as much. One
/// that somebody edited denies nothing that can be relied on.
#[must_use]
pub fn denies(document: &str, unique_id: &str, issued: Timestamp, strength: Strength) -> bool {
    const BEFORE: &str = "/Statement/0/Condition/DateLessThan/aws:TokenIssueTime";
    let Ok(parsed) = serde_json::from_str::<Value>(document) else {
        return false;
    };
    let Some(issued_before) = parsed.pointer(BEFORE).and_then(Value::as_str) else {
        return false;
    };
    let session = RoleSession { unique_id: unique_id.to_owned(), issued_before: issued_before.to_owned() };
    let is_ours =
        [strength, Strength::Hard].iter().any(|held| same_document(document, &session_policy(&session, *held)));
    is_ours && issued_before.parse::<Timestamp>().is_ok_and(|before| issued < before)
}
