//! Which files of a policies folder would be passed over, or taken for something else.
//!
//! `opa` loads any JSON or YAML below the folders that it is given and puts it where the folder
//! says, whatever the file is called; Rego elsewhere it never sees. Nothing is read here.

use std::path::Path;

use super::build::{EXAMPLES, PARTS, names};
use crate::domain::spelling::nearest;
use crate::policy::error::PolicyError;

/// What a file of data is called.
const DATA: &str = "data.json";

/// A file or a folder that means nothing where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misplaced {
    /// Where it is, from the folder of policies.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
    /// What to do about it.
    pub next: String,
}

/// Refuses a folder that has such a file.
pub(crate) fn refuse_misplaced(folder: &Path) -> Result<(), PolicyError> {
    match misplaced(folder).into_iter().next() {
        None => Ok(()),
        Some(Misplaced { file, what, next }) => Err(PolicyError::Misplaced { path: folder.join(file), what, next }),
    }
}

/// Every such file, in order.
pub(crate) fn misplaced(folder: &Path) -> Vec<Misplaced> {
    let mut found = Vec::new();
    for name in names(folder) {
        if PARTS.contains(&name.as_str()) {
            below(folder, &name, &mut found);
        } else if folder.join(&name).is_dir() {
            found.extend(misspelt(&name));
        } else {
            found.extend(at_the_top(&name));
        }
    }
    found
}

fn below(folder: &Path, place: &str, found: &mut Vec<Misplaced>) {
    for name in names(&folder.join(place)) {
        let file = format!("{place}/{name}");
        if folder.join(&file).is_dir() {
            below(folder, &file, found);
        } else {
            found.extend(stray(place, &name));
        }
    }
}

fn at_the_top(name: &str) -> Option<Misplaced> {
    let (what, next) = match name {
        DATA => ("is no data here", "move it into `data/`".to_owned()),
        name if name.ends_with(".rego") => ("is in no rule's folder, so it is no rule", rule()),
        _ => return None,
    };
    Some(Misplaced { file: name.to_owned(), what: what.to_owned(), next })
}

/// A folder that is most likely one of those that `opa` is given.
fn misspelt(name: &str) -> Option<Misplaced> {
    let meant = nearest(name, PARTS.into_iter())?;
    let what = "is no folder of policies, so nothing in it is in force".to_owned();
    Some(Misplaced { file: name.to_owned(), what, next: format!("did you mean `{meant}`?") })
}

fn stray(place: &str, name: &str) -> Option<Misplaced> {
    let file = format!("{place}/{name}");
    let (part, depth) = (place.split('/').next().unwrap_or_default(), place.split('/').count());
    let (_, end) = name.rsplit_once('.')?;
    let said = |what: &str, next: String| Some(Misplaced { file: file.clone(), what: what.to_owned(), next });
    match (part, end.to_ascii_lowercase().as_str()) {
        ("data", "rego") => said("is Rego among data", rule()),
        ("events" | "resources", "rego") if depth < 3 => said("is in no rule's folder, so it is no rule", rule()),
        (_, "json" | "yaml" | "yml") if name == DATA => None,
        ("events" | "resources", "json") if EXAMPLES.contains(&name) => None,
        ("data", "json" | "yaml" | "yml") => {
            let stem = name.trim_end_matches(end).trim_end_matches('.');
            let own = if stem == "data" { format!("{place}/{DATA}") } else { format!("{place}/{stem}/{DATA}") };
            let next = format!("write it as JSON in `{own}`: data is found by its folder");
            said("is not named as data is, so what it holds would stand in another place", next)
        }
        (_, "json" | "yaml" | "yml") => {
            let next = match nearest(name, EXAMPLES.into_iter()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("move it to `data/<name>/{DATA}`, or call it `{DATA}` if only this rule reads it"),
            };
            said("is neither a rule's example nor named as data is, so it would stand in another place", next)
        }
        _ => None,
    }
}

fn rule() -> String {
    "move it into `events/<service>/<rule>/`, `resources/<service>/<rule>/` or `lib/`".to_owned()
}
