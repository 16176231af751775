//! An AWS Backup vault: its access policy, its recovery points and their copies.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::difference::{come_and_go, statements};
use super::kind::{Observed, ResourceChange, ResourceKind};
use super::place::{Kind, Place};
use crate::domain::cloud_error::CloudError;
use crate::domain::event::Event;
use crate::domain::region::Region;
use crate::domain::undo::{Reversible, by, keep};

/// AWS Backup vaults.
pub struct Vault;

/// What is read of vaults, their recovery points, copies and holds.
pub trait ReadVaults: Send + Sync {
    /// Names of the backup vaults of a Region.
    fn vaults(&self, region: &Region) -> impl Future<Output = Result<Vec<String>, CloudError>> + Send;
    /// A vault's settings.
    fn vault(&self, region: &Region, vault: &str) -> impl Future<Output = Result<VaultState, CloudError>> + Send;
    /// The recovery points in a vault.
    fn recovery_points(
        &self,
        region: &Region,
        vault: &str,
    ) -> impl Future<Output = Result<Vec<RecoveryPoint>, CloudError>> + Send;
    /// The jobs that copy recovery points of a Region into the vault with this ARN.
    fn copy_jobs(
        &self,
        region: &Region,
        destination: &str,
    ) -> impl Future<Output = Result<Vec<CopyJob>, CloudError>> + Send;
    /// The legal holds of a Region.
    fn legal_holds(&self, region: &Region) -> impl Future<Output = Result<Vec<LegalHold>, CloudError>> + Send;
}

/// A backup vault's own settings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VaultState {
    /// The vault's ARN.
    pub arn: String,
    /// Its access policy, if it has one.
    pub policy: Option<Value>,
    /// Whether a vault lock is on it.
    pub locked: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// One recovery point that AWS Backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryPoint {
    /// Its ARN.
    pub arn: String,
    /// ARN of what it is a backup of.
    pub resource: String,
    /// `COMPLETED`, `PARTIAL`, `DELETING`, `EXPIRED`, `AVAILABLE`, `STOPPED` or `CREATING`.
    pub status: String,
    /// When it was made.
    pub created: Timestamp,
    /// ARN of the role it was made with.
    pub role: Option<String>,
}

/// A job that copies a recovery point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyJob {
    /// ARN of the recovery point that is copied.
    pub recovery_point: String,
    /// `CREATED`, `RUNNING`, `COMPLETED`, `FAILED` or `PARTIAL`.
    pub state: String,
}

impl CopyJob {
    /// Whether the copy is still being made.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.state == "CREATED" || self.state == "RUNNING"
    }
}

/// A legal hold in one Region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegalHold {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Whether it holds (`CREATING` or `ACTIVE`).
    pub active: bool,
}

/// A vault as AWS Backup reports it, with the copies that it should have.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct VaultLive {
    /// The vault's name.
    pub name: String,
    /// Its access policy, if it has one.
    pub policy: Option<Value>,
    /// Whether a vault lock is on it.
    pub locked: bool,
    /// How many usable recovery points it holds.
    pub recovery_points: usize,
    /// When the newest usable one was made.
    #[schemars(with = "Option<String>")]
    pub newest: Option<Timestamp>,
    /// By Region: the copies that a strategy asks for.
    pub copies: BTreeMap<String, CopyLive>,
    /// The vault's tags.
    #[serde(skip)]
    pub tags: BTreeMap<String, String>,
}

/// How well a vault's recovery points are copied to one Region.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CopyLive {
    /// ARN of the vault that holds the copies.
    pub vault: String,
    /// When the newest copy was made, of the resource whose newest copy is the oldest. `None`
    /// when a resource that has a recovery point here has no copy there.
    #[schemars(with = "Option<String>")]
    pub newest: Option<Timestamp>,
}

/// A copy that a strategy asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DesiredCopy {
    /// The Region that must hold it.
    #[schemars(with = "String")]
    pub region: Region,
    /// The vault there.
    pub vault: String,
    /// How old the newest copy of each resource may be, in hours.
    pub max_age_hours: u32,
}

