//! What each action needs of IAM, and on what.
//!
//! The roles of `deploy/member.yaml` hold exactly these permissions, and each responding
//! session exactly its action's: `tests/permissions.rs` holds all three equal.

use serde_json::json;

use super::{Action, RoleSession};
use crate::domain::account::AccountId;

/// Everything that the read role may do.
pub const READ: &[&str] = &[
    "backup:DescribeBackupVault",
    "backup:GetBackupVaultAccessPolicy",
    "backup:ListBackupVaults",
    "backup:ListCopyJobs",
    "backup:ListLegalHolds",
    "backup:ListRecoveryPointsByBackupVault",
    "backup:ListTags",
    "cloudtrail:DescribeTrails",
    "cloudtrail:GetEventSelectors",
    "cloudtrail:GetTrailStatus",
    "cloudtrail:ListTags",
    "cloudtrail:LookupEvents",
    "iam:GetRolePolicy",
    "iam:GetUserPolicy",
    "iam:ListAccessKeys",
    "iam:ListAttachedUserPolicies",
    "iam:ListRolePolicies",
    "iam:ListUserPolicies",
    "kms:DescribeKey",
    "kms:ListKeys",
    "kms:ListResourceTags",
    "s3:GetBucketLocation",
    "s3:GetBucketTagging",
    "s3:GetBucketVersioning",
    "s3:GetLifecycleConfiguration",
    "s3:ListAllMyBuckets",
];

/// Everything that the respond role may do: the union of what the actions need.
pub const RESPOND: &[&str] = &[
    "backup:CancelLegalHold",
    "backup:CreateLegalHold",
    "backup:DeleteBackupVaultAccessPolicy",
    "backup:PutBackupVaultAccessPolicy",
    "backup:StartCopyJob",
    "cloudtrail:CreateTrail",
    "cloudtrail:PutEventSelectors",
    "cloudtrail:StartLogging",
    "cloudtrail:StopLogging",
    "cloudtrail:UpdateTrail",
    "iam:AttachUserPolicy",
    "iam:DeleteRolePolicy",
    "iam:DeleteUserPolicy",
    "iam:DetachUserPolicy",
    "iam:PassRole",
    "iam:PutRolePolicy",
    "iam:PutUserPolicy",
    "iam:UpdateAccessKey",
    "kms:CancelKeyDeletion",
    "kms:DisableKey",
    "kms:EnableKey",
    "s3:PutBucketVersioning",
    "s3:PutLifecycleConfiguration",
];

