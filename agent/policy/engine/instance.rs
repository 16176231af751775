//! One running copy of the module: a store, OPA's exports, the data, and one input at a time.
//!
//! The heap grows upwards and is never searched: data lies at the bottom, the input above it,
//! and what an evaluation leaves lies above both and is forgotten by the next. After any
//! failure the instance must be thrown away; [`crate::policy::engine`] does.

use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use wasmtime::{
    AsContext, AsContextMut, Caller, Engine, Instance as WasmInstance, Linker, Memory, MemoryType, Module,
    ResourceLimiter, Store, TypedFunc, WasmParams, WasmResults,
};

use super::builtins::Builtin;
use super::values::{PROBE, Values};
use super::{EntrypointId, Failure, Limits};

/// Where OPA's modules find what the host offers them.
const HOST_MODULE: &str = "env";

/// Bytes in a page of wasm memory.
const PAGE_BYTES: usize = 64 * 1024;

/// Pages that a memory starts with beyond the module's own data, so that an ordinary
/// evaluation never has to grow it. Pages that are not touched cost nothing.
const FREE_PAGES: usize = 16;

/// Grown by more than this, an instance that has seen a large input gives its memory back.
const WORN_BYTES: usize = 16 * 1024 * 1024;

/// After so many evaluations an instance is replaced, whatever it looks like.
const WORN_EVALUATIONS: u32 = 1_000_000;

/// How many functions a module may call by pointer: a table is made once, at the start.
const TABLE_ELEMENTS: usize = 100_000;

/// Bytes that a block of the heap begins with at most, before what it is for.
const BLOCK_HEADER: u32 = 16;

/// The time between two ticks of the engine's epoch.
pub(super) const TICK_MS: u64 = 5;

/// How long loading the data may take.
const LOAD_MS: u64 = 30_000;

/// What every instance of a module starts from.
pub(super) struct Template {
    pub module: Module,
    pub linker: Linker<Host>,
    /// The memory that the module asks for.
    pub memory: MemoryType,
    pub builtins: Arc<Builtins>,
    pub data: Vec<u8>,
    pub limits: Limits,
    pub refused: Arc<AtomicU64>,
    /// Whether the module's values lie as [`Values`] lays them out.
    pub known_layout: bool,
}

/// The builtins that a module calls, at the ids that it calls them by.
pub(super) type Builtins = Vec<Option<Builtin>>;

/// What the host knows while wasm runs.
pub(super) struct Host {
    exports: Option<Arc<Exports>>,
    builtins: Arc<Builtins>,
    now_ns: i64,
    memory_bytes: usize,
    refused: Arc<AtomicU64>,
}

impl ResourceLimiter for Host {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.memory_bytes {
            // An error and not `false`: OPA's allocator does not look at what growing answers.
            return Err(wasmtime::Error::new(OutOfMemory));
        }
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }
}

/// The module wanted more memory than it may have.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("out of memory")]
struct OutOfMemory;

/// The module gave up and said why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Abort(String);

/// OPA's functions, as its ABI 1.2 names them.
struct Exports {
    memory: Memory,
    malloc: TypedFunc<u32, u32>,
    heap_ptr_get: TypedFunc<(), u32>,
    heap_ptr_set: TypedFunc<u32, ()>,
    value_parse: TypedFunc<(u32, u32), u32>,
    json_dump: TypedFunc<u32, u32>,
    ctx_new: TypedFunc<(), u32>,
    ctx_set_input: TypedFunc<(u32, u32), ()>,
    ctx_set_data: TypedFunc<(u32, u32), ()>,
    ctx_set_entrypoint: TypedFunc<(u32, EntrypointId), ()>,
    ctx_get_result: TypedFunc<u32, u32>,
    eval: TypedFunc<u32, u32>,
}

impl Exports {
    fn find(instance: &WasmInstance, store: &mut Store<Host>) -> wasmtime::Result<Self> {
        let memory =
            instance.get_memory(&mut *store, "memory").ok_or_else(|| wasmtime::Error::msg("no export `memory`"))?;
        Ok(Self {
            memory,
            malloc: instance.get_typed_func(&mut *store, "opa_malloc")?,
            heap_ptr_get: instance.get_typed_func(&mut *store, "opa_heap_ptr_get")?,
            heap_ptr_set: instance.get_typed_func(&mut *store, "opa_heap_ptr_set")?,
            value_parse: instance.get_typed_func(&mut *store, "opa_value_parse")?,
            json_dump: instance.get_typed_func(&mut *store, "opa_json_dump")?,
            ctx_new: instance.get_typed_func(&mut *store, "opa_eval_ctx_new")?,
            ctx_set_input: instance.get_typed_func(&mut *store, "opa_eval_ctx_set_input")?,
            ctx_set_data: instance.get_typed_func(&mut *store, "opa_eval_ctx_set_data")?,
            ctx_set_entrypoint: instance.get_typed_func(&mut *store, "opa_eval_ctx_set_entrypoint")?,
            ctx_get_result: instance.get_typed_func(&mut *store, "opa_eval_ctx_get_result")?,
            eval: instance.get_typed_func(&mut *store, "eval")?,
        })
    }
}

