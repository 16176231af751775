//! The write door of one account: each action's own call.

use std::sync::Arc;

use super::clients::Clients;
use super::read::{GLOBAL, Reader};
use super::sessions::Session;
use super::settings::SdkSettings;
use super::{backup, cloudtrail, iam, kms, s3};
use crate::domain::action::{Action, quarantine};
use crate::domain::cloud::{CloudError, CloudRead, CloudWrite};

/// Carries out one action in one account, with a session that can make no other.
pub struct Writer {
    settings: SdkSettings,
    session: Arc<Session>,
    reads: Reader,
}

impl Writer {
    /// `reads` only finds out the ids that AWS gave.
    pub(super) const fn new(settings: SdkSettings, session: Arc<Session>, reads: Reader) -> Self {
        Self { settings, session, reads }
    }

    fn clients(&self, region: &str) -> Clients {
        Clients::new(&self.settings, region, &self.session)
    }

    /// Cancels the holds with this title. Their ids are found with the read role: the session
    /// that writes can only cancel.
    async fn release_hold(&self, region: &str, title: &str) -> Result<(), CloudError> {
        let holds = self.reads.legal_holds(region).await?;
        let ours: Vec<_> = holds.into_iter().filter(|hold| hold.active && hold.title == title).collect();
        if ours.is_empty() {
            return Err(CloudError::Gone { target: title.to_owned() });
        }
        for hold in &ours {
            backup::cancel_legal_hold(self.clients(region).backup(), hold).await?;
        }
        Ok(())
    }
}

impl CloudWrite for Writer {
    /// One call for each action, but for two: a trail's settings and its selectors are two
    /// calls to CloudTrail, and a hold is looked up before it is cancelled.
    async fn apply(&self, action: &Action, token: &str) -> Result<(), CloudError> {
        let at = self.clients(action.region().unwrap_or(GLOBAL));
        match action {
            Action::QuarantineUser { user, policy, strength } => {
                iam::put_user_policy(at.iam(), user, policy, &quarantine::user_policy(*strength)).await
            }
            Action::ReleaseUser { user, policy } => iam::delete_user_policy(at.iam(), user, policy).await,
            Action::AttachDenyAll { user } => iam::attach_deny_all(at.iam(), user).await,
            Action::DetachDenyAll { user } => iam::detach_deny_all(at.iam(), user).await,
            Action::SetAccessKey { user, key_id, status } => {
                iam::update_access_key(at.iam(), user, key_id, *status).await
            }
            Action::QuarantineSession { session, policy, strength } => {
                let document = quarantine::session_policy(session, *strength);
                iam::put_role_policy(at.iam(), &session.role, policy, &document).await
            }
            Action::ReleaseSession { role, policy } => iam::delete_role_policy(at.iam(), role, policy).await,
            Action::HoldVault { vault, title, .. } => backup::create_legal_hold(at.backup(), vault, title, token).await,
            Action::ReleaseHold { region, title } => self.release_hold(region, title).await,
            Action::SetVersioning { bucket, versioning, .. } => s3::put_versioning(at.s3(), bucket, *versioning).await,
            Action::SetLifecycle { bucket, rules, .. } if rules.is_empty() => {
                s3::delete_lifecycle(at.s3(), bucket).await
            }
            Action::SetLifecycle { bucket, rules, .. } => s3::put_lifecycle(at.s3(), bucket, rules).await,
            Action::SetVaultPolicy { vault, policy: Some(policy), .. } => {
                backup::put_access_policy(at.backup(), vault, policy).await
            }
            Action::SetVaultPolicy { vault, policy: None, .. } => {
                backup::delete_access_policy(at.backup(), vault).await
            }
            Action::CancelKeyDeletion { key, .. } => kms::cancel_deletion(at.kms(), key).await,
            Action::EnableKey { key, .. } => kms::enable(at.kms(), key).await,
            Action::DisableKey { key, .. } => kms::disable(at.kms(), key).await,
            Action::CreateTrail { trail, settings, .. } => {
                cloudtrail::create_trail(at.cloudtrail(), trail, settings).await
            }
            Action::UpdateTrail { trail, settings, .. } => {
                cloudtrail::update_trail(at.cloudtrail(), trail, settings).await
            }
            Action::SetLogging { trail, logging: true, .. } => cloudtrail::start_logging(at.cloudtrail(), trail).await,
            Action::SetLogging { trail, logging: false, .. } => cloudtrail::stop_logging(at.cloudtrail(), trail).await,
            Action::CopyRecoveryPoint { vault, recovery_point, destination, role, .. } => {
                let copy = backup::Copy { vault, recovery_point, destination, role, token };
                backup::start_copy(at.backup(), &copy).await
            }
        }
    }
}
