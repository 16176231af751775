//! Where compiled policies are kept between runs: the user's cache folder.
//!
//! Without a home, or with a folder that others could write to, nothing is kept and every start
//! compiles; no command fails for it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::policy::engine::compiler::Compiler;
use crate::policy::engine::private::PrivateFolder;

/// Names another folder; empty, none.
const NAMED: &str = "KEEPWATCH_CACHE_DIR";

/// The compiler of a command that soon ends.
pub(super) fn compiler() -> Compiler {
    keeping(Compiler::here())
}

/// The compiler of the agent, which stays.
pub(super) fn compiler_that_stays() -> Compiler {
    keeping(Compiler::child())
}

fn keeping(compiler: Compiler) -> Compiler {
    let Some(folder) = folder(|name| std::env::var_os(name)) else { return compiler };
    match PrivateFolder::open(&folder.join("compiled")) {
        Ok(folder) => compiler.keeping_in(folder),
        Err(problem) => {
            warn!(
                "compiled policies are not kept, and every start compiles them again: {problem}; remove the folder, or \
                 name another with `{NAMED}` (empty: keep none)"
            );
            compiler
        }
    }
}

/// The program's folder among the user's caches. As the XDG specification has it, names that
/// are not absolute count for nothing.
fn folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(named) = variable(NAMED) {
        let named = Path::new(&named);
        return (!named.as_os_str().is_empty())
            .then(|| std::path::absolute(named).unwrap_or_else(|_| named.to_owned()));
    }
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(caches.join("keepwatch"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(variables: &[(&str, &str)]) -> Option<PathBuf> {
        folder(|name| variables.iter().find(|(one, _)| *one == name).map(|(_, value)| OsString::from(value)))
    }

    #[test]
    fn the_cache_is_where_users_look_for_it() {
        let home = ("HOME", "/home/eve");
        let is = |variables: &[(&str, &str)], path: &str| assert_eq!(folder_with(variables), Some(PathBuf::from(path)));
        is(&[home], "/home/eve/.cache/keepwatch");
        is(&[home, ("XDG_CACHE_HOME", "/caches")], "/caches/keepwatch");
        is(&[home, ("XDG_CACHE_HOME", "not/absolute")], "/home/eve/.cache/keepwatch");
        is(&[home, ("XDG_CACHE_HOME", "/caches"), (NAMED, "/mine")], "/mine");
    }

    #[test]
    fn without_a_home_or_with_an_empty_name_there_is_none() {
        for variables in [&[][..], &[("HOME", "")], &[("HOME", "here")], &[("HOME", "/home/eve"), (NAMED, "")]] {
            assert_eq!(folder_with(variables), None);
        }
    }
}
