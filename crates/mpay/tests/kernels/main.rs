//! That time tells nothing of RSA's secrets, by the wasm itself: what its instructions do, and how
//! many there are. Each test must find the leaks of mutants, too.

mod flow;
#[path = "../wasm/mod.rs"]
mod wasm;

use std::path::PathBuf;

use flow::{Finding, Module};
use wasm::{Build, Compiled, Program, build, config};

fn program() -> PathBuf {
    let secrets = Program {
        package: "rsa-fma",
        target: ["--example", "secrets"],
        features: "contract,relaxed-simd",
    };
    build(secrets, Build::Usual)
}

/// The findings about the functions of `rsa_fma` that have this in their names; there must be `count` of
/// them.
fn findings(module: &Module, of: &str, method: &str, count: usize) -> Vec<Finding> {
    let method = format!("{}{method}17h", method.len());
    let functions: Vec<_> = module
        .functions()
        .filter(|name| name.contains(of) && name.contains(&method))
        .collect();
    assert_eq!(functions.len(), count, "{of} {method}: {functions:#?}");
    functions
        .into_iter()
        .flat_map(|name| module.findings(name))
        .collect()
}

const PAIR: &str = "rsa_fma..fma..pair..Pair$";
const REDUCE: &str = "rsa_fma3fma4pair";
const TILE: &str = "rsa_fma3fma4tile";
const INTEGER: &str = "rsa_fma..integer..Integer$";
const DIGITS: &str = "rsa_fma6digits";
const MODULUS: &str = "rsa_fma7integer16Modulus$";

/// The loops of exponentiation are made of these. All they read is taken for secret: digits of
/// numbers and of exponents, keys, and what was computed of them. What they are given in 32 bits is
/// addresses and lengths. What also finds room for its result follows addresses that it reads, and is
/// left to the test below.
#[test]
fn no_branch_and_no_address_in_a_kernel_depends_on_what_it_reads() {
    let module = Module::read(&program());
    let kernels = [
        (PAIR, "multiply", 3),
        (PAIR, "square", 3),
        (PAIR, "add", 3),
        (PAIR, "subtract", 3),
        (PAIR, "select", 3),
        (REDUCE, "reduce", 3),
        (TILE, "add_row_product", 1),
        (TILE, "add_product_twice", 1),
        (TILE, "set_square", 1),
        (TILE, "digits", 2),
        (TILE, "eliminate", 1),
        (TILE, "inverse", 1),
        (INTEGER, "multiply", 3),
        (INTEGER, "square", 3),
        (INTEGER, "add", 3),
        (INTEGER, "subtract", 3),
        (INTEGER, "select", 3),
        (MODULUS, "multiply", 3),
        (DIGITS, "from_bytes", 1),
    ];
    for (of, method, count) in kernels {
        let found = findings(&module, of, method, count);
        assert!(found.is_empty(), "{of} {method}: {found:#?}");
    }
}

#[test]
fn branches_and_addresses_that_depend_on_the_exponent_are_found() {
    let module = Module::read(&program());
    for mutant in ["select_stopping", "select_indexing"] {
        let found = findings(&module, "rsa_fma", mutant, 2);
        assert!(found.len() >= 2, "{mutant}: {found:#?}");
    }
}

/// As many instructions for each secret: a signature's way from key and message to the number that
/// leaves has no branch that depends on them, or none that makes a difference.
#[test]
fn preparing_a_key_and_computing_with_it_is_the_same_work_for_every_key_and_message() {
    let mut config = config();
    config.consume_fuel(true);
    let program = Compiled::new(&program(), &config).unwrap();
    let work = |engine: &str, what: &str, seed: u64| {
        let (_, fuel) = program
            .run_counting(&[engine, what, &seed.to_string()])
            .unwrap();
        fuel
    };
    for engine in ["fma", "integer"] {
        for what in ["2048", "3072", "4096", "exponentiation"] {
            let first = work(engine, what, 0);
            for seed in 1..10 {
                assert_eq!(work(engine, what, seed), first, "{engine} {what} {seed}");
            }
        }
        let stopping = |seed| work(engine, "stopping", seed);
        assert!(
            (1..10).any(|seed| stopping(seed) != stopping(0)),
            "{engine}"
        );
    }
}
