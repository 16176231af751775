//! Rego in regorus's virtual machine, compiled once and used again for each record.

use anyhow::{Context as _, Result};
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::RegoVM;
use regorus::{Engine, Value};

use super::Peer;

const ENTRYPOINT: &str = "data.bench.matches";

pub struct Regorus(RegoVM);

impl Regorus {
    pub fn new(rules: &str) -> Result<Self> {
        let mut engine = Engine::new();
        engine.add_policy("conditions.rego".to_owned(), rules.to_owned())?;
        let policy = engine.compile_with_entrypoint(&ENTRYPOINT.into())?;
        let program = Compiler::compile_from_policy(&policy, &[ENTRYPOINT])?;
        let mut machine = RegoVM::new();
        machine.load_program(program);
        Ok(Self(machine))
    }
}

impl Peer for Regorus {
    fn evaluate(&mut self, record: &str) -> Result<Vec<String>> {
        self.0.set_input(Value::from_json_str(record)?);
        let found = self.0.execute()?;
        let names = found.as_set().context("regorus did not answer with a set")?;
        names.iter().map(|name| Ok(name.as_string()?.to_string())).collect()
    }
}