impl fmt::Display for VaultLive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vault `{}` holds {} recovery points", self.name, self.recovery_points)?;
        if let Some(newest) = self.newest {
            write!(f, ", the newest of {newest}")?;
        }
        for (region, copy) in &self.copies {
            match copy.newest {
                Some(newest) => write!(f, "; in {region} every resource has a copy of {newest} or newer")?,
                None => write!(f, "; in {region} copies are missing")?,
            }
        }
        Ok(())
    }
}

impl DesiredCopy {
    /// ARN of the vault that the copies of a vault's recovery points must be in.
    #[must_use]
    pub fn destination(&self, vault: &Place) -> String {
        Vault::arn(&Place { region: self.region.clone(), name: self.vault.clone(), ..vault.clone() })
    }
}

/// What a vault should be.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VaultDesired {
    /// Its access policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Value>,
    /// The copies that its recovery points must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copies: Option<Vec<DesiredCopy>>,
}

/// A change to a vault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VaultChange {
    /// Put a legal hold on all its recovery points.
    Hold {
        /// Title of the hold, unique to the incident: it is how the hold is found again.
        title: String,
    },
    /// Cancel the legal hold with this title.
    ReleaseHold {
        /// Title of the hold.
        title: String,
    },
    /// Set its access policy; `None` removes it.
    SetPolicy(Option<Value>),
    /// Copy one of its recovery points into another vault.
    Copy {
        /// The recovery point's ARN.
        recovery_point: String,
        /// ARN of the vault that gets the copy.
        destination: String,
        /// ARN of the role that AWS Backup copies with.
        role: String,
    },
}

impl ResourceKind for Vault {
    const KIND: Kind = Kind::Vault;
    const NAME: &'static str = "vault";
    const SERVICE: &'static str = "backup";
    const ARN_PREFIX: &'static str = "backup-vault:";
    const READS: &'static [&'static str] = &[
        "backup:DescribeBackupVault",
        "backup:GetBackupVaultAccessPolicy",
        "backup:ListBackupVaults",
        "backup:ListCopyJobs",
        "backup:ListLegalHolds",
        "backup:ListRecoveryPointsByBackupVault",
        "backup:ListTags",
    ];

    type Live = VaultLive;
    type Desired = VaultDesired;
    type Change = VaultChange;

    fn touched_by(event: &Event) -> Vec<Place> {
        Place::named_by(event, Kind::Vault, "backupVaultName").into_iter().collect()
    }

    fn tags(live: &VaultLive) -> &BTreeMap<String, String> {
        &live.tags
    }

    fn or(declared: VaultDesired, other: VaultDesired) -> VaultDesired {
        VaultDesired { policy: declared.policy.or(other.policy), copies: declared.copies.or(other.copies) }
    }

    fn baseline(live: &VaultLive) -> VaultDesired {
        VaultDesired { policy: live.policy.clone(), copies: None }
    }
}

impl<C: ReadVaults> Observed<C> for Vault {
    async fn list(region: &Region, cloud: &C) -> Result<Vec<String>, CloudError> {
        cloud.vaults(region).await
    }

    /// Reads the vaults that should hold its copies too.
    async fn read(place: &Place, desired: &VaultDesired, cloud: &C) -> Result<VaultLive, CloudError> {
        let state = cloud.vault(&place.region, &place.name).await?;
        let points = usable(cloud.recovery_points(&place.region, &place.name).await?);
        let mut copies = BTreeMap::new();
        for copy in desired.copies.iter().flatten() {
            let newest = oldest_newest(&points, &held(copy, cloud).await?);
            copies.insert(copy.region.to_string(), CopyLive { vault: copy.destination(place), newest });
        }
        Ok(VaultLive {
            name: place.name.clone(),
            policy: state.policy,
            locked: state.locked,
            recovery_points: points.len(),
            newest: points.iter().map(|point| point.created).max(),
            copies,
            tags: state.tags,
        })
    }

