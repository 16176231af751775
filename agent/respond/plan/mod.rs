//! From responses to reversible steps. Planning reads accounts and can change nothing.
//!
//! The same [`Plan`] is printed, stored, approved, carried out and undone. Each step's undo
//! is read from the account before the change; a step that is no longer needed is not planned.

mod contain;

use jiff::Timestamp;

use crate::config::Config;
use crate::domain::account::Account;
use crate::domain::action::Action;
use crate::domain::cloud::{CloudError, CloudRead, Readers};
use crate::domain::plan::Step;
use crate::domain::resource::{self, Change, Desired, Place};
use crate::domain::response::Response;
use crate::domain::undo::Reversible;

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
        match self.steps_of(response).await {
            Err(CloudError::Gone { .. }) => Ok(Vec::new()), // nothing is left to contain, freeze, restore or copy
            answer => answer,
        }
    }

    async fn steps_of(&self, response: &Response) -> Result<Vec<Step>, CloudError> {
        let (account, verb) = (self.account_of(response)?, response.verb());
        let cloud = self.readers.reader(account).await?;
        let steps = match response {
            Response::Contain { principal, strength } => {
                let order = contain::Order { incident: self.incident, strength: *strength, now: self.now };
                contain::plan(principal, &order, &cloud).await?
            }
            Response::Freeze(target) => {
                let place = &target.locate(&cloud).await?;
                to(place, resource::freeze(place, self.incident, &cloud).await?)
            }
            Response::Restore(target) => {
                let place = &target.locate(&cloud).await?;
                to(place, resource::restore(place, &self.desired_states.desired(place).await?, &cloud).await?)
            }
            Response::Copy(target) => {
                let place = &target.locate(&cloud).await?;
                let desired = self.desired_states.desired(place).await?;
                to(place, resource::copy(place, &desired, self.now, &cloud).await?)
            }
        };
        let step = |(action, undo)| Step { account: account.id.clone(), verb, action, undo };
        Ok(steps.into_iter().map(step).collect())
    }

    fn account_of(&self, response: &Response) -> Result<&Account, CloudError> {
        let id = match response {
            Response::Contain { principal, .. } => principal.account.as_deref().and_then(|id| id.parse().ok()),
            Response::Freeze(target) | Response::Restore(target) | Response::Copy(target) => {
                Some(target.account.clone())
            }
        };
        let known = id.as_ref().and_then(|id| self.config.account(id));
        known.ok_or_else(|| CloudError::Failed {
            call: "sts:AssumeRole".to_owned(),
            target: id.map_or_else(|| "unknown account".to_owned(), |id| id.to_string()),
            detail: "the account is not in accounts.toml".to_owned(),
        })
    }
}

/// Changes to a resource, as actions.
fn to(place: &Place, changes: Vec<Reversible<Change>>) -> Vec<Reversible<Action>> {
    let action = |change| Action::Resource { place: place.clone(), change };
    changes.into_iter().map(|(change, undo)| (action(change), undo.map(action))).collect()
}

/// Whether what is true now is what an action would make true: asked after the action, and
/// when an attempt that died may have carried it out already.
///
/// # Errors
/// When the account cannot be read.
pub async fn is_true(action: &Action, cloud: &impl CloudRead) -> Result<bool, CloudError> {
    match action {
        Action::User { user, change } => change.is_true(user, cloud).await,
        Action::Role { role, change } => change.is_true(role, cloud).await,
        Action::Resource { place, change } => change.is_true(place, cloud).await,
    }
}
