//! `policy check`: OPA's own check, and what it does not look at.

use std::collections::BTreeSet;

use super::ast::{self, Module};
use super::described::{self, Described};
use super::parameters::{self, Calls};
use super::{
    Lint, Work, at_once, bodies, events, fixtures, formatted, joined, reach, references, returned, stored, style,
    tested, trial, typed,
};
use crate::policy::error::PolicyError;

/// What a check came to.
#[derive(Debug)]
pub struct Checked {
    /// What must be fixed, in the order of the files.
    pub lints: Vec<Lint>,
    /// How many rules were looked at.
    pub rules: usize,
}

/// Checks a folder of policies, or one rule of it, and tries every example in the agent's engine.
///
/// # Errors
/// When the folder is none, or `opa` or a file is missing.
pub fn check(work: &Work) -> Result<Checked, PolicyError> {
    std::thread::scope(|scope| {
        let tried = scope.spawn(|| tried(work));
        let mut checked = without_running(work)?;
        let tried = joined(tried)?;
        // What does not load has said so already.
        let said = |lint: &Lint| {
            lint.lint.starts_with("rego_") || ["data", "metadata", "same-id"].contains(&lint.lint.as_str())
        };
        let known = checked.lints.iter().any(said);
        checked.lints.extend(tried.into_iter().filter(|lint| !known || lint.lint != "build"));
        Ok(Checked { lints: sorted(checked.lints), ..checked })
    })
}

/// As [`check`], running no rule: for whoever tries the examples anyway.
///
/// # Errors
/// As [`check`].
pub fn without_running(work: &Work) -> Result<Checked, PolicyError> {
    let modules = modules(work)?;
    let tests = tests(work)?;
    let (rules, mut lints) = described::read(work, &modules);
    lints.extend(described::ids_of_others(work, &rules)?);
    let calls = Calls::read(&work.folder, &rules);
    std::thread::scope(|scope| {
        let typed = scope.spawn(|| typed::lints(work, &rules, &modules, &calls));
        let formatted = scope.spawn(|| formatted::lints(work));
        for reached in at_once(&rules, |rule| reach::lints(work, rule)) {
            lints.extend(reached?);
        }
        lints.extend(joined(typed)?);
        lints.extend(joined(formatted)?);
        Ok::<_, PolicyError>(())
    })?;
    lints.extend(of_files(work, &modules, &tests));
    let documents = stored::documents(&work.folder);
    lints.extend(stored::lints(&work.folder, &documents));
    if let Some(data) = stored::merged(&documents) {
        lints.extend(references::lints(work, &modules, &data));
    }
    for rule in &rules {
        lints.extend(described::examples(&work.folder, rule));
        lints.extend(events::lints(rule, &calls));
        lints.extend(misspelt(rule, &modules, &calls));
    }
    Ok(Checked { lints: sorted(lints), rules: rules.len() })
}

/// The ids of all rules in a folder, also when only one is meant.
///
/// # Errors
/// As [`check`].
pub fn ids(work: &Work) -> Result<BTreeSet<String>, PolicyError> {
    let all = Work::all(&work.folder);
    let (rules, _) = described::read(&all, &modules(&all)?);
    Ok(rules.into_iter().map(|rule| rule.entry.rule.id).collect())
}

/// What is wrong with files by themselves.
fn of_files(work: &Work, modules: &[Module], tests: &[Module]) -> Vec<Lint> {
    let builtins = super::allowed(&work.folder);
    let builtins: BTreeSet<String> =
        builtins.iter().filter_map(|name| name.split('.').next()).map(str::to_owned).collect();
    let mut lints: Vec<Lint> = modules.iter().chain(tests).flat_map(|module| style::lints(module, &builtins)).collect();
    for module in modules {
        lints.extend(bodies::lints(module));
        lints.extend(returned::lints(module));
        lints.extend(tested::outside(module));
    }
    // Libraries are everybody's: whoever works on one rule does not see their lints.
    let libraries: Vec<String> = match work.rule {
        Some(_) => Vec::new(),
        None => modules.iter().filter(|module| module.is_library()).map(Module::package).collect(),
    };
    for module in modules.iter().filter(|module| libraries.contains(&module.package())) {
        lints.extend(tested::described(module));
    }
    for place in work.places().iter().chain(&libraries) {
        let own: Vec<&Module> = modules.iter().filter(|module| module.package() == *place).collect();
        lints.extend(style::unused(&own));
        let own: Vec<&Module> = tests.iter().filter(|module| module.file.starts_with(place.as_str())).collect();
        lints.extend(tested::lints(place, &own));
    }
    lints
}

/// In the order of the files, each once.
fn sorted(mut lints: Vec<Lint>) -> Vec<Lint> {
    lints.sort();
    // What OPA found too says the same of the same line.
    let mut said = BTreeSet::new();
    lints.retain(|lint| {
        !lint.next.starts_with("did you mean") || said.insert((lint.file.clone(), lint.line, lint.next.clone()))
    });
    lints
}

/// What the examples come to in the agent's engine.
fn tried(work: &Work) -> Result<Vec<Lint>, PolicyError> {
    match trial::rules(work) {
        Ok(policies) => Ok(fixtures::check(&work.folder, &policies)),
        Err(error @ (PolicyError::NoCompiler { .. } | PolicyError::Folder { .. })) => Err(error),
        Err(error) => Ok(vec![Lint {
            file: work.rule.clone().unwrap_or_else(|| "capabilities.json".to_owned()),
            line: 1,
            column: 1,
            lint: "build".to_owned(),
            what: error.to_string(),
            why: "the agent could not load these rules".to_owned(),
            next: String::new(),
        }]),
    }
}

/// The parameters that a rule's files name and its events do not have.
fn misspelt(rule: &Described, modules: &[Module], calls: &Calls) -> Vec<Lint> {
    let Some(parameters) = calls.of(rule) else { return Vec::new() };
    let place = rule.entry.entrypoint.trim_end_matches("/findings");
    let own = modules.iter().filter(|module| module.package() == place);
    own.flat_map(|module| parameters::lints(module, rule, &parameters)).collect()
}

/// The rules that are meant, and what they share.
fn modules(work: &Work) -> Result<Vec<Module>, PolicyError> {
    let mut files = ast::files(&work.folder, "lib");
    files.extend(work.places().iter().flat_map(|place| ast::files(&work.folder, place)));
    ast::parse(&work.folder, &files)
}

/// The tests of the rules that are meant, and of what they share.
fn tests(work: &Work) -> Result<Vec<Module>, PolicyError> {
    let libraries = if work.rule.is_none() { ast::tests(&work.folder, "lib") } else { Vec::new() };
    let own = work.places().iter().flat_map(|place| ast::tests(&work.folder, place)).collect();
    ast::parse(&work.folder, &[libraries, own].concat())
}
