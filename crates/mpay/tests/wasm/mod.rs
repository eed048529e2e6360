//! Programs of `rsa-fma` built for Wasm as the component is, and run as its host runs it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Store, UpdateDeadline, bail, ensure};
use wasmtime_wasi::p2::bindings::sync;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{HostMonotonicClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// How a program is built.
#[allow(dead_code, reason = "each user needs some of them")]
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Build {
    /// Like the component.
    Usual,
    /// Without the flag in `.cargo/config.toml` that makes `rsa` faster.
    WithoutFlags,
    /// Without relaxed SIMD.
    WithoutRelaxedSimd,
}

/// Builds an example of `rsa-fma`, where no other build waits for it.
pub fn build(example: &str, how: Build) -> PathBuf {
    // Builds with different features have one name.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (folder, features) = match how {
        Build::Usual => ("target/wasm-programs", "contract,relaxed-simd"),
        Build::WithoutFlags => (
            "target/wasm-programs-without-flags",
            "contract,relaxed-simd",
        ),
        Build::WithoutRelaxedSimd => ("target/wasm-programs", "contract"),
    };
    let target = workspace.join(folder);
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        // What an outer cargo sets would change the build.
        let name = name.to_string_lossy();
        if name == "RUSTFLAGS" || name.starts_with("CARGO_") && name != "CARGO_HOME" {
            cargo.env_remove(&*name);
        }
    }
    if how == Build::WithoutFlags {
        cargo.env("RUSTFLAGS", "-Ctarget-feature=+simd128");
    }
    let output = cargo
        .current_dir(&workspace)
        .args(["build", "-p", "rsa-fma", "--no-default-features"])
        .args(["--target", "wasm32-wasip2", "--profile", "component"])
        .args(["--features", features, "--example", example])
        .arg("--target-dir")
        .arg(&target)
        .stdin(Stdio::null())
        .output()
        .expect("cargo");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let built = target.join(format!("wasm32-wasip2/component/examples/{example}.wasm"));
    let kept = target.join(format!("{example}-{how:?}.wasm"));
    std::fs::copy(built, &kept).expect("a program");
    kept
}

struct Guest {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// The thread's time on a processor, where the system tells it: other programs do not count. Its
/// steps are some milliseconds.
struct ProcessorTime(Instant);

impl HostMonotonicClock for ProcessorTime {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        let statistics = std::fs::read_to_string("/proc/thread-self/schedstat");
        statistics
            .ok()
            .and_then(|line| line.split(' ').next()?.parse().ok())
            .unwrap_or_else(|| self.0.elapsed().as_nanos() as u64)
    }
}

/// The configuration of the component's host.
pub fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model_async(true)
        .epoch_interruption(true);
    config
}

/// Runs a program and gives what it prints.
pub fn run(program: &Path, config: &Config, arguments: &[&str]) -> wasmtime::Result<String> {
    let engine = Engine::new(config)?;
    let component = Component::from_file(&engine, program)?;
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    let output = MemoryOutputPipe::new(1 << 20);
    let wasi = WasiCtxBuilder::new()
        .args(&["program"])
        .args(arguments)
        .stdout(output.clone())
        .monotonic_clock(ProcessorTime(Instant::now()))
        .inherit_stderr()
        .build();
    let table = ResourceTable::new();
    let mut store = Store::new(&engine, Guest { wasi, table });
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(1)));
    store.set_epoch_deadline(1);
    let command = sync::Command::instantiate(&mut store, &component, &linker)?;
    let ended = command.wasi_cli_run().call_run(&mut store);
    drop(store);
    let printed = String::from_utf8_lossy(&output.contents()).into_owned();
    match ended {
        Ok(ended) => ensure!(ended.is_ok(), "failed: {printed}"),
        Err(trap) => bail!("{trap:?}\n{printed}"),
    }
    Ok(printed)
}