/// A store whose every call into wasm has a deadline.
struct Guarded {
    store: Store<Host>,
    limits: Limits,
    ticks: u64,
}

impl Guarded {
    /// A deadline that is left over from another call would stop this one too early, so each
    /// call sets its own.
    fn call<P: WasmParams, R: WasmResults>(&mut self, function: &TypedFunc<P, R>, with: P) -> Result<R, Failure> {
        self.store.set_epoch_deadline(self.ticks);
        function.call(&mut self.store, with).map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &wasmtime::Error) -> Failure {
        if let Some(wasmtime::Trap::Interrupt) = error.downcast_ref() {
            return Failure::Deadline(self.limits.deadline_ms);
        }
        if error.is::<OutOfMemory>() {
            return Failure::Memory(self.limits.memory_bytes);
        }
        Failure::Trap(error.root_cause().to_string())
    }
}

/// How many ticks it takes until at least so much time has passed.
const fn ticks(milliseconds: u64) -> u64 {
    milliseconds.div_ceil(TICK_MS) + 1
}

/// One running copy of the module.
pub(super) struct Instance {
    guarded: Guarded,
    exports: Arc<Exports>,
    wasm: WasmInstance,
    /// Bytes that the memory began with.
    began_with: usize,
    /// What OPA calls the context of an evaluation: it names the data and the input.
    context: u32,
    /// The heap's end with the data alone in it.
    bare: u32,
    /// The heap's end with data and input in it.
    loaded: u32,
    /// Lays inputs out, if the layout is known; otherwise the module parses them.
    values: Option<Values>,
    evaluations: u32,
}

impl Instance {
    /// A fresh instance with the data in it and no input.
    pub fn new(template: &Template) -> Result<Self, Failure> {
        let host = Host {
            exports: None,
            builtins: Arc::clone(&template.builtins),
            now_ns: 0,
            memory_bytes: template.limits.memory_bytes,
            refused: Arc::clone(&template.refused),
        };
        let mut store = Store::new(template.module.engine(), host);
        store.limiter(|host| host);
        store.set_epoch_deadline(ticks(LOAD_MS));
        let mut guarded = Guarded { store, limits: template.limits, ticks: ticks(LOAD_MS) };
        let (wasm, exports) = start(template, &mut guarded.store).map_err(|error| guarded.failure(&error))?;
        let values = template.known_layout.then(Values::default);
        let began_with = exports.memory.data_size(&guarded.store);
        let (context, bare, loaded, evaluations) = (0, 0, 0, 0);
        let mut instance = Self { guarded, exports, wasm, began_with, context, bare, loaded, values, evaluations };
        let data = instance.parse(&template.data)?;
        instance.context = instance.guarded.call(&instance.exports.ctx_new, ())?;
        instance.guarded.call(&instance.exports.ctx_set_data, (instance.context, data))?;
        instance.bare = instance.heap_end()?;
        instance.guarded.ticks = ticks(template.limits.deadline_ms);
        Ok(instance)
    }

    /// Takes in the document that the next evaluations evaluate. It is read once, however many
    /// rules see it.
    pub fn read_input(&mut self, json: &[u8], now_ns: i64) -> Result<(), Failure> {
        self.guarded.store.data_mut().now_ns = now_ns;
        self.guarded.call(&self.exports.heap_ptr_set, self.bare)?;
        let input = match self.lay_out(json)? {
            Some(input) => input,
            None => self.parse(json)?,
        };
        self.loaded = self.heap_end()?;
        self.guarded.call(&self.exports.ctx_set_input, (self.context, input))
    }

    /// Evaluates an entry point on the input: OPA's result set as JSON.
    pub fn evaluate(&mut self, entrypoint: EntrypointId) -> Result<Vec<u8>, Failure> {
        self.evaluations += 1;
        let Self { guarded, exports, context, .. } = self;
        guarded.call(&exports.heap_ptr_set, self.loaded)?;
        guarded.call(&exports.ctx_set_entrypoint, (*context, entrypoint))?;
        guarded.call(&exports.eval, *context)?;
        let result = guarded.call(&exports.ctx_get_result, *context)?;
        self.dump(result)
    }

