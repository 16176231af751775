//! Runs compiled rules: one module, a pool of instances, a deadline for every call.
//!
//! It turns documents into OPA's result sets and nothing more; what a result means is
//! [`super::findings`]' business. A failure costs the instance that it happened in, never
//! the next evaluation. Its modules are its own: what each of its shortcuts buys stands in
//! `docs/decisions/engine-shortcuts.md`.

mod builtins;
mod compiler;
mod instance;
mod private;
mod reads;
mod sprintf;
mod values;

use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;
use wasmtime::Engine as Wasmtime;

use super::bundle::Bundle;
use super::error::PolicyError;
use builtins::Builtin;
use instance::{Builtins, Instance, TICK_MS, Template, linker, memory_for};

pub use compiler::{COMPILE_COMMAND, Compiler, compile_into};
pub use private::{NotPrivate, PrivateFolder};
pub(super) use reads::READS_FILE;
pub use reads::{Parts, Reads};

/// The number by which the module knows an entry point.
pub type EntrypointId = u32;

/// What an evaluation may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Milliseconds that one rule may take on one document.
    pub deadline_ms: u64,
    /// Bytes of memory that an instance may grow to, data included.
    pub memory_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { deadline_ms: 100, memory_bytes: 64 * 1024 * 1024 }
    }
}

/// Why a rule could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It did not end in time.
    #[error("it took longer than {0} ms")]
    Deadline(u64),
    /// It wanted more memory than it may have.
    #[error("it took more than {} MiB of memory", .0 / 1024 / 1024)]
    Memory(usize),
    /// It returned nothing where a set is due.
    #[error("its result is undefined")]
    Undefined,
    /// It returned something else than findings.
    #[error("its result is not what a rule returns: {0}")]
    Malformed(String),
    /// The document could not be taken in.
    #[error("the document cannot be read")]
    Input,
    /// It stopped by itself.
    #[error("it stopped: {0}")]
    Trap(String),
}

impl Failure {
    /// One word for it, for evidence and metrics.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Deadline(_) => "deadline",
            Self::Memory(_) => "memory",
            Self::Undefined => "undefined",
            Self::Malformed(_) => "malformed",
            Self::Input => "input",
            Self::Trap(_) => "trap",
        }
    }
}

/// A compiled bundle, ready to evaluate.
pub struct Engine {
    template: Template,
    entrypoints: Vec<(String, EntrypointId)>,
    idle: Mutex<Vec<Instance>>,
    ticker: Ticker,
}

impl Engine {
    /// Compiles a bundle's module, and tries it out once.
    ///
    /// # Errors
    /// When it is no module of OPA's, has another ABI, or calls a builtin that is not here.
    pub fn new(bundle: &Bundle, limits: Limits, compiler: &Compiler) -> Result<Self, PolicyError> {
        let module = compiler.compile(&bundle.wasm).map_err(unusable)?;
        let memory =
            memory_for(&module, &bundle.wasm).ok_or_else(|| unusable("it is not a module that `opa build` made"))?;
        let engine = module.engine();
        let ticker = Ticker::start(engine.clone()).map_err(unusable)?;
        let linker = linker(engine).map_err(unusable)?;
        let data = bundle.data.to_string().into_bytes();
        let (builtins, refused) = (Arc::default(), Arc::default());
        let mut template = Template { module, linker, memory, builtins, data, limits, refused, known_layout: false };
        let mut probe = Instance::new(&template).map_err(unusable)?;
        check_abi(&mut probe)?;
        template.builtins = Arc::new(self::builtins(&probe.ask("builtins").map_err(unusable)?)?);
        let entrypoints = entrypoints(&probe.ask("entrypoints").map_err(unusable)?);
        template.known_layout = probe.proves_layout().unwrap_or(false);
        let first = Instance::new(&template).map_err(unusable)?;
        Ok(Self { template, entrypoints, idle: Mutex::new(vec![first]), ticker })
    }

    /// The number of an entry point.
    #[must_use]
    pub fn entrypoint(&self, path: &str) -> Option<EntrypointId> {
        self.entrypoints.iter().find(|(name, _)| name == path).map(|(_, id)| *id)
    }

    /// Whether documents are laid out for the module, and not parsed by it.
    #[must_use]
    pub const fn lays_out(&self) -> bool {
        self.template.known_layout
    }

    /// Whether the thread is alive that makes deadlines pass.
    #[must_use]
    pub fn keeps_deadlines(&self) -> bool {
        self.ticker.runs()
    }

    /// Begins to evaluate a document. It must be valid JSON: of anything else OPA's parser makes
    /// what it can.
    #[must_use]
    pub const fn evaluation(&self, document: Vec<u8>, now_ns: i64) -> Evaluation<'_> {
        Evaluation { engine: self, document, now_ns, instance: None }
    }

    /// How many calls of builtins were refused, and so undefined, since the start.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.template.refused.load(Ordering::Relaxed)
    }

    /// An instance with the document in it.
    fn lend(&self, document: &[u8], now_ns: i64) -> Result<Instance, Failure> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut instance = idle.map_or_else(|| Instance::new(&self.template), Ok)?;
        instance.read_input(document, now_ns)?;
        Ok(instance)
    }

    fn take_back(&self, instance: Instance) {
        if !instance.is_worn() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(instance);
        }
    }
}

/// One document under evaluation: read once, evaluated by as many rules as asked for it.
pub struct Evaluation<'a> {
    engine: &'a Engine,
    document: Vec<u8>,
    now_ns: i64,
    instance: Option<Instance>,
}