    async fn restore(
        place: &Place,
        desired: &VaultDesired,
        cloud: &C,
    ) -> Result<Vec<Reversible<VaultChange>>, CloudError> {
        let live = cloud.vault(&place.region, &place.name).await?.policy;
        let wanted = desired.policy.as_ref().filter(|wanted| live.as_ref() != Some(wanted));
        let set = VaultChange::SetPolicy;
        Ok(wanted.map(|wanted| by(set(Some(wanted.clone())), set(live.clone()))).into_iter().collect())
    }

    async fn freeze(place: &Place, incident: &str, cloud: &C) -> Result<Vec<Reversible<VaultChange>>, CloudError> {
        let title = format!("Keepwatch {incident} {}", place.name);
        if is_held(&place.region, &title, cloud).await? {
            return Ok(Vec::new());
        }
        Ok(vec![by(VaultChange::Hold { title: title.clone() }, VaultChange::ReleaseHold { title })])
    }

    /// Copies the newest recovery point of each resource whose copy is missing or too old.
    async fn copy(
        place: &Place,
        desired: &VaultDesired,
        now: Timestamp,
        cloud: &C,
    ) -> Result<Vec<Reversible<VaultChange>>, CloudError> {
        let points = newest_of_each(usable(cloud.recovery_points(&place.region, &place.name).await?));
        let mut steps = Vec::new();
        for wanted in desired.copies.iter().flatten() {
            let held = held(wanted, cloud).await?;
            let destination = wanted.destination(place);
            let jobs = cloud.copy_jobs(&place.region, &destination).await?;
            let under_way =
                |point: &RecoveryPoint| jobs.iter().any(|job| job.is_under_way() && job.recovery_point == point.arn);
            let missing = points.iter().filter(|point| !is_fresh(point, &held, wanted, now) && !under_way(point));
            steps.extend(missing.filter_map(|point| copy_of(point, &destination)));
        }
        Ok(steps)
    }

    async fn is_true(change: &VaultChange, place: &Place, cloud: &C) -> Result<bool, CloudError> {
        let Place { region, name, .. } = place;
        Ok(match change {
            VaultChange::Hold { title } => is_held(region, title, cloud).await?,
            VaultChange::ReleaseHold { title } => !is_held(region, title, cloud).await?,
            VaultChange::SetPolicy(policy) => cloud.vault(region, name).await?.policy == *policy,
            VaultChange::Copy { recovery_point, destination, .. } => {
                let jobs = cloud.copy_jobs(region, destination).await?;
                // A copy takes hours: that it is under way is what starting it makes true.
                let done = |job: &CopyJob| job.is_under_way() || job.state == "COMPLETED";
                jobs.iter().any(|job| job.recovery_point == *recovery_point && done(job))
            }
        })
    }
}

