//! Products modulo numbers that the fuzzer chooses are those of `crypto-bigint`, whatever engine
//! computes them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsa_fma::{Engine, contract};

fuzz_target!(|data: &[u8]| {
    for engine in [Engine::Fma, Engine::Integer] {
        if let Err(error) = contract::products_of(engine, data) {
            panic!("{error}");
        }
    }
});
