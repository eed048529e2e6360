//! Montgomery arithmetic by fused multiply-add of floats.
//!
//! wasm32 has no multiplication of 64-bit words into 128 bits, but it has two lanes of `f64`, and with
//! relaxed SIMD their fused multiply-add, which gives both halves of a product of 52-bit numbers
//! exactly. The idea is that of N. Emmart, J. Luitjens, C. Weems, C. Woolley (*Optimizing modular
//! multiplication for NVIDIA's Maxwell GPUs*, ARITH 2016) and N. Emmart, F. Zheng, C. Weems (*Faster
//! modular exponentiation using double precision floating point arithmetic on the GPU*, ARITH 2018),
//! who round towards zero; Wasm rounds to nearest, so digits here are balanced. S. Gueron and
//! V. Krasnov (*Software implementation of modular exponentiation, using advanced vector instructions
//! architectures*, WAIFI 2012) describe the same shape in integers: a redundant radix, sums of columns,
//! carries late.
//!
//! What follows is all that is needed to believe the code. Names in `capitals` are constants in
//! `tile.rs`. "Exact" means that a float holds the number itself.
//!
//! # Numbers
//!
//! A number is x = Σ x_k·2^(52·k), its N digits x_k are integers held as `f64`, and |x_k| ≤ 2^51. The
//! representation is redundant and signed: numbers are right modulo n, and small, but neither least nor
//! positive until [`canonical`].
//!
//! # One product
//!
//! For digits a and b the product is an integer with |a·b| ≤ 2^102. Let C = 3·2^102 (`SPLIT`).
//!
//! 1. high = fma(a, b, C): a·b + C lies in [2^103, 2^104], where floats are multiples of 2^51. So high =
//!    C + h·2^51, where h is a·b/2^51 rounded to the nearest integer; |h| ≤ 2^51. The raw bits of a
//!    float count in its last place, also across the power of two at the end of the interval, so
//!    bits(high) = bits(C) + h.
//! 2. C + 3·2^51 (`SPLIT_AND_OFFSET`, whose bits are bits(C) + 3) − high = 3·2^51 − h·2^51 is exact: a multiple
//!    of 2^51, of at most 2^51 + 3 of these.
//! 3. low = fma(a, b, 3·2^51 − h·2^51) = l + 3·2^51 with l = a·b − h·2^51, |l| ≤ 2^50. It lies between
//!    5·2^50 and 7·2^50, within [2^52, 2^53], where floats are the integers: exact. Hence bits(low) =
//!    bits(3·2^51) + l.
//!
//! So a·b = l + 2^51·h, and l and h are read from the raw bits by subtracting two constants, `RAW_LOW` and
//! `RAW_HIGH`. Two roundings in place of one would lose the low half: that is what the self-test finds.
//!
//! # A column
//!
//! Column k gathers the raw bits of all products of digits i and j with i + j = k, as integers modulo
//! 2^64: Σ l and Σ h, plus constants that are subtracted before (`start`), since it is known how many
//! products each column gets. At most 160 do (80 of a·b and 80 of m·n, for 80 digits), so
//!
//! * |Σ l| ≤ 160·2^50 < 2^57.4 and |Σ h| ≤ 160·2^51 < 2^58.4;
//! * what is carried in is below (2^57.4 + 2^51·2^58.4)/2^52 + … < 2^57.5 in size.
//!
//! `LOW_BIAS` = 2^62 + 2^51 and `HIGH_BIAS` = 2^60 make both sums positive and below 2^63, so that logical
//! shifts do. `resolve` then takes the column apart. It holds T = Σ l + carry + 2^51·Σ h. With t =
//! Σ l + carry + 2^51·(Σ h mod 2) + `LOW_BIAS`:
//!
//! * the digit is (t mod 2^52) − 2^51, which is T modulo 2^52 and lies in [−2^51, 2^51): `LOW_BIAS` is 2^51
//!   modulo 2^52. The 52 bits become the fraction of a float in [2^52, 2^53), from which 2^52 + 2^51 is
//!   subtracted: exact.
//! * the carry is ⌊t/2^52⌋ − 2^10 + ⌊(Σ h + `HIGH_BIAS`)/2⌋ − 2^59, which is (T − digit)/2^52. What is
//!   subtracted is `CARRY_BIAS`, and the next column's start contains it.
//!
//! # Montgomery's reduction
//!
//! With d the digit of the lowest column that is not yet zero and n' = −1/n modulo 2^52, balanced, the
//! digit m = d·n' modulo 2^52, balanced, makes d + m·n_0 divisible. It is found by the same means: with
//! C' = 3·2^103 (`SPLIT_DIGIT`), where floats are multiples of 2^52, fma(d, n', C') − C' is the multiple of
//! 2^52 nearest to d·n', and fma(d, n', −that) is the rest: exact, since |rest| ≤ 2^51. After m·n is added
//! the column is 0 modulo 2^52 and only its carry remains.
//!
//! Let R = 2^(52·N). From |m| ≤ 2^51·(R − 1)/(2^52 − 1) < R/2·(1 + 2^−51) follows
//!
//! |(a·b + m·n)/R| < |a·b|/R + n/2·(1 + 2^−51).
//!
//! The moduli have 16 (1024 bits in 20 digits), 24 (1536 in 30) or 32 (2048 in 40) bits fewer than R, a
//! whole n twice that. What `import` gives is at most 2^bits ≤ 2·n, products are below n, and no sum has
//! more than four of these: so every operand is below 8·n, and the product of two below 64·n²/R +
//! 0.51·n < n. The digit N − 1 of a number below 8·n has at most 40 bits (1024 + 3 − 52·19, and one for
//! what is below it), and nothing is carried out of it.
//!
//! `export` multiplies by 1. Its result is below 8·n/R + n/2·(1 + 2^−51) < n in size, so that one
//! addition of n, if it is negative, makes it least: [`canonical`].
//!
//! # Squares
//!
//! The block products i·j and j·i of a square are the same, so one is added twice; diagonal blocks are
//! computed in full. A product that is added twice counts as two in the bounds above.
//!
//! # Lanes
//!
//! [`Pair`] has p in one lane and q in the other. [`Whole`] computes modulo one n of 2·N digits: with B =
//! 2^(52·N), a = a₀ + a₁·B and b alike, lanes (a₀, a₁) times (b₀, b₁) give the outer products, times
//! (b₁, b₀) the two parts of the inner one. The reduction has (n₀, n₁) in the lanes and m in both.
//!
//! # Constant time
//!
//! No branch, index or loop bound depends on a digit: they follow from N. Additions, multiplications,
//! conversions and shifts take the same time for all numbers that occur. Floats are a concern only if they
//! are subnormal, infinite or no number (M. Andrysco et al., *On subnormal floating point and abnormal
//! timing*, IEEE S&P 2015): here every operand and result is an integer, zero or between 1 and 2^105.
//!
//! # Why tiles
//!
//! wasmtime checks its epoch at every back-edge of a loop, which spills all vector registers; Cranelift
//! computes pure values where they are first used, so that long straight lines spill too. Kernels
//! without loops over blocks of five digits, column by column, keep two sums and little else alive.

