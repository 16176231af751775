//! AWS IAM: users, their keys, and inline policies.

use std::collections::BTreeMap;
use std::future::Future;

use aws_sdk_iam::Client;
use aws_sdk_iam::types::StatusType;
use percent_encoding::percent_decode_str;

use super::call::ServiceClient;
use super::read::Reader;
use crate::domain::action::containment::{ReadIdentities, UserState};
use crate::domain::action::{KeyStatus, RoleChange, UserChange, quarantine};
use crate::domain::cloud::CloudError;
use crate::domain::region::Partition;

type Iam = ServiceClient<Client>;

impl ReadIdentities for Reader {
    async fn user(&self, name: &str) -> Result<UserState, CloudError> {
        user(self.global().iam(), name).await
    }

    async fn role_policies(&self, role: &str) -> Result<BTreeMap<String, String>, CloudError> {
        role_policies(self.global().iam(), role).await
    }
}

/// Carries out a change to a user.
pub async fn change_user(iam: &Iam, partition: Partition, user: &str, change: &UserChange) -> Result<(), CloudError> {
    match change {
        UserChange::Quarantine { policy, strength } => {
            put_user_policy(iam, user, policy, &quarantine::user_policy(*strength)).await
        }
        UserChange::Release { policy } => delete_user_policy(iam, user, policy).await,
        UserChange::AttachDenyAll => attach_user_policy(iam, user, &quarantine::deny_all(partition)).await,
        UserChange::DetachDenyAll => detach_user_policy(iam, user, &quarantine::deny_all(partition)).await,
        UserChange::SetAccessKey { key_id, status } => update_access_key(iam, user, key_id, *status).await,
    }
}

/// Carries out a change to a role.
pub async fn change_role(iam: &Iam, role: &str, change: &RoleChange) -> Result<(), CloudError> {
    match change {
        RoleChange::QuarantineSession { session, policy, strength } => {
            put_role_policy(iam, role, policy, &quarantine::session_policy(session, *strength)).await
        }
        RoleChange::Release { policy } => delete_role_policy(iam, role, policy).await,
    }
}

/// A user's policies and keys.
async fn user(iam: &Iam, user: &str) -> Result<UserState, CloudError> {
    let (inline, attached, keys) =
        tokio::try_join!(user_policies(iam, user), attached_policies(iam, user), access_keys(iam, user))?;
    Ok(UserState { inline, attached, keys })
}

async fn user_policies(iam: &Iam, user: &str) -> Result<BTreeMap<String, String>, CloudError> {
    let list = || iam.client.list_user_policies().user_name(user).into_paginator().items().send().try_collect();
    let names: Vec<String> = iam.ask("iam:ListUserPolicies", user, list).await?;
    documents(names, |name| user_policy(iam, user, name)).await
}

async fn user_policy(iam: &Iam, user: &str, name: String) -> Result<(String, String), CloudError> {
    let get = || iam.client.get_user_policy().user_name(user).policy_name(&name).send();
    let answer = iam.ask("iam:GetUserPolicy", user, get).await?;
    Ok((name, decoded(answer.policy_document())))
}

/// A document as it was written: IAM hands it out percent-encoded.
fn decoded(document: &str) -> String {
    percent_decode_str(document).decode_utf8_lossy().into_owned()
}

/// A role's inline policies by name.
pub async fn role_policies(iam: &Iam, role: &str) -> Result<BTreeMap<String, String>, CloudError> {
    let list = || iam.client.list_role_policies().role_name(role).into_paginator().items().send().try_collect();
    let names: Vec<String> = iam.ask("iam:ListRolePolicies", role, list).await?;
    documents(names, |name| role_policy(iam, role, name)).await
}

async fn role_policy(iam: &Iam, role: &str, name: String) -> Result<(String, String), CloudError> {
    let get = || iam.client.get_role_policy().role_name(role).policy_name(&name).send();
    let answer = iam.ask("iam:GetRolePolicy", role, get).await?;
    Ok((name, decoded(answer.policy_document())))
}

