//! What a command keeps for its next start, and from whom it takes nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A command that evaluates, with nothing to evaluate.
fn replay(events: &Path, variables: &[(&str, &Path)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keepwatch"));
    command.args(["replay", "--policies", "target/policies/bundle.tar.gz"]).arg(events);
    command.env_clear().envs(variables.iter().copied()).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

struct Home {
    folder: TempDir,
    events: TempDir,
}

impl Home {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), events: TempDir::new().unwrap() }
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join(".cache/keepwatch")
    }

    fn replay(&self) -> String {
        let output = replay(self.events.path(), &[("HOME", self.folder.path())]);
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// The files of machine code, and which file each is.
    fn kept(&self) -> Vec<(PathBuf, u64)> {
        let mut found = Vec::new();
        collect(self.folder.path(), &mut found);
        found
    }
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, u64)>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        match entry.file_type().unwrap().is_dir() {
            true => collect(&entry.path(), found),
            // Beside them lie the cache's own notes, `NAME.stats`.
            false if entry.path().extension().is_some() => {}
            false => found.push((entry.path(), entry.metadata().unwrap().ino())),
        }
    }
}

#[test]
fn the_second_start_takes_what_the_first_compiled() {
    let home = Home::new();
    assert!(!home.replay().contains("not kept"));
    let first = home.kept();
    let [(path, _)] = &first[..] else { panic!("{first:?}") };
    assert!(path.starts_with(home.cache().join("compiled")));
    // What is compiled is written as another file and put in the place of the one before.
    home.replay();
    assert_eq!(home.kept(), first);
}

#[test]
fn nothing_is_taken_from_a_folder_that_others_can_write_to() {
    let home = Home::new();
    home.replay();
    let [(path, _)] = &home.kept()[..] else { panic!("one module leaves one file") };
    fs::write(path, "what somebody else left").unwrap();
    for open in [home.cache().join("compiled"), home.cache(), home.folder.path().join(".cache")] {
        let mode = fs::metadata(&open).unwrap().permissions();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        let said = home.replay();
        assert!(said.contains("compiled policies are not kept") && said.contains(open.to_str().unwrap()), "{said}");
        assert_eq!(fs::read(path).unwrap(), b"what somebody else left", "it was neither read nor replaced");
        fs::set_permissions(&open, mode).unwrap();
    }
    assert!(!home.replay().contains("not kept"));
    assert_ne!(fs::read(path).unwrap(), b"what somebody else left");
}

#[test]
fn without_a_home_every_start_compiles() {
    let events = TempDir::new().unwrap();
    for variables in [&[][..], &[("HOME", Path::new("/proc/no/home")), ("KEEPWATCH_CACHE_DIR", Path::new(""))]] {
        let output = replay(events.path(), variables);
        assert!(!String::from_utf8_lossy(&output.stderr).contains("not kept"), "nobody asked for it");
    }
    let nowhere = replay(events.path(), &[("HOME", Path::new("/proc/no/home"))]);
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("cannot use the folder `/proc/no/home"));
}
