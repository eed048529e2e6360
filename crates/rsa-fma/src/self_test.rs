//! Known answers. Every kernel takes part, and a host that rounds twice where it should once gives
//! others from the first product on.
//!
//! Inputs come from SplitMix64; the answers were computed with Python's integers.

use crate::engine::Engine;
#[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
use crate::fma::{Pair, Whole};
use crate::integer::Integer;
use crate::montgomery::{self, Domain, Montgomery};
use crate::power::{Fermat, PublicPower, power, windows};

/// 2^64 over the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Checksums of x^e modulo p, y^f modulo q, and s^65537 modulo n.
const ANSWERS: [u64; 3] = [
    0x058c_0192_914e_fbd5,
    0x28e8_8298_04f2_e739,
    0xa76d_ccc2_aaa9_9ac4,
];

/// True if an engine computes right on this host.
pub(crate) fn passes(engine: Engine) -> bool {
    match engine {
        #[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
        Engine::Fma => answers::<Pair<20, 40>, Whole<20, 40, 60>>() == ANSWERS,
        #[cfg(not(any(not(target_arch = "wasm32"), feature = "relaxed-simd")))]
        Engine::Fma => false,
        Engine::Integer => answers::<Integer<38, 2>, Integer<76, 1>>() == ANSWERS,
        // Nothing is left to fall back to.
        Engine::Rsa => true,
    }
}

fn answers<P, W>() -> [u64; 3]
where
    P: montgomery::Pair,
    W: Montgomery<1> + Send + Sync,
    W::Element: Send + Sync,
{
    let [p, q] = [number::<128>(1), number(2)].map(modulus);
    let domain = Domain::<P, 2>::new([&p, &q]);
    let base = domain.import([&number::<128>(3), &number::<128>(4)]);
    let exponents = [number::<8>(5), number(6)].map(|exponent| windows(&exponent, 64));
    let powers = power(&domain, &base, [&exponents[0], &exponents[1]]);
    let [of_p, of_q] = domain.export(&powers);
    let verified = Fermat::<W>::new(&modulus(number::<256>(7))).power(&number::<256>(8));
    [&of_p, &of_q, &verified].map(|power| checksum(power))
}

/// A number below 2^(8·N − 1).
fn number<const N: usize>(seed: u64) -> [u8; N] {
    let mut state = seed;
    let mut number = [0; N];
    for word in number.as_chunks_mut::<8>().0 {
        state = state.wrapping_add(STEP);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        *word = (z ^ (z >> 31)).to_be_bytes();
    }
    number[0] &= 0x7f;
    number
}

/// The number, made odd and of full length.
fn modulus<const N: usize>(mut number: [u8; N]) -> [u8; N] {
    number[0] |= 0x80;
    number[N - 1] |= 1;
    number
}

fn checksum(bytes: &[u8]) -> u64 {
    let words = bytes.as_chunks().0.iter().copied().map(u64::from_be_bytes);
    words.fold(0, |sum, word| sum.wrapping_mul(STEP).wrapping_add(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_knows_the_answers_on_this_host() {
        for &engine in Engine::ALL {
            assert!(passes(engine), "{engine}");
        }
    }
}
