//! Which findings about one event are the same on both sides. Never looks beyond the event.

use serde::Serialize;

use crate::domain::finding::Finding;

/// A finding and its counterpart on the other side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pair<'a> {
    /// Both sides found it.
    Same(&'a Finding),
    /// Both found it, and say different things about it: the old finding and the new one.
    Changed(&'a Finding, &'a Finding),
    /// Only the old side found it.
    Vanished(&'a Finding),
    /// Only the new side found it.
    Appeared(&'a Finding),
}

/// How a finding differs from one side to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Only the new side has it.
    Appeared,
    /// Only the old side has it.
    Vanished,
    /// Both have it, in different words or with other consequences.
    Changed,
}

/// What may be different about a finding that both sides have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Field {
    /// What it proposes.
    Proposal,
    /// How bad it is.
    Severity,
    /// How far its rule goes.
    Mode,
    /// Its sentence.
    Message,
}

impl<'a> Pair<'a> {
    /// The finding itself: the new one, if there are two.
    #[must_use]
    pub const fn finding(&self) -> &'a Finding {
        match self {
            Self::Same(finding) | Self::Changed(_, finding) | Self::Vanished(finding) | Self::Appeared(finding) => {
                finding
            }
        }
    }

    /// How it differs, if it does.
    #[must_use]
    pub const fn change(&self) -> Option<Change> {
        match self {
            Self::Same(_) => None,
            Self::Changed(..) => Some(Change::Changed),
            Self::Vanished(_) => Some(Change::Vanished),
            Self::Appeared(_) => Some(Change::Appeared),
        }
    }

    /// What is different about a finding that both sides have.
    #[must_use]
    pub fn differences(&self) -> Vec<Field> {
        match self {
            Self::Changed(old, new) => differences(old, new),
            Self::Same(_) | Self::Vanished(_) | Self::Appeared(_) => Vec::new(),
        }
    }
}

/// Pairs the findings about one event. A finding is the same when rule and resource are the
/// same; a rule that finds several things about one resource has them paired by what they say.
#[must_use]
pub fn pairs<'a>(old: &'a [Finding], new: &'a [Finding]) -> Vec<Pair<'a>> {
    let mut left: Vec<&Finding> = new.iter().collect();
    let (mut pairs, mut unpaired) = (Vec::new(), Vec::new());
    for finding in old {
        match take(&mut left, |other| is_same(finding, other) && differences(finding, other).is_empty()) {
            Some(other) => pairs.push(Pair::Same(other)),
            None => unpaired.push(finding),
        }
    }
    for finding in unpaired {
        let counterpart = take(&mut left, |other| is_same(finding, other));
        pairs.push(counterpart.map_or(Pair::Vanished(finding), |other| Pair::Changed(finding, other)));
    }
    pairs.extend(left.into_iter().map(Pair::Appeared));
    pairs
}

fn take<'a>(left: &mut Vec<&'a Finding>, is: impl Fn(&Finding) -> bool) -> Option<&'a Finding> {
    let place = left.iter().position(|finding| is(finding))?;
    Some(left.remove(place))
}

fn is_same(old: &Finding, new: &Finding) -> bool {
    old.rule.id == new.rule.id && old.resource == new.resource
}

fn differences(old: &Finding, new: &Finding) -> Vec<Field> {
    let fields = [
        (Field::Proposal, old.propose != new.propose),
        (Field::Severity, old.rule.severity != new.rule.severity),
        (Field::Mode, old.rule.mode != new.rule.mode),
        (Field::Message, old.message != new.message),
    ];
    fields.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::finding::{ResponseKind, Severity};
    use crate::recorded::backtest::tests::finding;

    #[test]
    fn what_both_sides_say_is_the_same() {
        let both = [finding("A-1", Some("arn:x"), &[ResponseKind::Contain]), finding("B-1", None, &[])];
        assert_eq!(pairs(&both, &both), [Pair::Same(&both[0]), Pair::Same(&both[1])]);
        assert_eq!(pairs(&[], &[]), []);
    }

    #[test]
    fn another_rule_or_another_resource_is_another_finding() {
        let old = [finding("A-1", Some("arn:x"), &[]), finding("A-1", None, &[])];
        let new = [finding("A-1", Some("arn:y"), &[]), finding("B-1", None, &[])];
        let paired = pairs(&old, &new);
        assert_eq!(
            paired,
            [Pair::Vanished(&old[0]), Pair::Vanished(&old[1]), Pair::Appeared(&new[0]), Pair::Appeared(&new[1])]
        );
    }

    #[test]
    fn what_is_different_about_a_finding_is_named() {
        let old = finding("A-1", Some("arn:x"), &[ResponseKind::Contain]);
        let mut new = finding("A-1", Some("arn:x"), &[ResponseKind::ContainHard]);
        new.rule.severity = Severity::Low;
        new.message = "other words".to_owned();
        let (old, new) = ([old], [new]);
        let paired = pairs(&old, &new);
        assert_eq!(paired, [Pair::Changed(&old[0], &new[0])]);
        assert_eq!(paired[0].differences(), [Field::Proposal, Field::Severity, Field::Message]);
    }

    #[test]
    fn several_findings_of_one_rule_are_paired_by_what_they_say_first() {
        let saying = |text: &str| Finding { message: text.to_owned(), ..finding("A-1", None, &[]) };
        let old = [saying("one"), saying("two")];
        let new = [saying("two"), saying("three"), saying("four")];
        assert_eq!(pairs(&old, &new), [Pair::Same(&new[0]), Pair::Changed(&old[0], &new[1]), Pair::Appeared(&new[2])]);
    }
}
