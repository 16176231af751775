//! What each action needs of IAM, and on what.
//!
//! The roles of `deploy/member.yaml` hold exactly these permissions, and each responding
//! session exactly its action's: `tests/permissions.rs` holds all three equal.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Action, containment};
use crate::domain::account::AccountId;
use crate::domain::region::Partition;
use crate::domain::resource::for_each_kind;
use crate::domain::resource::kind::{ForEachKind, ResourceChange, ResourceKind};

/// What the event history takes.
const HISTORY: &str = "cloudtrail:LookupEvents";

/// What the two roles of an account may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolePermissions {
    /// Everything that the read role may do.
    pub read: BTreeSet<&'static str>,
    /// Everything that the respond role may do.
    pub respond: BTreeSet<&'static str>,
}

impl RolePermissions {
    /// The union of what containment and every kind of resource need.
    #[must_use]
    pub fn needed() -> Self {
        let mut needed = Self {
            read: containment::READS.iter().copied().chain([HISTORY]).collect(),
            respond: containment::PERMISSIONS.iter().copied().collect(),
        };
        for_each_kind(&mut needed);
        needed
    }
}

impl ForEachKind for RolePermissions {
    fn kind<K: ResourceKind>(&mut self) {
        self.read.extend(K::READS);
        self.respond.extend(K::Change::PERMISSIONS);
    }
}

impl Action {
    /// The IAM permissions that carrying it out takes, all of them of the respond role.
    #[must_use]
    pub fn permissions(&self) -> &'static [&'static str] {
        match self {
            Self::User { change, .. } => change.permissions(),
            Self::Role { change, .. } => change.permissions(),
            Self::Resource { change, .. } => change.permissions(),
        }
    }

    /// ARNs of what it is done to, as IAM evaluates the calls: all that its session may touch.
    #[must_use]
    pub fn resource_arns(&self, partition: Partition, account: &AccountId) -> Vec<String> {
        let principal = |kind, name| principal(partition, account, kind, name);
        match self {
            Self::User { user, .. } => principal("user", user),
            Self::Role { role, .. } => principal("role", role),
            Self::Resource { place, change } => change.arns(place),
        }
    }

    /// The policy of the session that carries it out: what it needs, where it needs it.
    #[must_use]
    pub fn session_policy(&self, partition: Partition, account: &AccountId) -> String {
        let statement = json!({
            "Effect": "Allow",
            "Action": self.permissions(),
            "Resource": self.resource_arns(partition, account),
        });
        json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
    }
}

/// A user or role whose path is not known: an ARN holds it.
fn principal(partition: Partition, account: &AccountId, kind: &str, name: &str) -> Vec<String> {
    [format!("{kind}/{name}"), format!("{kind}/*/{name}")]
        .map(|resource| partition.global_arn("iam", account.as_str(), &resource))
        .into()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::domain::action::{RoleChange, UserChange};
    use crate::domain::examples::{account_id, change_in};
    use crate::domain::resource::bucket::BucketChange;
    use crate::domain::resource::key::KeyChange;
    use crate::domain::resource::trail::TrailChange;
    use crate::domain::resource::vault::VaultChange;

    #[test]
    fn a_session_may_do_its_action_to_its_resource_and_nothing_else() {
        let action = change_in("eu-west-1", "org", TrailChange::SetLogging(true));
        let policy: Value = serde_json::from_str(&action.session_policy(Partition::Aws, &account_id())).unwrap();
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
        let action = Action::User { user: "eve".into(), change: UserChange::AttachDenyAll };
        let arns = action.resource_arns(Partition::Aws, &account_id());
        assert_eq!(arns, ["arn:aws:iam::111122223333:user/eve", "arn:aws:iam::111122223333:user/*/eve"]);
    }

    #[test]
    fn everything_that_an_action_is_done_to_is_in_the_accounts_partition() {
        for partition in Partition::ALL {
            let region = partition.global_region();
            let actions = [
                Action::User { user: "main".into(), change: UserChange::AttachDenyAll },
                Action::Role { role: "main".into(), change: RoleChange::Release { policy: "main".into() } },
                change_in(&region, "org", VaultChange::ReleaseHold { title: "main".into() }),
                change_in(&region, "org", VaultChange::SetPolicy(None)),
                change_in(&region, "org", BucketChange::SetLifecycle(Vec::new())),
                change_in(&region, "org", KeyChange::Enable),
                change_in(&region, "org", TrailChange::SetLogging(true)),
            ];
            for action in actions {
                let arns = action.resource_arns(partition, &account_id());
                let ours = format!("arn:{partition}:");
                assert!(!arns.is_empty() && arns.iter().all(|arn| arn.starts_with(&ours)), "{action}: {arns:?}");
            }
        }
    }

    #[test]
    fn no_role_does_the_others_work() {
        let RolePermissions { read, respond } = RolePermissions::needed();
        assert_eq!(read.intersection(&respond).collect::<Vec<_>>(), [&""; 0]);
    }
}
