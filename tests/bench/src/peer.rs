//! Other engines, evaluating the ten conditions on every record.
//!
//! Each gets the records as unpacked lines in memory, and its rules compiled. Measured is what
//! is left: parsing each line and evaluating it, on one thread.

mod regorus;
mod rsigma;
mod wasm;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use serde::Deserialize;

use crate::meter::{Measured, Meter};

/// Arguments of `peer`.
#[derive(clap::Args)]
pub struct Arguments {
    engine: Engine,
    /// The conditions, in the engine's own language
    rules: PathBuf,
    /// The records, one on each line
    events: PathBuf,
    /// How many of them
    #[arg(long, default_value_t = usize::MAX)]
    records: usize,
    /// The file to write: the id of each event that matched, and the condition
    matches: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Engine {
    /// A module that `opa build -t wasm` made, in wasmtime
    Wasm,
    /// Rego in regorus's virtual machine
    Regorus,
    /// Sigma rules in rsigma
    Rsigma,
}

/// An engine with its rules.
trait Peer {
    /// The conditions that a record meets.
    fn evaluate(&mut self, record: &str) -> Result<Vec<String>>;
}

pub fn run(args: &Arguments) -> Result<()> {
    let rules = fs::read(&args.rules).with_context(|| format!("cannot read `{}`", args.rules.display()))?;
    let mut peer: Box<dyn Peer> = match args.engine {
        Engine::Wasm => Box::new(wasm::Wasm::new(&rules)?),
        Engine::Regorus => Box::new(regorus::Regorus::new(std::str::from_utf8(&rules)?)?),
        Engine::Rsigma => Box::new(rsigma::Rsigma::new(std::str::from_utf8(&rules)?)?),
    };
    let text = fs::read_to_string(&args.events).with_context(|| format!("cannot read `{}`", args.events.display()))?;
    let lines: Vec<&str> = text.lines().take(args.records).collect();
    let mut found = Vec::new();
    let meter = Meter::start();
    let mut measured = Measured::default();
    for (place, line) in lines.iter().enumerate() {
        let matched = peer.evaluate(line)?;
        measured.records += 1;
        measured.bytes += line.len() as u64;
        if !matched.is_empty() {
            measured.matches += matched.len() as u64;
            found.push((place, matched));
        }
    }
    measured.print(&meter)?;
    fs::write(&args.matches, table(&lines, &found)?)?;
    Ok(())
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(rename = "eventID")]
    id: &'a str,
}

fn table(lines: &[&str], found: &[(usize, Vec<String>)]) -> Result<String> {
    let mut text = String::new();
    for (place, names) in found {
        let line = lines.get(*place).context("a match has no line")?;
        let Named { id } = serde_json::from_str(line)?;
        for name in names {
            text += &format!("{id}\t{name}\n");
        }
    }
    Ok(text)
}
