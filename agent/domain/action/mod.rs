//! What the agent may do to an account, and what each of those actions needs.
//!
//! An [`Action`] is a value. It can be printed, stored, compared and undone before anything
//! happens. Carrying one out is [`crate::respond::execute`]'s job alone.

pub mod permissions;
pub mod quarantine;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::resource::bucket::{LifecycleRule, Versioning};
use super::resource::trail::TrailSettings;

/// How much of what an actor can do is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strength {
    /// Destructive and privilege-changing actions are denied; the rest goes on.
    Soft,
    /// Everything is denied.
    Hard,
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

/// The session that a role quarantine denies: the part before the colon of `aws:userid` is
/// the role's unique id, the part after it the session's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleSession {
    /// The role's name, without its path.
    pub role: String,
    /// `AROA…:session`, the value of `aws:userid`.
    pub unique_id: String,
    /// Sessions issued before this moment are denied, RFC 3339 in UTC.
    pub issued_before: String,
}

/// A change to one thing in one account. Adding a variant will not compile until it has a
/// target, permissions, a sentence, and an arm in `aws::write`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Put the inline quarantine policy on an IAM user.
    QuarantineUser {
        /// The user's name.
        user: String,
        /// Name of the inline policy, unique to the incident.
        policy: String,
        /// What it denies.
        strength: Strength,
    },
    /// Take the inline quarantine policy off an IAM user.
    ReleaseUser {
        /// The user's name.
        user: String,
        /// Name of the inline policy.
        policy: String,
    },
    /// Attach `AWSDenyAll` to a user whose inline policies have no room left.
    AttachDenyAll {
        /// The user's name.
        user: String,
    },
    /// Detach `AWSDenyAll` from a user.
    DetachDenyAll {
        /// The user's name.
        user: String,
    },
    /// Switch an access key on or off; never delete it.
    SetAccessKey {
        /// The user's name.
        user: String,
        /// The key's id.
        key_id: String,
        /// What it shall be.
        status: KeyStatus,
    },
    /// Deny one session of a role by an inline policy on the role.
    QuarantineSession {
        /// The session.
        session: RoleSession,
        /// Name of the inline policy, unique to the incident.
        policy: String,
        /// What it denies.
        strength: Strength,
    },
    /// Take an inline quarantine policy off a role.
    ReleaseSession {
        /// The role's name.
        role: String,
        /// Name of the inline policy.
        policy: String,
    },
    /// Put a legal hold on all recovery points of a vault.
    HoldVault {
        /// Where the vault is.
        region: String,
        /// The vault's name.
        vault: String,
        /// Title of the hold, unique to the incident: it is how the hold is found again.
        title: String,
    },
    /// Cancel the legal hold with this title.
    ReleaseHold {
        /// Where the vault is.
        region: String,
        /// Title of the hold.
        title: String,
    },
    /// Set a bucket's versioning.
    SetVersioning {
        /// Where the bucket is.
        region: String,
        /// The bucket's name.
        bucket: String,
        /// What it shall be.
        versioning: Versioning,
    },
    /// Replace a bucket's whole lifecycle configuration; no rules removes it.
    SetLifecycle {
        /// Where the bucket is.
        region: String,
        /// The bucket's name.
        bucket: String,
        /// Every rule it shall have.
        rules: Vec<LifecycleRule>,
    },
    /// Set a vault's access policy; `None` removes it.
    SetVaultPolicy {
        /// Where the vault is.
        region: String,
        /// The vault's name.
        vault: String,
        /// The policy document.
        policy: Option<Value>,
    },
    /// Call off a key's scheduled deletion. AWS leaves the key disabled.
    CancelKeyDeletion {
        /// Where the key is.
        region: String,
        /// The key's ARN.
        key: String,
    },
    /// Let a key encrypt and decrypt again.
    EnableKey {
        /// Where the key is.
        region: String,
        /// The key's ARN.
        key: String,
    },
    /// Make a key unusable without scheduling its deletion.
    DisableKey {
        /// Where the key is.
        region: String,
        /// The key's ARN.
        key: String,
    },
    /// Make a trail that is gone, as it was.
    CreateTrail {
        /// The trail's home Region.
        region: String,
        /// The trail's name.
        trail: String,
        /// How it shall be.
        settings: TrailSettings,
    },
    /// Change a trail's settings and selectors.
    UpdateTrail {
        /// The trail's home Region.
        region: String,
        /// The trail's name.
        trail: String,
        /// How it shall be.
        settings: TrailSettings,
    },
    /// Start or stop a trail's delivery.
    SetLogging {
        /// The trail's home Region.
        region: String,
        /// The trail's name.
        trail: String,
        /// Whether it shall deliver.
        logging: bool,
    },
    /// Copy a recovery point into another vault.
    CopyRecoveryPoint {
        /// Where the recovery point is.
        region: String,
        /// The vault it is in.
        vault: String,
        /// The recovery point's ARN.
        recovery_point: String,
        /// ARN of the vault that gets the copy.
        destination: String,
        /// ARN of the role that AWS Backup copies with.
        role: String,
    },
}

