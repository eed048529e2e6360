//! Programs of the workspace built for Wasm as the component is, and run as its host runs it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
#[cfg(not(unix))]
use std::{sync::LazyLock, time::Instant};

use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Store, UpdateDeadline, bail, ensure};
use wasmtime_wasi::p2::bindings::sync;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{HostMonotonicClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// A program of the workspace.
#[derive(Clone, Copy)]
pub struct Program {
    /// Its package.
    pub package: &'static str,
    /// Its target in the package, as cargo takes it: `--bin` or `--example`, and the name.
    pub target: [&'static str; 2],
    /// Its features, with commas. Default ones are left out.
    pub features: &'static str,
}

/// The ways to build a program.
#[allow(dead_code, reason = "each user needs some of them")]
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Build {
    /// Like the component.
    Usual,
    /// Without the flag in `.cargo/config.toml` that makes `rsa` faster.
    WithoutFlags,
}

/// Builds a program, where no other build waits for it.
pub fn build(program: Program, how: Build) -> PathBuf {
    // Builds with different features have one name.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let target = workspace().join(match how {
        Build::Usual => "target/wasm-programs",
        Build::WithoutFlags => "target/wasm-programs-without-flags",
    });
    let mut cargo = cargo();
    if how == Build::WithoutFlags {
        cargo.env("RUSTFLAGS", "-Ctarget-feature=+simd128");
    }
    let [kind, name] = program.target;
    cargo
        .args(["build", "-p", program.package, kind, name])
        .args(["--no-default-features", "--features", program.features])
        .args(["--target", "wasm32-wasip2", "--profile", "component"])
        // Functions are looked for by their names.
        .args(["--config", "profile.component.strip='debuginfo'"])
        .arg("--target-dir")
        .arg(&target);
    finish(&mut cargo);
    let mut built = target.join("wasm32-wasip2/component");
    if kind == "--example" {
        built.push("examples");
    }
    built.push(format!("{name}.wasm"));
    let features = program.features.replace(['/', ','], "-");
    let kept = target.join(format!("{name}-{features}.wasm"));
    std::fs::copy(built, &kept).expect("a program");
    kept
}

/// The folder of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Cargo in the workspace, without what an outer cargo sets, which would change the build.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name == "RUSTFLAGS" || name.starts_with("CARGO_") && name != "CARGO_HOME" {
            cargo.env_remove(&*name);
        }
    }
    cargo.current_dir(workspace()).stdin(Stdio::null());
    cargo
}

/// Runs a command and gives what it prints.
pub fn finish(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
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

/// The thread's time on a processor, where the system tells it: other programs do not count.
struct ProcessorTime;

impl HostMonotonicClock for ProcessorTime {
    fn resolution(&self) -> u64 {
        1
    }

    #[cfg(unix)]
    fn now(&self) -> u64 {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    }

    #[cfg(not(unix))]
    fn now(&self) -> u64 {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed().as_nanos() as u64
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
#[allow(dead_code, reason = "each user needs some of them")]
pub fn run(program: &Path, config: &Config, arguments: &[&str]) -> wasmtime::Result<String> {
    Compiled::new(program, config)?.run(arguments)
}

/// A program that can be run again and again.
pub struct Compiled(Component);

impl Compiled {
    /// Compiles a program.
    pub fn new(program: &Path, config: &Config) -> wasmtime::Result<Compiled> {
        let engine = Engine::new(config)?;
        Component::from_file(&engine, program).map(Compiled)
    }

    /// Runs it in an instance of its own, and gives what it prints.
    #[allow(dead_code, reason = "each user needs some of them")]
    pub fn run(&self, arguments: &[&str]) -> wasmtime::Result<String> {
        Ok(self.run_counting(arguments)?.0)
    }

    /// The same, with the fuel that it takes, about one for an instruction, if the configuration
    /// counts that.
    pub fn run_counting(&self, arguments: &[&str]) -> wasmtime::Result<(String, u64)> {
        let Compiled(component) = self;
        let engine = component.engine();
        let mut linker = Linker::new(engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        let [output, errors] = [(); 2].map(|()| MemoryOutputPipe::new(1 << 24));
        let wasi = WasiCtxBuilder::new()
            .args(&["program"])
            .args(arguments)
            .stdout(output.clone())
            .stderr(errors.clone())
            .monotonic_clock(ProcessorTime)
            .build();
        let table = ResourceTable::new();
        let mut store = Store::new(engine, Guest { wasi, table });
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(1)));
        store.set_epoch_deadline(1);
        // Refused where it is not counted.
        let _ = store.set_fuel(u64::MAX);
        let command = sync::Command::instantiate(&mut store, component, &linker)?;
        let ended = command.wasi_cli_run().call_run(&mut store);
        let burnt = u64::MAX - store.get_fuel().unwrap_or(u64::MAX);
        drop(store);
        let [printed, errors] =
            [output, errors].map(|pipe| String::from_utf8_lossy(&pipe.contents()).into_owned());
        match ended {
            Ok(ended) => ensure!(ended.is_ok(), "failed: {printed}{errors}"),
            Err(trap) => bail!("{trap:?}\n{printed}{errors}"),
        }
        Ok((printed, burnt))
    }
}
