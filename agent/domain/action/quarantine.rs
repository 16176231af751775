//! The policy documents that contain an actor.
//!
//! A user's inline policies share 2,048 characters and a role's 10,240, white space not
//! counted, so documents are written without any.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::arn::Arn;
use crate::domain::region::Partition;

/// AWS's own policy that denies everything.
const DENY_ALL: &str = "policy/AWSDenyAll";
/// How ARNs call the owner of AWS's own policies.
const AWS: &str = "aws";

/// How much of what an actor can do is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strength {
    /// Destructive and privilege-changing actions are denied; the rest goes on.
    Soft,
    /// Everything is denied.
    Hard,
}

/// The session that a role quarantine denies: the part before the colon of `aws:userid` is
/// the role's unique id, the part after it the session's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleSession {
    /// `AROA…:session`, the value of `aws:userid`.
    pub unique_id: String,
    /// Sessions issued before this moment are denied, RFC 3339 in UTC.
    pub issued_before: String,
}

/// What nobody needs who is not about to destroy backups, evidence or the guards themselves, or
/// to go on as somebody else.
///
/// INVARIANT: with it, a user's policy stays under 2,048 characters, and every action of the
/// policies' `data.destructive` is denied. It also stops ordinary deletes of objects, which a
/// suspect can do without.
const DESTRUCTIVE: &[&str] = &[
    "backup:Cancel*",
    "backup:Delete*",
    "backup:Disassociate*",
    "backup:Put*",
    "backup:Revoke*",
    "backup:StopBackupJob",
    "backup:Update*",
    "s3:BypassGovernanceRetention",
    "s3:Delete*",
    "s3:Put*Configuration",
    "s3:PutBucketPolicy",
    "s3:PutBucketVersioning",
    "s3:PutObjectLegalHold",
    "s3:PutObjectRetention",
    "rds:Delete*",
    "rds:Modify*",
    "rds:StartExportTask",
    "dynamodb:Delete*",
    "dynamodb:UpdateContinuousBackups",
    "dynamodb:UpdateTable",
    "ec2:DeleteSnapshot",
    "ec2:DeleteVolume",
    "ec2:DeregisterImage",
    "ec2:ModifySnapshotAttribute",
    "ec2:UnlockSnapshot",
    "elasticfilesystem:Delete*",
    "elasticfilesystem:PutBackupPolicy",
    "fsx:Delete*",
    "glacier:Abort*",
    "glacier:Delete*",
    "redshift:BatchDelete*",
    "redshift:Delete*",
    "redshift:DisableSnapshotCopy",
    "rbin:*",
    "dlm:*",
    "kms:CreateGrant",
    "kms:Delete*",
    "kms:DisableKey",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "iam:*",
    "sts:Assume*",
    "sts:Get*Token",
    "organizations:*",
    "account:*",
    "cloudtrail:*",
    "events:*",
    "config:*",
    "guardduty:*",
    "cloudformation:*",
    "lambda:UpdateFunction*",
    "ssm:SendCommand",
    "ssm:StartSession",
];

/// ARN of AWS's own policy that denies everything.
#[must_use]
pub fn deny_all(partition: Partition) -> String {
    partition.global_arn("iam", AWS, DENY_ALL)
}

/// Whether a managed policy is AWS's own that denies everything, in whatever partition.
#[must_use]
pub fn is_deny_all(arn: &str) -> bool {
    Arn::read(arn).is_some_and(|arn| (arn.service, arn.account, arn.resource) == ("iam", AWS, DENY_ALL))
}

/// The inline policy that contains an IAM user, and every session made from its keys.
#[must_use]
pub fn user_policy(strength: Strength) -> String {
    document("KeepwatchUser", strength, None)
}

/// The inline policy that contains one session of a role and leaves the role's others alone.
#[must_use]
pub fn session_policy(session: &RoleSession, strength: Strength) -> String {
    let only = json!({
        "StringLike": { "aws:userid": literal(&session.unique_id) },
        "DateLessThan": { "aws:TokenIssueTime": session.issued_before },
    });
    document("KeepwatchSession", strength, Some(only))
}

