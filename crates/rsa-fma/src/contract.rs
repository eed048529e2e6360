//! The contract of every engine, tried on random numbers and on edges. It runs natively and in
//! Wasm, in tests, in the fuzz target and by hand: each case is named by a seed.

use std::sync::{PoisonError, RwLock};

use rsa::traits::PublicKeyParts;
use rsa::{BoxedUint, Pkcs1v15Sign, PrivateKey as RsaPrivateKey};
use zeroize::Zeroizing;

use crate::digits;
#[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
use crate::fma::{Pair, Whole};
use crate::integer::Integer;
use crate::montgomery::{self, Domain, Montgomery};
use crate::power::{Crt, Parts, PrivatePower, power_by};
use crate::{Engine, PrivateKey};

static PREFERRED: RwLock<Option<Engine>> = RwLock::new(None);

/// Makes an engine [`Engine::best`], tested or not, for the keys that are made from here on.
pub fn prefer(engine: Engine) {
    *PREFERRED.write().unwrap_or_else(PoisonError::into_inner) = Some(engine);
}

pub(crate) fn preferred() -> Option<Engine> {
    *PREFERRED.read().unwrap_or_else(PoisonError::into_inner)
}

/// Multiplies and squares modulo random odd numbers, and compares with `crypto-bigint`; gives
/// the number of products compared.
///
/// Numbers are random, or made of runs of ones and zeros, which make digits reach their bounds and
/// carries go far; or 0, 1, 2, n − 1, n − 2; or have digits of 52 or 27 bits that are just below,
/// at and above half.
///
/// # Errors
///
/// The first case that fails.
pub fn products(engine: Engine, seed: u64, rounds: u64) -> Result<u64, String> {
    let mut compared = 0;
    for round in seed..seed.saturating_add(rounds) {
        let mut random = Random(round.wrapping_mul(0x2545_f491_4f6c_dd1d), &[]);
        compared += products_by(engine, round, &mut random)
            .map_err(|error| format!("{engine}, round {round}: {error}"))?;
    }
    Ok(compared)
}

/// The same for numbers that a fuzzer chooses.
///
/// # Errors
///
/// If a product is wrong.
pub fn products_of(engine: Engine, data: &[u8]) -> Result<u64, String> {
    let (&size, data) = data.split_first().unwrap_or((&0, &[]));
    products_by(engine, size.into(), &mut Random(0, data))
}

fn products_by(engine: Engine, size: u64, random: &mut Random<'_>) -> Result<u64, String> {
    match (engine, size % 3) {
        #[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
        (Engine::Fma, 0) => both::<Pair<20, 40>, Whole<20, 40, 60>>(random, 128),
        #[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
        (Engine::Fma, 1) => both::<Pair<30, 62>, Whole<30, 60, 90>>(random, 192),
        #[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
        (Engine::Fma, _) => both::<Pair<40, 80>, Whole<40, 80, 120>>(random, 256),
        (Engine::Integer, 0) => both::<Integer<38, 2>, Integer<76, 1>>(random, 128),
        (Engine::Integer, 1) => both::<Integer<57, 2>, Integer<114, 1>>(random, 192),
        (Engine::Integer, _) => both::<Integer<76, 2>, Integer<152, 1>>(random, 256),
        (Engine::Rsa, _) => Ok(0),
        #[cfg(all(target_arch = "wasm32", not(feature = "relaxed-simd")))]
        (Engine::Fma, _) => Ok(0),
    }
}

