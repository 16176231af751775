//! What should be true, as the organisation's strategies declare it.
//!
//! Strategies are data (`policies/data/strategies`), shipped in the policy bundle and read
//! once. What no strategy declares falls back to the resource's last approved baseline,
//! which the ledger keeps; [`Desired::or`] joins the two.

use serde::Deserialize;
use serde_json::Value;

use crate::domain::account::AccountId;
use crate::domain::region::Region;
use crate::domain::resource::{Desired, Kind, Live, Place};

/// The tag that protects a resource which no strategy names.
const PROTECTED_TAG: &str = "keepwatch:protected";

/// Every strategy's word on resources, in the order of the strategies' names.
#[derive(Debug, Clone, Default)]
pub struct Strategies {
    clauses: Vec<Clause>,
}

/// One strategy's word on the resources that it matches.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Declared")]
struct Clause {
    matches: Match,
    desired: Desired,
}

/// A clause as it is written: the kind that it matches says what it may declare.
#[derive(Deserialize)]
struct Declared {
    #[serde(rename = "match")]
    matches: Match,
    desired: Value,
}

impl TryFrom<Declared> for Clause {
    type Error = serde_json::Error;

    fn try_from(Declared { matches, desired }: Declared) -> Result<Self, Self::Error> {
        Ok(Self { desired: Desired::read(matches.kind, desired)?, matches })
    }
}

/// Which resources a clause is about.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Match {
    kind: Kind,
    name: String,
    #[serde(default)]
    account: Option<AccountId>,
    #[serde(default)]
    region: Option<Region>,
}

/// A strategy that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("strategy `{strategy}` cannot be used: {detail}")]
pub struct StrategyError {
    strategy: String,
    detail: String,
}

impl Strategies {
    /// Reads `data.strategies` of a policy bundle.
    ///
    /// # Errors
    /// When a strategy's resource clause has a field that is not known, or of another type.
    pub fn from_data(data: &Value) -> Result<Self, StrategyError> {
        let mut clauses = Vec::new();
        for (name, strategy) in data.get("strategies").and_then(Value::as_object).into_iter().flatten() {
            let resources = strategy.get("resources").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
            let mut declared: Vec<Clause> = serde_json::from_value(resources)
                .map_err(|error| StrategyError { strategy: name.clone(), detail: error.to_string() })?;
            clauses.append(&mut declared);
        }
        Ok(Self { clauses })
    }

    /// What the strategies want of a resource; `None` when none of them names it. Where
    /// several do, the first one that speaks of a setting decides it.
    #[must_use]
    pub fn desired(&self, place: &Place) -> Option<Desired> {
        let clauses = self.clauses.iter().filter(|clause| clause.matches.covers(place));
        clauses.map(|clause| clause.desired.clone()).reduce(Desired::or)
    }
}

impl Match {
    fn covers(&self, place: &Place) -> bool {
        self.kind == place.kind
            && self.account.as_ref().is_none_or(|account| *account == place.account)
            && self.region.as_ref().is_none_or(|region| *region == place.region)
            && matches_glob(&self.name, &place.name)
    }
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
    use serde_json::json;

    use super::*;
    use crate::domain::resource::bucket::Versioning;

    fn bucket(name: &str) -> Place {
        let account = "111122223333".parse().expect("an id");
        Place { kind: Kind::Bucket, account, region: "eu-west-1".parse().expect("a Region"), name: name.to_owned() }
    }

    fn strategies(resources: Value) -> Result<Strategies, StrategyError> {
        Strategies::from_data(&json!({"strategies": {"shop": {"resources": resources}}}))
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
    fn a_misspelt_desired_state_is_an_error_that_names_the_strategy() {
        let error =
            strategies(json!([{"match": {"kind": "bucket", "name": "*"}, "desired": {"versionning": "Enabled"}}]));
        let error = error.expect_err("misspelt").to_string();
        assert!(error.contains("strategy `shop`") && error.contains("versionning"), "{error}");
    }

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        assert!(matches_glob("arn:*:role/*-app", "arn:aws:iam::1:role/shop-app"));
        assert!(matches_glob("*", ""));
        assert!(!matches_glob("a*b", "abc"));
        assert!(!matches_glob("ab", "abc"));
    }
}