    /// Whether the module makes the same of a document as [`Values`] does. Its dump looks every
    /// name up, and shows them in the order of their buckets. An instance that was asked this
    /// may have failed, and evaluates nothing.
    pub fn proves_layout(mut self) -> Result<bool, Failure> {
        let parsed = self.parse(PROBE.as_bytes())?;
        let parsed = self.dump(parsed)?;
        self.guarded.call(&self.exports.heap_ptr_set, self.bare)?;
        self.values = Some(Values::default());
        match self.lay_out(PROBE.as_bytes())? {
            Some(laid) => self.dump(laid).map(|laid| laid == parsed),
            None => Ok(false),
        }
    }

    /// Whether it is time for another one.
    pub fn is_worn(&self) -> bool {
        let most = (self.began_with + WORN_BYTES).min(self.guarded.limits.memory_bytes);
        self.evaluations >= WORN_EVALUATIONS || self.exports.memory.data_size(&self.guarded.store) > most
    }

    /// The answer of one of the module's functions about itself, such as `builtins`.
    pub fn ask(&mut self, question: &str) -> Result<Value, Failure> {
        let store = &mut self.guarded.store;
        let function = self.wasm.get_typed_func::<(), u32>(&mut *store, question);
        let function = function.map_err(|error| Failure::Trap(error.to_string()))?;
        let answer = self.guarded.call(&function, ())?;
        let json = self.dump(answer)?;
        serde_json::from_slice(&json).map_err(|error| Failure::Trap(error.to_string()))
    }

    /// One of the module's constants, such as its ABI's version.
    pub fn constant(&mut self, name: &str) -> Option<i32> {
        let store = &mut self.guarded.store;
        self.wasm.get_global(&mut *store, name)?.get(&mut *store).i32()
    }

    /// Lays a document out at the heap's end, if that can be done without the module.
    fn lay_out(&mut self, json: &[u8]) -> Result<Option<u32>, Failure> {
        let Self { guarded, exports, values, bare, .. } = self;
        let base = *bare + BLOCK_HEADER;
        let Some(values) = values else { return Ok(None) };
        let Some(input) = values.lay_out(json, base) else { return Ok(None) };
        let length = length(values.bytes()).ok_or(Failure::Input)? + BLOCK_HEADER;
        let block = guarded.call(&exports.malloc, length)?;
        if !(*bare..=base).contains(&block) {
            return Ok(None);
        }
        exports.memory.write(&mut guarded.store, base as usize, values.bytes()).map_err(|_| Failure::Input)?;
        Ok(Some(input))
    }

    /// The value of a JSON text that is valid.
    fn parse(&mut self, json: &[u8]) -> Result<u32, Failure> {
        let Self { guarded, exports, .. } = self;
        let length = length(json).ok_or(Failure::Input)?;
        let at = guarded.call(&exports.malloc, length)?;
        exports.memory.write(&mut guarded.store, at as usize, json).map_err(|_| Failure::Input)?;
        match guarded.call(&exports.value_parse, (at, length))? {
            0 => Err(Failure::Input),
            value => Ok(value),
        }
    }

    /// A value as JSON text. A set becomes an array, in no particular order.
    fn dump(&mut self, value: u32) -> Result<Vec<u8>, Failure> {
        let at = self.guarded.call(&self.exports.json_dump, value)?;
        let text = text_at(&self.exports.memory, &self.guarded.store, at);
        text.map(<[u8]>::to_vec).ok_or_else(|| Failure::Trap("the result lies outside of the memory".to_owned()))
    }

    /// The heap's end, aligned as OPA's values want it.
    fn heap_end(&mut self) -> Result<u32, Failure> {
        let end = self.guarded.call(&self.exports.heap_ptr_get, ())?;
        Ok(end.next_multiple_of(8))
    }
}

/// The memory that a module asks its host for, with room for its data, which is not longer than
/// the module: OPA 1.20 always asks for two pages, which the strings of a few dozen rules do not
/// fit in.
pub(super) fn memory_for(module: &Module, wasm: &[u8]) -> Option<MemoryType> {
    let asked = module.imports().find_map(|import| import.ty().memory().cloned())?;
    let least = usize::try_from(asked.minimum()).ok()? + wasm.len().div_ceil(PAGE_BYTES) + FREE_PAGES;
    let most = asked.maximum().map(u32::try_from).transpose().ok()?;
    Some(MemoryType::new(u32::try_from(least).ok()?, most))
}

fn start(template: &Template, store: &mut Store<Host>) -> wasmtime::Result<(WasmInstance, Arc<Exports>)> {
    let memory = Memory::new(&mut *store, template.memory.clone())?;
    let mut linker = template.linker.clone();
    linker.define(&*store, HOST_MODULE, "memory", memory)?;
    let instance = linker.instantiate(&mut *store, &template.module)?;
    let exports = Arc::new(Exports::find(&instance, store)?);
    store.data_mut().exports = Some(Arc::clone(&exports));
    Ok((instance, exports))
}

