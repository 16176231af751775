//! OPA's own check, with types for all of a rule's file.
//!
//! METADATA on `findings` types that rule alone. So a package-wide block is laid beside each
//! rule in a folder of its own, which types its helpers too, down to the parameters of the
//! calls that it declares.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::ast;
use super::ast::Module;
use super::described;
use super::described::Described;
use super::parameters;
use super::parameters::Calls;
use super::{Lint, Work};
use crate::policy::bundle::build;
use crate::policy::error::PolicyError;
use crate::policy::refused;

/// What `opa check` refuses in the rules that are meant.
pub(super) fn lints(
    work: &Work,
    rules: &[Described],
    modules: &[Module],
    calls: &Calls,
) -> Result<Vec<Lint>, PolicyError> {
    let workshop = lay_out(work, rules, modules, calls).map_err(|source| PolicyError::Io {
        operation: "write schemas in",
        path: std::env::temp_dir(),
        source,
    })?;
    let mut command = build::command(&work.folder, "check")?;
    command.args(["--strict", "--format=json", build::CAPABILITIES, "--schema"]).arg(workshop.path().join("schema"));
    command.args(build::EXAMPLES.map(build::ignore)).arg(workshop.path().join("types"));
    match &work.rule {
        Some(rule) => {
            command.args([rule.as_str(), "lib", "data"].iter().filter(|part| work.folder.join(part).is_dir()))
        }
        None => command.args(build::parts(&work.folder)),
    };
    let output = build::output(&work.folder, command)?;
    if output.status.success() {
        return Ok(Vec::new());
    }
    let said: Value = [&output.stderr, &output.stdout]
        .into_iter()
        .find_map(|text| serde_json::from_slice(text).ok())
        .unwrap_or_default();
    let errors = ast::list(ast::at(&said, "/errors"));
    if errors.is_empty() {
        let detail = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned();
        return Err(PolicyError::Compile { folder: work.folder.clone(), detail });
    }
    Ok(errors.iter().map(|error| mistake(error, &work.folder)).collect())
}

/// The schemas, and a block for each package that has none of its own.
fn lay_out(work: &Work, rules: &[Described], modules: &[Module], calls: &Calls) -> std::io::Result<TempDir> {
    let workshop = tempfile::tempdir()?;
    let [schemas, types] = ["schema", "types"].map(|name| workshop.path().join(name));
    fs::create_dir_all(schemas.join("parameters"))?;
    fs::create_dir_all(&types)?;
    for file in json_files(&work.folder.join("schema")) {
        fs::copy(&file, schemas.join(file.file_name().unwrap_or_default()))?;
    }
    for rule in rules {
        let package = rule.entry.entrypoint.trim_end_matches("/findings");
        let spoken_for = |module: &&Module| module.package() == package && speaks_for_package(module);
        if modules.iter().any(|module| spoken_for(&module)) {
            continue;
        }
        let name = package.replace('/', "_");
        let mut block = format!("#  - input: schema.{}\n", described::schema(&rule.entry.subscription));
        if let Some(parameters) = calls.of(rule) {
            fs::write(schemas.join(format!("parameters/{name}.json")), parameters::schema(&parameters).to_string())?;
            block.push_str(&format!("#  - input.event.requestParameters: schema.parameters.{name}\n"));
        }
        let text = format!("# METADATA\n# schemas:\n{block}package {}\n", package.replace('/', "."));
        fs::write(types.join(format!("{name}.rego")), text)?;
    }
    Ok(workshop)
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let names = super::names(folder);
    names.iter().filter(|name| name.ends_with(".json")).map(|name| folder.join(name)).collect()
}

fn speaks_for_package(module: &Module) -> bool {
    module.annotations().iter().any(|annotation| annotation["scope"] == "package")
}

fn mistake(error: &Value, folder: &Path) -> Lint {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let names = ast::list(ast::at(error, "/details/oneOf")).iter().filter_map(Value::as_str);
    let position = ast::at(error, "/details/pos").as_u64();
    let misspelt = position.and_then(|at| ast::at(error, &format!("/details/ref/{at}/value")).as_str());
    let meant = misspelt.and_then(|misspelt| super::nearest(misspelt, names.clone()));
    let next = match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if names.clone().next().is_some() => {
            format!("there are {}", names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
        }
        None => String::new(),
    };
    if let Some(builtin) = refused::undefined(at_message(error)) {
        return builtin_refused(error, builtin, folder);
    }
    let why = if misspelt.is_some() { "nothing that a rule sees has it, so it is always undefined" } else { "" };
    Lint {
        file: text(ast::at(error, "/location/file")),
        line: ast::line(error),
        column: ast::column(error),
        lint: text(ast::at(error, "/code")),
        what: text(ast::at(error, "/message")),
        why: why.to_owned(),
        next,
    }
}

fn at_message(error: &Value) -> &str {
    ast::at(error, "/message").as_str().unwrap_or_default()
}

/// A builtin that OPA has and rules may not call, or a name that nothing has.
fn builtin_refused(error: &Value, builtin: &str, folder: &Path) -> Lint {
    let text = |pointer: &str| ast::at(error, pointer).as_str().unwrap_or_default().to_owned();
    let is_opa_s = builtins(folder).iter().any(|name| name == builtin);
    let allowed = super::allowed(folder);
    let meant = super::nearest(builtin, allowed.iter().map(String::as_str));
    let [what, why, next] = if is_opa_s {
        let [why, next] = refused::refusal(builtin);
        [format!("rules may not call the builtin `{builtin}`"), why.to_owned(), next.to_owned()]
    } else {
        let next = meant.map(|meant| format!("did you mean `{meant}`?")).unwrap_or_default();
        [text("/message"), String::new(), next]
    };
    let (line, column) = (ast::line(error), ast::column(error));
    Lint { file: text("/location/file"), line, column, lint: text("/code"), what, why, next }
}

/// The names of all builtins that OPA has.
fn builtins(folder: &Path) -> Vec<String> {
    let said =
        std::process::Command::new(build::opa()).args(["capabilities", "--current"]).current_dir(folder).output();
    let listed: Value = said.ok().and_then(|said| serde_json::from_slice(&said.stdout).ok()).unwrap_or_default();
    super::builtins_in(&listed)
}
