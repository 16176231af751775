//! Sigma rules, evaluated as the `rsigma` command line does: each line becomes a
//! `serde_json::Value`, and the engine's own index picks the rules.

use anyhow::{Result, ensure};
use rsigma_eval::{Engine, JsonEvent};
use rsigma_parser::parse_sigma_yaml;
use serde_json::Value;

use super::Peer;

pub struct Rsigma(Engine);

impl Rsigma {
    pub fn new(rules: &str) -> Result<Self> {
        let collection = parse_sigma_yaml(rules)?;
        ensure!(collection.errors.is_empty(), "rsigma does not understand: {:?}", collection.errors);
        let mut engine = Engine::new();
        engine.add_collection(&collection)?;
        Ok(Self(engine))
    }
}

impl Peer for Rsigma {
    fn evaluate(&mut self, record: &str) -> Result<Vec<String>> {
        let value: Value = serde_json::from_str(record)?;
        let results = self.0.evaluate(&JsonEvent::borrow(&value));
        Ok(results.into_iter().map(|result| result.header.rule_title).collect())
    }
}
