//! Numbers of findings on both sides, by names that events chose. Their memory is bounded:
//! beyond a limit, further names are counted together.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::Serialize;

use super::compare::Pair;

/// How many different names are distinguished.
pub const MOST_NAMES: usize = 100_000;

/// How many findings there were and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Delta {
    /// With the old policies.
    pub old: u64,
    /// With the new ones.
    pub new: u64,
    /// Only with the new ones.
    pub appeared: u64,
    /// Only with the old ones.
    pub vanished: u64,
    /// With both, but different.
    pub changed: u64,
}

impl Delta {
    /// What one finding counts.
    #[must_use]
    pub const fn of(pair: &Pair<'_>) -> Self {
        let none = Self { old: 0, new: 0, appeared: 0, vanished: 0, changed: 0 };
        match pair {
            Pair::Same(_) => Self { old: 1, new: 1, ..none },
            Pair::Changed(..) => Self { old: 1, new: 1, changed: 1, ..none },
            Pair::Vanished(_) => Self { old: 1, vanished: 1, ..none },
            Pair::Appeared(_) => Self { new: 1, appeared: 1, ..none },
        }
    }

    /// How many findings are not what they were.
    #[must_use]
    pub const fn moved(&self) -> u64 {
        self.appeared + self.vanished + self.changed
    }
}

impl AddAssign for Delta {
    fn add_assign(&mut self, Self { old, new, appeared, vanished, changed }: Self) {
        self.old += old;
        self.new += new;
        self.appeared += appeared;
        self.vanished += vanished;
        self.changed += changed;
    }
}

/// A name and its findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The rule's id, the account's id or the principal's ARN.
    pub name: String,
    /// Its findings.
    #[serde(flatten)]
    pub findings: Delta,
}

/// The most important rows, and what all others sum up to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Most moved first, then most findings.
    pub rows: Vec<Row>,
    /// How many names are not among them.
    pub left_out: u64,
}

/// Findings by name.
#[derive(Debug, Default)]
pub struct Tallies {
    of: BTreeMap<String, Delta>,
    /// Those of names beyond the limit.
    others: Delta,
}

impl Tallies {
    /// Counts a finding.
    pub fn add(&mut self, name: &str, delta: Delta) {
        let has_room = self.of.len() < MOST_NAMES;
        match self.of.get_mut(name) {
            Some(sum) => *sum += delta,
            None if has_room => drop(self.of.insert(name.to_owned(), delta)),
            None => self.others += delta,
        }
    }

    /// The names whose findings moved most.
    #[must_use]
    pub fn most_moved(&self, most: usize) -> Table {
        self.table(most, |findings| (findings.moved(), findings.old.max(findings.new)))
    }

    /// The names with the most findings on the new side, or on the old one.
    #[must_use]
    pub fn noisiest(&self, most: usize) -> Table {
        self.table(most, |findings| (findings.new, findings.old))
    }

    fn table(&self, most: usize, weight: impl Fn(&Delta) -> (u64, u64)) -> Table {
        let mut rows: Vec<(&String, &Delta)> = self.of.iter().collect();
        rows.sort_by_key(|(_, findings)| std::cmp::Reverse(weight(findings)));
        let left_out = rows.len().saturating_sub(most) as u64;
        let row = |(name, findings): (&String, &Delta)| Row { name: name.clone(), findings: *findings };
        let mut rows: Vec<Row> = rows.into_iter().take(most).map(row).collect();
        if self.others != Delta::default() {
            rows.push(Row { name: "(further names, counted together)".to_owned(), findings: self.others });
        }
        Table { rows, left_out }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_moved_comes_first_and_the_rest_is_counted() {
        let mut tallies = Tallies::default();
        let same = Delta { old: 1, new: 1, ..Delta::default() };
        let appeared = Delta { new: 1, appeared: 1, ..Delta::default() };
        (0..5).for_each(|_| tallies.add("steady", same));
        tallies.add("moved", appeared);
        tallies.add("still", same);
        let names = |table: Table| table.rows.into_iter().map(|row| row.name).collect::<Vec<_>>();
        assert_eq!(names(tallies.most_moved(2)), ["moved", "steady"]);
        assert_eq!(tallies.most_moved(2).left_out, 1);
        assert_eq!(names(tallies.noisiest(1)), ["steady"]);
    }

    #[test]
    fn names_beyond_the_limit_are_counted_together_and_none_is_lost() {
        let mut tallies = Tallies::default();
        let one = Delta { new: 1, appeared: 1, ..Delta::default() };
        (0..MOST_NAMES + 7).for_each(|number| tallies.add(&number.to_string(), one));
        let table = tallies.most_moved(3);
        assert_eq!(table.rows.last().map(|row| row.findings.new), Some(7));
    }
}
