//! The component's file, and what it needs of a host.

use std::path::Path;

use mpay_host::Component;
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

use super::Findings;

/// Looks at a component's file, and whether it fits the manifest that names it.
pub fn examine(id: &str, component: &Component, file: &Path, findings: &mut Findings) {
    let Ok(bytes) = std::fs::read(file) else {
        findings.wrong(
            "component",
            format!("there is no component at {}", file.display()),
            "Build it (`spin build`, or `mpay up` in the project's folder), or copy it there.",
        );
        return;
    };
    let valid = |features| Validator::new_with_features(features).validate_all(&bytes);
    if let Err(error) = valid(WasmFeatures::all()) {
        findings.wrong(
            "component",
            format!("{} is no WebAssembly component: {error}", file.display()),
            "Copy it anew, in binary, or build it again.",
        );
        return;
    }
    let given = component
        .variables
        .keys()
        .any(|name| name.as_str() == "database_url");
    match (keeps_books_in_postgres(&bytes), given) {
        (true, false) => findings.wrong(
            "engine",
            format!("the component {id} keeps the books in PostgreSQL, and this manifest gives it no database"),
            "Use spin.postgres.toml with it, or the usual components with this manifest: `spin build`.",
        ),
        (false, true) => findings.wrong(
            "engine",
            format!("the component {id} keeps the books in the key-value store, and this manifest is for PostgreSQL"),
            "Build those for PostgreSQL (`spin build -f spin.postgres.toml`), or use spin.toml.",
        ),
        _ => {}
    }
    if valid(WasmFeatures::all().difference(WasmFeatures::RELAXED_SIMD)).is_ok() {
        findings.ok(
            "component",
            format!("the component {id} runs on any host of WASI 0.3"),
        );
        return;
    }
    findings.note(
        "relaxed-simd",
        format!("the component {id} uses relaxed SIMD, which makes signing fast; Spin and `mpay up` have it on"),
        "If a host says that relaxed SIMD is not enabled, switch it on (wasmtime's command: `-W relaxed-simd=y`;\n\
         a program around wasmtime: `Config::wasm_relaxed_simd(true)`), or build the component without it: `--no-default-features`.",
    );
}

/// True if a component connects to PostgreSQL, as only the build with the feature `postgres` does.
fn keeps_books_in_postgres(component: &[u8]) -> bool {
    let imports = Parser::new(0)
        .parse_all(component)
        .filter_map(|payload| match payload {
            Ok(Payload::ComponentImportSection(section)) => Some(section),
            _ => None,
        });
    let mut imports = imports.flatten().flatten();
    imports.any(|import| import.name.name.starts_with("spin:postgres/"))
}
