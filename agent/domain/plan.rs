//! Steps and what takes each of them back. The same [`Plan`] is printed, stored, approved,
//! carried out and undone.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::account::AccountId;
use super::action::{Action, Undo};
use super::finding::ResponseKind;

/// An action and what takes it back, read from the account before the change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The account it is taken in: the actor's may be another than the event's.
    pub account: AccountId,
    /// The word in a rule that led to it.
    pub verb: ResponseKind,
    /// What will be done.
    pub action: Action,
    /// What takes it back.
    pub undo: Undo,
}

impl Step {
    /// The step that takes this one back; `None` when its effect may stay.
    #[must_use]
    pub fn inverse(&self) -> Option<Self> {
        let Undo::By { action } = &self.undo else { return None };
        let undo = Undo::By { action: self.action.clone() };
        Some(Self { account: self.account.clone(), verb: self.verb, action: action.clone(), undo })
    }
}

/// Steps, in the order in which they are taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The account that the case is about; its budget pays.
    pub account: AccountId,
    /// The steps: contain, hold, restore, recover.
    pub steps: Vec<Step>,
    /// Whether the steps wait for approval.
    pub proposed: bool,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "* {}", step.action)?;
            step.changes().iter().try_for_each(|line| writeln!(f, "    {line}"))?;
            writeln!(f, "  undo: {}", step.undo)?;
        }
        Ok(())
    }
}
