//! Something to be done, before anybody looked at how.

use super::action::Strength;
use super::finding::Verb;
use super::principal::Principal;
use super::resource::Place;

/// Something to be done, before anybody looked at how.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// Limit what an actor can do.
    Contain {
        /// The actor.
        principal: Box<Principal>,
        /// How much is denied.
        strength: Strength,
    },
    /// Freeze what is left of a vault.
    Hold(Place),
    /// Bring a resource back to what it should be.
    Restore(Place),
    /// Bring a trail back.
    Rearm(Place),
    /// Make a vault's missing copies.
    Copy(Place),
}

impl Deed {
    /// Its turn: a smaller number goes first.
    #[must_use]
    pub const fn rank(&self) -> u8 {
        match self {
            Self::Contain { strength: Strength::Hard, .. } => 0,
            Self::Contain { strength: Strength::Soft, .. } => 1,
            Self::Hold(_) => 2,
            Self::Rearm(_) => 3,
            Self::Restore(_) => 4,
            Self::Copy(_) => 5,
        }
    }
}

impl Deed {
    /// The word in a rule that asks for it.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Contain { strength: crate::domain::action::Strength::Soft, .. } => Verb::Contain,
            Self::Contain { strength: crate::domain::action::Strength::Hard, .. } => Verb::ContainHard,
            Self::Hold(_) => Verb::Hold,
            Self::Restore(_) => Verb::Restore,
            Self::Rearm(_) => Verb::Rearm,
            Self::Copy(_) => Verb::Copy,
        }
    }
}
