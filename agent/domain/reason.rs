//! Why something was done, or not, and what was done already.

use serde::{Deserialize, Serialize};

use super::account::Mode;

/// Why something was done, or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule's id; empty when it is about no single rule.
    pub rule: String,
    /// The least of the modes that apply.
    pub mode: Mode,
    /// In words, such as "account `payments` is in mode `observe`".
    pub because: String,
}

impl Reason {
    /// Whether people hear of it: what is only observed is recorded and nothing more.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.mode >= Mode::Alert
    }

    /// Something that was decided and could not be planned.
    #[must_use]
    pub const fn failure(because: String) -> Self {
        Self { rule: String::new(), mode: Mode::Enforce, because }
    }
}

/// What was done on the agent's own authority since a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Hard quarantines.
    pub hard: u32,
    /// Soft quarantines.
    pub soft: u32,
    /// Changes to resources.
    pub repairs: u32,
}