/// Signs random digests and compares with the crate `rsa`, and verifies what is right and what is
/// not; gives the number of signatures compared.
///
/// # Errors
///
/// The first case that fails.
pub fn signatures(
    engine: Engine,
    key: &RsaPrivateKey,
    seed: u64,
    rounds: u64,
) -> Result<u64, String> {
    let scheme = Pkcs1v15Sign::new_unprefixed();
    let private = PrivateKey::with_engine(key.clone(), engine);
    for round in seed..seed.saturating_add(rounds) {
        let mut random = Random(round.wrapping_mul(0xd6e8_feb8_6659_fd93), &[]);
        let length = 1 + random.next() % 200;
        let mut digest = random.bytes(length as usize);
        let failed = |what: &str| Err(format!("{engine}, signature {round}: {what}"));
        let expected = key.sign(scheme.clone(), &digest).unwrap_or_default();
        let Ok(signature) = private.sign(&scheme, &digest) else {
            return failed("is not made");
        };
        if signature.bytes != expected || !signature.miscomputed.is_empty() {
            return failed("differs");
        }
        let public = private.public_key();
        if !public.verify(&scheme, &digest, &signature.bytes) {
            return failed("is not verified");
        }
        let mut wrong = signature.bytes.clone();
        let bit = random.next() as usize % (8 * wrong.len());
        wrong[bit / 8] ^= 1 << (bit % 8);
        if public.verify(&scheme, &digest, &wrong) {
            return failed("is verified with a bit changed");
        }
        digest[0] ^= 1;
        if public.verify(&scheme, &digest, &signature.bytes) {
            return failed("is verified for another digest");
        }
        // The same number modulo n, but out of range (RFC 8017 section 5.2.2).
        let n = key.n_bytes();
        let sum = digits::add_product(&signature.bytes, &n, &[1], n.len() + 1);
        if sum[0] == 0 && public.verify(&scheme, &digest, &sum[1..])
            || public.verify(&scheme, &digest, &sum)
        {
            return failed("is verified with n added");
        }
    }
    Ok(rounds)
}

/// The secret of an exponentiation.
#[derive(Clone)]
pub struct Secret {
    base: [Vec<u8>; 2],
    exponents: [Vec<u64>; 2],
}

impl Secret {
    /// The same number each time, and the exponent 0: as far from the others as can be.
    pub fn fixed() -> Secret {
        Secret {
            exponents: [vec![0; 16], vec![0; 16]],
            ..Secret::random(0)
        }
    }

    /// Puts another in the same place in memory.
    pub fn copy_from(&mut self, other: &Secret) {
        for lane in 0..2 {
            self.base[lane].copy_from_slice(&other.base[lane]);
            self.exponents[lane].copy_from_slice(&other.exponents[lane]);
        }
    }

    /// Numbers of 1024 bits, exponents of 80, for [`exponentiation`].
    pub fn random(seed: u64) -> Secret {
        let mut random = Random(seed, &[]);
        Secret {
            base: [(); 2].map(|()| random.bytes(128)).map(|mut base| {
                base[0] &= 0x7f;
                base
            }),
            exponents: [(); 2].map(|()| (0..16).map(|_| random.next() % 32).collect()),
        }
    }
}

/// The way in which a mutant tells of the exponent. Whoever looks for leaks must find it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leak {
    /// The table is read only as far as it is needed.
    Stopping,
    /// Only what is needed of the table is read.
    Indexing,
}

/// Exponentiation as for signing, with a shorter exponent; or a mutant of it.
pub fn exponentiation(engine: Engine, leak: Option<Leak>) -> Box<dyn Fn(&Secret) -> u8> {
    match engine {
        #[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
        Engine::Fma => of_pair::<Pair<20, 40>>(leak),
        _ => of_pair::<Integer<38, 2>>(leak),
    }
}

fn of_pair<P: montgomery::Pair + 'static>(leak: Option<Leak>) -> Box<dyn Fn(&Secret) -> u8> {
    let mut random = Random(1, &[]);
    let [p, q] = [(); 2].map(|()| random.modulus(128));
    let domain = Domain::<P, 2>::new([&p, &q]);
    Box::new(move |secret| {
        let base = domain.import([&secret.base[0], &secret.base[1]]);
        let exponents = [&secret.exponents[0][..], &secret.exponents[1]];
        let arithmetic = &domain.arithmetic;
        let select = |table: &[_], index, selected: &mut _| match leak {
            None => arithmetic.select(table, index, selected),
            Some(Leak::Stopping) => arithmetic.select_stopping(table, &index, selected),
            Some(Leak::Indexing) => arithmetic.select_indexing(table, &index, selected),
        };
        let power = power_by(&domain, &base, exponents, select);
        domain.export(&power)[0][0]
    })
}