impl ResourceChange for VaultChange {
    const PERMISSIONS: &'static [&'static str] = &[
        "backup:CancelLegalHold",
        "backup:CreateLegalHold",
        "backup:DeleteBackupVaultAccessPolicy",
        "backup:PutBackupVaultAccessPolicy",
        "backup:StartCopyJob",
        "iam:PassRole",
    ];

    fn describe(&self, Place { name, region, .. }: &Place, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hold { title } => {
                write!(f, "hold every recovery point of vault `{name}` in {region} (legal hold `{title}`)")
            }
            Self::ReleaseHold { title } => write!(f, "cancel legal hold `{title}` in {region}"),
            Self::SetPolicy(Some(_)) => write!(f, "set the access policy of vault `{name}`"),
            Self::SetPolicy(None) => write!(f, "remove the access policy of vault `{name}`"),
            Self::Copy { recovery_point, destination, .. } => {
                write!(f, "copy recovery point `{recovery_point}` to `{destination}`")
            }
        }
    }

    fn permissions(&self) -> &'static [&'static str] {
        match self {
            Self::Hold { .. } => &["backup:CreateLegalHold"],
            Self::ReleaseHold { .. } => &["backup:CancelLegalHold"],
            Self::SetPolicy(Some(_)) => &["backup:PutBackupVaultAccessPolicy"],
            Self::SetPolicy(None) => &["backup:DeleteBackupVaultAccessPolicy"],
            Self::Copy { .. } => &["backup:StartCopyJob", "iam:PassRole"],
        }
    }

    fn arns(&self, place: &Place) -> Vec<String> {
        match self {
            // A hold has no ARN before it exists, and none that names the vault afterwards.
            Self::Hold { .. } => vec!["*".to_owned()],
            Self::ReleaseHold { .. } => {
                vec![place.region.arn(Vault::SERVICE, place.account.as_str(), "legal-hold:*")]
            }
            Self::SetPolicy(_) => vec![Vault::arn(place)],
            Self::Copy { recovery_point, role, .. } => vec![recovery_point.clone(), role.clone()],
        }
    }

    fn difference(&self, before: Option<&Self>) -> Vec<String> {
        match (before, self) {
            (Some(Self::SetPolicy(old)), Self::SetPolicy(new)) => {
                come_and_go(&statements(old.as_ref()), &statements(new.as_ref()))
            }
            (_, Self::SetPolicy(_) | Self::Hold { .. } | Self::ReleaseHold { .. } | Self::Copy { .. }) => Vec::new(),
        }
    }

    fn is_release(&self) -> bool {
        match self {
            Self::ReleaseHold { .. } => true,
            Self::Hold { .. } | Self::SetPolicy(_) | Self::Copy { .. } => false,
        }
    }
}

async fn is_held(region: &Region, title: &str, cloud: &impl ReadVaults) -> Result<bool, CloudError> {
    Ok(cloud.legal_holds(region).await?.iter().any(|hold| hold.active && hold.title == title))
}

/// The usable copies that a strategy's vault holds; none when there is no such vault.
async fn held(copy: &DesiredCopy, cloud: &impl ReadVaults) -> Result<Vec<RecoveryPoint>, CloudError> {
    match cloud.recovery_points(&copy.region, &copy.vault).await {
        Err(CloudError::Gone { .. }) => Ok(Vec::new()),
        answer => answer.map(usable),
    }
}

/// The recovery points that something can be restored from.
pub fn usable(points: Vec<RecoveryPoint>) -> Vec<RecoveryPoint> {
    points.into_iter().filter(|point| point.status == "COMPLETED" || point.status == "AVAILABLE").collect()
}

/// The newest copy of the resource that is worst off.
fn oldest_newest(points: &[RecoveryPoint], copies: &[RecoveryPoint]) -> Option<Timestamp> {
    let resources: BTreeSet<&str> = points.iter().map(|point| point.resource.as_str()).collect();
    let newest = |resource: &str| copies.iter().filter(|copy| copy.resource == resource).map(|copy| copy.created).max();
    let each: Option<Vec<Timestamp>> = resources.into_iter().map(newest).collect();
    each?.into_iter().min()
}

fn newest_of_each(mut points: Vec<RecoveryPoint>) -> Vec<RecoveryPoint> {
    points.sort_by(|left, right| left.resource.cmp(&right.resource).then(right.created.cmp(&left.created)));
    points.dedup_by(|older, newer| older.resource == newer.resource);
    points
}

fn is_fresh(point: &RecoveryPoint, held: &[RecoveryPoint], wanted: &DesiredCopy, now: Timestamp) -> bool {
    let allowed = SignedDuration::from_hours(wanted.max_age_hours.into());
    held.iter().any(|copy| copy.resource == point.resource && now.duration_since(copy.created) <= allowed)
}

/// `None` for a recovery point of which AWS Backup does not say with which role to copy it.
fn copy_of(point: &RecoveryPoint, destination: &str) -> Option<Reversible<VaultChange>> {
    let copy = VaultChange::Copy {
        recovery_point: point.arn.clone(),
        destination: destination.to_owned(),
        role: point.role.clone()?,
    };
    Some(keep(copy, "a copy does no harm and expires by its own lifecycle"))
}
