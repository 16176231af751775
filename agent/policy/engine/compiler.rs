//! Compiles modules to machine code, in this process or in one of its own.
//!
//! A compiler works in memory that no allocator gives back whole, and in code that nothing
//! else needs: with 60 rules, 26 MB. An agent that runs for months has a child of the same
//! program do it, and carries neither. The child gets the module and nothing else: no
//! credentials. Machine code is kept for the next run in a folder of this user's alone, and
//! goes from the child through that folder, or through one that is gone once it is loaded. It
//! never comes from anywhere else: whoever writes it, runs.

use std::fs::{self, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tracing::warn;
use wasmtime::error::Context as _;
use wasmtime::{Cache, CacheConfig, Config, Engine, Inlining, Module, OptLevel, bail};

use super::private::PrivateFolder;
use crate::policy::error::PolicyError;

/// The command by which the program is asked to be the child.
pub const COMPILE_COMMAND: &str = "compile-module";

/// How much work goes into packing machine code: the least. A start has to wait for it.
const PACKING: i32 = 1;

/// How much of it is kept: the modules of some dozens of bundles.
const KEPT_BYTES: u64 = 64 * 1024 * 1024;

/// Where modules are compiled, and whether machine code is kept for the next run.
#[derive(Debug, Clone)]
pub struct Compiler {
    place: Place,
    kept: Option<PrivateFolder>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Here,
    Child,
}

impl Compiler {
    /// In this process: the fastest for one that soon ends.
    #[must_use]
    pub const fn here() -> Self {
        Self { place: Place::Here, kept: None }
    }

    /// In a child of this program, for a process that stays.
    #[must_use]
    pub const fn child() -> Self {
        Self { place: Place::Child, kept: None }
    }

    /// The same, which takes what is in a folder and leaves there what it compiles.
    #[must_use]
    pub fn keeping_in(self, folder: PrivateFolder) -> Self {
        Self { kept: Some(folder), ..self }
    }

    /// Compiles a module. What a child cannot do is done here: it costs memory, not rules.
    pub(super) fn compile(&self, wasm: &[u8]) -> wasmtime::Result<Module> {
        match self.place {
            Place::Here => self.here_or_kept(wasm),
            Place::Child => self.by_child(wasm).or_else(|problem| {
                warn!("compiling policies in this process, which keeps more memory: {problem:#}");
                self.here_or_kept(wasm)
            }),
        }
    }

    fn here_or_kept(&self, wasm: &[u8]) -> wasmtime::Result<Module> {
        let keeping = |folder: &PrivateFolder| handing_over(folder.path()).map(|(engine, _)| engine);
        let keeping = self.kept.as_ref().and_then(|folder| {
            keeping(folder).inspect_err(|problem| warn!("compiled policies are not kept: {problem:#}")).ok()
        });
        Module::new(&keeping.map_or_else(|| Engine::new(&config()), Ok)?, wasm)
    }

    fn by_child(&self, wasm: &[u8]) -> wasmtime::Result<Module> {
        if let Some(folder) = &self.kept {
            return from_child(wasm, folder.path());
        }
        let private = Permissions::from_mode(0o700);
        let place = tempfile::Builder::new().prefix("keepwatch-").permissions(private).tempdir();
        let place = place.context("cannot make a folder for the machine code; `TMPDIR` may name a place for it")?;
        let folder = place.path().join("code");
        let module = from_child(wasm, &folder)?;
        // The cache keeps account of its files in a thread of its own: it must not find them
        // any more when they are deleted.
        fs::rename(&folder, place.path().join("loaded")).context("cannot store the machine code")?;
        Ok(module)
    }
}

/// The child's part: leaves the machine code of the module on stdin in a folder.
///
/// # Errors
/// When the module cannot be read, compiled or left there.
pub fn compile_into(folder: &Path) -> Result<(), PolicyError> {
    let mut wasm = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut wasm).context("cannot read the module from stdin");
    read.and_then(|_| leave(&wasm, folder)).map_err(|problem| PolicyError::Module(format!("{problem:#}")))
}

fn leave(wasm: &[u8], folder: &Path) -> wasmtime::Result<()> {
    let (engine, _) = handing_over(folder)?;
    Module::new(&engine, wasm)?;
    Ok(())
}

/// A child makes sure that the machine code is in a folder, and it is taken from there.
fn from_child(wasm: &[u8], folder: &Path) -> wasmtime::Result<Module> {
    ask_child(wasm, folder)?;
    let (engine, cache) = handing_over(folder)?;
    let module = Module::new(&engine, wasm)?;
    if cache.cache_hits() == 0 {
        warn!("policies were compiled in this process, which keeps more memory: what the child made does not fit");
    }
    Ok(module)
}

