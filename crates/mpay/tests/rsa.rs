//! RSA in Wasm: what every engine must keep, in the runtime and under the configuration of the host.

mod wasm;

use wasm::{Build, Program, build, config, run};

const CONTRACT: Program = Program {
    package: "rsa-fma",
    target: ["--example", "contract"],
    features: "contract,relaxed-simd",
};

#[test]
fn every_engine_is_right_in_wasm_and_the_fastest_is_chosen() {
    let program = build(CONTRACT, Build::Usual);
    let printed = run(&program, &config(), &["0", "300", "4"]).unwrap();
    for engine in ["fma: 15600 products", "integer: 15600 products"] {
        assert!(printed.contains(engine), "{printed}");
    }
    assert!(printed.starts_with(best()), "{printed}");
}

#[test]
fn a_host_that_rounds_a_fused_multiply_add_twice_is_found_out() {
    // Code for a processor without the instruction.
    let mut config = config();
    config.target("x86_64-unknown-linux-gnu").unwrap();
    if cfg!(not(all(target_arch = "x86_64", target_os = "linux"))) {
        return eprintln!("left out: not Linux on x86-64");
    }
    let program = build(CONTRACT, Build::Usual);
    let error = run(&program, &config, &["0", "3", "0"])
        .unwrap_err()
        .to_string();
    assert!(error.contains("best: integer"), "{error}");
    assert!(error.contains("fma, round 0"), "{error}");
}

#[test]
fn the_build_without_relaxed_simd_runs_where_that_is_switched_off_and_the_usual_one_does_not() {
    let mut config = config();
    config.wasm_relaxed_simd(false);
    let without = Program {
        features: "contract",
        ..CONTRACT
    };
    let printed = run(&build(without, Build::Usual), &config, &["0", "30", "1"]).unwrap();
    assert!(printed.starts_with("best: integer"), "{printed}");
    let error = run(&build(CONTRACT, Build::Usual), &config, &[]).unwrap_err();
    assert!(format!("{error:?}").contains("relaxed"), "{error:?}");
}

/// The line that names the fastest arithmetic of this machine.
fn best() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if !std::arch::is_x86_feature_detected!("fma") {
        return "best: integer";
    }
    "best: fma"
}
