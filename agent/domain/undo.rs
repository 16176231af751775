//! What takes a change back, for every kind of change alike.
//!
//! Nothing here carries anything out.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What takes a change back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "snake_case")]
pub enum Undo<C> {
    /// This change does.
    By {
        /// The change that takes it back.
        action: C,
    },
    /// Nothing does, and nothing needs to.
    Keep {
        /// Why it may stay.
        because: String,
    },
}

/// A change and what takes it back.
pub type Reversible<C> = (C, Undo<C>);

/// A change that another one takes back.
pub const fn by<C>(change: C, undo: C) -> Reversible<C> {
    (change, Undo::By { action: undo })
}

/// A change whose effect may stay.
pub fn keep<C>(change: C, because: &str) -> Reversible<C> {
    (change, Undo::Keep { because: because.to_owned() })
}

impl<C> Undo<C> {
    /// The same with another form of change.
    pub fn map<D>(self, into: impl FnOnce(C) -> D) -> Undo<D> {
        match self {
            Self::By { action } => Undo::By { action: into(action) },
            Self::Keep { because } => Undo::Keep { because },
        }
    }
}

impl<C: fmt::Display> fmt::Display for Undo<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::By { action } => action.fmt(f),
            Self::Keep { because } => write!(f, "nothing: {because}"),
        }
    }
}
