//! What a step costs the hourly budgets, and which resource it repairs.
//!
//! Written down beside each stored step, so that counting never reads a plan again.

use crate::domain::account::AccountId;
use crate::domain::action::{Action, Strength};
use crate::domain::outcome::StepOutcome;
use crate::domain::reason::BudgetClass;
use crate::domain::resource::{Kind, Place};

/// What a step of this action costs.
#[must_use]
pub const fn class_of(action: &Action) -> BudgetClass {
    match action {
        Action::QuarantineUser { strength, .. } | Action::QuarantineSession { strength, .. } => match strength {
            Strength::Soft => BudgetClass::Soft,
            Strength::Hard => BudgetClass::Hard,
        },
        Action::AttachDenyAll { .. } => BudgetClass::Hard,
        Action::ReleaseUser { .. }
        | Action::DetachDenyAll { .. }
        | Action::SetAccessKey { .. }
        | Action::ReleaseSession { .. }
        | Action::ReleaseHold { .. } => BudgetClass::Free,
        Action::HoldVault { .. }
        | Action::SetVersioning { .. }
        | Action::SetLifecycle { .. }
        | Action::SetVaultPolicy { .. }
        | Action::CancelKeyDeletion { .. }
        | Action::EnableKey { .. }
        | Action::DisableKey { .. }
        | Action::CreateTrail { .. }
        | Action::UpdateTrail { .. }
        | Action::SetLogging { .. }
        | Action::CopyRecoveryPoint { .. } => BudgetClass::Repair,
    }
}

/// The word for it in the store.
#[must_use]
pub const fn word(class: BudgetClass) -> &'static str {
    match class {
        BudgetClass::Hard => "hard",
        BudgetClass::Soft => "soft",
        BudgetClass::Repair => "repair",
        BudgetClass::Free => "free",
    }
}

/// ARN of the protected resource that an action changes; `None` when it acts on an identity.
#[must_use]
pub fn resource(action: &Action, account: &AccountId) -> Option<String> {
    let arn = |kind, region: &str, name: &str| {
        Some(Place { kind, account: account.clone(), region: region.to_owned(), name: name.to_owned() }.arn())
    };
    match action {
        Action::QuarantineUser { .. }
        | Action::ReleaseUser { .. }
        | Action::AttachDenyAll { .. }
        | Action::DetachDenyAll { .. }
        | Action::SetAccessKey { .. }
        | Action::QuarantineSession { .. }
        | Action::ReleaseSession { .. }
        | Action::ReleaseHold { .. } => None,
        Action::HoldVault { region, vault, .. }
        | Action::SetVaultPolicy { region, vault, .. }
        | Action::CopyRecoveryPoint { region, vault, .. } => arn(Kind::Vault, region, vault),
        Action::SetVersioning { region, bucket, .. } | Action::SetLifecycle { region, bucket, .. } => {
            arn(Kind::Bucket, region, bucket)
        }
        Action::CancelKeyDeletion { key, .. } | Action::EnableKey { key, .. } | Action::DisableKey { key, .. } => {
            Some(key.clone())
        }
        Action::CreateTrail { region, trail, .. }
        | Action::UpdateTrail { region, trail, .. }
        | Action::SetLogging { region, trail, .. } => arn(Kind::Trail, region, trail),
    }
}

/// Whether a step with this outcome counts as done. What was `Already` so was planned as
/// needed: an interrupted attempt of the same plan did it.
#[must_use]
pub const fn counts(outcome: &StepOutcome) -> bool {
    match outcome {
        StepOutcome::Done | StepOutcome::Unverified | StepOutcome::Already => true,
        StepOutcome::Gone | StepOutcome::Failed { .. } | StepOutcome::Postponed { .. } => false,
    }
}
