//! A folder that nobody but this user can have written to.
//!
//! Machine code that is taken from a file runs as this program. So nothing is taken from a
//! folder that somebody else owns, may enter, or could have put in place of another. It never
//! makes a folder private that was not: what lies in it may be somebody else's already.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Owner: everything; everybody else: nothing.
const OWNER_ONLY: u32 = 0o700;
/// What lets others in.
const OTHERS_ANYTHING: u32 = 0o077;
/// What lets others put files there, and take them away.
const OTHERS_WRITE: u32 = 0o022;
/// In such a folder only the owner of a file may take it away, as in `/tmp`.
const STICKY: u32 = 0o1000;

/// A folder that only this user may enter, below folders that only this user and root can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateFolder(PathBuf);

/// Why a folder is not taken for a private one.
#[derive(Debug, thiserror::Error)]
pub enum NotPrivate {
    /// It cannot be made or looked at.
    #[error("cannot use the folder `{}`: {source}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Neither this user nor root owns it.
    #[error("`{}` belongs to another user", path.display())]
    Foreign {
        /// The folder, or one above it.
        path: PathBuf,
    },
    /// Others may change what it holds, or enter the folder itself.
    #[error("others can {} `{}` (mode {:o})", if *may_enter { "enter" } else { "write to" }, path.display(), mode & 0o7777)]
    Open {
        /// The folder, or one above it.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// Whether entering is what they must not do.
        may_enter: bool,
    },
}

impl PrivateFolder {
    /// The folder at a path, made when it is not there.
    ///
    /// # Errors
    /// When it cannot be made, or somebody else could have written to it.
    pub fn open(path: &Path) -> Result<Self, NotPrivate> {
        let unusable = |source| NotPrivate::Io { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(OWNER_ONLY).create(path).map_err(unusable)?;
        // Links are followed once, here: what is checked below is what is used.
        let real = fs::canonicalize(path).map_err(unusable)?;
        let user = rustix::process::geteuid().as_raw();
        real.ancestors().try_for_each(|above| check(above, user, above == real))?;
        Ok(Self(real))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// Whether a folder is this user's alone, or, above it, changed by this user and root alone.
fn check(folder: &Path, user: u32, is_own: bool) -> Result<(), NotPrivate> {
    let path = folder.to_owned();
    let metadata = match fs::symlink_metadata(folder) {
        Ok(metadata) => metadata,
        Err(source) => return Err(NotPrivate::Io { path, source }),
    };
    let (owner, mode) = (metadata.uid(), metadata.mode());
    if owner != user && (is_own || owner != 0) {
        return Err(NotPrivate::Foreign { path });
    }
    let open = if is_own { mode & OTHERS_ANYTHING != 0 } else { mode & OTHERS_WRITE != 0 && mode & STICKY == 0 };
    if open { Err(NotPrivate::Open { path, mode, may_enter: is_own }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn refusal(path: &Path) -> String {
        PrivateFolder::open(path).unwrap_err().to_string()
    }

    #[test]
    fn a_folder_is_made_for_this_user_alone_and_opened_again() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("cache/keepwatch");
        let first = PrivateFolder::open(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, OWNER_ONLY);
        assert_eq!(PrivateFolder::open(&folder).unwrap(), first);
    }

    #[test]
    fn a_folder_that_others_can_write_to_or_enter_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("keepwatch");
        PrivateFolder::open(&folder).unwrap();
        for mode in [0o707, 0o770, 0o720, 0o702, 0o750, 0o701, 0o1777] {
            set_mode(&folder, mode);
            assert_eq!(refusal(&folder), format!("others can enter `{}` (mode {mode:o})", folder.display()));
        }
    }

    #[test]
    fn a_folder_that_others_could_exchange_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let parent = home.path().join("cache");
        let folder = parent.join("keepwatch");
        PrivateFolder::open(&folder).unwrap();
        for mode in [0o777, 0o770, 0o702] {
            set_mode(&parent, mode);
            assert_eq!(refusal(&folder), format!("others can write to `{}` (mode {mode:o})", parent.display()));
        }
        // As in `/tmp`, where others can make folders, but not take away this one.
        set_mode(&parent, 0o1777);
        PrivateFolder::open(&folder).unwrap();
    }

    #[test]
    fn a_link_is_followed_before_anything_is_checked() {
        let home = tempfile::tempdir().unwrap();
        let (open, link) = (home.path().join("open"), home.path().join("link"));
        fs::create_dir(&open).unwrap();
        set_mode(&open, 0o777);
        std::os::unix::fs::symlink(open.join("keepwatch"), &link).unwrap();
        fs::create_dir(open.join("keepwatch")).unwrap();
        set_mode(&open.join("keepwatch"), OWNER_ONLY);
        assert!(refusal(&link).starts_with(&format!("others can write to `{}`", open.display())));
    }

    #[test]
    fn a_folder_of_somebody_else_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let owner = fs::metadata(home.path()).unwrap().uid();
        let foreign = check(home.path(), owner + 1, true).unwrap_err().to_string();
        assert_eq!(foreign, format!("`{}` belongs to another user", home.path().display()));
        // Root's folders lie above every user's, and are no place for what this user keeps.
        assert!(check(Path::new("/"), 1, false).is_ok());
        assert!(check(Path::new("/"), 1, true).is_err());
    }

    #[test]
    fn a_place_where_no_folder_can_be_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let place = file.path().join("keepwatch");
        assert!(refusal(&place).starts_with(&format!("cannot use the folder `{}`: ", place.display())));
    }
}
