//! Does time tell of secrets? `timing SAMPLES`, natively or in Wasm.
//!
//! After O. Reparaz, J. Balasch, I. Verbauwhede, *Dude, is my code constant time?* (DATE 2017): one
//! class of samples has fixed secrets (an exponent of zeros), the other random ones, in random order; Welch's t-test says
//! whether their mean times differ. Times above a percentile, which are interruptions, are left out,
//! for several percentiles. |t| above 10 is a leak, above 4.5 a suspicion. Each engine is measured
//! beside a mutant that leaks, which must be found.

use std::time::Instant;

use rsa_fma::Engine;
use rsa_fma::contract::{Leak, Secret, exponentiation};

const PERCENTILES: [usize; 5] = [50, 75, 90, 99, 100];

fn main() {
    let samples = std::env::args()
        .nth(1)
        .map_or(Ok(20_000), |count| count.parse());
    let samples: u64 = samples.expect("a number of samples");
    println!("{samples} samples; t for times up to the percentiles {PERCENTILES:?}");
    for engine in [Engine::Fma, Engine::Integer] {
        if !Engine::ALL.contains(&engine) {
            continue;
        }
        for leak in [None, Some(Leak::Stopping)] {
            let t = measure(&*exponentiation(engine, leak), samples);
            let largest = t.iter().fold(0f64, |largest, t| largest.max(t.abs()));
            let what = match leak {
                Some(_) => "the leaking mutant",
                None => "as it is",
            };
            println!("{engine:8}{what:20} largest |t| {largest:6.1} of {t:6.1?}");
        }
    }
}

fn measure(compute: &dyn Fn(&Secret) -> u8, samples: u64) -> Vec<f64> {
    let mut times = Vec::new();
    let mut sink = 0;
    let fixed = Secret::fixed();
    let mut secret = fixed.clone();
    for sample in 0..samples {
        // Some bit that has nothing to do with the order.
        let is_fixed = (sample.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) & 1 == 0;
        let random = Secret::random(1 + sample);
        // Where they are in memory must not tell the classes apart.
        secret.copy_from([&random, &fixed][usize::from(is_fixed)]);
        let start = Instant::now();
        sink ^= compute(&secret);
        times.push((start.elapsed().as_secs_f64(), is_fixed));
    }
    assert!(sink as usize <= 255);
    let times = &mut times[samples as usize / 20..];
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    PERCENTILES
        .map(|percentile| welch(&times[..times.len() * percentile / 100]))
        .into()
}

/// Welch's t.
fn welch(times: &[(f64, bool)]) -> f64 {
    let [fixed, random] = [true, false].map(|class| {
        let times = || {
            times
                .iter()
                .filter(|(_, is_fixed)| *is_fixed == class)
                .map(|time| time.0)
        };
        let count = times().count() as f64;
        let mean = times().sum::<f64>() / count;
        let variance = times().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    });
    (fixed.0 - random.0) / (fixed.1 + random.1).sqrt()
}
