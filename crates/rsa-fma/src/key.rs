//! Keys that are prepared for an engine.

use std::fmt;
use std::sync::OnceLock;

use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BoxedUint, Pkcs1v15Sign, PrivateKey as RsaPrivateKey, PublicKey as RsaPublicKey};
use zeroize::Zeroizing;

use crate::engine::Engine;
#[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
use crate::fma::{Pair, Whole};
use crate::integer::Integer;
use crate::padding::encode;
use crate::power::{Crt, Fermat, Parts, PrivatePower, PublicPower};

/// A public key that verifies signatures. What the engine needs of it is computed at the first
/// verification, and kept.
pub struct PublicKey {
    key: RsaPublicKey,
    engine: Engine,
    prepared: OnceLock<Option<Box<dyn PublicPower>>>,
}

impl PublicKey {
    /// Takes a key for [`Engine::best`].
    pub fn new(key: RsaPublicKey) -> PublicKey {
        PublicKey::with_engine(key, Engine::best())
    }

    /// Takes a key for an engine, tested or not.
    pub fn with_engine(key: RsaPublicKey, engine: Engine) -> PublicKey {
        PublicKey {
            key,
            engine,
            prepared: OnceLock::new(),
        }
    }

    /// The key.
    pub fn as_rsa(&self) -> &RsaPublicKey {
        &self.key
    }

    /// True if `signature` is that of `digest`: RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2.2).
    ///
    /// Keys that are not of 2048, 3072 or 4096 bits, or whose exponent is not 65537, are left to the
    /// crate `rsa`. Nothing here is secret, and time depends on it.
    pub fn verify(&self, scheme: &Pkcs1v15Sign, digest: &[u8], signature: &[u8]) -> bool {
        self.verify_with(self.engine, scheme, digest, signature)
    }

    fn verify_with(
        &self,
        engine: Engine,
        scheme: &Pkcs1v15Sign,
        digest: &[u8],
        signature: &[u8],
    ) -> bool {
        let prepare = || public_power(engine, &self.key);
        let for_once;
        let prepared = if engine == self.engine {
            self.prepared.get_or_init(prepare)
        } else {
            for_once = prepare();
            &for_once
        };
        let Some(power) = prepared else {
            return self.key.verify(scheme.clone(), digest, signature).is_ok();
        };
        let n = self.key.n_bytes();
        // Big-endian numbers of one length compare as their bytes do.
        signature.len() == n.len()
            && signature < &*n
            && encode(scheme, digest, n.len())
                .is_some_and(|expected| *power.power(signature) == expected)
    }
}

impl Clone for PublicKey {
    fn clone(&self) -> PublicKey {
        PublicKey::with_engine(self.key.clone(), self.engine)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &PublicKey) -> bool {
        self.key == other.key
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("key", &self.key)
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

/// A private key that signs, prepared for an engine. It is erased when it is dropped, and not shown
/// by `Debug`.
pub struct PrivateKey {
    key: RsaPrivateKey,
    public: PublicKey,
    power: Option<Box<dyn PrivatePower>>,
}

/// A signature that was checked with the public key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    /// As many bytes as the modulus has.
    pub bytes: Vec<u8>,
    /// Engines whose signature was wrong, so that another had to compute it. That is a fault of the
    /// machine, or an attack on it, and should be reported.
    pub miscomputed: Vec<Engine>,
}

impl PrivateKey {
    /// Prepares a key, which `rsa` has validated, for [`Engine::best`].
    pub fn new(key: RsaPrivateKey) -> PrivateKey {
        PrivateKey::with_engine(key, Engine::best())
    }