impl Action {
    /// The IAM permissions that carrying it out takes, all of them of the respond role.
    #[must_use]
    pub const fn permissions(&self) -> &'static [&'static str] {
        match self {
            Self::QuarantineUser { .. } => &["iam:PutUserPolicy"],
            Self::ReleaseUser { .. } => &["iam:DeleteUserPolicy"],
            Self::AttachDenyAll { .. } => &["iam:AttachUserPolicy"],
            Self::DetachDenyAll { .. } => &["iam:DetachUserPolicy"],
            Self::SetAccessKey { .. } => &["iam:UpdateAccessKey"],
            Self::QuarantineSession { .. } => &["iam:PutRolePolicy"],
            Self::ReleaseSession { .. } => &["iam:DeleteRolePolicy"],
            Self::HoldVault { .. } => &["backup:CreateLegalHold"],
            Self::ReleaseHold { .. } => &["backup:CancelLegalHold"],
            Self::SetVersioning { .. } => &["s3:PutBucketVersioning"],
            // Removing the configuration is authorised as putting one.
            Self::SetLifecycle { .. } => &["s3:PutLifecycleConfiguration"],
            Self::SetVaultPolicy { policy: Some(_), .. } => &["backup:PutBackupVaultAccessPolicy"],
            Self::SetVaultPolicy { policy: None, .. } => &["backup:DeleteBackupVaultAccessPolicy"],
            Self::CancelKeyDeletion { .. } => &["kms:CancelKeyDeletion"],
            Self::EnableKey { .. } => &["kms:EnableKey"],
            Self::DisableKey { .. } => &["kms:DisableKey"],
            Self::CreateTrail { .. } => &["cloudtrail:CreateTrail", "cloudtrail:PutEventSelectors"],
            Self::UpdateTrail { .. } => &["cloudtrail:UpdateTrail", "cloudtrail:PutEventSelectors"],
            Self::SetLogging { logging: true, .. } => &["cloudtrail:StartLogging"],
            Self::SetLogging { logging: false, .. } => &["cloudtrail:StopLogging"],
            Self::CopyRecoveryPoint { .. } => &["backup:StartCopyJob", "iam:PassRole"],
        }
    }

    /// ARNs of what it is done to, as IAM evaluates the calls: all that its session may touch.
    #[must_use]
    pub fn resource_arns(&self, account: &AccountId) -> Vec<String> {
        match self {
            Self::QuarantineUser { user, .. }
            | Self::ReleaseUser { user, .. }
            | Self::AttachDenyAll { user }
            | Self::DetachDenyAll { user }
            | Self::SetAccessKey { user, .. } => principal(account, "user", user),
            Self::QuarantineSession { session: RoleSession { role, .. }, .. } | Self::ReleaseSession { role, .. } => {
                principal(account, "role", role)
            }
            // A hold has no ARN before it exists, and none that names the vault afterwards.
            Self::HoldVault { .. } => vec!["*".to_owned()],
            Self::ReleaseHold { region, .. } => vec![format!("arn:aws:backup:{region}:{account}:legal-hold:*")],
            Self::SetVersioning { bucket, .. } | Self::SetLifecycle { bucket, .. } => {
                vec![format!("arn:aws:s3:::{bucket}")]
            }
            Self::SetVaultPolicy { region, vault, .. } => {
                vec![format!("arn:aws:backup:{region}:{account}:backup-vault:{vault}")]
            }
            Self::CancelKeyDeletion { key, .. } | Self::EnableKey { key, .. } | Self::DisableKey { key, .. } => {
                vec![key.clone()]
            }
            Self::CreateTrail { region, trail, .. }
            | Self::UpdateTrail { region, trail, .. }
            | Self::SetLogging { region, trail, .. } => {
                vec![format!("arn:aws:cloudtrail:{region}:{account}:trail/{trail}")]
            }
            Self::CopyRecoveryPoint { recovery_point, role, .. } => vec![recovery_point.clone(), role.clone()],
        }
    }

    /// The Region that it is done in; `None` for IAM, which has none.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        match self {
            Self::QuarantineUser { .. }
            | Self::ReleaseUser { .. }
            | Self::AttachDenyAll { .. }
            | Self::DetachDenyAll { .. }
            | Self::SetAccessKey { .. }
            | Self::QuarantineSession { .. }
            | Self::ReleaseSession { .. } => None,
            Self::HoldVault { region, .. }
            | Self::ReleaseHold { region, .. }
            | Self::SetVersioning { region, .. }
            | Self::SetLifecycle { region, .. }
            | Self::SetVaultPolicy { region, .. }
            | Self::CancelKeyDeletion { region, .. }
            | Self::EnableKey { region, .. }
            | Self::DisableKey { region, .. }
            | Self::CreateTrail { region, .. }
            | Self::UpdateTrail { region, .. }
            | Self::SetLogging { region, .. }
            | Self::CopyRecoveryPoint { region, .. } => Some(region),
        }
    }

    /// The policy of the session that carries it out: what it needs, where it needs it.
    #[must_use]
    pub fn session_policy(&self, account: &AccountId) -> String {
        let statement = json!({
            "Effect": "Allow",
            "Action": self.permissions(),
            "Resource": self.resource_arns(account),
        });
        json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
    }
}

/// A user or role whose path is not known: an ARN holds it.
fn principal(account: &AccountId, kind: &str, name: &str) -> Vec<String> {
    vec![format!("arn:aws:iam::{account}:{kind}/{name}"), format!("arn:aws:iam::{account}:{kind}/*/{name}")]
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn account() -> AccountId {
        "111122223333".parse().unwrap()
    }

    #[test]
    fn a_session_may_do_its_action_to_its_resource_and_nothing_else() {
        let action = Action::SetLogging { region: "eu-west-1".into(), trail: "org".into(), logging: true };
        let policy: Value = serde_json::from_str(&action.session_policy(&account())).unwrap();
        let expected = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Action": ["cloudtrail:StartLogging"],
                "Resource": ["arn:aws:cloudtrail:eu-west-1:111122223333:trail/org"],
            }],
        });
        assert_eq!(policy, expected);
    }

    #[test]
    fn a_user_is_reached_with_and_without_a_path() {
        let arns = Action::AttachDenyAll { user: "eve".into() }.resource_arns(&account());
        assert_eq!(arns, ["arn:aws:iam::111122223333:user/eve", "arn:aws:iam::111122223333:user/*/eve"]);
    }

    #[test]
    fn the_lists_are_sorted_and_name_nothing_twice() {
        for list in [READ, RESPOND] {
            assert!(list.is_sorted_by(|a, b| a < b));
        }
        assert!(READ.iter().all(|permission| !RESPOND.contains(permission)), "no role does the other's work");
    }
}
