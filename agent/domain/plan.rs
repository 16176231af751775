//! Steps and what takes each of them back. The same [`Plan`] is printed, stored, approved,
//! carried out and undone.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::account::AccountId;
use super::action::Action;
use super::finding::ResponseKind;
use super::text::one_line;
use super::undo::Undo;

/// How many lines are shown of what one step changes.
const LINES: usize = 12;

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
    pub undo: Undo<Action>,
}

impl Step {
    /// The step that takes this one back; `None` when its effect may stay.
    #[must_use]
    pub fn inverse(&self) -> Option<Self> {
        let Undo::By { action } = &self.undo else { return None };
        let undo = Undo::By { action: self.action.clone() };
        Some(Self { account: self.account.clone(), verb: self.verb, action: action.clone(), undo })
    }

    /// What is different after the step, `- before` and `+ after`: derived from the action and
    /// its undo, which holds what was there, so that a dry run, a terminal and Slack say the same.
    /// Empty where the action says it all, as for quarantines and holds.
    #[must_use]
    pub fn changes(&self) -> Vec<String> {
        let before = match &self.undo {
            Undo::By { action } => Some(action),
            Undo::Keep { .. } => None,
        };
        let mut lines: Vec<String> = self.action.difference(before).iter().map(|line| one_line(line)).collect();
        if lines.len() > LINES {
            let hidden = lines.len() - LINES;
            lines.truncate(LINES);
            lines.push(format!("  … and {hidden} more"));
        }
        lines
    }
}

/// How much more a plan may hold: it is stored as one item, whatever an attacker made the
/// account look like.
#[derive(Debug)]
pub struct Capacity {
    bytes: usize,
    steps: usize,
}

/// A step that a plan has no capacity for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge {
    /// How large it is, in bytes of JSON.
    pub bytes: usize,
}

impl Capacity {
    const BYTES: usize = 200_000;
    const STEPS: usize = 90;

    /// What the steps that a plan has leave.
    #[must_use]
    pub fn left_by(steps: &[Step]) -> Self {
        let taken: usize = steps.iter().map(json_bytes).sum();
        Self { bytes: Self::BYTES.saturating_sub(taken), steps: Self::STEPS.saturating_sub(steps.len()) }
    }

    /// Takes a step in. One that only fits without what takes it back is not taken back: what was
    /// there may be an attacker's, the step never is.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn admit(&mut self, mut step: Step) -> Result<Step, TooLarge> {
        if json_bytes(&step) > self.bytes {
            step.undo = Undo::Keep { because: "what was there is too large to be stored".to_owned() };
        }
        let bytes = json_bytes(&step);
        match (self.bytes.checked_sub(bytes), self.steps.checked_sub(1)) {
            (Some(left), Some(steps)) => {
                *self = Self { bytes: left, steps };
                Ok(step)
            }
            (None, _) | (_, None) => Err(TooLarge { bytes }),
        }
    }
}

/// How much a step takes up as JSON. What cannot be written does not fit either.
fn json_bytes(step: &Step) -> usize {
    serde_json::to_vec(step).map_or(usize::MAX, |json| json.len())
}