mod lanes;
mod pair;
mod tile;
mod whole;

pub(crate) use pair::Pair;
pub(crate) use whole::Whole;

use lanes::Lanes;
use zeroize::Zeroizing;

use crate::digits::{from_bytes, mask, to_bytes};

/// Bits of a digit.
const WIDTH: u32 = 52;

/// The digits of a big-endian number, from 0 to 2^52 − 1.
fn unsigned<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let mut digits = [0; N];
    from_bytes(bytes, WIDTH, &mut digits);
    digits
}

/// What is left of 64 bits modulo 2^52, from −2^51 to 2^51 − 1, as a digit.
fn balanced(lanes: [u64; 2]) -> Lanes {
    let drop = 64 - WIDTH;
    tile::float(lanes.map(|lane| (lane << drop).cast_signed() >> drop))
}

/// The least number that is not negative and equals `digits` modulo n, given that it is above −n
/// and below n; in `length` bytes.
#[inline(never)]
fn canonical(digits: &[i64], n: &[u64], length: usize) -> Zeroizing<Vec<u8>> {
    let mut plain = Zeroizing::new(vec![0; digits.len()]);
    let mut carry = 0;
    for (plain, digit) in plain.iter_mut().zip(digits) {
        let sum = digit + carry;
        *plain = sum.cast_unsigned() & mask(WIDTH);
        carry = sum >> WIDTH;
    }
    // What is carried out is 0, or −1 if the number is negative: then all its bits select n.
    let negative = carry.cast_unsigned();
    let mut carry = 0;
    for (plain, n) in plain.iter_mut().zip(n) {
        let sum = *plain + (n & negative) + carry;
        *plain = sum & mask(WIDTH);
        carry = sum >> WIDTH;
    }
    to_bytes(&plain, WIDTH, length)
}

