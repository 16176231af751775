//! Carries out a plan. The only module that opens the write door.
//!
//! Every step is taken before any is read back, so that looking at the first never delays
//! the last. Nothing here decides what to do or reads events.

use std::pin::Pin;
use std::time::Duration;

use super::plan::is_true;
use crate::config::Config;
use crate::domain::account::Account;
use crate::domain::action::Action;
use crate::domain::cloud::{CloudError, CloudWrite as _, Readers, Writers};
use crate::domain::finding::ResponseKind;
use crate::domain::hash::digest;
use crate::domain::outcome::{Outcome, StepOutcome};
use crate::domain::plan::{Plan, Step};
use crate::ops::fault;
use crate::ops::metrics::Stopwatch;

/// How often a step is read back before it is called unverified.
const READ_BACKS: u32 = 4;

/// How long an idempotency token is.
const TOKEN_CHARS: usize = 32;

/// The write door. Whoever holds it can pass it on to an [`Executor`] and do nothing else: no
/// writer comes out of it.
pub struct WriteDoor(Box<dyn Apply>);

impl WriteDoor {
    /// Closes the door behind what writes.
    #[must_use]
    pub fn new(writers: impl Writers + 'static) -> Self {
        Self(Box::new(writers))
    }
}

/// One action, to be carried out.
struct Request<'a> {
    account: &'a Account,
    incident: &'a str,
    action: &'a Action,
    token: &'a str,
    /// Stopped when the door is open, where the action is the first containment.
    stopwatch: Option<&'a Stopwatch<'a>>,
}

/// [`Writers`] without their type.
trait Apply: Send + Sync {
    fn apply<'a>(&'a self, request: Request<'a>) -> Pin<Box<dyn Future<Output = Result<(), CloudError>> + Send + 'a>>;
}

impl<W: Writers> Apply for W {
    fn apply<'a>(&'a self, request: Request<'a>) -> Pin<Box<dyn Future<Output = Result<(), CloudError>> + Send + 'a>> {
        Box::pin(async move {
            let writer = self.writer(request.account, request.incident, request.action).await?;
            request.stopwatch.inspect(|stopwatch| stopwatch.containing());
            writer.apply(request.action, request.token).await
        })
    }
}

/// What carrying out a plan needs besides the plan.
pub struct Executor<'a, C> {
    /// The way into accounts to read back what was done.
    pub readers: &'a C,
    /// The way into accounts to act.
    pub door: &'a WriteDoor,
    /// The accounts.
    pub config: &'a Config,
    /// The incident, which the sessions' names carry.
    pub incident: &'a str,
    /// What tells this plan from every other one, and is the same in every attempt at it.
    pub claim: String,
    /// Whether an attempt that died may have taken any of the steps.
    pub begun: bool,
    /// Measures how long the first containment took to begin.
    pub stopwatch: &'a Stopwatch<'a>,
}

impl<C: Readers> Executor<'_, C> {
    /// Takes every step, then reads each one back. A step that fails stops no other.
    pub async fn execute(&self, plan: &Plan) -> Outcome {
        let mut steps = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            fault::point("before-step");
            steps.push(self.take(step, plan.proposed).await);
            fault::point("after-step");
        }
        for (step, outcome) in plan.steps.iter().zip(&mut steps) {
            if *outcome == StepOutcome::Done {
                *outcome = self.read_back(step).await;
            }
        }
        Outcome { steps }
    }

    /// Takes one step, unless an attempt that died has taken it. What waited for approval may have
    /// become right meanwhile: nothing is changed then, and nothing is undone later.
    async fn take(&self, step: &Step, waited: bool) -> StepOutcome {
        if (self.begun || waited) && self.is_true(step).await == Ok(true) {
            return if self.begun { StepOutcome::Already } else { StepOutcome::Gone };
        }
        match self.apply(step).await {
            Ok(()) => StepOutcome::Done,
            Err(CloudError::Gone { .. }) => StepOutcome::Gone,
            Err(error) if error.is_transient() => StepOutcome::Postponed { error: error.to_string() },
            // An attempt that died may have done it: AWS then refuses to do it again.
            Err(error) => match self.is_true(step).await {
                Ok(true) => StepOutcome::Already,
                Ok(false) | Err(_) => StepOutcome::Failed { error: error.to_string() },
            },
        }
    }

    async fn apply(&self, step: &Step) -> Result<(), CloudError> {
        let contains = step.verb == ResponseKind::Contain || step.verb == ResponseKind::ContainHard;
        let request = Request {
            account: self.account(step)?,
            incident: self.incident,
            action: &step.action,
            token: &token(&self.claim, &step.action),
            stopwatch: contains.then_some(self.stopwatch),
        };
        self.door.0.apply(request).await
    }

    /// Reads back what a step should have made true. IAM and S3 may take a moment to show it.
    async fn read_back(&self, step: &Step) -> StepOutcome {
        for attempt in 0..READ_BACKS {
            match self.is_true(step).await {
                Ok(true) => return StepOutcome::Done,
                Err(CloudError::Gone { .. }) => return StepOutcome::Gone,
                Ok(false) | Err(_) => tokio::time::sleep(Duration::from_millis(100 << (2 * attempt))).await,
            }
        }
        StepOutcome::Unverified
    }

    async fn is_true(&self, step: &Step) -> Result<bool, CloudError> {
        let cloud = self.readers.reader(self.account(step)?).await?;
        is_true(&step.action, &cloud).await
    }

    fn account(&self, step: &Step) -> Result<&Account, CloudError> {
        self.config.account(&step.account).ok_or_else(|| CloudError::Failed {
            call: "sts:AssumeRole".to_owned(),
            target: step.account.to_string(),
            detail: "the account is no longer in accounts.toml".to_owned(),
        })
    }
}

/// AWS answers a token that it has seen with the first result and does nothing more: a retry of
/// a plan must repeat it, and a new plan for the very same thing must not.
fn token(claim: &str, action: &Action) -> String {
    let request = serde_json::to_string(action).unwrap_or_default();
    digest(&format!("{claim}\n{request}")).chars().take(TOKEN_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::UserChange;

    #[test]
    fn a_retry_of_a_plan_is_the_same_request_and_a_new_plan_is_a_new_one() {
        let attach = |user: &str| Action::User { user: user.to_owned(), change: UserChange::AttachDenyAll };
        assert_eq!(token("KW-1/1", &attach("eve")), token("KW-1/1", &attach("eve")));
        assert_ne!(token("KW-1/1", &attach("eve")), token("KW-1/2", &attach("eve")));
        assert_ne!(token("KW-1/1", &attach("eve")), token("KW-1/1", &attach("mallory")));
        assert_eq!(token("KW-1/1", &attach("eve")).len(), TOKEN_CHARS);
    }
}