/// Prepares a private key of 2048, 3072 or 4096 bits for an engine and computes with it; key and
/// message are random, and the key is none but for its lengths, which is enough to look for leaks.
pub fn private_power(engine: Engine, bits: usize, seed: u64) -> u8 {
    let bytes = bits / 16;
    match (engine, bits) {
        #[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
        (Engine::Fma, 2048) => of_crt::<Pair<20, 40>>(bytes, seed),
        #[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
        (Engine::Fma, 3072) => of_crt::<Pair<30, 62>>(bytes, seed),
        #[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
        (Engine::Fma, _) => of_crt::<Pair<40, 80>>(bytes, seed),
        (_, 2048) => of_crt::<Integer<38, 2>>(bytes, seed),
        (_, 3072) => of_crt::<Integer<57, 2>>(bytes, seed),
        _ => of_crt::<Integer<76, 2>>(bytes, seed),
    }
}

fn of_crt<P>(bytes: usize, seed: u64) -> u8
where
    P: montgomery::Pair + Send + Sync,
    P::Element: Send + Sync,
{
    let mut random = Random(seed, &[]);
    let [mut p, mut q, dp, dq, q_inverse] = [(); 5].map(|()| random.bytes(bytes));
    for prime in [&mut p, &mut q] {
        prime[0] |= 0x80;
        prime[bytes - 1] |= 1;
    }
    let [p, q, dp, dq, q_inverse] =
        [p, q, dp, dq, q_inverse].map(|part| Zeroizing::new(part.into_boxed_slice()));
    let key = Crt::<P>::new(Parts {
        p,
        q,
        dp,
        dq,
        q_inverse,
    });
    key.power(&random.bytes(2 * bytes))[0]
}

fn both<P, W>(random: &mut Random<'_>, bytes: usize) -> Result<u64, String>
where
    P: montgomery::Pair,
    W: Montgomery<1>,
{
    let [p, q] = [(); 2].map(|()| random.modulus(bytes));
    let pair = Domain::<P, 2>::new([&p, &q]);
    let n = random.modulus(2 * bytes);
    let whole = Domain::<W, 1>::new([&n]);
    let mut compared = 0;
    for _ in 0..4 {
        let [a, b] = [(); 2].map(|()| [random.residue(&p), random.residue(&q)]);
        let [x, y] = [&a, &b].map(|[of_p, of_q]| pair.import([of_p, of_q]));
        let multiply = |x: &P::Element, y: &P::Element| {
            let mut x = x.clone();
            pair.arithmetic.multiply(&mut x, y);
            pair.export(&x)
        };
        let product = multiply(&x, &y);
        let squared = |times| {
            let mut x = x.clone();
            pair.arithmetic.square(&mut x, times);
            pair.export(&x)
        };
        let [square, fourth] = [squared(1), squared(2)];
        let sum = multiply(&pair.arithmetic.add(&x, &y), &x);
        let difference = multiply(&pair.arithmetic.subtract(&x, &y), &x);
        for (lane, n) in [&p, &q].into_iter().enumerate() {
            let n = Modulus::new(n);
            let (a, b) = (&a[lane], &b[lane]);
            let (ab, aa) = (n.product(a, b), n.product(a, a));
            compare("a product of a pair", &product[lane], &ab)?;
            compare("a square of a pair", &square[lane], &aa)?;
            compare(
                "a fourth power of a pair",
                &fourth[lane],
                &n.product(&aa, &aa),
            )?;
            compare("a sum of a pair", &sum[lane], &n.sum(&aa, &ab))?;
            compare(
                "a difference of a pair",
                &n.sum(&difference[lane], &ab),
                &aa,
            )?;
            compared += 5;
        }
        let [a, b] = [(); 2].map(|()| random.residue(&n));
        let [x, y] = [&a, &b].map(|number| whole.import([number]));
        let mut product = x.clone();
        whole.arithmetic.multiply(&mut product, &y);
        let [product] = whole.export(&product);
        let [[square], [fourth]] = [1, 2].map(|times| {
            let mut x = x.clone();
            whole.arithmetic.square(&mut x, times);
            whole.export(&x)
        });
        let n = Modulus::new(&n);
        compare("a product", &product, &n.product(&a, &b))?;
        let aa = n.product(&a, &a);
        compare("a square", &square, &aa)?;
        compare("a fourth power", &fourth, &n.product(&aa, &aa))?;
        compared += 3;
    }
    Ok(compared)
}

fn compare(what: &str, found: &[u8], expected: &[u8]) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!(
            "{what} is {found:02x?} and should be {expected:02x?}"
        ))
    }
}

