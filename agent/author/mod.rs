//! What policy authors learn about their rules: lints, tests in both engines, explanations.
//!
//! It works on a folder of Rego and asks `opa`; the agent that evaluates events never comes here.

pub mod ast;
mod bodies;
pub mod check;
mod described;
pub mod documents;
mod events;
pub mod explain;
pub mod fixtures;
mod formatted;
mod parameters;
mod reach;
mod references;
mod returned;
mod stored;
mod style;
mod tested;
pub mod trial;
mod typed;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::domain::spelling::nearest;
use crate::policy::bundle::build::{self, names, places};

/// A folder of policies, and which of its rules are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The folder: events/, resources/, lib/, data/.
    pub folder: PathBuf,
    /// The one rule that is meant, as `events/<service>/<rule>`; all of them without it.
    pub rule: Option<String>,
}

impl Work {
    /// Every rule of a folder.
    #[must_use]
    pub fn all(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), rule: None }
    }

    /// What `what` names: a folder of policies, the folder of a rule there or in another folder of
    /// policies, a rule's place in `folder` or the last part of that; everything in `folder` when it
    /// names nothing.
    ///
    /// # Errors
    /// When there is no such rule, or several, or the folder is none of policies.
    pub fn find(folder: &Path, what: Option<&str>) -> Result<Self, String> {
        let recognise = |folder: &Path| build::recognise(folder).map_err(|error| error.to_string());
        let Some(what) = what else {
            recognise(folder)?;
            return Ok(Self::all(folder));
        };
        let path = Path::new(what.trim_end_matches('/'));
        let is_named = folder.is_dir() && is_rule_of(folder, path);
        match recognise(path) {
            Ok(()) => return Ok(Self::all(path)),
            Err(refused) if path.is_dir() && !is_named => return elsewhere(path).ok_or(refused),
            Err(refused) if path.is_absolute() && !is_named => return Err(refused),
            Err(_) => {}
        }
        recognise(folder)?;
        let places = places(folder);
        match named(&places, path).as_slice() {
            [place] => Ok(Self { folder: folder.to_owned(), rule: Some((*place).clone()) }),
            [] => {
                let near = nearest(what, places.iter().filter_map(|place| place.rsplit('/').next()));
                let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                Err(format!("no rule `{what}` in `{}`{near}", folder.display()))
            }
            several => Err(format!("`{what}` is any of {several:?}: say which, as `events/<service>/<rule>`")),
        }
    }

    /// The places of the rules that are meant.
    #[must_use]
    pub fn places(&self) -> Vec<String> {
        self.rule.clone().map_or_else(|| places(&self.folder), |rule| vec![rule])
    }
}

/// The places that a path names.
fn named<'a>(places: &'a [String], path: &Path) -> Vec<&'a String> {
    let ends = |place: &&String| path.ends_with(place) || Path::new(place.as_str()).ends_with(path);
    places.iter().filter(ends).collect()
}

/// Whether a path names a rule of a folder: its last part alone, or where it lies.
fn is_rule_of(folder: &Path, path: &Path) -> bool {
    let same =
        |one: &Path, other: &Path| one.canonicalize().ok().is_some_and(|one| Some(one) == other.canonicalize().ok());
    let places = places(folder);
    let found = named(&places, path);
    found.iter().any(|place| !path.is_dir() || same(&folder.join(place), path))
}

/// The rule that a folder holds, in the folder of policies that it lies in.
fn elsewhere(rule: &Path) -> Option<Work> {
    let rule = build::absolute(rule);
    let folder = rule.ancestors().nth(3)?;
    build::recognise(folder).ok()?;
    let place = rule.strip_prefix(folder).ok()?.to_string_lossy().into_owned();
    places(folder).contains(&place).then(|| Work { folder: folder.to_owned(), rule: Some(place) })
}

/// Something about a rule that its author must fix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Lint {
    /// The file, from the folder of policies.
    pub file: String,
    /// Its line, from 1.
    pub line: u64,
    /// Its column, from 1.
    pub column: u64,
    /// Which of our rules about rules it breaks; OPA's own code for what OPA found.
    pub lint: String,
    /// What is wrong.
    pub what: String,
    /// Why that matters.
    pub why: String,
    /// What to do about it.
    pub next: String,
}

impl Lint {
    /// A lint in what a node of a file stands for: what is wrong, why that matters, what to do.
    fn of(module: &ast::Module, node: &serde_json::Value, lint: &str, [what, why, next]: [String; 3]) -> Self {
        let (file, line, column) = (module.file.clone(), ast::line(node), ast::column(node));
        Self { file, line, column, lint: lint.to_owned(), what, why, next }
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, lint, what, why, next } = self;
        write!(f, "{file}:{line}:{column}: {what} [{lint}]")?;
        if !why.is_empty() {
            write!(f, "\n  why:  {why}")?;
        }
        if !next.is_empty() {
            write!(f, "\n  next: {next}")?;
        }
        Ok(())
    }
}

/// The names of the builtins that rules in a folder may call.
fn allowed(folder: &Path) -> Vec<String> {
    let text = std::fs::read(folder.join("capabilities.json")).unwrap_or_default();
    builtins_in(&serde_json::from_slice(&text).unwrap_or_default())
}

/// The names of the builtins in OPA's list of capabilities.
fn builtins_in(capabilities: &serde_json::Value) -> Vec<String> {
    let builtins = ast::list(&capabilities["builtins"]);
    builtins.iter().filter_map(|builtin| Some(builtin["name"].as_str()?.to_owned())).collect()
}

/// Does a piece of work on every item, as many at once as the machine has cores; the answers
/// stand in the order of the items. `opa` is a process, so this only waits faster.
fn at_once<I: Sync, O: Send>(items: &[I], work: impl Fn(&I) -> O + Sync) -> Vec<O> {
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get) + 1;
    let next = std::sync::atomic::AtomicUsize::new(0);
    let turn = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            match items.get(at) {
                Some(item) => done.push((at, work(item))),
                None => return done,
            }
        }
    };
    let mut done: Vec<(usize, O)> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..workers.min(items.len())).map(|_| scope.spawn(turn)).collect();
        started.into_iter().flat_map(joined).collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, output)| output).collect()
}

/// What a thread came to; its panic is ours.
fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_stand_in_the_order_of_the_questions() {
        let items: Vec<usize> = (0..100).collect();
        assert_eq!(at_once(&items, |item| item * 2), (0..100).map(|item| item * 2).collect::<Vec<_>>());
        assert_eq!(at_once(&[] as &[usize], |item| *item), Vec::<usize>::new());
    }

    #[test]
    fn a_rule_is_found_by_its_place_its_folder_or_its_name() {
        let folder = tempfile::tempdir().unwrap();
        for place in ["events/kms/key_disabled", "resources/s3/versioning", "events/s3/versioning"] {
            std::fs::create_dir_all(folder.path().join(place)).unwrap();
        }
        let find = |what: &str| Work::find(folder.path(), Some(what)).map(|work| work.rule);
        let key = Ok(Some("events/kms/key_disabled".to_owned()));
        assert_eq!(find("events/kms/key_disabled"), key);
        assert_eq!(find("key_disabled"), key);
        assert_eq!(find("policies/events/kms/key_disabled/"), key);
        assert!(find("key_disabeld").unwrap_err().ends_with("did you mean `key_disabled`?"));
        assert!(find("versioning").unwrap_err().contains("say which"));
        assert_eq!(find(folder.path().to_str().unwrap()), Ok(None));
    }
}
