//! The verifier in Wasm, with its work counted.

use std::path::Path;
use std::sync::OnceLock;

use mpay::component::Build;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::p2::bindings::sync::CommandPre;
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// The cost and the verdict of a message.
pub struct Work {
    /// Instructions of Wasm, about; a constant for the start of the program is taken off.
    pub fuel: u64,
    /// The signer, or the reason of the refusal.
    pub verdict: String,
}

struct Host {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// A verifier with its trust.
pub struct Verifier {
    arguments: Vec<String>,
    /// The cost of the program without a message.
    idle: u64,
}

impl Verifier {
    /// Takes the arguments of the example `verify`.
    pub fn new(arguments: Vec<String>) -> Verifier {
        let idle = run(&arguments, b"").fuel;
        Verifier { arguments, idle }
    }

    /// Verifies a message.
    pub fn verify(&self, message: &[u8]) -> Work {
        let work = run(&self.arguments, message);
        Work {
            fuel: work.fuel.saturating_sub(self.idle),
            ..work
        }
    }
}

fn run(arguments: &[String], message: &[u8]) -> Work {
    let program = program();
    let output = MemoryOutputPipe::new(1 << 16);
    let wasi = WasiCtx::builder()
        .arg("verify")
        .args(arguments)
        .stdin(MemoryInputPipe::new(message.to_vec()))
        .stdout(output.clone())
        .inherit_stderr()
        .build();
    let host = Host {
        wasi,
        table: ResourceTable::new(),
    };
    let mut store = Store::new(program.engine(), host);
    store.set_fuel(u64::MAX).unwrap();
    let command = program.instantiate(&mut store).unwrap();
    let result = command.wasi_cli_run().call_run(&mut store).unwrap();
    assert!(result.is_ok(), "the verifier failed");
    Work {
        fuel: u64::MAX - store.get_fuel().unwrap(),
        verdict: String::from_utf8_lossy(&output.contents())
            .trim()
            .to_owned(),
    }
}

/// The example `verify` of wsse, built as the component is and compiled to count its fuel.
fn program() -> &'static CommandPre<Host> {
    static PROGRAM: OnceLock<CommandPre<Host>> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let file = Build::new(workspace)
            .example("wsse", "verify")
            .quiet(true)
            .run()
            .unwrap();
        let mut config = Config::new();
        config.consume_fuel(true);
        let engine = Engine::new(&config).unwrap();
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
        let component = Component::from_file(&engine, file).unwrap();
        CommandPre::new(linker.instantiate_pre(&component).unwrap()).unwrap()
    })
}
