//! What came of a plan, step by step.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What came of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum StepOutcome {
    /// It was done, and reading back shows it.
    Done,
    /// It was done, but reading back does not show it yet.
    Unverified,
    /// It was true already.
    Already,
    /// What it was for is gone, or became right while the plan waited for approval.
    Gone,
    /// It failed and will fail again.
    Failed {
        /// Why, for people.
        error: String,
    },
    /// It failed and may succeed later.
    Postponed {
        /// Why, for people.
        error: String,
    },
}

/// What came of a plan, step by step.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// One for each step, in the plan's order.
    pub steps: Vec<StepOutcome>,
}

impl Outcome {
    /// Whether every step was taken, or need not be.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.steps.iter().any(StepOutcome::failed)
    }

    /// Why the plan is worth another try, if it is.
    #[must_use]
    pub fn worth_retrying(&self) -> Option<&str> {
        self.steps.iter().find_map(|step| match step {
            StepOutcome::Postponed { error } => Some(error.as_str()),
            StepOutcome::Done
            | StepOutcome::Unverified
            | StepOutcome::Already
            | StepOutcome::Gone
            | StepOutcome::Failed { .. } => None,
        })
    }
}

impl fmt::Display for StepOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Unverified => f.write_str("done, but not seen yet when read back"),
            Self::Already => f.write_str("was so already"),
            Self::Gone => f.write_str("nothing left to do"),
            Self::Failed { error } => write!(f, "failed: {error}"),
            Self::Postponed { error } => write!(f, "postponed: {error}"),
        }
    }
}

impl StepOutcome {
    /// Whether the step was needed and not taken.
    #[must_use]
    pub const fn failed(&self) -> bool {
        match self {
            Self::Failed { .. } | Self::Postponed { .. } => true,
            Self::Done | Self::Unverified | Self::Already | Self::Gone => false,
        }
    }

    /// Whether the step changed something that an undo must take back.
    #[must_use]
    pub const fn changed(&self) -> bool {
        match self {
            Self::Done | Self::Unverified | Self::Already => true,
            Self::Gone | Self::Failed { .. } | Self::Postponed { .. } => false,
        }
    }
}
