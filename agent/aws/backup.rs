//! AWS Backup: vaults, recovery points, copies and legal holds.

use std::collections::BTreeMap;

use aws_sdk_backup::Client;
use aws_sdk_backup::types::{
    CopyJob as SdkCopyJob, LegalHold as SdkHold, LegalHoldStatus, RecoveryPointByBackupVault, RecoveryPointSelection,
};
use serde_json::Value;

use super::call::ServiceClient;
use super::timestamp;
use crate::domain::cloud::{CloudError, CopyJob, LegalHold, RecoveryPoint, VaultState};

type Backup = ServiceClient<Client>;

/// Names of the vaults of the Region.
pub async fn vaults(backup: &Backup) -> Result<Vec<String>, CloudError> {
    let list = || backup.client.list_backup_vaults().into_paginator().items().send().try_collect();
    let vaults = backup.ask("backup:ListBackupVaults", "*", list).await?;
    Ok(vaults.into_iter().filter_map(|vault| vault.backup_vault_name).collect())
}

/// A vault's settings.
pub async fn vault(backup: &Backup, vault: &str) -> Result<VaultState, CloudError> {
    let describe = || backup.client.describe_backup_vault().backup_vault_name(vault).send();
    let described = or_gone(backup, vault, backup.ask("backup:DescribeBackupVault", vault, describe).await).await?;
    let arn = described.backup_vault_arn.unwrap_or_default();
    let (policy, tags) = tokio::try_join!(access_policy(backup, vault), tags(backup, &arn))?;
    Ok(VaultState { policy, tags, locked: described.locked.unwrap_or_default(), arn })
}

/// AWS Backup refuses to talk about a vault that does not exist as if it were forbidden; the
/// list of vaults tells the two apart.
async fn or_gone<T>(backup: &Backup, vault: &str, answer: Result<T, CloudError>) -> Result<T, CloudError> {
    match answer {
        Err(CloudError::Denied { .. }) if !vaults(backup).await?.iter().any(|name| name == vault) => {
            Err(CloudError::Gone { target: vault.to_owned() })
        }
        answer => answer,
    }
}

/// The policy of a vault that exists: none is AWS's "not found".
async fn access_policy(backup: &Backup, vault: &str) -> Result<Option<Value>, CloudError> {
    const CALL: &str = "backup:GetBackupVaultAccessPolicy";
    let get = || backup.client.get_backup_vault_access_policy().backup_vault_name(vault).send();
    let answer = backup.ask_unless(&["ResourceNotFoundException"], (CALL, vault), get).await?;
    let parse = |text: String| {
        serde_json::from_str(&text).map_err(|error| CloudError::Failed {
            call: CALL.into(),
            target: vault.into(),
            detail: format!("the policy is not JSON: {error}"),
        })
    };
    answer.and_then(|answer| answer.policy).map(parse).transpose()
}

async fn tags(backup: &Backup, arn: &str) -> Result<BTreeMap<String, String>, CloudError> {
    let list = || backup.client.list_tags().resource_arn(arn).into_paginator().send().try_collect();
    let pages = backup.ask("backup:ListTags", arn, list).await?;
    Ok(pages.into_iter().flat_map(|page| page.tags.unwrap_or_default()).collect())
}

/// The recovery points in a vault.
pub async fn recovery_points(backup: &Backup, vault: &str) -> Result<Vec<RecoveryPoint>, CloudError> {
    let list = || {
        let request = backup.client.list_recovery_points_by_backup_vault().backup_vault_name(vault);
        request.into_paginator().items().send().try_collect()
    };
    let points = backup.ask("backup:ListRecoveryPointsByBackupVault", vault, list).await;
    Ok(or_gone(backup, vault, points).await?.into_iter().filter_map(recovery_point).collect())
}

/// Our form of a recovery point. One without ARN or date is still being born.
fn recovery_point(point: RecoveryPointByBackupVault) -> Option<RecoveryPoint> {
    Some(RecoveryPoint {
        arn: point.recovery_point_arn?,
        resource: point.resource_arn.unwrap_or_default(),
        status: point.status.map_or_else(String::new, |status| status.as_str().to_owned()),
        created: timestamp(&point.creation_date?)?,
        role: point.iam_role_arn,
    })
}

