//! Whether files look as `opa fmt` writes them.

use super::{Lint, Work, trial};
use crate::policy::bundle::build;
use crate::policy::error::PolicyError;

/// The files that `opa fmt` would write otherwise. One that it cannot read is left to `opa check`.
pub(super) fn lints(work: &Work) -> Result<Vec<Lint>, PolicyError> {
    let mut command = build::command(&work.folder, "fmt")?;
    command.arg("--list").args(trial::parts(work).iter().filter(|part| *part != "data"));
    let output = build::output(&work.folder, command)?;
    let lint = |file: &str| Lint {
        file: file.to_owned(),
        line: 1,
        column: 1,
        lint: "opa-fmt".to_owned(),
        what: "it is not formatted".to_owned(),
        why: "one way to write Rego makes changes small enough to be reviewed".to_owned(),
        next: format!("run `opa fmt --write {}`", work.folder.join(file).display()),
    };
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(lint).collect())
}
