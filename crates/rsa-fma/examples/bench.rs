//! Microseconds of each engine, side by side: natively, or in Wasm by `mpay`'s example `rsa_in_wasm`.

use std::time::{Duration, Instant};

use rsa::pkcs8::DecodePrivateKey;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use rsa_fma::{Engine, PrivateKey, PublicKey};
use sha2::{Digest, Sha256};

const KEYS: [(u32, &str); 3] = [
    (2048, include_str!("../tests/data/2048.pem")),
    (3072, include_str!("../tests/data/3072.pem")),
    (4096, include_str!("../tests/data/4096.pem")),
];

fn main() {
    let self_test = Instant::now();
    let best = Engine::best();
    println!("best: {best}, found in {:.2?}", self_test.elapsed());
    println!("bits  engine      sign  verify  prepare both  and verify once (µs)");
    let scheme = Pkcs1v15Sign::new::<Sha256>();
    let digest = Sha256::digest(b"message");
    for (bits, pem) in KEYS {
        let key = RsaPrivateKey::from_pkcs8_pem(pem).expect("a key");
        let mut rows = Vec::new();
        for &engine in Engine::ALL {
            let private = PrivateKey::with_engine(key.clone(), engine);
            let signature = private.sign(&scheme, &digest).expect("a signature").bytes;
            let sign = microseconds(|| private.sign(&scheme, &digest).is_ok());
            let public = private.public_key();
            let verify = microseconds(|| public.verify(&scheme, &digest, &signature));
            let prepare = microseconds(|| {
                PrivateKey::with_engine(key.clone(), engine);
                true
            });
            let once = microseconds(|| {
                let public = PublicKey::with_engine(key.to_public_key(), engine);
                public.verify(&scheme, &digest, &signature)
            });
            rows.push((engine, sign, verify));
            println!("{bits}  {engine:8} {sign:8.0} {verify:7.1} {prepare:8.0} {once:8.1}");
        }
        let Some(&(_, sign, verify)) = rows.iter().find(|row| row.0 == Engine::Rsa) else {
            continue;
        };
        for (engine, s, v) in rows {
            println!(
                "{bits}  rsa / {engine}: sign {:.1}, verify {:.1}",
                sign / s,
                verify / v
            );
        }
    }
}

/// The mean time over half a second: a host's clock may have steps of some milliseconds.
fn microseconds(mut once: impl FnMut() -> bool) -> f64 {
    assert!(once());
    let start = Instant::now();
    let mut count = 0;
    loop {
        for _ in 0..20 {
            assert!(once());
        }
        count += 20;
        let elapsed = start.elapsed();
        if elapsed > Duration::from_millis(500) {
            return elapsed.as_secs_f64() * 1e6 / f64::from(count);
        }
    }
}
