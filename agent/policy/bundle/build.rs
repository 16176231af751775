//! From a folder of Rego to a bundle: runs `opa build` the way the agent needs it.
//!
//! Which `opa` is used is settled here and nowhere else; nothing is ever downloaded.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::Bundle;
use super::archive;
use super::files;
use super::revision;
use super::signing::Signing;
use crate::policy::Policies;
use crate::policy::engine::{Compiler, Limits, READS_FILE, Reads};
use crate::policy::error::PolicyError;

/// The folders of a policies folder that go into a bundle. Each is a root of its own, so that
/// `data/strategies/x/data.json` becomes `data.strategies.x`, with no second `data` before it.
pub(super) const PARTS: [&str; 4] = ["events", "resources", "lib", "data"];

/// What two of them were called before, and are called today.
pub(in crate::policy) const FORMER_PARTS: [(&str, &str); 2] = [("acts", "events"), ("states", "resources")];

/// A rule's tests, which stand beside it.
const TESTS: &str = "*_test.rego";
/// A rule's examples, which `opa` would take for data.
pub(crate) const EXAMPLES: [&str; 2] = ["fires.json", "silent.json"];
/// The builtins that a rule may call.
pub(crate) const CAPABILITIES: &str = "--capabilities=capabilities.json";

/// Compiles a policies folder into a bundle. The bundle appears whole or not at all.
///
/// # Errors
/// When the folder is none, `opa` is missing or refuses the rules, or the bundle cannot be
/// written.
pub fn build(folder: &Path, output: &Path) -> Result<(), PolicyError> {
    build_signed(folder, output, None)
}

/// As [`build`], and signs the bundle when it is given a key.
///
/// # Errors
/// As [`build`], and when it cannot be signed.
pub fn build_signed(folder: &Path, output: &Path, signing: Option<&Signing>) -> Result<(), PolicyError> {
    build_accepted(folder, output, signing, |_| Ok(()))
}

/// As [`build_signed`], and writes nothing that `accept` refuses.
///
/// # Errors
/// As [`build_signed`], and when it is not accepted.
pub fn build_accepted(
    folder: &Path,
    output: &Path,
    signing: Option<&Signing>,
    accept: impl FnOnce(Policies) -> Result<(), PolicyError>,
) -> Result<(), PolicyError> {
    let write = |source| PolicyError::Io { operation: "write", path: output.to_owned(), source };
    // In the folder of the output, so that the last step is a rename.
    let candidate = output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let workshop = tempfile::tempdir_in(candidate).map_err(write)?;
    let made = workshop.path().join("bundle.tar.gz");
    compile(folder, &made)?;
    accept(loaded(folder, &made)?)?;
    signing.map_or(Ok(()), |signing| signing.sign(&made, workshop.path()))?;
    fs::rename(&made, output).map_err(write)
}

/// What was built, as the agent would load it. Every folder of a rule is a rule in it: `opa` passes
/// over one without METADATA.
fn loaded(folder: &Path, bundle: &Path) -> Result<Policies, PolicyError> {
    let policies = Policies::of(Bundle::read(bundle)?, Limits::default(), &Compiler::here())?;
    for place in
        places(folder).into_iter().filter(|place| names(&folder.join(place)).iter().any(|name| name.ends_with(".rego")))
    {
        let entrypoint = format!("{place}/findings");
        if !policies.rules().iter().any(|entry| entry.entrypoint == entrypoint) {
            let detail = "it has no METADATA with `entrypoint: true` on `findings`, so it is no rule".to_owned();
            return Err(PolicyError::Rule { entrypoint: place, detail });
        }
    }
    Ok(policies)
}

/// Where the rules of a folder are: `events/<service>/<rule>`, in order.
pub(crate) fn places(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for kind in ["events", "resources"] {
        for service in names(&folder.join(kind)) {
            for rule in names(&folder.join(kind).join(&service)) {
                if folder.join(kind).join(&service).join(&rule).is_dir() {
                    found.push(format!("{kind}/{service}/{rule}"));
                }
            }
        }
    }
    found
}

