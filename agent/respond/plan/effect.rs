//! What an action makes true, read back from the account.

use super::contain::{denies, same_document};
use super::recover::{matches, same_lifecycle};
use crate::domain::action::Action;
use crate::domain::action::quarantine::{is_deny_all, user_policy};
use crate::domain::cloud::{CloudError, CloudRead, CopyJob};
use crate::domain::region::Region;

/// Whether what is true now is what an action would make true: asked after the action, and
/// when an attempt that died may have carried it out already.
///
/// # Errors
/// When the account cannot be read.
pub async fn is_true(action: &Action, cloud: &impl CloudRead) -> Result<bool, CloudError> {
    Ok(match action {
        Action::QuarantineUser { user, policy, strength } => {
            let held = cloud.user(user).await?.inline;
            held.get(policy).is_some_and(|document| same_document(document, &user_policy(*strength)))
        }
        Action::ReleaseUser { user, policy } => !cloud.user(user).await?.inline.contains_key(policy),
        Action::AttachDenyAll { user } => cloud.user(user).await?.attached.iter().any(|arn| is_deny_all(arn)),
        Action::DetachDenyAll { user } => cloud.user(user).await?.attached.iter().all(|arn| !is_deny_all(arn)),
        Action::SetAccessKey { user, key_id, status } => cloud.user(user).await?.keys.get(key_id) == Some(status),
        Action::QuarantineSession { session, policy, strength } => {
            let held = cloud.role_policies(&session.role).await?;
            held.get(policy).is_some_and(|document| denies(document, &session.unique_id, *strength))
        }
        Action::ReleaseSession { role, policy } => !cloud.role_policies(role).await?.contains_key(policy),
        Action::HoldVault { region, title, .. } => is_held(region, title, cloud).await?,
        Action::ReleaseHold { region, title } => !is_held(region, title, cloud).await?,
        Action::SetVersioning { region, bucket, versioning } => {
            cloud.bucket(region, bucket).await?.versioning == *versioning
        }
        Action::SetLifecycle { region, bucket, rules } => {
            same_lifecycle(&cloud.bucket(region, bucket).await?.lifecycle, rules)
        }
        Action::SetVaultPolicy { region, vault, policy } => cloud.vault(region, vault).await?.policy == *policy,
        Action::CancelKeyDeletion { region, key } => cloud.key(region, key).await?.state != "PendingDeletion",
        Action::EnableKey { region, key } => cloud.key(region, key).await?.state == "Enabled",
        Action::DisableKey { region, key } => cloud.key(region, key).await?.state == "Disabled",
        Action::CreateTrail { region, trail, settings } | Action::UpdateTrail { region, trail, settings } => {
            matches(&cloud.trail(region, trail).await?.settings, settings)
        }
        Action::SetLogging { region, trail, logging } => cloud.trail(region, trail).await?.logging == *logging,
        Action::CopyRecoveryPoint { region, recovery_point, destination, .. } => {
            is_copied(region, recovery_point, destination, cloud).await?
        }
    })
}

async fn is_held(region: &Region, title: &str, cloud: &impl CloudRead) -> Result<bool, CloudError> {
    Ok(cloud.legal_holds(region).await?.iter().any(|hold| hold.active && hold.title == title))
}

/// A copy takes hours: that it is under way is what starting it makes true.
async fn is_copied(
    region: &Region,
    recovery_point: &str,
    destination: &str,
    cloud: &impl CloudRead,
) -> Result<bool, CloudError> {
    let jobs = cloud.copy_jobs(region, destination).await?;
    let done = |job: &CopyJob| job.is_under_way() || job.state == "COMPLETED";
    Ok(jobs.iter().any(|job| job.recovery_point == recovery_point && done(job)))
}
