//! What should be true, as the organisation's strategies declare it.
//!
//! Strategies are data (`policies/data/strategies`), shipped in the policy bundle and read
//! by [`crate::policy::data`]. What no strategy declares falls back to the resource's last approved baseline,
//! which the ledger keeps; [`Desired::or`] joins the two.

use std::collections::BTreeMap;

use crate::domain::resource::{Desired, Live, Place};
use crate::policy::data::{Clause, Match, Strategy};

/// The tag that protects a resource which no strategy names.
const PROTECTED_TAG: &str = "keepwatch:protected";

/// Every strategy's word on resources, in the order of the strategies' names.
#[derive(Debug, Clone, Default)]
pub struct Strategies {
    clauses: Vec<Clause>,
}

impl Strategies {
    /// What these strategies say together.
    #[must_use]
    pub fn of(strategies: &BTreeMap<String, Strategy>) -> Self {
        Self { clauses: strategies.values().flat_map(|strategy| strategy.resources.clone()).collect() }
    }

    /// What the strategies want of a resource; `None` when none of them names it. Where
    /// several do, the first one that speaks of a setting decides it.
    #[must_use]
    pub fn desired(&self, place: &Place) -> Option<Desired> {
        let clauses = self.clauses.iter().filter(|clause| covers(&clause.matches, place));
        clauses.map(|clause| clause.desired.clone()).reduce(Desired::or)
    }
}

fn covers(matches: &Match, place: &Place) -> bool {
    matches.kind == place.kind
        && matches.account.as_ref().is_none_or(|account| *account == place.account)
        && matches.region.as_ref().is_none_or(|region| *region == place.region)
        && matches_glob(&matches.name, &place.name)
}

/// Whether a text matches a pattern in which `*` stands for any run of characters.
#[must_use]
pub fn matches_glob(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(rest) = text.strip_prefix(head) else {
        return false;
    };
    let mut starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    starts.any(|at| rest.get(at..).is_some_and(|rest| matches_glob(tail, rest)))
}

/// Whether a resource is Keepwatch's to restore: a strategy names it, or its tag does.
#[must_use]
pub fn is_protected(declared: Option<&Desired>, live: &Live) -> bool {
    declared.is_some() || live.tags().get(PROTECTED_TAG).is_some_and(|value| value == "true")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::resource::Kind;
    use crate::domain::resource::bucket::Versioning;
    use crate::policy::data::{DataError, Declarations};

    fn bucket(name: &str) -> Place {
        let account = "111122223333".parse().expect("an id");
        Place { kind: Kind::Bucket, account, region: "eu-west-1".parse().expect("a Region"), name: name.to_owned() }
    }

    fn strategies(resources: Value) -> Result<Strategies, DataError> {
        let read = Declarations::read(&json!({"strategies": {"shop": {"resources": resources}}}));
        read.map(|declared| Strategies::of(&declared.strategies))
    }

    #[test]
    fn the_first_clause_that_speaks_of_a_setting_decides_it() {
        let strategies = strategies(json!([
            {"match": {"kind": "bucket", "name": "shop-*"}, "desired": {"versioning": "Enabled"}},
            {"match": {"kind": "bucket", "name": "*"}, "desired": {"versioning": "Suspended", "class": "source"}},
            {"match": {"kind": "vault", "name": "*"}, "desired": {"copies": []}},
        ]));
        let desired = strategies.expect("valid").desired(&bucket("shop-invoices")).expect("named");
        let Desired::Bucket(desired) = desired else { panic!("{desired:?}") };
        assert_eq!(desired.versioning, Some(Versioning::Enabled));
        assert_eq!(desired.class.as_deref(), Some("source"));
    }

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        assert!(matches_glob("arn:*:role/*-app", "arn:aws:iam::1:role/shop-app"));
        assert!(matches_glob("*", ""));
        assert!(!matches_glob("a*b", "abc"));
        assert!(!matches_glob("ab", "abc"));
    }
}
