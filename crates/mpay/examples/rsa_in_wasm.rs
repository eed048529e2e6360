//! Times RSA in Wasm: the engines of `rsa-fma` as the component has them, and the crate `rsa` as it
//! comes, side by side.

#[path = "../tests/wasm/mod.rs"]
mod wasm;

use wasm::{Build, build, config, run};

fn main() {
    for (how, title) in [
        (Build::Usual, "as the component is built"),
        (Build::WithoutFlags, "without cpubits=32, as `rsa` comes"),
    ] {
        println!("{title}:");
        match run(&build("bench", how), &config(), &[]) {
            Ok(printed) => println!("{printed}"),
            Err(error) => println!("{error:?}"),
        }
    }
}
