//! The Rust side of `wit/`: traits for the host to implement, generated.

#![allow(missing_docs, unsafe_code, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "wit",
    world: "mpay:host/imports",
    imports: {
        "spin:variables": async | store,
        default: async,
    },
    with: {
        "wasi:keyvalue/store.bucket": super::key_value::Bucket,
        "wasi:keyvalue/atomics.cas": super::key_value::Cas,
    },
});