/// A text's length as wasm counts, if it can.
fn length(text: &[u8]) -> Option<u32> {
    u32::try_from(text.len()).ok().filter(|length| *length < u32::MAX / 2)
}

/// The bytes of a C string in the module's memory.
fn text_at<'a>(memory: &Memory, store: &'a Store<Host>, at: u32) -> Option<&'a [u8]> {
    let bytes = memory.data(store).get(at as usize..)?;
    CStr::from_bytes_until_nul(bytes).ok().map(CStr::to_bytes)
}

/// Offers the module its host functions.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap(HOST_MODULE, "opa_abort", |caller: Caller<'_, Host>, at: u32| abort(&caller, at))?;
    linker.func_wrap(HOST_MODULE, "opa_println", |_: Caller<'_, Host>, _: u32| {})?;
    linker
        .func_wrap(HOST_MODULE, "opa_builtin0", |caller: Caller<'_, Host>, id: u32, _: u32| answer(caller, id, &[]))?;
    linker.func_wrap(HOST_MODULE, "opa_builtin1", |caller: Caller<'_, Host>, id: u32, _: u32, a: u32| {
        answer(caller, id, &[a])
    })?;
    linker.func_wrap(HOST_MODULE, "opa_builtin2", |caller: Caller<'_, Host>, id: u32, _: u32, a: u32, b: u32| {
        answer(caller, id, &[a, b])
    })?;
    linker.func_wrap(
        HOST_MODULE,
        "opa_builtin3",
        |caller: Caller<'_, Host>, id: u32, _: u32, a: u32, b: u32, c: u32| answer(caller, id, &[a, b, c]),
    )?;
    linker.func_wrap(
        HOST_MODULE,
        "opa_builtin4",
        |caller: Caller<'_, Host>, id: u32, _: u32, a: u32, b: u32, c: u32, d: u32| answer(caller, id, &[a, b, c, d]),
    )?;
    Ok(linker)
}

/// The module gives up: its own words become the error.
fn abort(caller: &Caller<'_, Host>, at: u32) -> wasmtime::Result<()> {
    let said = caller.data().exports.as_ref().and_then(|exports| {
        let bytes = exports.memory.data(caller).get(at as usize..)?;
        Some(CStr::from_bytes_until_nul(bytes).ok()?.to_string_lossy().into_owned())
    });
    Err(wasmtime::Error::new(Abort(said.unwrap_or_else(|| "it gave up without a word".to_owned()))))
}

/// Answers a builtin. Zero is undefined; refusals are counted, so that they can be seen.
fn answer(mut caller: Caller<'_, Host>, id: u32, arguments: &[u32]) -> wasmtime::Result<u32> {
    let host = caller.data();
    let builtin = host.builtins.get(id as usize).copied().flatten();
    let (Some(builtin), Some(exports)) = (builtin, host.exports.clone()) else {
        return Err(wasmtime::Error::msg(format!("it calls builtin {id}, which it did not announce")));
    };
    let mut values = Vec::with_capacity(arguments.len());
    for argument in arguments {
        values.push(value_at(&mut caller, &exports, *argument)?);
    }
    let Some(answer) = builtin.call(&values, caller.data().now_ns) else {
        caller.data().refused.fetch_add(1, Ordering::Relaxed);
        return Ok(0);
    };
    place(&mut caller, &exports, &answer)
}

/// An argument of a builtin.
fn value_at(caller: &mut Caller<'_, Host>, exports: &Exports, argument: u32) -> wasmtime::Result<Value> {
    let at = exports.json_dump.call(caller.as_context_mut(), argument)?;
    let bytes = exports.memory.data(caller.as_context()).get(at as usize..).unwrap_or_default();
    let text = CStr::from_bytes_until_nul(bytes).map_err(wasmtime::Error::new)?;
    serde_json::from_slice(text.to_bytes()).map_err(wasmtime::Error::new)
}

/// Puts a builtin's answer where the module finds it.
fn place(caller: &mut Caller<'_, Host>, exports: &Exports, answer: &Value) -> wasmtime::Result<u32> {
    let json = answer.to_string();
    let length = length(json.as_bytes()).ok_or_else(|| wasmtime::Error::msg("a builtin's answer is too long"))?;
    let at = exports.malloc.call(caller.as_context_mut(), length)?;
    exports.memory.write(caller.as_context_mut(), at as usize, json.as_bytes()).map_err(wasmtime::Error::new)?;
    exports.value_parse.call(caller.as_context_mut(), (at, length))
}