/// Steps, in the order in which they are taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The account that the case is about; its budget pays.
    pub account: AccountId,
    /// The steps: contain, freeze, restore, copy.
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::examples;
    use crate::domain::resource::Change;
    use crate::domain::resource::bucket::{BucketChange, LifecycleRule, Versioning};
    use crate::domain::resource::vault::VaultChange;

    fn step<C: Into<Change>>(change: C, before: C) -> Step {
        examples::step(ResponseKind::Restore, examples::change("main", change), examples::change("main", before))
    }

    fn shown<C: Into<Change>>(change: C, before: C) -> String {
        step(change, before).changes().join("\n")
    }

    #[test]
    fn versioning_changes_in_two_lines_and_back() {
        let step =
            step(BucketChange::SetVersioning(Versioning::Enabled), BucketChange::SetVersioning(Versioning::Suspended));
        assert_eq!(step.changes(), ["- versioning: Suspended", "+ versioning: Enabled"]);
        let back = step.inverse().expect("it can be taken back");
        assert_eq!(back.changes(), ["- versioning: Enabled", "+ versioning: Suspended"]);
    }

    #[test]
    fn a_lifecycle_is_shown_rule_by_rule_and_what_stays_is_not() {
        let rule = |id: &str, noncurrent_days| LifecycleRule {
            id: id.to_owned(),
            status: "Enabled".to_owned(),
            noncurrent_days: Some(noncurrent_days),
            ..LifecycleRule::default()
        };
        let keep = LifecycleRule { prefix: "logs/".to_owned(), expiration_days: Some(400), ..rule("keep", 35) };
        insta::assert_snapshot!(shown(
            BucketChange::SetLifecycle(vec![rule("versions", 35), keep.clone()]),
            BucketChange::SetLifecycle(vec![keep, rule("versions", 1)])
        ), @r"
        - rule `versions` (Enabled): noncurrent versions expire after 1 d
        + rule `versions` (Enabled): noncurrent versions expire after 35 d
        ");
    }

    #[test]
    fn of_a_policy_only_what_comes_and_goes_is_shown() {
        let deny = json!({"Sid": "NoDeletion", "Effect": "Deny", "Principal": "*", "Resource": "*",
            "Action": ["backup:DeleteRecoveryPoint", "backup:UpdateRecoveryPointLifecycle", "backup:DeleteBackupVault",
                "backup:PutBackupVaultAccessPolicy"]});
        let open = json!({"Effect": "Allow", "Principal": {"AWS": "999988887777"}, "NotAction": "backup:List*"});
        let before = VaultChange::SetPolicy(Some(json!({"Version": "2012-10-17", "Statement": open})));
        let after = VaultChange::SetPolicy(Some(json!({"Version": "2012-10-17", "Statement": [deny]})));
        let shown = shown(after, before);
        insta::assert_snapshot!(shown, @r"
        - statement: Allow all but backup:List* (#4a745c)
        + statement `NoDeletion`: Deny backup:DeleteRecoveryPoint, backup:UpdateRecoveryPointLifecycle, backup:DeleteBackupVault and 1 more (#5fba24)
        ");
        assert!(!shown.contains("999988887777"));
    }

    #[test]
    fn a_statement_whose_condition_changed_is_not_the_same() {
        let with = |condition: &str| {
            VaultChange::SetPolicy(Some(
                json!({"Statement": [{"Sid": "A", "Effect": "Deny", "Action": "*", "Condition": condition}]}),
            ))
        };
        assert_eq!(step(with("one"), with("two")).changes().len(), 2);
    }

    #[test]
    fn names_stay_on_their_line_and_a_long_change_is_cut() {
        let rules = (0..40).map(|number| LifecycleRule { id: format!("r\n{number}"), ..LifecycleRule::default() });
        let lines = step(BucketChange::SetLifecycle(rules.collect()), BucketChange::SetLifecycle(Vec::new())).changes();
        assert_eq!(lines.len(), LINES + 1);
        assert!(lines.iter().all(|line| !line.contains('\n')));
        assert_eq!(lines.last().map(String::as_str), Some("  … and 28 more"));
    }

    fn lifecycle(id_bytes: usize) -> BucketChange {
        let rule = LifecycleRule { id: "x".repeat(id_bytes), ..LifecycleRule::default() };
        BucketChange::SetLifecycle(vec![rule])
    }

    #[test]
    fn what_an_attacker_made_too_large_is_restored_all_the_same() {
        let kept = Capacity::left_by(&[]).admit(step(lifecycle(10), lifecycle(300_000))).expect("it fits");
        assert_eq!(kept.action, step(lifecycle(10), lifecycle(0)).action);
        assert!(kept.inverse().is_none());
    }

    #[test]
    fn a_plan_takes_no_more_than_can_be_stored() {
        let mut capacity = Capacity::left_by(&[step(lifecycle(100_000), lifecycle(0))]);
        assert!(capacity.admit(step(lifecycle(100_000), lifecycle(0))).is_err());
        assert!(capacity.admit(step(lifecycle(0), lifecycle(0))).is_ok());
        let many = vec![examples::versioning("invoices"); 90];
        assert!(Capacity::left_by(&many).admit(examples::versioning("invoices")).is_err());
    }
}
