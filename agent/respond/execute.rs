//! Carries out a plan. The only module that opens the write door.
//!
//! Every step is taken before any is read back, so that looking at the first never delays
//! the last. Nothing here decides what to do or reads events.

use std::time::Duration;

use super::plan::is_true;
use crate::config::Config;
use crate::domain::account::Account;
use crate::domain::cloud::{CloudError, CloudWrite, Clouds};
use crate::domain::finding::ResponseKind;
use crate::domain::outcome::{Outcome, StepOutcome};
use crate::domain::plan::{Plan, Step};
use crate::ops::fault;
use crate::ops::metrics::Stopwatch;

/// How often a step is read back before it is called unverified.
const LOOKS: u32 = 4;

/// What carrying out a plan needs besides the plan.
pub struct Executor<'a, C> {
    /// The way into accounts.
    pub clouds: &'a C,
    /// The accounts.
    pub config: &'a Config,
    /// The incident, which the sessions' names carry.
    pub incident: &'a str,
    /// Whether an attempt that died may have taken any of the steps.
    pub begun: bool,
    /// Measures how long the first containment took to begin.
    pub stopwatch: &'a Stopwatch<'a>,
}

impl<C: Clouds> Executor<'_, C> {
    /// Takes every step, then reads each one back. A step that fails stops no other.
    pub async fn execute(&self, plan: &Plan) -> Outcome {
        let mut steps = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            fault::point("before-step");
            steps.push(self.take(step).await);
            fault::point("after-step");
        }
        for (step, outcome) in plan.steps.iter().zip(&mut steps) {
            if *outcome == StepOutcome::Done {
                *outcome = self.look(step).await;
            }
        }
        Outcome { steps }
    }

    /// Takes one step, unless an attempt that died has taken it.
    async fn take(&self, step: &Step) -> StepOutcome {
        if self.begun && self.is_true(step).await == Ok(true) {
            return StepOutcome::Already;
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
        let door = self.clouds.writer(self.account(step)?, self.incident, &step.action).await?;
        if step.verb == ResponseKind::Contain || step.verb == ResponseKind::ContainHard {
            self.stopwatch.containing();
        }
        door.apply(&step.action).await
    }

    /// Reads back what a step should have made true. IAM and S3 may take a moment to show it.
    async fn look(&self, step: &Step) -> StepOutcome {
        for look in 0..LOOKS {
            match self.is_true(step).await {
                Ok(true) => return StepOutcome::Done,
                Err(CloudError::Gone { .. }) => return StepOutcome::Gone,
                Ok(false) | Err(_) => tokio::time::sleep(Duration::from_millis(100 << (2 * look))).await,
            }
        }
        StepOutcome::Unverified
    }

    async fn is_true(&self, step: &Step) -> Result<bool, CloudError> {
        let cloud = self.clouds.reader(self.account(step)?).await?;
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
