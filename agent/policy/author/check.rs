//! `policy check`: OPA's own check, and what it does not look at.

use super::ast;
use super::ast::Module;
use super::described;
use super::described::Described;
use super::parameters;
use super::parameters::Calls;
use super::{Lint, Work, at_once, bodies, joined, reach, typed};
use crate::policy::error::PolicyError;

/// What a check came to.
#[derive(Debug)]
pub struct Checked {
    /// What must be fixed, in the order of the files.
    pub flaws: Vec<Lint>,
    /// How many rules were looked at.
    pub rules: usize,
}

/// Checks a folder of policies, or one rule of it.
///
/// # Errors
/// When the folder is none, or `opa` or a file is missing.
pub fn check(work: &Work) -> Result<Checked, PolicyError> {
    let modules = modules(work)?;
    let (rules, mut flaws) = described::read(work, &modules);
    let calls = Calls::read(&work.folder, &rules);
    std::thread::scope(|scope| {
        let typed = scope.spawn(|| typed::flaws(work, &rules, &modules, &calls));
        for reached in at_once(&rules, |rule| reach::flaws(work, rule)) {
            flaws.extend(reached?);
        }
        flaws.extend(joined(typed)?);
        Ok::<_, PolicyError>(())
    })?;
    flaws.extend(modules.iter().flat_map(bodies::flaws));
    for rule in &rules {
        flaws.extend(described::examples(&work.folder, rule));
        flaws.extend(misspelt(rule, &modules, &calls));
    }
    flaws.sort();
    // One that OPA found too says the same of the same line.
    flaws.dedup_by(|later, one| (&later.file, later.line, &later.next) == (&one.file, one.line, &one.next));
    Ok(Checked { flaws, rules: rules.len() })
}

/// The parameters that a rule's files name and its events do not have.
fn misspelt(rule: &Described, modules: &[Module], calls: &Calls) -> Vec<Lint> {
    let Some(parameters) = calls.of(rule) else { return Vec::new() };
    let place = rule.entry.entrypoint.trim_end_matches("/findings");
    let own = modules.iter().filter(|module| module.package() == place);
    own.flat_map(|module| parameters::flaws(module, rule, &parameters)).collect()
}

/// The rules that are meant, and what they share.
fn modules(work: &Work) -> Result<Vec<Module>, PolicyError> {
    let mut files = ast::files(&work.folder, "lib");
    files.extend(work.places().iter().flat_map(|place| ast::files(&work.folder, place)));
    ast::parse(&work.folder, &files)
}
