//! Freezing, restoring and copying: from what is to what should be.
//!
//! Undo never destroys: it does not schedule a key's deletion, delete a trail or a copy. What
//! it brings back instead is said in the plan.

use jiff::{SignedDuration, Timestamp};

use super::{Pair, by, keep};
use crate::domain::action::Action;
use crate::domain::cloud::{CloudError, CloudRead, RecoveryPoint};
use crate::domain::resource::bucket::Versioning;
use crate::domain::resource::bucket::{BucketLive, LifecycleRule};
use crate::domain::resource::key::KeyLive;
use crate::domain::resource::trail::{TrailLive, TrailSettings};
use crate::domain::resource::vault::{DesiredCopy, usable};
use crate::domain::resource::{Desired, Kind, Place};

/// The step that freezes a vault's recovery points, unless they are frozen already.
pub(super) async fn hold(place: &Place, incident: &str, cloud: &impl CloudRead) -> Result<Vec<Pair>, CloudError> {
    let Place { region, name, .. } = place;
    let title = format!("Keepwatch {incident} {name}");
    if cloud.legal_holds(region).await?.iter().any(|hold| hold.active && hold.title == title) {
        return Ok(Vec::new());
    }
    Ok(vec![by(
        Action::HoldVault { region: region.clone(), vault: name.clone(), title: title.clone() },
        Action::ReleaseHold { region: region.clone(), title },
    )])
}

/// The steps that bring a resource from what it is to what it should be.
pub(super) async fn restore(place: &Place, desired: &Desired, cloud: &impl CloudRead) -> Result<Vec<Pair>, CloudError> {
    let Place { region, name, .. } = place;
    match place.kind {
        Kind::Bucket => Ok(bucket(place, desired, &cloud.bucket(region, name).await?)),
        Kind::Vault => {
            let live = cloud.vault(region, name).await?.policy;
            let set = |policy| Action::SetVaultPolicy { region: region.clone(), vault: name.clone(), policy };
            let wanted = desired.policy.as_ref().filter(|wanted| live.as_ref() != Some(wanted));
            Ok(wanted.map(|wanted| by(set(Some(wanted.clone())), set(live.clone()))).into_iter().collect())
        }
        Kind::Key => Ok(key(place, &cloud.key(region, name).await?)),
        Kind::Trail => match cloud.trail(region, name).await {
            Ok(live) => Ok(trail(place, desired, &live)),
            Err(CloudError::Gone { .. }) => lost_trail(place, desired),
            Err(error) => Err(error),
        },
    }
}

fn bucket(place: &Place, desired: &Desired, live: &BucketLive) -> Vec<Pair> {
    let (region, bucket) = (&place.region, &place.name);
    let mut steps = Vec::new();
    if let Some(wanted) = desired.versioning.filter(|wanted| *wanted != live.versioning) {
        let set = |versioning| Action::SetVersioning { region: region.clone(), bucket: bucket.clone(), versioning };
        // S3 knows no way back to a bucket that never had versions.
        let before = if live.versioning == Versioning::Unversioned { Versioning::Suspended } else { live.versioning };
        steps.push(by(set(wanted), set(before)));
    }
    if let Some(wanted) = desired.lifecycle.as_ref().filter(|wanted| !same_lifecycle(wanted, &live.lifecycle)) {
        let set = |rules: &[LifecycleRule]| Action::SetLifecycle {
            region: region.clone(),
            bucket: bucket.clone(),
            rules: rules.to_vec(),
        };
        steps.push(by(set(wanted), set(&live.lifecycle)));
    }
    steps
}

/// Whether two lifecycles are the same: S3 keeps no order.
pub(super) fn same_lifecycle(left: &[LifecycleRule], right: &[LifecycleRule]) -> bool {
    let sorted = |rules: &[LifecycleRule]| {
        let mut rules = rules.to_vec();
        rules.sort_by(|left, right| left.id.cmp(&right.id));
        rules
    };
    sorted(left) == sorted(right)
}

