//! The native allocations of each step, as a table in Markdown.

use allocation_counter::measure;
use rsa_fma::Engine;
use speed::steps;

fn main() {
    println!("| step | allocations | bytes |\n| --- | --- | --- |");
    for mut step in steps(Engine::best()) {
        // What is made once is not counted.
        step.run();
        let allocated = measure(|| step.run());
        let (count, bytes) = (allocated.count_total, allocated.bytes_total);
        println!("| {} | {count} | {bytes} |", step.name);
    }
}
