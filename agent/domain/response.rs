//! Something to be done, before anybody looked at how.

use super::action::Strength;
use super::finding::ResponseKind;
use super::principal::Principal;
use super::resource::Target;

/// Something to be done, before anybody looked at how.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// Limit what an actor can do.
    Contain {
        /// The actor.
        principal: Box<Principal>,
        /// How much is denied.
        strength: Strength,
    },
    /// Freeze what is left of a vault.
    Freeze(Target),
    /// Bring a resource back to what it should be.
    Restore(Target),
    /// Make a vault's missing copies.
    Copy(Target),
}

impl Response {
    /// Its turn: a smaller number goes first.
    #[must_use]
    pub const fn rank(&self) -> u8 {
        match self {
            Self::Contain { strength: Strength::Hard, .. } => 0,
            Self::Contain { strength: Strength::Soft, .. } => 1,
            Self::Freeze(_) => 2,
            Self::Restore(_) => 3,
            Self::Copy(_) => 4,
        }
    }

    /// The word in a rule that asks for it.
    #[must_use]
    pub const fn verb(&self) -> ResponseKind {
        match self {
            Self::Contain { strength: Strength::Soft, .. } => ResponseKind::Contain,
            Self::Contain { strength: Strength::Hard, .. } => ResponseKind::ContainHard,
            Self::Freeze(_) => ResponseKind::Freeze,
            Self::Restore(_) => ResponseKind::Restore,
            Self::Copy(_) => ResponseKind::Copy,
        }
    }
}