fn key(place: &Place, live: &KeyLive) -> Vec<Pair> {
    let (region, key) = (place.region.clone(), place.arn());
    let enable = by(
        Action::EnableKey { region: region.clone(), key: key.clone() },
        Action::DisableKey { region: region.clone(), key: key.clone() },
    );
    match live.state.as_str() {
        "PendingDeletion" => {
            let cancel = Action::CancelKeyDeletion { region, key };
            vec![keep(cancel, "a key's deletion is never scheduled by Keepwatch; undo leaves it disabled"), enable]
        }
        "Disabled" => vec![enable],
        _ => Vec::new(),
    }
}

fn trail(place: &Place, desired: &Desired, live: &TrailLive) -> Vec<Pair> {
    let (region, name) = (&place.region, &place.name);
    let mut steps = Vec::new();
    let mut wanted = desired.settings.clone().unwrap_or_else(|| live.settings.clone());
    wanted.multi_region = desired.multi_region.unwrap_or(wanted.multi_region);
    if !matches(&live.settings, &wanted) {
        let set = |settings| Action::UpdateTrail { region: region.clone(), trail: name.clone(), settings };
        steps.push(by(set(wanted), set(live.settings.clone())));
    }
    if !live.logging {
        steps.push(by(logging(place, true), logging(place, false)));
    }
    steps
}

/// A deleted trail comes back from its baseline; without one nobody knows where it wrote to.
fn lost_trail(place: &Place, desired: &Desired) -> Result<Vec<Pair>, CloudError> {
    let settings = desired.settings.clone().ok_or_else(|| CloudError::Failed {
        call: "cloudtrail:CreateTrail".to_owned(),
        target: place.arn(),
        detail: "the trail is gone, and no sweep had learnt how it was set: create it again by hand".to_owned(),
    })?;
    let create = Action::CreateTrail { region: place.region.clone(), trail: place.name.clone(), settings };
    Ok(vec![
        keep(create, "a trail is never deleted by Keepwatch; undo stops its logging"),
        by(logging(place, true), logging(place, false)),
    ])
}

fn logging(place: &Place, logging: bool) -> Action {
    Action::SetLogging { region: place.region.clone(), trail: place.name.clone(), logging }
}

/// Whether a trail is set as wanted; selectors that nobody declared may be anything.
pub(super) fn matches(live: &TrailSettings, wanted: &TrailSettings) -> bool {
    let selectors = wanted.selectors.clone().or_else(|| live.selectors.clone());
    TrailSettings { selectors, ..wanted.clone() } == *live
}

/// The steps that make a vault's missing copies: the newest recovery point of each resource
/// whose copy is missing or too old.
pub(super) async fn copy(
    place: &Place,
    desired: &Desired,
    now: Timestamp,
    cloud: &impl CloudRead,
) -> Result<Vec<Pair>, CloudError> {
    let points = newest_of_each(usable(cloud.recovery_points(&place.region, &place.name).await?));
    let mut steps = Vec::new();
    for wanted in desired.copies.iter().flatten() {
        let held = match cloud.recovery_points(&wanted.region, &wanted.vault).await {
            Err(CloudError::Gone { .. }) => Vec::new(),
            answer => usable(answer?),
        };
        let destination = wanted.destination(place).arn();
        let jobs = cloud.copy_jobs(&place.region, &destination).await?;
        let under_way =
            |point: &RecoveryPoint| jobs.iter().any(|job| job.is_under_way() && job.recovery_point == point.arn);
        let missing = points.iter().filter(|point| !is_fresh(point, &held, wanted, now) && !under_way(point));
        steps.extend(missing.filter_map(|point| copy_of(point, place, &destination)));
    }
    Ok(steps)
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
fn copy_of(point: &RecoveryPoint, place: &Place, destination: &str) -> Option<Pair> {
    let copy = Action::CopyRecoveryPoint {
        region: place.region.clone(),
        vault: place.name.clone(),
        recovery_point: point.arn.clone(),
        destination: destination.to_owned(),
        role: point.role.clone()?,
    };
    Some(keep(copy, "a copy does no harm and expires by its own lifecycle"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_that_nobody_knows_how_to_make_again_is_said_to_be_lost() {
        let account = "111122223333".parse().expect("an account");
        let place = Place { kind: Kind::Trail, account, region: "eu-west-1".to_owned(), name: "main".to_owned() };
        let error = lost_trail(&place, &Desired::default()).expect_err("nothing is known of it");
        assert!(error.to_string().contains("create it again by hand") && !error.is_transient(), "{error}");
    }
}
