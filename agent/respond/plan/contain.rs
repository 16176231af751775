//! Containment of one actor: what is denied, by which policy, and what takes it back.
//!
//! The inline policy's name carries the incident, so that putting it twice is the same as
//! putting it once, and removing it touches nothing that others made.

use jiff::{SignedDuration, Timestamp};

use crate::domain::action::containment::{UserState, denies, same_document};
use crate::domain::action::quarantine;
use crate::domain::action::{Action, KeyStatus, RoleChange, RoleSession, Strength, UserChange};
use crate::domain::cloud::{CloudError, CloudRead};
use crate::domain::principal::{Principal, PrincipalKind};
use crate::domain::undo::{Reversible, Undo, by};

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
) -> Result<Vec<Reversible<Action>>, CloudError> {
    let Some(name) = &principal.name else {
        return Ok(Vec::new());
    };
    match (principal.kind, &principal.unique_id) {
        (PrincipalKind::IamUser, _) => {
            let steps = user(order, &cloud.user(name).await?);
            Ok(steps.into_iter().map(|step| to(step, |change| Action::User { user: name.clone(), change })).collect())
        }
        (PrincipalKind::AssumedRole, Some(unique_id)) => {
            let session = RoleSession {
                unique_id: unique_id.clone(),
                issued_before: order
                    .now
                    .saturating_add(PROPAGATION)
                    .map_or_else(|_| order.now.to_string(), whole_seconds),
            };
            let held = cloud.role_policies(name).await?;
            let policy = policy_name(order.incident);
            // A session of the same name that was issued since is another one, and still free.
            let issued = principal.issued_at.as_deref().and_then(|issued| issued.parse::<Timestamp>().ok());
            let denied = |document: &String| denies(document, unique_id, issued.unwrap_or(order.now), order.strength);
            let quarantined = held.get(&policy).is_some_and(denied);
            let step = by(
                RoleChange::QuarantineSession { session, policy: policy.clone(), strength: order.strength },
                RoleChange::Release { policy },
            );
            let step = to(step, |change| Action::Role { role: name.clone(), change });
            Ok(if quarantined { Vec::new() } else { vec![step] })
        }
        // `decision::containable` lets no other kind through.
        _ => Ok(Vec::new()),
    }
}

fn to<C>((change, undo): Reversible<C>, action: impl Fn(C) -> Action) -> (Action, Undo<Action>) {
    (action(change), undo.map(action))
}

/// IAM compares `aws:TokenIssueTime` in whole seconds.
fn whole_seconds(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn policy_name(incident: &str) -> String {
    format!("KeepwatchQuarantine-{incident}")
}

fn user(order: &Order<'_>, state: &UserState) -> Vec<Reversible<UserChange>> {
    let mut steps: Vec<_> = deny_user(order, state).into_iter().collect();
    if order.strength == Strength::Hard {
        let active = state.keys.iter().filter(|(_, status)| **status == KeyStatus::Active);
        let set = |key: &str, status| UserChange::SetAccessKey { key_id: key.to_owned(), status };
        steps.extend(active.map(|(key, _)| by(set(key, KeyStatus::Inactive), set(key, KeyStatus::Active))));
    }
    steps
}

/// The denial itself, unless one that is as strong is in force.
fn deny_user(order: &Order<'_>, state: &UserState) -> Option<Reversible<UserChange>> {
    if state.is_denied_all() {
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
    let quarantine = |strength| UserChange::Quarantine { policy: policy.clone(), strength };
    let taken = state.inline.iter().filter(|(held, _)| **held != policy).map(|(_, document)| weight(document));
    if taken.sum::<usize>() + weight(&wanted) > USER_INLINE_LIMIT {
        return Some(by(UserChange::AttachDenyAll, UserChange::DetachDenyAll));
    }
    let undo = match state.inline.get(&policy) {
        Some(_) => quarantine(Strength::Soft), // a soft quarantine of this incident becomes a hard one
        None => UserChange::Release { policy: policy.clone() },
    };
    Some(by(quarantine(order.strength), undo))
}

/// How much of IAM's allowance a document uses.
fn weight(document: &str) -> usize {
    document.chars().filter(|character| !character.is_whitespace()).count()
}
