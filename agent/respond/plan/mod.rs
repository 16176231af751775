//! From responses to reversible steps. Planning reads accounts and can change nothing.
//!
//! The same [`Plan`] is printed, stored, approved, carried out and undone. Each step's undo
//! is read from the account before the change; a step that is no longer needed is not planned.

mod change;
mod contain;
mod effect;
mod recover;

pub use effect::is_true;

use jiff::Timestamp;

use crate::config::Config;
use crate::domain::account::Account;
use crate::domain::action::{Action, Undo};
use crate::domain::cloud::{CloudError, Readers};
use crate::domain::plan::Step;
use crate::domain::resource::{Desired, Place, located};
use crate::domain::response::Response;

/// What a resource should be, for the responses that restore one.
pub trait DesiredStates: Sync {
    /// What is wanted of a resource: declared, else the last approved baseline.
    fn desired(&self, place: &Place) -> impl Future<Output = Result<Desired, CloudError>> + Send;
}

/// What planning needs besides the responses.
pub struct Planner<'a, C, W> {
    /// The way into accounts with their read roles.
    pub readers: &'a C,
    /// The accounts.
    pub config: &'a Config,
    /// What resources should be.
    pub desired_states: &'a W,
    /// The incident that the steps' names carry.
    pub incident: &'a str,
    /// The present moment.
    pub now: Timestamp,
}

impl<C: Readers, W: DesiredStates> Planner<'_, C, W> {
    /// The steps that a response still needs; none when what it is about is gone.
    ///
    /// # Errors
    /// When the account cannot be read.
    pub async fn steps(&self, response: &Response) -> Result<Vec<Step>, CloudError> {
        match self.look(response).await {
            Err(CloudError::Gone { .. }) => Ok(Vec::new()), // nothing is left to contain, hold or restore
            answer => answer,
        }
    }

    async fn look(&self, response: &Response) -> Result<Vec<Step>, CloudError> {
        let (account, verb) = (self.account_of(response)?, response.verb());
        let cloud = self.readers.reader(account).await?;
        let pairs = match response {
            Response::Contain { principal, strength } => {
                let order = contain::Order { incident: self.incident, strength: *strength, now: self.now };
                contain::plan(principal, &order, &cloud).await?
            }
            Response::Freeze(place) => recover::hold(place, self.incident, &cloud).await?,
            Response::Restore(place) => {
                let place = &*located(place, &cloud).await?;
                recover::restore(place, &self.desired_states.desired(place).await?, &cloud).await?
            }
            Response::Copy(place) => {
                recover::copy(place, &self.desired_states.desired(place).await?, self.now, &cloud).await?
            }
        };
        let step = |(action, undo)| Step { account: account.id.clone(), verb, action, undo };
        Ok(pairs.into_iter().map(step).collect())
    }

    fn account_of(&self, response: &Response) -> Result<&Account, CloudError> {
        let id = match response {
            Response::Contain { principal, .. } => principal.account.as_deref().and_then(|id| id.parse().ok()),
            Response::Freeze(place) | Response::Restore(place) | Response::Copy(place) => Some(place.account.clone()),
        };
        let known = id.as_ref().and_then(|id| self.config.account(id));
        known.ok_or_else(|| CloudError::Failed {
            call: "sts:AssumeRole".to_owned(),
            target: id.map_or_else(|| "unknown account".to_owned(), |id| id.to_string()),
            detail: "the account is not in accounts.toml".to_owned(),
        })
    }
}

/// An action and what takes it back.
type Pair = (Action, Undo);

/// An action that another one takes back.
const fn by(action: Action, undo: Action) -> Pair {
    (action, Undo::By { action: undo })
}

/// An action whose effect may stay.
fn keep(action: Action, because: &str) -> Pair {
    (action, Undo::Keep { because: because.to_owned() })
}
