//! OPA's wasm, made fit to run here: it owns its memory and asks for nothing but OPA's own
//! host functions.
//!
//! OPA compiles modules that import their memory. An imported memory is made by the host,
//! one by one; a memory of the module's own is made with the instance and starts as a
//! copy-on-write image. Function and memory indices stay as they were, so the code is not
//! touched. It also starts larger: OPA 1.20 always asks for two pages, which the strings of
//! a few dozen rules do not fit in.

use std::ops::Range;

use wasm_encoder::{EntityType, ImportSection, MemorySection, MemoryType, Module, RawSection, SectionId};
use wasmparser::{ConstExpr, Data, DataKind, Import, ImportSectionReader, Operator, Parser, Payload, TypeRef};

use crate::policy::error::PolicyError;

/// The host functions that OPA's modules may import.
pub(super) const HOST_FUNCTIONS: [&str; 7] =
    ["opa_abort", "opa_println", "opa_builtin0", "opa_builtin1", "opa_builtin2", "opa_builtin3", "opa_builtin4"];

/// Bytes in a page of wasm memory.
const PAGE: u64 = 64 * 1024;

/// Pages that a memory starts with beyond the module's own data, so that an ordinary
/// evaluation never has to grow it. Pages that are not touched cost nothing.
const FREE_PAGES: u64 = 16;

/// The module with its memory import turned into a memory of its own.
pub(super) fn localize_memory(wasm: &[u8]) -> Result<Vec<u8>, PolicyError> {
    rewrite(wasm).map_err(PolicyError::Module)
}

fn rewrite(wasm: &[u8]) -> Result<Vec<u8>, String> {
    let mut module = Module::new();
    let (mut memory, mut imports_seen) = (None, false);
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(|error| format!("it is damaged ({error})"))?;
        if let Payload::ImportSection(imports) = payload {
            let (functions, imported) = split(imports)?;
            module.section(&functions);
            imports_seen = imported.is_some();
            memory = imported.map(|memory| roomy(memory, wasm)).transpose()?;
        } else if let Some((id, range)) = payload.as_section() {
            copy(&mut module, &mut memory, id, slice(wasm, range)?);
        }
    }
    if memory.is_some() || !imports_seen {
        return Err("it is not a module that `opa build` made".to_owned());
    }
    Ok(module.finish())
}

/// Appends a section as it is, and before it the memory, once its place has come: sections
/// stand in a fixed order, memories right after tables. Custom sections only name things.
fn copy(module: &mut Module, memory: &mut Option<MemoryType>, id: u8, data: &[u8]) {
    if id == SectionId::Custom as u8 {
        return;
    }
    if id > SectionId::Memory as u8
        && let Some(own) = memory.take()
    {
        let mut memories = MemorySection::new();
        memories.memory(own);
        module.section(&memories);
    }
    module.section(&RawSection { id, data });
}

/// The imported functions, and the imported memory.
fn split(imports: ImportSectionReader<'_>) -> Result<(ImportSection, Option<MemoryType>), String> {
    let (mut functions, mut memory) = (ImportSection::new(), None);
    for import in imports.into_imports() {
        let Import { module, name, ty } = import.map_err(|error| format!("its imports are damaged ({error})"))?;
        match ty {
            TypeRef::Func(index) if module == "env" && HOST_FUNCTIONS.contains(&name) => {
                functions.import(module, name, EntityType::Function(index));
            }
            TypeRef::Memory(imported) if module == "env" && name == "memory" => memory = Some(own(imported)),
            TypeRef::Func(_)
            | TypeRef::FuncExact(_)
            | TypeRef::Table(_)
            | TypeRef::Memory(_)
            | TypeRef::Global(_)
            | TypeRef::Tag(_) => return Err(format!("it imports `{module}.{name}`, which the agent does not offer")),
        }
    }
    Ok((functions, memory))
}

fn own(imported: wasmparser::MemoryType) -> MemoryType {
    MemoryType {
        minimum: imported.initial,
        maximum: imported.maximum,
        memory64: imported.memory64,
        shared: imported.shared,
        page_size_log2: imported.page_size_log2,
    }
}

/// The memory with room for the module's data and some more.
fn roomy(memory: MemoryType, wasm: &[u8]) -> Result<MemoryType, String> {
    let mut end = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::DataSection(segments) = payload.map_err(|error| format!("it is damaged ({error})"))? {
            for segment in segments {
                end = end.max(end_of(&segment.map_err(|error| format!("its data is damaged ({error})"))?));
            }
        }
    }
    Ok(MemoryType { minimum: memory.minimum.max(end.div_ceil(PAGE) + FREE_PAGES), ..memory })
}

/// Where a data segment ends, as far as that is fixed.
fn end_of(segment: &Data<'_>) -> u64 {
    let start = match &segment.kind {
        DataKind::Active { offset_expr, .. } => constant(offset_expr),
        DataKind::Passive => None,
    };
    start.map_or(0, |start| start + segment.data.len() as u64)
}

fn constant(expression: &ConstExpr<'_>) -> Option<u64> {
    let first = expression.get_operators_reader().read().ok()?;
    if let Operator::I32Const { value } = first { Some(u64::from(value.cast_unsigned())) } else { None }
}

fn slice(wasm: &[u8], range: Range<usize>) -> Result<&[u8], String> {
    wasm.get(range).ok_or_else(|| "it is cut short".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with these imports and one function of its own.
    fn module_importing(imports: &[(&str, EntityType)]) -> Vec<u8> {
        let mut module = Module::new();
        let mut types = wasm_encoder::TypeSection::new();
        types.ty().function([wasm_encoder::ValType::I32], []);
        module.section(&types);
        let mut section = ImportSection::new();
        for (name, ty) in imports {
            section.import("env", name, *ty);
        }
        module.section(&section);
        let mut exports = wasm_encoder::ExportSection::new();
        exports.export("memory", wasm_encoder::ExportKind::Memory, 0);
        module.section(&exports);
        let mut data = wasm_encoder::DataSection::new();
        // Begins on the second page and ends on the third.
        data.active(0, &wasm_encoder::ConstExpr::i32_const(100_000), vec![1; 65_536]);
        module.section(&data);
        module.finish()
    }

    fn memory(maximum: Option<u64>) -> EntityType {
        MemoryType { minimum: 2, maximum, memory64: false, shared: false, page_size_log2: None }.into()
    }

    #[test]
    fn the_memory_becomes_the_module_s_own_and_roomy() {
        let shipped = module_importing(&[("opa_abort", EntityType::Function(0)), ("memory", memory(Some(99)))]);
        let localized = localize_memory(&shipped).unwrap();
        wasmparser::validate(&localized).unwrap();
        let own = Parser::new(0).parse_all(&localized).find_map(|section| {
            let Payload::MemorySection(memories) = section.unwrap() else { return None };
            memories.into_iter().next()
        });
        let own = own.unwrap().unwrap();
        assert_eq!((own.initial, own.maximum), (19, Some(99)));
    }

    #[test]
    fn an_import_that_is_not_opa_s_is_refused() {
        let wasi = module_importing(&[("fd_write", EntityType::Function(0)), ("memory", memory(None))]);
        let error = localize_memory(&wasi).unwrap_err().to_string();
        assert!(error.contains("it imports `env.fd_write`"), "{error}");
    }

    #[test]
    fn what_is_not_wasm_is_refused() {
        for bytes in [&b""[..], b"\0asm", b"\0asm\x01\0\0\0", b"not wasm at all"] {
            assert!(localize_memory(bytes).is_err());
        }
    }
}
