//! Compiles modules to machine code, in this process or in one of its own.
//!
//! A compiler works in memory that no allocator gives back whole, and in code that nothing
//! else needs. An agent that runs for months has a child of the same program do it, and
//! carries neither. The child gets the module and nothing else: no credentials. Machine code
//! goes through a folder that only this user may enter and that is gone once it is loaded;
//! none is ever taken from an earlier run.

use std::fs::{self, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tracing::warn;
use wasmtime::error::Context as _;
use wasmtime::{Cache, CacheConfig, Config, Engine, Inlining, Module, OptLevel, bail};

use crate::policy::error::PolicyError;

/// The command by which the program is asked to be the child.
pub const COMMAND: &str = "compile-module";

/// How much work goes into packing machine code, which is unpacked at once: the least.
const PACKING: i32 = 1;

/// Where modules are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compiler {
    /// In this process: the fastest for one that soon ends.
    Here,
    /// In a child of this program, for a process that stays.
    Child,
}

impl Compiler {
    /// Compiles a module. What a child cannot do is done here: it costs memory, not rules.
    pub(super) fn compile(self, wasm: &[u8]) -> wasmtime::Result<Module> {
        match self {
            Self::Here => Module::new(&Engine::new(&config())?, wasm),
            Self::Child => by_child(wasm).or_else(|problem| {
                warn!("compiling policies in this process, which keeps more memory: {problem:#}");
                Self::Here.compile(wasm)
            }),
        }
    }
}

/// The child's part: leaves the machine code of the module on stdin in a folder.
///
/// # Errors
/// When the module cannot be read, compiled or left there.
pub fn leave_in(folder: &Path) -> Result<(), PolicyError> {
    let mut wasm = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut wasm).context("cannot read the module from stdin");
    read.and_then(|_| leave(&wasm, folder)).map_err(|problem| PolicyError::Module(format!("{problem:#}")))
}

fn leave(wasm: &[u8], folder: &Path) -> wasmtime::Result<()> {
    let (engine, _) = handing_over(folder)?;
    Module::new(&engine, wasm)?;
    Ok(())
}

fn by_child(wasm: &[u8]) -> wasmtime::Result<Module> {
    let private = Permissions::from_mode(0o700);
    let place = tempfile::Builder::new().prefix("keepwatch-").permissions(private).tempdir();
    let place = place.context("cannot make a folder for the machine code; `TMPDIR` may name a place for it")?;
    let folder = place.path().join("code");
    ask_child(wasm, &folder)?;
    let (engine, cache) = handing_over(&folder)?;
    let module = Module::new(&engine, wasm)?;
    // The cache keeps account of its files in a thread of its own: it must not find them
    // any more when they are deleted.
    fs::rename(&folder, place.path().join("loaded")).context("cannot store the machine code")?;
    if cache.cache_hits() == 0 {
        warn!("policies were compiled in this process, which keeps more memory: what the child made does not fit");
    }
    Ok(module)
}

fn ask_child(wasm: &[u8], folder: &Path) -> wasmtime::Result<()> {
    let program = std::env::current_exe().context("cannot find this program's file")?;
    let mut child = Command::new(&program)
        .arg(COMMAND)
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
    places.with_directory(folder).with_baseline_compression_level(PACKING);
    let cache = Cache::new(places)?;
    let engine = Engine::new(config().cache(Some(cache.clone())))?;
    Ok((engine, cache))
}

/// Memories are made on demand: instances are reused, so a pool of them would only reserve
/// address space that containers may not grant. Inlining stays off: it makes rules a tenth
/// faster, and compiling them four times slower with twenty times the memory.
fn config() -> Config {
    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::Speed);
    config.compiler_inlining(Inlining::No);
    config.epoch_interruption(true);
    config
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_child_that_is_no_help_costs_no_rules() {
        // The child of a test is the tests' binary, which leaves no machine code.
        Compiler::Child.compile(EMPTY).unwrap();
        assert!(Compiler::Child.compile(b"not wasm at all").is_err());
    }
}
