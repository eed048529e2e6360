//! Computes once with secrets that follow from a seed: `secrets ENGINE WHAT SEED`, where WHAT is the
//! length of a key in bits, `exponentiation`, or how its mutant leaks, `stopping` or `indexing`. It
//! says nothing: what it does is looked at from outside.

use std::hint::black_box;

use rsa_fma::Engine;
use rsa_fma::contract::{Leak, Secret, exponentiation, private_power};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [engine, what, seed] = &arguments[..] else {
        panic!("usage: secrets ENGINE WHAT SEED");
    };
    let engine = Engine::ALL
        .iter()
        .find(|known| known.name() == engine)
        .expect("an engine");
    let seed = seed.parse().expect("a number");
    let leak = match what.as_str() {
        "exponentiation" => None,
        "stopping" => Some(Leak::Stopping),
        "indexing" => Some(Leak::Indexing),
        bits => {
            let bits = bits.parse().expect("a number of bits");
            black_box(private_power(*engine, bits, seed));
            return;
        }
    };
    // Seed 0 is the exponent 0. Both are made always, so that this makes no difference itself.
    let (random, fixed) = (Secret::random(seed), Secret::fixed());
    let mut secret = random.clone();
    secret.copy_from([&random, &fixed][usize::from(seed == 0)]);
    black_box(exponentiation(*engine, leak)(&secret));
}