#[cfg(test)]
mod tests {
    use rsa::BoxedUint;

    use super::pair::Element;
    use super::*;
    use crate::montgomery::Montgomery;

    const HALF: i64 = 1 << 51;

    /// What digits stand for, modulo n.
    fn value(digits: &[i64], n: &BoxedUint) -> BoxedUint {
        let n = n.to_nz().unwrap();
        let precision = n.bits_precision();
        let number =
            |value: u64| BoxedUint::from_be_slice(&value.to_be_bytes(), precision).unwrap();
        let mut sum = number(0);
        for digit in digits.iter().rev() {
            sum = sum.mul_mod(&number(1 << 52), &n);
            let size = number(digit.unsigned_abs());
            sum = if *digit < 0 {
                sum.sub_mod(&size, &n)
            } else {
                sum.add_mod(&size, &n)
            };
        }
        sum
    }

    /// Numbers whose digits are at their bounds: all equal, alternating, one of them different.
    fn edges(digits: usize) -> Vec<Vec<i64>> {
        let near = [-HALF, 1 - HALF, -1, 0, 1, HALF - 1, HALF];
        let mut edges: Vec<Vec<i64>> = Vec::new();
        for a in near {
            for b in near {
                edges.push(
                    (0..digits)
                        .map(|k| if k % 2 == 0 { a } else { b })
                        .collect(),
                );
                for at in (0..digits).step_by(3) {
                    edges.push((0..digits).map(|k| if k == at { a } else { b }).collect());
                }
            }
        }
        // Montgomery's result is as large as the product of the top digits, over R.
        for edge in &mut edges {
            edge[digits - 1] /= 2;
        }
        edges
    }

    #[test]
    fn products_of_digits_at_their_bounds_are_right_in_every_position() {
        let moduli = [[0xff; 128], {
            let mut sparse = [0; 128];
            (sparse[0], sparse[127]) = (0x80, 1);
            sparse
        }];
        let pair = Pair::<20, 40>::new([&moduli[0], &moduli[1]]);
        let edges = edges(20);
        for (i, a) in edges.iter().enumerate() {
            // Each with some of the others, itself among them.
            let b = &edges[i * 7 % edges.len()];
            for b in [a, b] {
                let element = |digits: &[i64]| {
                    let mut element = Element([Lanes::splat(0); 20]);
                    for (lanes, &digit) in element.0.iter_mut().zip(digits) {
                        *lanes = tile::float([digit; 2]);
                    }
                    element
                };
                let product = pair.multiply(&element(a), &element(b));
                let same = pair.square(&element(a));
                for (lane, n) in moduli.iter().enumerate() {
                    let n = BoxedUint::from_be_slice_vartime(n);
                    let digits = |x: &Element<20>| x.0.map(|digit| tile::integer(digit)[lane]);
                    let mut radix = [0; 21];
                    radix[20] = 1;
                    let times_radix = |x: &[i64]| {
                        let radix = value(&radix, &n);
                        value(x, &n).mul_mod(&radix, &n.to_nz().unwrap())
                    };
                    let found = digits(&product);
                    assert!(found.iter().all(|digit| (-HALF..=HALF).contains(digit)));
                    let times =
                        |b: &[i64]| value(a, &n).mul_mod(&value(b, &n), &n.to_nz().unwrap());
                    assert_eq!(times_radix(&found), times(b), "{a:?} · {b:?}");
                    assert_eq!(times_radix(&digits(&same)), times(a), "{a:?}²");
                }
            }
        }
    }
}