/// The same by another's arithmetic.
struct Modulus(BoxedUint);

impl Modulus {
    fn new(n: &[u8]) -> Modulus {
        Modulus(BoxedUint::from_be_slice_vartime(n))
    }

    fn product(&self, a: &[u8], b: &[u8]) -> Box<[u8]> {
        let [a, b] = [a, b].map(BoxedUint::from_be_slice_vartime);
        let n = self.0.to_nz().expect("an odd number");
        a.mul_mod(&b, &n).to_be_bytes()
    }

    fn sum(&self, a: &[u8], b: &[u8]) -> Box<[u8]> {
        let [a, b] = [a, b].map(BoxedUint::from_be_slice_vartime);
        let n = self.0.to_nz().expect("an odd number");
        a.add_mod(&b, &n).to_be_bytes()
    }
}

/// The bytes of a fuzzer as long as they last, then SplitMix64.
struct Random<'a>(u64, &'a [u8]);

impl Random<'_> {
    fn next(&mut self) -> u64 {
        if let Some((&byte, rest)) = self.1.split_first() {
            self.1 = rest;
            return byte.into();
        }
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// An odd number with its top bit set.
    fn modulus(&mut self, bytes: usize) -> Vec<u8> {
        let mut modulus = self.number(bytes);
        modulus[0] |= 0x80;
        modulus[bytes - 1] |= 1;
        modulus
    }

    /// A number below n.
    fn residue(&mut self, n: &[u8]) -> Vec<u8> {
        let small = |value: u8| {
            let mut number = vec![0; n.len()];
            number[n.len() - 1] = value;
            number
        };
        match self.next() % 16 {
            value @ 0..=2 => small(value as u8),
            // n is odd and at least 2^(8·bytes − 1): n − 1 takes the last bit only.
            3 => {
                let mut number = n.to_vec();
                number[n.len() - 1] -= 1;
                number
            }
            4 => digits::add_product(&[], &[1], n, n.len())
                .iter()
                .map(|byte| byte >> 1)
                .collect(),
            _ => {
                let mut number = self.number(n.len());
                if *number >= *n {
                    number[0] &= 0x7f;
                }
                number
            }
        }
    }

    fn number(&mut self, bytes: usize) -> Vec<u8> {
        match self.next() % 4 {
            // Runs of ones and of zeros.
            0 => {
                let mut number = vec![0; bytes];
                let (mut left, mut ones) = (0, false);
                for bit in 0..8 * bytes {
                    if left == 0 {
                        left = 1 + self.next() % 130;
                        ones = !ones;
                    }
                    left -= 1;
                    number[bit / 8] |= u8::from(ones) << (bit % 8);
                }
                number
            }
            // Digits next to half, to zero and to the largest.
            1 => {
                let width = if self.next().is_multiple_of(2) {
                    52
                } else {
                    27
                };
                let half = 1u64 << (width - 1);
                let near = [0, 1, half - 1, half, half + 1, 2 * half - 2, 2 * half - 1];
                let numbers: Vec<u64> = (0..(8 * bytes).div_ceil(width as usize))
                    .map(|_| near[self.next() as usize % near.len()])
                    .collect();
                digits::to_bytes(&numbers, width, bytes).to_vec()
            }
            _ => self.bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use rsa::pkcs8::DecodePrivateKey;

    use super::*;

    #[test]
    fn every_engine_keeps_it() {
        let pem = include_str!("../tests/data/2048.pem");
        let key = RsaPrivateKey::from_pkcs8_pem(pem).unwrap();
        for &engine in Engine::ALL {
            // A fused multiply-add may be a slow call here.
            let rounds = if engine == Engine::Fma { 150 } else { 1500 };
            products(engine, 0, rounds).unwrap();
            signatures(engine, &key, 0, 4).unwrap();
        }
    }
}
