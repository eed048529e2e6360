//! RSA PKCS#1 v1.5 signatures, as fast inside Wasm as outside it: only the arithmetic.
//!
//! Keys come parsed and validated from the crate [`rsa`]. A [`PrivateKey`] signs, a [`PublicKey`]
//! verifies; both are prepared once and used often. What computes is an [`Engine`], and the fastest
//! that passes a known-answer test on this host is taken:
//!
//! * [`Engine::Fma`], floats and fused multiply-add, two lanes at once by relaxed SIMD: module `fma`;
//! * [`Engine::Integer`], limbs of 27 bits: module `integer`;
//! * [`Engine::Rsa`], the crate `rsa`, also for keys that the others are not made for: other lengths
//!   than 2048, 3072 and 4096 bits, other exponents than 65537, more than two primes, primes of
//!   unequal length.
//!
//! ```
//! use rsa::{Pkcs1v15Sign, PrivateKey as RsaPrivateKey, pkcs8::DecodePrivateKey};
//! use rsa_fma::PrivateKey;
//! use sha2::{Digest, Sha256};
//!
//! # let pem = include_str!("../tests/data/2048.pem");
//! let key = PrivateKey::new(RsaPrivateKey::from_pkcs8_pem(pem)?);
//! let scheme = Pkcs1v15Sign::new::<Sha256>();
//! let digest = Sha256::digest(b"message");
//! let signature = key.sign(&scheme, &digest)?;
//! assert!(signature.miscomputed.is_empty());
//! assert!(key.public_key().verify(&scheme, &digest, &signature.bytes));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # For a reviewer
//!
//! Read in this order: `key` (what is checked before a signature leaves), `power` (Chinese remainder
//! theorem, window exponentiation), `montgomery` (what an engine provides), `integer` (the simple
//! engine), `fma` (the fast one; its module's text derives every bound) with `fma/tile.rs` (products and
//! carries) and `fma/modulus.rs` (the reduction), `self_test`, `choice`.
//!
//! * **Faults.** A signature leaves only if its public power is the padded digest; otherwise the next
//!   engine computes it, and the caller is told. So neither a wrong engine nor an induced fault (Boneh,
//!   DeMillo, Lipton 1997) gives anything away.
//! * **Timing.** No branch, index or loop bound depends on a secret: lengths of exponents are those
//!   of the primes, windows have five bits, and each reads all 32 entries of the table. Three tests say
//!   so of the wasm, and must find mutants that leak (`crates/mpay/tests/kernels`, example `timing`):
//!   in the kernels nothing that was read reaches a branch, a selection, an address, a division or a
//!   call; preparing any key and computing with any message takes equally many instructions; time,
//!   measured, does not tell secrets apart. The first has found that the compiler made a `select` of
//!   a mask, so the bit that becomes a mask passes through `black_box`. What remains are loops that
//!   count, vector operations, and loads and stores at addresses that follow from the counts.
//! * **No blinding.** It would hide operands from an attacker who learns something of each operation.
//!   Time tells nothing here; against other channels a component in somebody's cloud has no defence
//!   that blinding would complete. What is signed is made by the signer, and PKCS#1 v1.5 is
//!   deterministic.
//! * **Erasure.** Keys, tables and intermediate numbers that live in memory are erased after use.
//!   Copies that the compiler keeps in registers or on the stack are overwritten by what follows, not
//!   deliberately.
//! * **No decryption**: RUSTSEC-2023-0071 concerns that.
// Not `indexing_slicing`: positions follow from the number of digits alone, which is no input.
#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::panic, clippy::unwrap_used)
)]
#![forbid(unsafe_code)]

mod choice;
#[cfg(any(test, feature = "contract"))]
#[allow(clippy::expect_used, reason = "for tests alone")]
pub mod contract;
mod digits;
mod engine;
#[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
mod fma;
mod integer;
mod key;
mod montgomery;
mod padding;
mod power;
mod self_test;

pub use engine::Engine;
pub use key::{PrivateKey, PublicKey, Signature};
