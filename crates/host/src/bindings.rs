//! The Rust side of `wit/`: traits for the host to implement, generated.

#![allow(missing_docs, unsafe_code, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "wit",
    world: "mpay:host/imports",
    imports: {
        "spin:postgres/postgres.[static]connection.open-async": async | store | trappable,
        "spin:postgres/postgres.[method]connection.query-async": async | store | trappable,
        "spin:postgres/postgres.[method]connection.execute-async": async | store | trappable,
        "spin:postgres/postgres.[method]connection-builder.build-async": async | store | trappable,
        "spin:postgres": async | trappable,
        "spin:variables": async | store,
        default: async,
    },
    with: {
        "spin:postgres/postgres.connection": super::postgres::Connection,
        "spin:postgres/postgres.connection-builder": super::postgres::Builder,
        "wasi:keyvalue/store.bucket": super::key_value::Bucket,
        "wasi:keyvalue/atomics.cas": super::key_value::Cas,
    },
});