fn ask_child(wasm: &[u8], folder: &Path) -> wasmtime::Result<()> {
    let program = std::env::current_exe().context("cannot find this program's file")?;
    let mut child = Command::new(&program)
        .arg(COMPILE_COMMAND)
        .arg(folder)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", program.display()))?;
    // A child that ends early says why on stderr, which tells more than a broken pipe.
    let given = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(wasm));
    let ended = child.wait_with_output().context("cannot wait for the compiler")?;
    if !ended.status.success() {
        bail!("the compiler ended with {}: {}", ended.status, String::from_utf8_lossy(&ended.stderr).trim());
    }
    given.context("cannot give the module to the compiler")
}

/// An engine that takes machine code from a folder, or leaves it there.
fn handing_over(folder: &Path) -> wasmtime::Result<(Engine, Cache)> {
    let mut places = CacheConfig::new();
    places.with_directory(folder).with_files_total_size_soft_limit(KEPT_BYTES);
    // Packing better what is used often would cost a start seconds, at some time or other.
    places.with_baseline_compression_level(PACKING).with_optimized_compression_level(PACKING);
    let cache = Cache::new(places)?;
    let engine = Engine::new(config().cache(Some(cache.clone())))?;
    Ok((engine, cache))
}

/// Memories are made on demand: instances are reused, so a pool of them would only reserve
/// address space that containers may not grant. Inlining stays off: it makes rules a tenth
/// faster, and compiling them four times slower with twenty times the memory. Code that is not
/// optimised is made a seventh faster only.
fn config() -> Config {
    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::Speed);
    config.compiler_inlining(Inlining::No);
    config.epoch_interruption(true);
    config
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;
    use std::path::PathBuf;

    use super::*;

    const EMPTY: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn what_one_engine_leaves_another_takes() {
        let place = tempfile::tempdir().unwrap();
        leave(EMPTY, place.path()).unwrap();
        let (engine, cache) = handing_over(place.path()).unwrap();
        Module::new(&engine, EMPTY).unwrap();
        assert_eq!((cache.cache_hits(), cache.cache_misses()), (1, 0));
        Module::new(&engine, b"\0asm\x01\0\0\0\0\x02\x01n").unwrap();
        assert_eq!((cache.cache_hits(), cache.cache_misses()), (1, 1), "another module is another one's code");
    }

    /// The files of machine code below a folder, each as a file of its own that nobody else is.
    fn entries(folder: &Path) -> Vec<(PathBuf, u64)> {
        let found = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let below = found.flat_map(|entry| match entry.file_type().unwrap().is_dir() {
            true => entries(&entry.path()),
            false => vec![(entry.path(), entry.metadata().unwrap().ino())],
        });
        // Beside them lie the cache's own notes, `NAME.stats`.
        below.filter(|(path, _)| path.extension().is_none()).collect()
    }

    #[test]
    fn what_was_compiled_once_is_taken_from_the_folder() {
        let place = tempfile::tempdir().unwrap();
        let compiler = Compiler::here().keeping_in(PrivateFolder::open(&place.path().join("kept")).unwrap());
        compiler.compile(EMPTY).unwrap();
        let first = entries(place.path());
        assert_eq!(first.len(), 1);
        // What is compiled is written as another file and put in the place of the one before.
        compiler.compile(EMPTY).unwrap();
        assert_eq!(entries(place.path()), first);
        compiler.compile(b"\0asm\x01\0\0\0\0\x02\x01n").unwrap();
        assert_eq!(entries(place.path()).len(), 2);
    }

    #[test]
    fn machine_code_that_is_damaged_is_made_anew() {
        let place = tempfile::tempdir().unwrap();
        let compiler = Compiler::here().keeping_in(PrivateFolder::open(&place.path().join("kept")).unwrap());
        compiler.compile(EMPTY).unwrap();
        let [(path, _)] = &entries(place.path())[..] else { panic!("one module leaves one file") };
        let whole = fs::read(path).unwrap();
        for damaged in [&b"no machine code"[..], b"", &whole[..whole.len() / 2]] {
            fs::write(path, damaged).unwrap();
            compiler.compile(EMPTY).unwrap();
            assert_eq!(fs::read(path).unwrap(), whole);
        }
    }

    #[test]
    fn a_folder_that_is_gone_costs_no_rules() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("kept");
        let compiler = Compiler::here().keeping_in(PrivateFolder::open(&folder).unwrap());
        fs::remove_dir(&folder).unwrap();
        fs::write(&folder, "a file is in its place").unwrap();
        compiler.compile(EMPTY).unwrap();
    }

    #[test]
    fn a_child_that_is_no_help_costs_no_rules() {
        // The child of a test is the tests' binary, which leaves no machine code.
        Compiler::child().compile(EMPTY).unwrap();
        assert!(Compiler::child().compile(b"not wasm at all").is_err());
    }
}