impl Evaluation<'_> {
    /// The document.
    #[must_use]
    pub fn document(&self) -> &[u8] {
        &self.document
    }

    /// Evaluates a rule: OPA's result set as JSON, `[]` when the rule is undefined.
    ///
    /// # Errors
    /// When the rule did not come to its end within the limits. The next call is not touched
    /// by it.
    pub fn evaluate(&mut self, entrypoint: EntrypointId) -> Result<Vec<u8>, Failure> {
        match self.attempt(entrypoint) {
            // The deadline is the wall's time: a machine that slept makes any rule look like
            // a loop, and containment must not hang on that. A true loop ends here again.
            Err(Failure::Deadline(_)) => self.attempt(entrypoint),
            answer => answer,
        }
    }

    fn attempt(&mut self, entrypoint: EntrypointId) -> Result<Vec<u8>, Failure> {
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.engine.lend(&self.document, self.now_ns)?,
        };
        // INVARIANT: an instance that failed is dropped here and never evaluates again.
        let answer = instance.evaluate(entrypoint)?;
        self.instance = Some(instance);
        Ok(answer)
    }
}

impl Drop for Evaluation<'_> {
    fn drop(&mut self) {
        if let Some(instance) = self.instance.take() {
            self.engine.take_back(instance);
        }
    }
}

/// OPA raises the minor version for additions and the major one for the rest.
fn check_abi(instance: &mut Instance) -> Result<(), PolicyError> {
    let version = (instance.constant("opa_wasm_abi_version"), instance.constant("opa_wasm_abi_minor_version"));
    match version {
        (Some(1), Some(minor)) if minor >= 2 => Ok(()),
        (Some(major), Some(minor)) => Err(PolicyError::Module(format!("its ABI is {major}.{minor}, not 1.2 or above"))),
        (None, _) | (_, None) => Err(PolicyError::Module("it does not name its ABI".to_owned())),
    }
}

/// The builtins that the module announces, by its ids.
fn builtins(announced: &Value) -> Result<Builtins, PolicyError> {
    let mut builtins = Builtins::new();
    for (name, id) in numbered(announced) {
        let builtin = Builtin::named(name).ok_or_else(|| PolicyError::Builtin(name.to_owned()))?;
        let id = id as usize;
        if builtins.len() <= id {
            builtins.resize(id + 1, None);
        }
        if let Some(slot) = builtins.get_mut(id) {
            *slot = Some(builtin);
        }
    }
    Ok(builtins)
}

fn entrypoints(announced: &Value) -> Vec<(String, EntrypointId)> {
    numbered(announced).map(|(path, id)| (path.to_owned(), id)).collect()
}

/// The entries of an object of small numbers.
fn numbered(object: &Value) -> impl Iterator<Item = (&str, u32)> {
    let entries = object.as_object().into_iter().flatten();
    entries.filter_map(|(name, id)| Some((name.as_str(), u32::from(u16::try_from(id.as_u64()?).ok()?))))
}

fn unusable(error: impl std::fmt::Display) -> PolicyError {
    PolicyError::Module(format!("{error:#}"))
}

/// The thread that makes deadlines pass; it ends with the engine.
struct Ticker {
    _stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Ticker {
    fn start(engine: Wasmtime) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let tick = move || {
            while stopped.recv_timeout(Duration::from_millis(TICK_MS)) == Err(RecvTimeoutError::Timeout) {
                engine.increment_epoch();
            }
        };
        let thread = thread::Builder::new().name("policy-ticker".to_owned()).spawn(tick)?;
        Ok(Self { _stop: stop, thread })
    }

    fn runs(&self) -> bool {
        !self.thread.is_finished()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_builtin_is_found_by_the_module_s_number() {
        let found = builtins(&json!({"time.now_ns": 2, "sprintf": 0})).unwrap();
        assert_eq!(found, [Some(Builtin::Sprintf), None, Some(Builtin::NowNs)]);
        assert_eq!(builtins(&json!({})).unwrap(), []);
    }

    #[test]
    fn a_builtin_that_is_not_here_is_named() {
        let error = builtins(&json!({"http.send": 0})).unwrap_err().to_string();
        assert!(
            error.starts_with("the bundle calls the builtin `http.send`, which the agent does not have"),
            "{error}"
        );
    }

    #[test]
    fn a_module_that_is_not_opa_s_is_refused() {
        let manifest = crate::policy::bundle::Manifest { revision: String::new(), entrypoints: Vec::new() };
        let bundle = Bundle {
            wasm: b"\0asm\x01\0\0\0".to_vec(),
            data: json!({}),
            manifest,
            reads: Default::default(),
            digest: String::new(),
        };
        let error = Engine::new(&bundle, Limits::default(), &Compiler::here()).err().unwrap().to_string();
        assert_eq!(error, "the bundle's `policy.wasm` cannot be run: it is not a module that `opa build` made");
    }

    #[test]
    fn the_ticker_s_end_is_seen() {
        let mut ticker = Ticker::start(Wasmtime::default()).unwrap();
        assert!(ticker.runs());
        ticker._stop = mpsc::channel().0;
        while ticker.runs() {
            thread::yield_now();
        }
    }

    #[test]
    fn policies_can_be_shared_between_threads() {
        const fn shared<T: Send + Sync + Clone>() {}
        shared::<crate::policy::Policies>();
    }
}