/// The jobs that copy recovery points of the Region to a vault, given by its ARN.
pub async fn copy_jobs(backup: &Backup, destination: &str) -> Result<Vec<CopyJob>, CloudError> {
    let list = || {
        let request = backup.client.list_copy_jobs().by_destination_vault_arn(destination);
        request.into_paginator().items().send().try_collect()
    };
    let jobs = backup.ask("backup:ListCopyJobs", destination, list).await?;
    Ok(jobs.into_iter().filter_map(copy_job).collect())
}

fn copy_job(job: SdkCopyJob) -> Option<CopyJob> {
    let state = job.state.map_or_else(String::new, |state| state.as_str().to_owned());
    Some(CopyJob { recovery_point: job.source_recovery_point_arn?, state })
}

/// The legal holds of the Region.
pub async fn legal_holds(backup: &Backup) -> Result<Vec<LegalHold>, CloudError> {
    let list = || backup.client.list_legal_holds().into_paginator().items().send().try_collect();
    let holds: Vec<SdkHold> = backup.ask("backup:ListLegalHolds", "*", list).await?;
    Ok(holds.into_iter().filter_map(legal_hold).collect())
}

fn legal_hold(hold: SdkHold) -> Option<LegalHold> {
    let active = matches!(hold.status, Some(LegalHoldStatus::Active | LegalHoldStatus::Creating));
    Some(LegalHold { id: hold.legal_hold_id?, title: hold.title.unwrap_or_default(), active })
}

/// Sets a vault's access policy.
pub async fn put_access_policy(backup: &Backup, vault: &str, policy: &Value) -> Result<(), CloudError> {
    let document = policy.to_string();
    let put = || backup.client.put_backup_vault_access_policy().backup_vault_name(vault).policy(&document).send();
    backup.ask("backup:PutBackupVaultAccessPolicy", vault, put).await.map(drop)
}

/// Removes a vault's access policy.
pub async fn delete_access_policy(backup: &Backup, vault: &str) -> Result<(), CloudError> {
    let delete = || backup.client.delete_backup_vault_access_policy().backup_vault_name(vault).send();
    backup.ask("backup:DeleteBackupVaultAccessPolicy", vault, delete).await.map(drop)
}

/// Puts a legal hold on every recovery point of a vault. Asking twice with one token makes one
/// hold; with the token of a hold that was cancelled it makes none.
pub async fn create_legal_hold(backup: &Backup, vault: &str, title: &str, token: &str) -> Result<(), CloudError> {
    let all = RecoveryPointSelection::builder().vault_names(vault).build();
    let create = || {
        let request = backup.client.create_legal_hold().title(title).idempotency_token(token);
        let why = format!("Keepwatch holds every recovery point of vault {vault}: {title}");
        request.description(why).recovery_point_selection(all.clone()).send()
    };
    backup.ask("backup:CreateLegalHold", vault, create).await.map(drop)
}

/// Cancels a legal hold.
pub async fn cancel_legal_hold(backup: &Backup, hold: &LegalHold) -> Result<(), CloudError> {
    let cancel = || {
        let request = backup.client.cancel_legal_hold().legal_hold_id(&hold.id);
        request.cancel_description(format!("Keepwatch releases {}", hold.title)).send()
    };
    backup.ask("backup:CancelLegalHold", &hold.title, cancel).await.map(drop)
}

/// A copy of a recovery point to be made.
pub struct Copy<'a> {
    /// The vault it is in.
    pub vault: &'a str,
    /// The recovery point's ARN.
    pub recovery_point: &'a str,
    /// ARN of the vault that gets the copy.
    pub destination: &'a str,
    /// ARN of the role that AWS Backup copies with.
    pub role: &'a str,
    /// Makes a repeated request the same request.
    pub token: &'a str,
}

/// Starts copying a recovery point.
pub async fn start_copy(backup: &Backup, copy: &Copy<'_>) -> Result<(), CloudError> {
    let start = || {
        let request = backup.client.start_copy_job().source_backup_vault_name(copy.vault);
        let request = request.recovery_point_arn(copy.recovery_point).idempotency_token(copy.token);
        request.destination_backup_vault_arn(copy.destination).iam_role_arn(copy.role).send()
    };
    backup.ask("backup:StartCopyJob", copy.recovery_point, start).await.map(drop)
}
