//! No bytes make the verifier panic, and none are verified with another Body than those that
//! were signed: the ones of `tests/corpus/accept`, which are the seeds.
#![no_main]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use wsse::{Certificate, Envelope, Policy, Trust, exclusive_c14n};

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let read = |pem: &str| Certificate::bundle_from_pem(pem).expect("certificates");
    let mut pinned = read(include_str!("../../tests/data/mpay.pem"));
    pinned.append(&mut read(include_str!("../../tests/data/chain/mpay.pem")));
    let root = read(include_str!("../../tests/data/chain/root.pem"));
    let issuing = read(include_str!("../../tests/data/chain/issuing.pem"));
    Policy {
        trust: Trust::pinned(pinned)
            .with_authorities(root, issuing, &["1003600000001"])
            .expect("authorities"),
        accept_sha1: true,
        clock_skew: Duration::from_secs(120),
        max_age: Duration::from_secs(1800),
    }
});

/// The Bodies of the messages that were signed, and when their signers say they made them.
static SIGNED: LazyLock<BTreeSet<(Vec<u8>, String)>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/accept");
    let files = std::fs::read_dir(folder).expect("the accepted messages");
    files
        .map(|file| std::fs::read(file.expect("a file").path()).expect("a message"))
        .map(|message| verified(&message).expect("a good message"))
        .collect()
});

fn verified(message: &[u8]) -> Option<(Vec<u8>, String)> {
    let now = "2026-06-01T10:00:30Z".parse().expect("a time");
    let verified = Envelope::parse(message).ok()?.verify(&POLICY, now).ok()?;
    let body = exclusive_c14n(verified.body(), false, &[]);
    Some((
        body,
        format!("{} {:?}", verified.created(), verified.expires()),
    ))
}

fuzz_target!(|message: &[u8]| {
    if let Some(verified) = verified(message) {
        assert!(SIGNED.contains(&verified), "a forgery");
    }
});
