//! Tries the contract of every engine, natively or in Wasm: `contract SEED ROUNDS SIGNATURES`.

use std::process::ExitCode;

use rsa::PrivateKey as RsaPrivateKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa_fma::{Engine, contract};

const KEYS: [&str; 3] = [
    include_str!("../tests/data/2048.pem"),
    include_str!("../tests/data/3072.pem"),
    include_str!("../tests/data/4096.pem"),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| {
        let argument = arguments.next().map(|argument| argument.parse());
        argument.unwrap_or(Ok(default)).expect("a whole number")
    };
    match run(number(0), number(1000), number(20)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(seed: u64, rounds: u64, signatures: u64) -> Result<(), String> {
    println!("best: {}", Engine::best());
    for &engine in Engine::ALL {
        let products = contract::products(engine, seed, rounds)?;
        let mut signed = 0;
        for pem in KEYS {
            let key = RsaPrivateKey::from_pkcs8_pem(pem).map_err(|error| error.to_string())?;
            signed += contract::signatures(engine, &key, seed, signatures)?;
        }
        println!("{engine}: {products} products and {signed} signatures are right");
    }
    Ok(())
}
