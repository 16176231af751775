//! Containment of one actor: what is denied, by which policy, and what takes it back.
//!
//! The inline policy's name carries the incident, so that putting it twice is the same as
//! putting it once, and removing it touches nothing that others made.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Pair, by};
use crate::aws::DENY_ALL;
use crate::domain::action::quarantine;
use crate::domain::action::{Action, KeyStatus, RoleSession, Strength};
use crate::domain::cloud::{CloudError, CloudRead, UserState};
use crate::domain::principal::{Principal, PrincipalKind};

/// All inline policies of a user together, in characters; white space is free.
/// Source: IAM User Guide, "IAM and AWS STS quotas".
const USER_INLINE_LIMIT: usize = 2_048;

/// A session that the attacker may get before IAM has spread the denial is still older than
/// this. Source: AWS revokes sessions the same way; IAM is eventually consistent.
const PROPAGATION: SignedDuration = SignedDuration::from_secs(30);

/// How an actor is to be contained.
pub(super) struct Order<'a> {
    pub incident: &'a str,
    pub strength: Strength,
    pub now: Timestamp,
}

/// The steps that still have to be taken to contain a principal.
pub(super) async fn plan(
    principal: &Principal,
    order: &Order<'_>,
    cloud: &impl CloudRead,
) -> Result<Vec<Pair>, CloudError> {
    let Some(name) = &principal.name else {
        return Ok(Vec::new());
    };
    match (principal.kind, &principal.unique_id) {
        (PrincipalKind::IamUser, _) => Ok(user(name, order, &cloud.user(name).await?)),
        (PrincipalKind::AssumedRole, Some(unique_id)) => {
            let session = RoleSession {
                role: name.clone(),
                unique_id: unique_id.clone(),
                issued_before: order
                    .now
                    .saturating_add(PROPAGATION)
                    .map_or_else(|_| order.now.to_string(), whole_seconds),
            };
            let held = cloud.role_policies(name).await?;
            let policy = policy_name(order.incident);
            let quarantined = held.get(&policy).is_some_and(|document| denies(document, unique_id, order.strength));
            let step = by(
                Action::QuarantineSession { session, policy: policy.clone(), strength: order.strength },
                Action::ReleaseSession { role: name.clone(), policy },
            );
            Ok(if quarantined { Vec::new() } else { vec![step] })
        }
        // `decision::containable` lets no other kind through.
        _ => Ok(Vec::new()),
    }
}

/// IAM compares `aws:TokenIssueTime` in whole seconds.
fn whole_seconds(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn policy_name(incident: &str) -> String {
    format!("KeepwatchQuarantine-{incident}")
}

fn user(name: &str, order: &Order<'_>, state: &UserState) -> Vec<Pair> {
    let mut steps: Vec<Pair> = deny_user(name, order, state).into_iter().collect();
    if order.strength == Strength::Hard {
        let active = state.keys.iter().filter(|(_, status)| **status == KeyStatus::Active);
        let set = |key: &str, status| Action::SetAccessKey { user: name.to_owned(), key_id: key.to_owned(), status };
        steps.extend(active.map(|(key, _)| by(set(key, KeyStatus::Inactive), set(key, KeyStatus::Active))));
    }
    steps
}

/// The denial itself, unless one that is as strong is in force.
fn deny_user(name: &str, order: &Order<'_>, state: &UserState) -> Option<Pair> {
    if state.attached.iter().any(|arn| arn == DENY_ALL) {
        return None;
    }
    let wanted = quarantine::user_policy(order.strength);
    let in_force = |document: &String| {
        same_document(document, &wanted) || same_document(document, &quarantine::user_policy(Strength::Hard))
    };
    if state.inline.values().any(in_force) {
        return None;
    }
    let policy = policy_name(order.incident);
    let quarantine = |strength| Action::QuarantineUser { user: name.to_owned(), policy: policy.clone(), strength };
    let taken = state.inline.iter().filter(|(held, _)| **held != policy).map(|(_, document)| weight(document));
    if taken.sum::<usize>() + weight(&wanted) > USER_INLINE_LIMIT {
        let user = name.to_owned();
        return Some(by(Action::AttachDenyAll { user: user.clone() }, Action::DetachDenyAll { user }));
    }
    let undo = match state.inline.get(&policy) {
        Some(_) => quarantine(Strength::Soft), // a soft quarantine of this incident becomes a hard one
        None => Action::ReleaseUser { user: name.to_owned(), policy: policy.clone() },
    };
    Some(by(quarantine(order.strength), undo))
}

/// How much of IAM's allowance a document uses.
fn weight(document: &str) -> usize {
    document.chars().filter(|character| !character.is_whitespace()).count()
}

pub(super) fn same_document(left: &str, right: &str) -> bool {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    parsed(left).is_some_and(|left| Some(left) == parsed(right))
}

/// Whether a document on a role denies this session at least as much.
pub(super) fn denies(document: &str, unique_id: &str, strength: Strength) -> bool {
    let Ok(document) = serde_json::from_str::<Value>(document) else {
        return false;
    };
    let statement = document.pointer("/Statement/0");
    let session = statement.and_then(|statement| statement.pointer("/Condition/StringLike/aws:userid"));
    let everything = statement.and_then(|statement| statement.get("Action")).and_then(Value::as_str) == Some("*");
    session.and_then(Value::as_str) == Some(unique_id) && (everything || strength == Strength::Soft)
}
