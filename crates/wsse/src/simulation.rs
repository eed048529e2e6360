//! Stub signatures, for simulations that sign thousands of messages in a second of processor time.
//!
//! In a thread that has called [`stub_signatures`], a signature is a digest that anybody who knows the
//! certificate can make. Everything else of a message is as always: its shape, its canonical form, the
//! digests of its parts, the signer's certificate, the times.
//!
//! A build with this feature signs and verifies as always until a thread asks for stubs, so that
//! tests that are built together with a simulation test the real thing. It does not compile for
//! Wasm: no component can have it.

#[cfg(target_arch = "wasm32")]
compile_error!(
    "the feature `simulation` makes signatures that prove nothing: never in a component"
);

use std::cell::Cell;

use rsa::traits::PublicKeyParts;
use rsa_fma::PublicKey;
use sha2::{Digest, Sha256};

thread_local! {
    static STUB: Cell<bool> = const { Cell::new(false) };
}

/// From now on this thread makes stub signatures, and believes nothing else.
pub fn stub_signatures() {
    STUB.set(true);
}

/// The stub signature of a digest; `None` in a thread that has not asked for any.
pub(crate) fn signature(key: &PublicKey, digest: &[u8]) -> Option<Vec<u8>> {
    if !STUB.get() {
        return None;
    }
    let modulus = key.as_rsa().n_bytes();
    let mut hash = Sha256::new();
    hash.update(b"simulation");
    hash.update(&modulus);
    hash.update(digest);
    // As long as one of RSA, since its length is checked.
    let bytes = hash.finalize().into_iter().cycle();
    Some(bytes.take(modulus.len()).collect())
}
