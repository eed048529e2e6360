//! Two 64-bit lanes with the few operations that the kernels need: a `v128` in Wasm, elsewhere two
//! words in plain Rust, with the same result bit for bit.

use zeroize::DefaultIsZeroes;

#[cfg(not(target_arch = "wasm32"))]
use crate::digits::mask_if_equal;

#[cfg(target_arch = "wasm32")]
use core::arch::wasm32 as simd;

/// Two lanes, each an integer modulo 2^64 or the bits of an `f64`.
#[derive(Clone, Copy)]
pub(super) struct Lanes(Inner);

#[cfg(target_arch = "wasm32")]
type Inner = simd::v128;

#[cfg(not(target_arch = "wasm32"))]
type Inner = [u64; 2];

impl Default for Lanes {
    fn default() -> Lanes {
        Lanes::splat(0)
    }
}

impl DefaultIsZeroes for Lanes {}

#[cfg(target_arch = "wasm32")]
impl Lanes {
    #[inline]
    pub(super) const fn new(lanes: [u64; 2]) -> Lanes {
        Lanes(simd::u64x2(lanes[0], lanes[1]))
    }

    #[inline]
    pub(super) fn lanes(self) -> [u64; 2] {
        [
            simd::u64x2_extract_lane::<0>(self.0),
            simd::u64x2_extract_lane::<1>(self.0),
        ]
    }

    /// `self · b + c` as floats, rounded once: where the host has the instruction, which the
    /// self-test finds out.
    #[inline]
    #[target_feature(enable = "relaxed-simd")]
    pub(super) fn multiply_add(self, b: Lanes, c: Lanes) -> Lanes {
        Lanes(simd::f64x2_relaxed_madd(self.0, b.0, c.0))
    }

    /// `self − b` as floats.
    #[inline]
    pub(super) fn subtract_float(self, b: Lanes) -> Lanes {
        Lanes(simd::f64x2_sub(self.0, b.0))
    }

    /// `self + b` modulo 2^64.
    #[inline]
    pub(super) fn add(self, b: Lanes) -> Lanes {
        Lanes(simd::i64x2_add(self.0, b.0))
    }

    #[inline]
    pub(super) fn and(self, b: Lanes) -> Lanes {
        Lanes(simd::v128_and(self.0, b.0))
    }

    #[inline]
    pub(super) fn or(self, b: Lanes) -> Lanes {
        Lanes(simd::v128_or(self.0, b.0))
    }

    #[inline]
    pub(super) fn shift_left<const BITS: u32>(self) -> Lanes {
        Lanes(simd::u64x2_shl(self.0, BITS))
    }

    /// Zeros come in from the left.
    #[inline]
    pub(super) fn shift_right<const BITS: u32>(self) -> Lanes {
        Lanes(simd::u64x2_shr(self.0, BITS))
    }

    /// All ones in the lanes that are equal, zeros in the others.
    #[inline]
    pub(super) fn equal(self, b: Lanes) -> Lanes {
        Lanes(simd::i64x2_eq(self.0, b.0))
    }

    /// Lane `LANE` in both.
    #[inline]
    pub(super) fn spread<const LANE: usize>(self) -> Lanes {
        Lanes(simd::u64x2_shuffle::<LANE, LANE>(self.0, self.0))
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Lanes {
    #[inline]
    pub(super) const fn new(lanes: [u64; 2]) -> Lanes {
        Lanes(lanes)
    }

    #[inline]
    pub(super) fn lanes(self) -> [u64; 2] {
        self.0
    }

    /// `self · b + c` as floats, rounded once.
    #[inline]
    pub(super) fn multiply_add(self, b: Lanes, c: Lanes) -> Lanes {
        let fma = |lane: usize| {
            let [a, b, c] = [self, b, c].map(|lanes| f64::from_bits(lanes.0[lane]));
            a.mul_add(b, c).to_bits()
        };
        Lanes([fma(0), fma(1)])
    }

    /// `self − b` as floats.
    #[inline]
    pub(super) fn subtract_float(self, b: Lanes) -> Lanes {
        self.each(b, |a, b| (f64::from_bits(a) - f64::from_bits(b)).to_bits())
    }

    /// `self + b` modulo 2^64.
    #[inline]
    pub(super) fn add(self, b: Lanes) -> Lanes {
        self.each(b, u64::wrapping_add)
    }

    #[inline]
    pub(super) fn and(self, b: Lanes) -> Lanes {
        self.each(b, |a, b| a & b)
    }

    #[inline]
    pub(super) fn or(self, b: Lanes) -> Lanes {
        self.each(b, |a, b| a | b)
    }

    #[inline]
    pub(super) fn shift_left<const BITS: u32>(self) -> Lanes {
        Lanes(self.0.map(|lane| lane << BITS))
    }

    /// Zeros come in from the left.
    #[inline]
    pub(super) fn shift_right<const BITS: u32>(self) -> Lanes {
        Lanes(self.0.map(|lane| lane >> BITS))
    }

    /// All ones in the lanes that are equal, zeros in the others.
    #[inline]
    pub(super) fn equal(self, b: Lanes) -> Lanes {
        self.each(b, mask_if_equal)
    }

    /// Lane `LANE` in both.
    #[inline]
    pub(super) fn spread<const LANE: usize>(self) -> Lanes {
        Lanes([self.0[LANE]; 2])
    }

    #[inline]
    fn each(self, b: Lanes, operation: impl Fn(u64, u64) -> u64) -> Lanes {
        Lanes([operation(self.0[0], b.0[0]), operation(self.0[1], b.0[1])])
    }
}

impl Lanes {
    /// One value in both lanes.
    #[inline]
    pub(super) const fn splat(lane: u64) -> Lanes {
        Lanes::new([lane; 2])
    }
}