/// The names in a folder, in order; none of a folder that cannot be read.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Compiles a policies folder and reads the bundle, leaving nothing behind.
pub(crate) fn in_passing(folder: &Path) -> Result<Bundle, PolicyError> {
    let workshop = tempfile::tempdir().map_err(|source| PolicyError::Io {
        operation: "write a bundle in",
        path: env::temp_dir(),
        source,
    })?;
    let made = workshop.path().join("bundle.tar.gz");
    compile(folder, &made)?;
    Bundle::read(&made)
}

/// What `opa` said to a question about policies.
#[derive(Debug)]
struct Said {
    /// Whether all is well.
    passed: bool,
    /// The text, for people.
    text: String,
}

/// Compiles a policies folder into a file that may be lost half-way. The same policies make
/// the same bytes: `opa` writes no times, and the revision is a digest. `opa` makes one target at a
/// time, so it is asked for both at once.
fn compile(folder: &Path, output: &Path) -> Result<(), PolicyError> {
    files::refuse_misplaced(folder)?;
    let [fires, silent] = EXAMPLES;
    let revision = revision::of(folder, &parts(folder), &[TESTS.trim_start_matches('*'), fires, silent])?;
    let (made, reads) = std::thread::scope(|scope| {
        let reads = scope.spawn(|| reads(folder, &output.with_extension("plan")));
        let made = target(folder, output, &["--target=wasm", "--revision", &revision]);
        (made, reads.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    made?;
    add_reads(output, &reads?)
}

/// Has `opa` build a folder's rules for a target.
fn target(folder: &Path, output: &Path, options: &[&str]) -> Result<(), PolicyError> {
    let mut command = command(folder, "build")?;
    command.args(options).args(["--prune-unused", CAPABILITIES]).arg("--output").arg(absolute(output));
    command.args(rules_only()).args(parts(folder));
    let said = said(folder, command)?;
    if said.passed {
        return Ok(());
    }
    Err(PolicyError::Compile { folder: folder.to_owned(), detail: said.text })
}

/// What each of a folder's rules reads, by the plan that `opa` makes of them.
fn reads(folder: &Path, planned: &Path) -> Result<Vec<u8>, PolicyError> {
    let damaged = |detail| PolicyError::Bundle { path: planned.to_owned(), detail };
    target(folder, planned, &["--target=plan"])?;
    let read = |source| PolicyError::Io { operation: "read", path: planned.to_owned(), source };
    let plan = archive::read(&fs::read(planned).map_err(read)?).map_err(damaged)?.remove("plan.json");
    let plan = plan.ok_or_else(|| damaged("`opa` made no `plan.json`".to_owned()))?;
    let plan = serde_json::from_slice(&plan).map_err(|error| damaged(error.to_string()))?;
    serde_json::to_vec(&Reads::find(&plan)).map_err(|error| damaged(error.to_string()))
}

/// Puts into a bundle what each of its rules reads.
fn add_reads(bundle: &Path, reads: &[u8]) -> Result<(), PolicyError> {
    let failed = |source| PolicyError::Io { operation: "write", path: bundle.to_owned(), source };
    let damaged = |detail| PolicyError::Bundle { path: bundle.to_owned(), detail };
    let whole = archive::with(&fs::read(bundle).map_err(failed)?, READS_FILE, reads).map_err(damaged)?;
    fs::write(bundle, whole).map_err(failed)
}

/// `opa`, about to work in a policies folder.
pub(crate) fn command(folder: &Path, verb: &str) -> Result<Command, PolicyError> {
    recognise(folder)?;
    let mut command = Command::new(opa());
    command.current_dir(folder).arg(verb);
    Ok(command)
}

/// Refuses what is no folder of policies, and says what it lacks.
pub(crate) fn recognise(folder: &Path) -> Result<(), PolicyError> {
    if !folder.is_dir() {
        return Err(PolicyError::Folder { path: absolute(folder), missing: "there is no such folder" });
    }
    let parts = parts(folder);
    if let Some((former, today)) = FORMER_PARTS.into_iter().find(|(former, _)| folder.join(former).is_dir()) {
        return Err(PolicyError::FormerFolder { path: absolute(folder), former, today });
    }
    if !parts.contains(&"events") && !parts.contains(&"resources") {
        return Err(PolicyError::Folder { path: absolute(folder), missing: "it has neither `events` nor `resources`" });
    }
    if !folder.join("capabilities.json").is_file() {
        return Err(PolicyError::Folder {
            path: absolute(folder),
            missing: "it has no `capabilities.json`, the builtins it may call",
        });
    }
    Ok(())
}

/// The `opa` to use: what `KEEPWATCH_OPA` names, else the one that `make tools` installs, else
/// whatever is on the path.
#[must_use]
pub fn opa() -> OsString {
    let named = env::var_os("KEEPWATCH_OPA").filter(|named| !named.is_empty());
    named.or_else(|| installed(Path::new(".tools"))).unwrap_or_else(|| OsString::from("opa"))
}

/// The newest `opa` below a folder of tools, where it lies in a folder named after its version.
fn installed(tools: &Path) -> Option<OsString> {
    let folders = fs::read_dir(tools).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let holds_opa =
        |folder: &PathBuf| folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("opa-"));
    let programs = folders.filter(holds_opa).map(|folder| folder.join("opa")).filter(|program| program.is_file());
    programs.max().map(|program| absolute(&program).into_os_string())
}

pub(crate) fn parts(folder: &Path) -> Vec<&'static str> {
    PARTS.into_iter().filter(|part| folder.join(part).is_dir()).collect()
}

pub(crate) fn ignore(pattern: &str) -> String {
    format!("--ignore={pattern}")
}

/// What keeps `opa` from taking a rule's examples and tests for policy.
pub(crate) fn rules_only() -> [String; 3] {
    let [fires, silent] = EXAMPLES;
    [TESTS, fires, silent].map(ignore)
}

/// Runs `opa` in a folder to its end.
pub(crate) fn output(folder: &Path, mut command: Command) -> Result<Output, PolicyError> {
    command.output().map_err(|source| {
        // The working folder may be what is missing, too.
        if source.kind() == io::ErrorKind::NotFound && folder.is_dir() {
            return PolicyError::NoCompiler { tried: command.get_program().to_string_lossy().into_owned() };
        }
        PolicyError::Io { operation: "run `opa` on", path: folder.to_owned(), source }
    })
}

fn said(folder: &Path, command: Command) -> Result<Said, PolicyError> {
    let output = output(folder, command)?;
    let text = [output.stdout, output.stderr].concat();
    Ok(Said { passed: output.status.success(), text: String::from_utf8_lossy(&text).trim().to_owned() })
}

/// A path that holds in any working folder.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opa_of_make_tools_is_found_by_its_version_s_folder() {
        let tools = tempfile::tempdir().unwrap();
        assert_eq!(installed(tools.path()), None);
        assert_eq!(installed(&tools.path().join("missing")), None);
        for folder in ["lab", "opa-1.20.1", "opa-1.20.2"] {
            fs::create_dir(tools.path().join(folder)).unwrap();
            fs::write(tools.path().join(folder).join("opa"), "").unwrap();
        }
        assert_eq!(installed(tools.path()), Some(tools.path().join("opa-1.20.2/opa").into_os_string()));
    }

    #[test]
    fn a_folder_says_what_it_lacks_before_opa_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let refuse = || compile(folder.path(), Path::new("unused")).unwrap_err().to_string();
        assert!(refuse().ends_with("it has neither `events` nor `resources`"), "{}", refuse());
        fs::create_dir(folder.path().join("events")).unwrap();
        assert!(refuse().ends_with("it has no `capabilities.json`, the builtins it may call"), "{}", refuse());
    }

    #[test]
    fn a_folder_of_before_the_rename_says_what_to_rename() {
        for (former, today) in FORMER_PARTS {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("events")).unwrap();
            fs::create_dir(folder.path().join(former)).unwrap();
            let error = compile(folder.path(), Path::new("unused")).unwrap_err().to_string();
            assert!(error.contains(&format!("rename the folder `{former}` to `{today}`")), "{error}");
        }
    }

    #[test]
    fn a_missing_opa_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let error = said(folder.path(), Command::new("no-such-opa")).unwrap_err();
        assert!(error.to_string().contains("hint: `make tools` installs the pinned version"), "{error}");
    }
}
