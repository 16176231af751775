//! An AWS Backup vault: its access policy, its recovery points and their copies.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Desired, Kind, Place};
use crate::domain::cloud::{CloudError, CloudRead, RecoveryPoint};
use crate::domain::event::Event;
use crate::domain::region::Region;

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
    /// Where the copies of a vault's recovery points must be.
    #[must_use]
    pub fn destination(&self, vault: &Place) -> Place {
        Place { region: self.region.clone(), name: self.vault.clone(), ..vault.clone() }
    }
}

/// Reads a vault, and the vaults that should hold its copies.
pub(super) async fn read(place: &Place, desired: &Desired, cloud: &impl CloudRead) -> Result<VaultLive, CloudError> {
    let state = cloud.vault(&place.region, &place.name).await?;
    let points = usable(cloud.recovery_points(&place.region, &place.name).await?);
    let mut copies = BTreeMap::new();
    for copy in desired.copies.iter().flatten() {
        let held = match cloud.recovery_points(&copy.region, &copy.vault).await {
            Err(CloudError::Gone { .. }) => Vec::new(),
            answer => usable(answer?),
        };
        let live = CopyLive { vault: copy.destination(place).arn(), newest: oldest_newest(&points, &held) };
        copies.insert(copy.region.to_string(), live);
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

/// The vault that an AWS Backup event changed.
pub(super) fn touched_by(event: &Event) -> Vec<Place> {
    let place = |name: &str| {
        let (account, region) = (event.account.clone(), event.region.parse().ok()?);
        Some(Place { kind: Kind::Vault, account, region, name: name.to_owned() })
    };
    event.parameter("backupVaultName").and_then(place).into_iter().collect()
}
