//! What a step costs the hourly budgets, and which resource it repairs.
//!
//! Written down beside each stored step, so that counting never reads a plan again.

use crate::domain::action::{Action, RoleChange, Strength, UserChange};
use crate::domain::outcome::StepOutcome;
use crate::domain::reason::BudgetClass;

/// What a step of this action costs.
#[must_use]
pub fn class_of(action: &Action) -> BudgetClass {
    match action {
        Action::User { change: UserChange::Quarantine { strength, .. }, .. }
        | Action::Role { change: RoleChange::QuarantineSession { strength, .. }, .. } => match strength {
            Strength::Soft => BudgetClass::Soft,
            Strength::Hard => BudgetClass::Hard,
        },
        Action::User { change: UserChange::AttachDenyAll, .. } => BudgetClass::Hard,
        Action::User {
            change: UserChange::Release { .. } | UserChange::DetachDenyAll | UserChange::SetAccessKey { .. },
            ..
        }
        | Action::Role { change: RoleChange::Release { .. }, .. } => BudgetClass::Free,
        Action::Resource { change, .. } if change.is_release() => BudgetClass::Free,
        Action::Resource { .. } => BudgetClass::Repair,
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

/// ARN of the protected resource that an action repairs; `None` when it repairs none.
#[must_use]
pub fn resource(action: &Action) -> Option<String> {
    match action {
        Action::User { .. } | Action::Role { .. } => None,
        Action::Resource { place, change } => (!change.is_release()).then(|| place.arn()),
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