impl Strength {
    /// What it denies, in words.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Soft => "destructive actions",
            Self::Hard => "everything",
        }
    }
}

fn document(sid: &str, strength: Strength, only: Option<Value>) -> String {
    let action = match strength {
        Strength::Hard => json!("*"),
        Strength::Soft => json!(DESTRUCTIVE),
    };
    let mut statement = json!({ "Sid": sid, "Effect": "Deny", "Action": action, "Resource": "*" });
    if let (Some(statement), Some(only)) = (statement.as_object_mut(), only) {
        statement.insert("Condition".to_owned(), only);
    }
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

/// A value that matches only itself where IAM reads wildcards and variables.
fn literal(value: &str) -> String {
    let escaped = |letter: char| match letter {
        '*' | '?' | '$' => format!("${{{letter}}}"),
        plain => plain.to_string(),
    };
    value.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> RoleSession {
        RoleSession { unique_id: "AROAEXAMPLEID:evil-session".into(), issued_before: "2026-01-02T03:04:35Z".into() }
    }

    fn statement(document: &str) -> Value {
        let mut document: Value = serde_json::from_str(document).unwrap();
        assert_eq!(document["Version"], "2012-10-17");
        assert_eq!(document["Statement"].as_array().unwrap().len(), 1);
        document["Statement"][0].take()
    }

    #[test]
    fn what_denies_everything_is_aws_own_policy_in_every_partition() {
        for partition in Partition::ALL {
            assert!(is_deny_all(&deny_all(partition)), "{partition}");
        }
        assert_eq!(deny_all(Partition::AwsCn), "arn:aws-cn:iam::aws:policy/AWSDenyAll");
        assert!(!is_deny_all("arn:aws:iam::111122223333:policy/AWSDenyAll"), "a policy of that name is anybody's");
    }

    #[test]
    fn a_hard_quarantine_denies_everything() {
        let denied = statement(&user_policy(Strength::Hard));
        assert_eq!(denied, json!({"Sid": "KeepwatchUser", "Effect": "Deny", "Action": "*", "Resource": "*"}));
    }

    #[test]
    fn a_soft_quarantine_denies_what_destroys() {
        let denied = statement(&user_policy(Strength::Soft));
        assert_eq!((&denied["Effect"], &denied["Resource"]), (&json!("Deny"), &json!("*")));
        for action in ["backup:Delete*", "s3:PutBucketVersioning", "kms:ScheduleKeyDeletion", "cloudtrail:*", "iam:*"] {
            assert!(denied["Action"].as_array().unwrap().contains(&json!(action)), "{action}");
        }
    }

    #[test]
    fn a_sessions_quarantine_is_for_that_session_only() {
        for strength in [Strength::Soft, Strength::Hard] {
            let condition = statement(&session_policy(&session(), strength))["Condition"].take();
            let expected = json!({
                "StringLike": {"aws:userid": "AROAEXAMPLEID:evil-session"},
                "DateLessThan": {"aws:TokenIssueTime": "2026-01-02T03:04:35Z"},
            });
            assert_eq!(condition, expected);
        }
    }

    #[test]
    fn a_wildcard_in_a_sessions_name_matches_only_itself() {
        let odd = RoleSession { unique_id: "AROA:*${x}?".into(), ..session() };
        let condition = statement(&session_policy(&odd, Strength::Hard))["Condition"].take();
        assert_eq!(condition["StringLike"]["aws:userid"], "AROA:${*}${$}{x}${?}");
    }

    #[test]
    fn every_document_fits_and_wastes_no_character() {
        let documents = [Strength::Soft, Strength::Hard]
            .map(|strength| [user_policy(strength), session_policy(&session(), strength)]);
        for document in documents.iter().flatten() {
            assert!(document.len() < 2048, "{} characters", document.len());
            assert!(!document.contains(char::is_whitespace), "{document}");
        }
    }
}
