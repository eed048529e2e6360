//! The component's file, and what it needs of a host.

use std::path::Path;

use wasmparser::{Validator, WasmFeatures};

use super::Findings;

/// Looks at a component that a manifest names.
pub fn examine(id: &str, file: &Path, findings: &mut Findings) {
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
