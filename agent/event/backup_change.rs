//! What AWS Backup reports over EventBridge about its jobs, vaults, plans and recovery points.
//!
//! Best effort on AWS's side, so it only says where to look sooner than the next sweep does.
//! Fields differ from one kind to the next and lie about their types; none of them is needed.

use serde_json::Value;

use super::fields::{at, owned};
use crate::domain::account::AccountId;
use crate::domain::resource::{Kind, Place, Target};

/// The envelope's `source`.
pub const SOURCE: &str = "aws.backup";

/// The detail-types that can name a vault, or that say that nothing watched is concerned.
const DETAIL_TYPES: [&str; 9] = [
    "Backup Job State Change",
    "Backup Plan State Change",
    "Backup Vault State Change",
    "Copy Job State Change",
    "Recovery Point Change",
    "Recovery Point Index State Change",
    "Recovery Point State Change",
    "Region Setting State Change",
    "Restore Job State Change",
];

/// Whether a detail-type of AWS Backup is one that this module reads.
#[must_use]
pub fn is_known(detail_type: &str) -> bool {
    DETAIL_TYPES.contains(&detail_type)
}

/// A change that AWS Backup reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupChange {
    /// The account, as EventBridge writes it: whether it is one of ours is not known here.
    pub account: String,
    /// The Region.
    pub region: String,
    /// Names or ARNs of the vaults it concerns: the own one, or a copy's source and destination.
    pub vaults: Vec<String>,
}

impl BackupChange {
    /// Reads an envelope's account, Region and detail. What the detail lacks, or has of another
    /// type, is not there.
    #[must_use]
    pub fn read(account: &str, region: &str, detail: &Value) -> Self {
        Self { account: account.to_owned(), region: region.to_owned(), vaults: vaults(detail) }
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
            return Target::from_arn(vault, account)?.place();
        }
        let (account, region) = (account.clone(), self.region.parse().ok()?);
        Some(Place { kind: Kind::Vault, account, region, name: vault.to_owned() })
    }
}

/// An ARN is better than a name; a copy has two.
fn vaults(detail: &Value) -> Vec<String> {
    let text = |field: &str| at(detail, field).as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let own = ["backupVaultArn", "backupVaultName"].into_iter().find_map(text);
    let of_copy = ["sourceBackupVaultArn", "destinationBackupVaultArn"];
    let mut vaults: Vec<String> = own.into_iter().chain(of_copy.iter().filter_map(|f| owned(detail, f))).collect();
    vaults.dedup();
    vaults
}
