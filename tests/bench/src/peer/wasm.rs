//! OPA's wasm in wasmtime, one call of `opa_eval` for every record: its text goes in as it is,
//! and nothing picks the records first.

use std::ffi::CStr;

use anyhow::{Context as _, Result, anyhow};
use serde::Deserialize;
use wasmtime::{Caller, Config, Engine, Instance, Linker, Memory, MemoryType, Module, Store, TypedFunc};

use super::Peer;

/// `opa_eval(reserved, entrypoint, data, input, its length, heap, format)`.
type Eval = TypedFunc<(i32, i32, i32, i32, i32, i32, i32), i32>;

/// Pages of wasm memory: OPA's own and room for any record of the corpus.
const PAGES: u32 = 64;

pub struct Wasm {
    store: Store<()>,
    memory: Memory,
    eval: Eval,
    data: i32,
    heap: i32,
}

#[derive(Deserialize)]
struct Answer {
    result: Vec<String>,
}

impl Wasm {
    pub fn new(module: &[u8]) -> Result<Self> {
        let engine = Engine::new(&Config::new()).map_err(failed)?;
        let mut store = Store::new(&engine, ());
        let memory = Memory::new(&mut store, MemoryType::new(PAGES, None)).map_err(failed)?;
        let module = Module::new(&engine, module).map_err(failed)?;
        let linker = linker(&engine, &mut store, memory).map_err(failed)?;
        let instance = linker.instantiate(&mut store, &module).map_err(failed)?;
        Self::ready(store, instance, memory).map_err(failed)
    }

    /// Puts the data, which is empty, where the heap begins.
    fn ready(mut store: Store<()>, instance: Instance, memory: Memory) -> wasmtime::Result<Self> {
        let malloc = instance.get_typed_func::<i32, i32>(&mut store, "opa_malloc")?;
        let parse = instance.get_typed_func::<(i32, i32), i32>(&mut store, "opa_json_parse")?;
        let end = instance.get_typed_func::<(), i32>(&mut store, "opa_heap_ptr_get")?;
        let at = malloc.call(&mut store, 2)?;
        memory.write(&mut store, usize::try_from(at)?, b"{}")?;
        let data = parse.call(&mut store, (at, 2))?;
        let heap = end.call(&mut store, ())?;
        let eval = instance.get_typed_func(&mut store, "opa_eval")?;
        Ok(Self { store, memory, eval, data, heap })
    }
}

impl Peer for Wasm {
    fn evaluate(&mut self, record: &str) -> Result<Vec<String>> {
        let length = i32::try_from(record.len())?;
        self.memory.write(&mut self.store, usize::try_from(self.heap)?, record.as_bytes())?;
        // The heap goes on after the text, aligned as OPA's values want it.
        let heap = (self.heap + length + 7) & !7;
        let with = (0, 0, self.data, self.heap, length, heap, 0);
        let at = self.eval.call(&mut self.store, with).map_err(failed)?;
        let bytes = self.memory.data(&self.store).get(usize::try_from(at)?..).context("the answer lies outside")?;
        let answers: Vec<Answer> = serde_json::from_slice(CStr::from_bytes_until_nul(bytes)?.to_bytes())?;
        Ok(answers.into_iter().flat_map(|answer| answer.result).collect())
    }
}

/// The conditions need no builtin of the host's.
fn linker(engine: &Engine, store: &mut Store<()>, memory: Memory) -> wasmtime::Result<Linker<()>> {
    let mut linker = Linker::new(engine);
    linker.define(&mut *store, "env", "memory", memory)?;
    linker.func_wrap("env", "opa_abort", |_: Caller<'_, ()>, _: i32| -> wasmtime::Result<()> {
        Err(wasmtime::Error::msg("the module gave up"))
    })?;
    linker.func_wrap("env", "opa_println", |_: Caller<'_, ()>, _: i32| {})?;
    let none = || wasmtime::Error::msg("the conditions call a builtin of the host's");
    linker.func_wrap("env", "opa_builtin0", move |_: i32, _: i32| -> wasmtime::Result<i32> { Err(none()) })?;
    linker.func_wrap("env", "opa_builtin1", move |_: i32, _: i32, _: i32| -> wasmtime::Result<i32> { Err(none()) })?;
    linker.func_wrap("env", "opa_builtin2", move |_: i32, _: i32, _: i32, _: i32| -> wasmtime::Result<i32> {
        Err(none())
    })?;
    linker.func_wrap(
        "env",
        "opa_builtin3",
        move |_: i32, _: i32, _: i32, _: i32, _: i32| -> wasmtime::Result<i32> { Err(none()) },
    )?;
    linker.func_wrap(
        "env",
        "opa_builtin4",
        move |_: i32, _: i32, _: i32, _: i32, _: i32, _: i32| -> wasmtime::Result<i32> { Err(none()) },
    )?;
    Ok(linker)
}

fn failed(error: wasmtime::Error) -> anyhow::Error {
    anyhow!("{error:?}")
}
