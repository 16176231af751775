//! Any document arrives in the rules as it is, whichever way it is brought there.

use std::sync::LazyLock;

use keepwatch::policy::Policies;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::engine_limits::{Fixture, folder_of};
use super::engine_oracle::now;

static ECHO: LazyLock<Policies> = LazyLock::new(|| {
    let body = r#"findings contains {"message": "m", "propose": [], "evidence": input}"#;
    let folder: TempDir = folder_of(&[Fixture { id: "TST-ECHO", event: "*", body }]);
    Policies::load(folder.path()).unwrap()
});

fn echo(document: &Value) -> Value {
    let answer = ECHO.evaluate(ECHO.rules().first().unwrap(), document, now()).unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    answer.pointer("/0/result/0/evidence").unwrap().clone()
}

#[test]
fn the_pinned_opa_s_values_are_laid_out_by_the_agent() {
    assert!(ECHO.lays_out());
}

#[test]
fn a_document_too_long_or_too_deep_to_lay_out_is_parsed_by_the_module() {
    let long = json!({"a": "x".repeat(2 * 1024 * 1024), "b": 1});
    assert_eq!(echo(&long), long);
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    assert!(ECHO.evaluate(ECHO.rules().first().unwrap(), &deep, now()).is_ok());
}

fn any_document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(|number: f64| json!(number)),
        ".{0,12}".prop_map(Value::from),
        "[a-z\"\\\\\n\u{1}]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 60, 16, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..16).prop_map(Value::from),
            proptest::collection::btree_map(".{0,6}", inner, 0..16)
                .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn every_document_arrives_as_it_is(document in any_document()) {
        prop_assert_eq!(echo(&document), document);
    }
}