/// What takes an action back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "snake_case")]
pub enum Undo {
    /// This action does.
    By {
        /// The action that takes it back.
        action: Action,
    },
    /// Nothing does, and nothing needs to.
    Keep {
        /// Why it may stay.
        because: String,
    },
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QuarantineUser { user, policy, strength } => {
                write!(f, "deny user `{user}` {} (inline policy `{policy}`)", strength.what())
            }
            Self::ReleaseUser { user, policy } => write!(f, "remove policy `{policy}` from user `{user}`"),
            Self::AttachDenyAll { user } => write!(f, "deny user `{user}` everything (attach `AWSDenyAll`)"),
            Self::DetachDenyAll { user } => write!(f, "detach `AWSDenyAll` from user `{user}`"),
            Self::SetAccessKey { user, key_id, status } => {
                let verb = match status {
                    KeyStatus::Active => "activate",
                    KeyStatus::Inactive => "deactivate",
                };
                write!(f, "{verb} access key `{key_id}` of user `{user}`")
            }
            Self::QuarantineSession { session, policy, strength } => {
                let RoleSession { role, unique_id, issued_before } = session;
                let what = strength.what();
                write!(
                    f,
                    "deny session `{unique_id}` of role `{role}` {what}, if issued before {issued_before} (inline policy `{policy}`)"
                )
            }
            Self::ReleaseSession { role, policy } => write!(f, "remove policy `{policy}` from role `{role}`"),
            Self::HoldVault { vault, region, title } => {
                write!(f, "hold every recovery point of vault `{vault}` in {region} (legal hold `{title}`)")
            }
            Self::ReleaseHold { region, title } => write!(f, "cancel legal hold `{title}` in {region}"),
            Self::SetVersioning { bucket, versioning, .. } => {
                write!(f, "set versioning of bucket `{bucket}` to {versioning:?}")
            }
            Self::SetLifecycle { bucket, rules, .. } if rules.is_empty() => {
                write!(f, "remove the lifecycle of bucket `{bucket}`")
            }
            Self::SetLifecycle { bucket, rules, .. } => {
                let ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
                write!(f, "set the lifecycle of bucket `{bucket}` to {} rule(s): {}", rules.len(), ids.join(", "))
            }
            Self::SetVaultPolicy { vault, policy: Some(_), .. } => {
                write!(f, "set the access policy of vault `{vault}`")
            }
            Self::SetVaultPolicy { vault, policy: None, .. } => {
                write!(f, "remove the access policy of vault `{vault}`")
            }
            Self::CancelKeyDeletion { key, .. } => write!(f, "cancel the deletion of key `{key}`"),
            Self::EnableKey { key, .. } => write!(f, "enable key `{key}`"),
            Self::DisableKey { key, .. } => write!(f, "disable key `{key}`"),
            Self::CreateTrail { trail, settings, .. } => {
                write!(f, "create trail `{trail}` to bucket `{}`", settings.bucket)
            }
            Self::UpdateTrail { trail, .. } => write!(f, "set the settings and selectors of trail `{trail}`"),
            Self::SetLogging { trail, logging: true, .. } => write!(f, "start logging of trail `{trail}`"),
            Self::SetLogging { trail, logging: false, .. } => write!(f, "stop logging of trail `{trail}`"),
            Self::CopyRecoveryPoint { recovery_point, destination, .. } => {
                write!(f, "copy recovery point `{recovery_point}` to `{destination}`")
            }
        }
    }
}

impl Strength {
    /// What it denies, in words.
    const fn what(self) -> &'static str {
        match self {
            Self::Soft => "destructive actions",
            Self::Hard => "everything",
        }
    }
}

impl fmt::Display for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::By { action } => action.fmt(f),
            Self::Keep { because } => write!(f, "nothing: {because}"),
        }
    }
}
