//! The cost of a call: the component's code in Wasm, beside the crate `rsa` in its place, native code
//! and the Python stacks, in turns on one machine. Prints tables in Markdown; takes two minutes when
//! everything is built.
//!
//! Everything is processor time, and each figure the least of several rounds: other programs on the
//! machine make it slower, never faster.

#[path = "../../wsse/tests/common/python.rs"]
mod python;
#[path = "../tests/wasm/mod.rs"]
mod wasm;

use std::collections::BTreeMap;
use std::process::Command;

use wasm::{Build, Compiled, Program, build, cargo, config, finish, workspace};

const STEPS: Program = Program {
    package: "speed",
    target: ["--bin", "speed"],
    features: "rsa-fma/relaxed-simd",
};
const ROUNDS: usize = 5;
/// For each step and round.
const MILLISECONDS: &str = "100";

const COMPONENT: &str = "component";
const INTEGER: &str = "component, integer";
const RSA: &str = "component, rsa";
const RSA_AS_IT_COMES: &str = "rsa as it comes";
const NATIVE: &str = "native";
const XMLSEC: &str = "xmlsec";
const ZEEP: &str = "zeep";

fn main() {
    eprintln!("building …");
    let compile = |how| Compiled::new(&build(STEPS, how), &config()).expect("a component");
    let usual = compile(Build::Usual);
    let without_flags = compile(Build::WithoutFlags);
    let native = native();
    let python = python::environment().map(|programs| programs.join("python"));
    let messages = tempfile::tempdir().expect("a folder");
    finish(Command::new(&native).arg("messages").arg(messages.path()));

    let mut times = Times::default();
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}");
        let printed = usual.run(&[MILLISECONDS, "fma", "integer", "rsa"]);
        times.add(&printed.expect("figures"), |engine| match engine {
            "fma" => COMPONENT,
            "integer" => INTEGER,
            _ => RSA,
        });
        let printed = without_flags.run(&[MILLISECONDS, "rsa"]);
        times.add(&printed.expect("figures"), |_| RSA_AS_IT_COMES);
        let printed = finish(Command::new(&native).args([MILLISECONDS, "fma"]));
        times.add(&printed, |_| NATIVE);
        if let Some(python) = &python {
            let mut peers = Command::new(python);
            peers.arg(workspace().join("benches/peers.py"));
            peers.arg(MILLISECONDS).arg(messages.path());
            peers.arg(workspace().join("crates/wsse/tests/data"));
            times.add(&finish(&mut peers), |stack| match stack {
                "zeep" => ZEEP,
                _ => XMLSEC,
            });
        }
    }
    times.print();
}

/// The program for this processor, where a fused multiply-add is an instruction.
fn native() -> std::path::PathBuf {
    let target = workspace().join("target/native-programs");
    let [kind, name] = STEPS.target;
    let mut cargo = cargo();
    cargo
        .env("RUSTFLAGS", "-Ctarget-cpu=native")
        .args(["build", "--release", "-p", STEPS.package, kind, name])
        .arg("--target-dir")
        .arg(&target);
    finish(&mut cargo);
    target.join("release").join(name)
}

/// The least microseconds of each step by what computes it, the steps in their order.
#[derive(Default)]
struct Times {
    steps: Vec<String>,
    least: BTreeMap<(String, &'static str), f64>,
}

impl Times {
    fn add(&mut self, printed: &str, column: impl Fn(&str) -> &'static str) {
        for line in printed.lines() {
            let [engine, step, time] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{line}");
            };
            if !self.steps.iter().any(|known| known == step) {
                self.steps.push(step.to_owned());
            }
            let time = time.parse().expect("a time");
            let least = self.least.entry((step.to_owned(), column(engine)));
            let least = least.or_insert(f64::INFINITY);
            *least = least.min(time);
        }
    }

    fn get(&self, step: &str, column: &'static str) -> Option<f64> {
        self.least.get(&(step.to_owned(), column)).copied()
    }

    fn print(&self) {
        println!(
            "{}, {}\n",
            jiff::Timestamp::now().strftime("%Y-%m-%d"),
            processor()
        );
        self.table(
            |step| !step.starts_with("RSA") || step.starts_with("RSA-2048"),
            &[
                (COMPONENT, "component, in Wasm"),
                (NATIVE, "the same, native"),
                (XMLSEC, "lxml + xmlsec, native"),
                (ZEEP, "zeep.wsse, native"),
                (RSA, "with `rsa`, in Wasm"),
                (RSA_AS_IT_COMES, "with `rsa` as it comes, in Wasm"),
            ],
        );
        self.table(
            |step| step.starts_with("RSA"),
            &[
                (COMPONENT, "`fma`"),
                (INTEGER, "`integer`"),
                (RSA, "`rsa`, cpubits=32"),
                (RSA_AS_IT_COMES, "`rsa` as it comes"),
            ],
        );
        println!("| ratio | wanted | measured |\n| --- | --- | --- |");
        for (step, wanted, over, under) in [
            ("RSA-2048 sign", "at least 8", RSA_AS_IT_COMES, COMPONENT),
            ("RSA-2048 verify", "at least 10", RSA_AS_IT_COMES, COMPONENT),
            ("GetOrderDetails, whole", "at most 1.1", COMPONENT, XMLSEC),
            (
                "ConfirmOrderPayment again, whole",
                "at most 1.1",
                COMPONENT,
                XMLSEC,
            ),
        ] {
            if let (Some(a), Some(b)) = (self.get(step, over), self.get(step, under)) {
                println!("| {step}: {over} / {under} | {wanted} | {:.2} |", a / b);
            }
        }
    }

    fn table(&self, shown: impl Fn(&str) -> bool, columns: &[(&'static str, &str)]) {
        let titles: Vec<&str> = columns.iter().map(|(_, title)| *title).collect();
        println!("| µs | {} |", titles.join(" | "));
        println!("| --- |{}", " --- |".repeat(columns.len()));
        for step in self.steps.iter().filter(|step| shown(step)) {
            let times = columns
                .iter()
                .map(|(column, _)| match self.get(step, column) {
                    Some(time) if time < 100.0 => format!("{time:.1}"),
                    Some(time) => format!("{time:.0}"),
                    None => String::new(),
                });
            let times: Vec<String> = times.collect();
            println!("| {step} | {} |", times.join(" | "));
        }
        println!();
    }
}

/// The processor, as the system names it.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| {
        let name = line.strip_prefix("model name")?;
        Some(name.trim_start_matches([' ', '\t', ':']).to_owned())
    });
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}, {count} cores", name.unwrap_or_default())
}