/// Reads each policy. One that went away after it was listed is not there; that says nothing
/// about whose it was.
async fn documents<F>(names: Vec<String>, read: impl Fn(String) -> F) -> Result<BTreeMap<String, String>, CloudError>
where
    F: Future<Output = Result<(String, String), CloudError>>,
{
    let mut all = BTreeMap::new();
    for name in names {
        match read(name).await {
            Ok(policy) => all.extend([policy]),
            Err(CloudError::Gone { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

async fn attached_policies(iam: &Iam, user: &str) -> Result<Vec<String>, CloudError> {
    let list =
        || iam.client.list_attached_user_policies().user_name(user).into_paginator().items().send().try_collect();
    let attached = iam.ask("iam:ListAttachedUserPolicies", user, list).await?;
    Ok(attached.into_iter().filter_map(|policy| policy.policy_arn).collect())
}

async fn access_keys(iam: &Iam, user: &str) -> Result<BTreeMap<String, KeyStatus>, CloudError> {
    let list = || iam.client.list_access_keys().user_name(user).into_paginator().items().send().try_collect();
    let keys = iam.ask("iam:ListAccessKeys", user, list).await?;
    let one = |key: aws_sdk_iam::types::AccessKeyMetadata| {
        let status = if key.status == Some(StatusType::Active) { KeyStatus::Active } else { KeyStatus::Inactive };
        Some((key.access_key_id?, status))
    };
    Ok(keys.into_iter().filter_map(one).collect())
}

/// Puts an inline policy on a user.
pub async fn put_user_policy(iam: &Iam, user: &str, policy: &str, document: &str) -> Result<(), CloudError> {
    let put = || iam.client.put_user_policy().user_name(user).policy_name(policy).policy_document(document).send();
    iam.ask("iam:PutUserPolicy", user, put).await.map(drop)
}

/// Takes an inline policy off a user.
pub async fn delete_user_policy(iam: &Iam, user: &str, policy: &str) -> Result<(), CloudError> {
    let delete = || iam.client.delete_user_policy().user_name(user).policy_name(policy).send();
    iam.ask("iam:DeleteUserPolicy", user, delete).await.map(drop)
}

/// Attaches a managed policy to a user.
pub async fn attach_user_policy(iam: &Iam, user: &str, arn: &str) -> Result<(), CloudError> {
    let attach = || iam.client.attach_user_policy().user_name(user).policy_arn(arn).send();
    iam.ask("iam:AttachUserPolicy", user, attach).await.map(drop)
}

/// Detaches a managed policy from a user.
pub async fn detach_user_policy(iam: &Iam, user: &str, arn: &str) -> Result<(), CloudError> {
    let detach = || iam.client.detach_user_policy().user_name(user).policy_arn(arn).send();
    iam.ask("iam:DetachUserPolicy", user, detach).await.map(drop)
}

/// Switches an access key on or off.
pub async fn update_access_key(iam: &Iam, user: &str, key_id: &str, status: KeyStatus) -> Result<(), CloudError> {
    let status = match status {
        KeyStatus::Active => StatusType::Active,
        KeyStatus::Inactive => StatusType::Inactive,
    };
    let update = || iam.client.update_access_key().user_name(user).access_key_id(key_id).status(status.clone()).send();
    iam.ask("iam:UpdateAccessKey", user, update).await.map(drop)
}

/// Puts an inline policy on a role.
pub async fn put_role_policy(iam: &Iam, role: &str, policy: &str, document: &str) -> Result<(), CloudError> {
    let put = || iam.client.put_role_policy().role_name(role).policy_name(policy).policy_document(document).send();
    iam.ask("iam:PutRolePolicy", role, put).await.map(drop)
}

/// Takes an inline policy off a role.
pub async fn delete_role_policy(iam: &Iam, role: &str, policy: &str) -> Result<(), CloudError> {
    let delete = || iam.client.delete_role_policy().role_name(role).policy_name(policy).send();
    iam.ask("iam:DeleteRolePolicy", role, delete).await.map(drop)
}
