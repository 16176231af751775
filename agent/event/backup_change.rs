//! What AWS Backup reports over EventBridge about its jobs, vaults, plans and recovery points.
//!
//! Best effort on AWS's side, so it only says where to look sooner than the next sweep does.
//! Fields differ from one kind to the next and lie about their types; none of them is needed.

use jiff::Timestamp;
use serde_json::Value;

use super::fields::{at, owned};
use crate::domain::account::AccountId;
use crate::domain::resource::{Kind, Place};

/// The envelope's `source`.
pub const SOURCE: &str = "aws.backup";

/// What it is that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// A backup job.
    BackupJob,
    /// A copy job.
    CopyJob,
    /// A restore job.
    RestoreJob,
    /// A backup plan.
    Plan,
    /// A vault: created, changed, deleted or locked.
    Vault,
    /// A recovery point.
    RecoveryPoint,
    /// The index of a recovery point.
    RecoveryPointIndex,
    /// Which resource types a Region backs up.
    RegionSetting,
}

impl Change {
    /// The kind that an envelope's detail-type names.
    #[must_use]
    pub fn of(detail_type: &str) -> Option<Self> {
        Some(match detail_type {
            "Backup Job State Change" => Self::BackupJob,
            "Copy Job State Change" => Self::CopyJob,
            "Restore Job State Change" => Self::RestoreJob,
            "Backup Plan State Change" => Self::Plan,
            "Backup Vault State Change" => Self::Vault,
            "Recovery Point State Change" | "Recovery Point Change" => Self::RecoveryPoint,
            "Recovery Point Index State Change" => Self::RecoveryPointIndex,
            "Region Setting State Change" => Self::RegionSetting,
            _ => return None,
        })
    }

    /// The field that holds the id of the job or plan.
    const fn id_field(self) -> Option<&'static str> {
        match self {
            Self::BackupJob => Some("backupJobId"),
            Self::CopyJob => Some("copyJobId"),
            Self::RestoreJob => Some("restoreJobId"),
            Self::Plan => Some("backupPlanId"),
            Self::Vault | Self::RecoveryPoint | Self::RecoveryPointIndex | Self::RegionSetting => None,
        }
    }
}

/// What the envelope says, whatever changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapper {
    /// The account it happened in, as EventBridge writes it.
    pub account: String,
    /// The Region it happened in.
    pub region: String,
    /// When it was reported.
    pub time: Timestamp,
    /// The first of the resources it names.
    pub resource: Option<String>,
}

/// A change that AWS Backup reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupChange {
    /// What changed.
    pub kind: Change,
    /// The account, as EventBridge writes it: whether it is one of ours is not known here.
    pub account: String,
    /// The Region.
    pub region: String,
    /// When it was reported.
    pub time: Timestamp,
    /// The state it is in now, in AWS's word: `COMPLETED`, `FAILED`, `MODIFIED`, …
    pub state: Option<String>,
    /// AWS's sentence about it.
    pub message: Option<String>,
    /// Id of the job, or of the plan.
    pub id: Option<String>,
    /// Names or ARNs of the vaults it concerns: the own one, or a copy's source and destination.
    pub vaults: Vec<String>,
    /// ARN of the recovery point.
    pub recovery_point: Option<String>,
    /// ARN of the resource that is backed up or restored.
    pub resource: Option<String>,
}

impl BackupChange {
    /// Reads the detail of an envelope. What is missing or of another type is not there.
    #[must_use]
    pub fn read(kind: Change, wrapper: Wrapper, detail: &Value) -> Self {
        let recovery_point = ["recoveryPointArn", "destinationRecoveryPointArn"];
        let point = first(detail, &recovery_point).or_else(|| point_of(kind, wrapper.resource));
        Self {
            kind,
            state: first(detail, &["state", "status"]),
            message: first(detail, &["statusMessage", "message"]),
            id: kind.id_field().and_then(|field| owned(detail, field)),
            vaults: vaults(detail),
            recovery_point: point,
            resource: first(detail, &["resourceArn", "createdResourceArn"]),
            account: wrapper.account,
            region: wrapper.region,
            time: wrapper.time,
        }
    }

    /// The vaults whose state it may have changed. Empty when the account has no valid id.
    #[must_use]
    pub fn touched(&self) -> Vec<Place> {
        let Ok(account) = self.account.parse::<AccountId>() else {
            return Vec::new();
        };
        self.vaults.iter().filter_map(|vault| self.place(vault, &account)).collect()
    }

    fn place(&self, vault: &str, account: &AccountId) -> Option<Place> {
        if vault.starts_with("arn:") {
            return Place::from_arn(vault, account);
        }
        let (account, region) = (account.clone(), self.region.clone());
        Some(Place { kind: Kind::Vault, account, region, name: vault.to_owned() })
    }
}

/// A change of a recovery point names it outside, among the resources.
fn point_of(kind: Change, outside: Option<String>) -> Option<String> {
    match kind {
        Change::RecoveryPoint | Change::RecoveryPointIndex => outside,
        Change::BackupJob
        | Change::CopyJob
        | Change::RestoreJob
        | Change::Plan
        | Change::Vault
        | Change::RegionSetting => None,
    }
}

/// An ARN is better than a name; a copy has two.
fn vaults(detail: &Value) -> Vec<String> {
    let own = first(detail, &["backupVaultArn", "backupVaultName"]);
    let of_copy = ["sourceBackupVaultArn", "destinationBackupVaultArn"];
    let mut vaults: Vec<String> = own.into_iter().chain(of_copy.iter().filter_map(|f| owned(detail, f))).collect();
    vaults.dedup();
    vaults
}

fn first(detail: &Value, fields: &[&str]) -> Option<String> {
    fields.iter().find_map(|field| at(detail, field).as_str().filter(|text| !text.is_empty()).map(str::to_owned))
}