    /// Prepares a key for an engine, tested or not.
    pub fn with_engine(key: RsaPrivateKey, engine: Engine) -> PrivateKey {
        PrivateKey {
            public: PublicKey::with_engine(key.to_public_key(), engine),
            power: private_power(engine, &key),
            key,
        }
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The signature of `digest`: RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2.1).
    ///
    /// A signature is given out only if its public power is the padded digest: one that is wrong in
    /// one prime only would tell the other (D. Boneh, R. DeMillo, R. Lipton, *On the importance of
    /// checking cryptographic protocols for faults*, EUROCRYPT 1997). If it is not, the next engine
    /// computes it.
    ///
    /// Keys that are not of 2048, 3072 or 4096 bits in two primes of half that length, or whose
    /// exponent is not 65537, are left to the crate `rsa`.
    ///
    /// # Errors
    ///
    /// If the digest does not fit the scheme or the key, or no engine computes a right signature.
    pub fn sign(&self, scheme: &Pkcs1v15Sign, digest: &[u8]) -> rsa::Result<Signature> {
        let size = self.key.size();
        let message = encode(scheme, digest, size).ok_or(rsa::Error::InputNotHashed)?;
        let mut miscomputed = Vec::new();
        let first = self.public.engine;
        let others = Engine::ALL.iter().copied().filter(|&other| other != first);
        for engine in std::iter::once(first).chain(others) {
            let for_once;
            let power = if engine == first {
                &self.power
            } else {
                for_once = private_power(engine, &self.key);
                &for_once
            };
            let bytes = match power {
                Some(power) => power.power(&message),
                None => self
                    .key
                    .sign(scheme.clone(), digest)
                    .map(Zeroizing::new)
                    .unwrap_or_default(),
            };
            if self.public.verify_with(engine, scheme, digest, &bytes) {
                return Ok(Signature {
                    bytes: bytes.to_vec(),
                    miscomputed,
                });
            }
            miscomputed.push(engine);
        }
        Err(rsa::Error::Internal)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// The engine's arithmetic for a key; nothing if it has none for it.
fn public_power(engine: Engine, key: &RsaPublicKey) -> Option<Box<dyn PublicPower>> {
    if *key.e() != BoxedUint::from(65_537u32) {
        return None;
    }
    let n = key.n_bytes();
    let bits = key.n().bit_width();
    Some(match (engine, bits) {
        #[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
        (Engine::Fma, 2048) => Box::new(Fermat::<Whole<20, 40, 60>>::new(&n)),
        #[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
        (Engine::Fma, 3072) => Box::new(Fermat::<Whole<30, 60, 90>>::new(&n)),
        #[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
        (Engine::Fma, 4096) => Box::new(Fermat::<Whole<40, 80, 120>>::new(&n)),
        (Engine::Integer, 2048) => Box::new(Fermat::<Integer<76, 1>>::new(&n)),
        (Engine::Integer, 3072) => Box::new(Fermat::<Integer<114, 1>>::new(&n)),
        (Engine::Integer, 4096) => Box::new(Fermat::<Integer<152, 1>>::new(&n)),
        _ => return None,
    })
}

/// The engine's arithmetic for a key; nothing if it has none for it.
fn private_power(engine: Engine, key: &RsaPrivateKey) -> Option<Box<dyn PrivatePower>> {
    let bits = key.n().bit_width();
    let [p, q] = key.primes() else {
        return None;
    };
    if *key.e() != BoxedUint::from(65_537u32)
        || [p, q].iter().any(|prime| 2 * prime.bit_width() != bits)
    {
        return None;
    }
    let bytes = |number: &BoxedUint| {
        let bytes = number.to_be_bytes();
        let length = bits as usize / 16;
        // Precision is a multiple of a word, and so are the lengths.
        (bytes.len() == length).then(|| Zeroizing::new(bytes))
    };
    let parts = || {
        Some(Parts {
            p: bytes(p)?,
            q: bytes(q)?,
            dp: bytes(key.dp()?)?,
            dq: bytes(key.dq()?)?,
            q_inverse: bytes(&Zeroizing::new(key.qinv()?.retrieve()))?,
        })
    };
    Some(match (engine, bits) {
        #[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
        (Engine::Fma, 2048) => Box::new(Crt::<Pair<20, 40>>::new(parts()?)),
        #[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
        (Engine::Fma, 3072) => Box::new(Crt::<Pair<30, 62>>::new(parts()?)),
        #[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
        (Engine::Fma, 4096) => Box::new(Crt::<Pair<40, 80>>::new(parts()?)),
        (Engine::Integer, 2048) => Box::new(Crt::<Integer<38, 2>>::new(parts()?)),
        (Engine::Integer, 3072) => Box::new(Crt::<Integer<57, 2>>::new(parts()?)),
        (Engine::Integer, 4096) => Box::new(Crt::<Integer<76, 2>>::new(parts()?)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rsa::pkcs8::DecodePrivateKey;

    /// Gives what another gives, with a bit changed.
    struct Faulty(Box<dyn PrivatePower>);

    impl PrivatePower for Faulty {
        fn power(&self, message: &[u8]) -> Zeroizing<Vec<u8>> {
            let mut power = self.0.power(message);
            power[100] ^= 4;
            power
        }
    }

    #[test]
    fn a_miscomputed_signature_is_kept_back_and_the_next_engine_computes_it() {
        let key = RsaPrivateKey::from_pkcs8_pem(include_str!("../tests/data/2048.pem")).unwrap();
        let scheme = Pkcs1v15Sign::new_unprefixed();
        let expected = key.sign(scheme.clone(), b"digest").unwrap();
        for engine in [Engine::Integer, Engine::Fma] {
            let mut private = PrivateKey::with_engine(key.clone(), engine);
            private.power = private
                .power
                .take()
                .map(|power| Box::new(Faulty(power)) as Box<dyn PrivatePower>);
            let signature = private.sign(&scheme, b"digest").unwrap();
            assert_eq!(signature.bytes, expected);
            assert_eq!(signature.miscomputed, [engine]);
        }
    }
}
