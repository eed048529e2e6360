//! Microseconds of each step, one line a step and engine: `steps MILLISECONDS ENGINE...`, in Wasm or
//! natively; natively also `steps messages FOLDER`, which writes the messages there.

use std::time::Duration;

use rsa_fma::Engine;
use speed::{Messages, Provider, Step, steps};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["messages", folder] => write_messages(folder),
        [milliseconds, ref engines @ ..] => {
            let milliseconds = milliseconds.parse().expect("milliseconds");
            measure(Duration::from_millis(milliseconds), engines);
        }
        [] => panic!("steps MILLISECONDS ENGINE..."),
    }
}

fn write_messages(folder: &str) {
    let write = |name: &str, message: &[u8]| {
        std::fs::write(format!("{folder}/{name}.xml"), message).expect("a folder");
    };
    let Messages {
        details,
        confirmation,
    } = Messages::new();
    let provider = Provider::new();
    write("details-answer", &provider.call(&details));
    write("confirmation-answer", &provider.call(&confirmation));
    write("details", &details);
    write("confirmation", &confirmation);
}

fn measure(at_least: Duration, names: &[&str]) {
    let engine = |name: &&str| Engine::ALL.iter().find(|engine| engine.name() == *name);
    let engines = names.iter().map(|name| *engine(name).expect("an engine"));
    let mut engines: Vec<(Engine, Vec<Step>)> =
        engines.map(|engine| (engine, steps(engine))).collect();
    let count = engines.first().map_or(0, |(_, steps)| steps.len());
    for i in 0..count {
        for (engine, steps) in &mut engines {
            let step = &mut steps[i];
            let time = microseconds(at_least, step);
            println!("{engine}\t{}\t{time:.2}", step.name);
        }
    }
}

/// The mean processor time of a step.
fn microseconds(at_least: Duration, step: &mut Step) -> f64 {
    step.run();
    let start = processor_time();
    let mut count = 0u32;
    loop {
        // Few looks at the clock, which costs as much as a short step.
        let more = (count / 4).max(1);
        (0..more).for_each(|_| step.run());
        count += more;
        let elapsed = processor_time() - start;
        if elapsed >= at_least {
            return elapsed.as_secs_f64() * 1e6 / f64::from(count);
        }
    }
}

/// The time of this thread on a processor. In Wasm the host gives it as the monotonic clock.
#[cfg(target_arch = "wasm32")]
fn processor_time() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

/// The time of this thread on a processor.
#[cfg(not(target_arch = "wasm32"))]
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
