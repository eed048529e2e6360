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
//! The sections below are all that is needed to believe the code. Names in `capitals` are constants in
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
//! 2^64: Σ l and Σ h, plus constants that are subtracted before (`column`), since it is known how many
//! products each column gets. At most 160 do (80 of a·b and 80 of the reduction, for 80 digits), so
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
//! It makes Z columns zero (20, 32 or 40 for a [`Pair`], 2·N for a [`Whole`]) from the lowest on, a row
//! of four at a time, by adding multiples of n. Let B = 2^208, R = 2^(52·Z), and n' = −1/n modulo B, a
//! balanced row: |n'| ≤ 2^51·(B − 1)/(2^52 − 1) < B/2·(1 + 2^−51), as of every row of digits.
//!
//! * The usual way takes the digits d of the lowest four columns, m = d·n' modulo B, and adds m·n.
//! * All rows but the last are shorter: n·n' + 1 is divisible by B. So with S = (n·n' + 1)/B (`scaled`),
//!   adding the multiple d·n'·n of n to T is taking d away and adding d·S·B. There is no m to wait for,
//!   and no product in the four columns. But S is added one row above d, so that the last row would
//!   leave a number as large as S·B/2. (L. Hars, *Long modular multiplication for cryptographic
//!   applications*, CHES 2004, scales moduli for the same end.)
//! * The last row is done in the usual way, which leaves (T + m·n)/B.
//!
//! The multiple of n that is added before the last row is below 0.51·S·B in size, and |S| ≤ |n'|·n/B +
//! 1/B < 0.51·n. So
//!
//! |result| < |a·b|/R + 0.51·0.51·n·(1 + 2^−207) + 0.51·n < |a·b|/R + 0.78·n.
//!
//! The moduli have at least 16 bits fewer than R: 1024 in 20 digits, 1536 in 30, 2048 in 40, and a whole
//! n twice that. What `import` gives is at most 2^bits ≤ 2·n, products are below n, and no sum has
//! more than four of these: so every operand is below 8·n, and the product of two below 64·n²/R +
//! 0.78·n < n. The digit N − 1 of a number below 8·n has at most 40 bits (1024 + 3 − 52·19, and one for
//! what is below it), and nothing is carried out of it.
//!
//! So the result of a product is less than n in size, and one addition of n, if it is negative, makes it
//! least: [`canonical`].
//!
//! n' is found once for a modulus, digit by digit: with d the lowest digit of 1 + n'·n that is not yet
//! zero, the next digit of n' is d·n'' modulo 2^52, balanced, where n'' = −1/n modulo 2^52. With C' =
//! 3·2^103 (`SPLIT_DIGIT`), where floats are multiples of 2^52, fma(d, n'', C') − C' is the multiple of
//! 2^52 nearest to d·n'', and fma(d, n'', −that) is the rest: exact, since |rest| ≤ 2^51.
//!
//! # Squares
//!
//! The products i·j and j·i of a square are the same, so one is added twice. A product that is added
//! twice counts as two in the bounds above.
//!
//! # Lanes
//!
//! [`Pair`] has p in one lane and q in the other. [`Whole`] computes modulo one n of 2·N digits, digit j
//! of a number in one lane and j + N in the other: a digit in both lanes times these gives products of
//! column k in one, and of column k + N in the other. Column k is the sum of one lane of entry k and the
//! other of entry k − N.
//!
//! # Constant time
//!
//! No branch, index or loop bound depends on a digit: they follow from N. Additions, multiplications,
//! conversions and shifts take the same time for all numbers that occur. Floats are a concern only if they
//! are subnormal, infinite or no number (M. Andrysco et al., *On subnormal floating point and abnormal
//! timing*, IEEE S&P 2015): here every operand and result is an integer, zero or between 1 and 2^105.
//!
//! # Why these shapes
//!
//! wasmtime checks its epoch at every back-edge of a loop, which spills all vector registers; Cranelift
//! computes pure values where they are first used, so that long straight lines spill too. Kernels
//! without loops, which go column by column, keep two sums and little else alive: rows of four digits
//! times ten, so that the four stay in registers, and for squares, which have half the products, blocks
//! of five. What is copied or filled by a loop becomes an instruction that wasmtime calls a function
//! for, so that squarings repeat in one set of columns.
//!
//! Taking a row apart is a chain of dependent additions, longer than the processor looks ahead. So
//! the products that nothing waits for come after it in the program (`Modulus::reduce`).

mod lanes;
mod modulus;
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

/// The remainder of 64 bits modulo 2^52, from −2^51 to 2^51 − 1, as a digit.
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

    /// The value of digits, modulo n.
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
                for at in (0..digits).step_by(if digits > 30 { 7 } else { 3 }) {
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

    /// Compares products and squares of numbers at the edges with what they should be, in each lane
    /// that `moduli` has a number for. `element` and `digits` go from digits to an element and back.
    fn compare<const M: usize, A: Montgomery<M>>(
        arithmetic: &A,
        moduli: [&[u8]; M],
        size: usize,
        element: impl Fn(&[i64]) -> A::Element,
        digits: impl Fn(&A::Element, usize) -> Vec<i64>,
    ) {
        let mut radix = vec![0; A::BITS as usize / 52 + 1];
        *radix.last_mut().unwrap() = 1;
        let edges = edges(size);
        for (i, a) in edges.iter().enumerate() {
            // Each with some of the others, itself among them.
            let b = &edges[i * 7 % edges.len()];
            for b in [a, b] {
                let mut product = element(a);
                arithmetic.multiply(&mut product, &element(b));
                let mut square = element(a);
                arithmetic.square(&mut square, 1);
                let mut fourth = element(a);
                arithmetic.square(&mut fourth, 2);
                for (lane, n) in moduli.iter().enumerate() {
                    let n = BoxedUint::from_be_slice_vartime(n);
                    let modulus = n.to_nz().unwrap();
                    let times = |x: &BoxedUint, y: &[i64]| x.mul_mod(&value(y, &n), &modulus);
                    for (found, a, b) in [(&product, a, b), (&square, a, a)] {
                        let found = digits(found, lane);
                        assert!(found.iter().all(|digit| (-HALF..=HALF).contains(digit)));
                        let found = times(&value(&radix, &n), &found);
                        assert_eq!(found, times(&value(a, &n), b), "{a:?} · {b:?}");
                    }
                    // a⁴/R³, of which a²/R is known to be right.
                    let fourth = times(&value(&radix, &n), &digits(&fourth, lane));
                    let square = digits(&square, lane);
                    assert_eq!(fourth, times(&value(&square, &n), &square), "{a:?}⁴");
                }
            }
        }
    }

    /// The greatest odd number of so many bytes, and one that is nearly a power of two.
    fn moduli(bytes: usize) -> [Vec<u8>; 2] {
        let mut sparse = vec![0; bytes];
        (sparse[0], sparse[bytes - 1]) = (0x80, 1);
        [vec![0xff; bytes], sparse]
    }

    fn pair<const N: usize, const C: usize>(bytes: usize) {
        let moduli = moduli(bytes);
        let moduli = [&*moduli[0], &*moduli[1]];
        let element = |digits: &[i64]| {
            let mut element = Element([Lanes::splat(0); N]);
            for (lanes, &digit) in element.0.iter_mut().zip(digits) {
                *lanes = tile::float([digit; 2]);
            }
            element
        };
        let digits = |x: &Element<N>, lane: usize| x.0.map(|digit| tile::integer(digit)[lane]);
        let arithmetic = Pair::<N, C>::new(moduli);
        compare(&arithmetic, moduli, N, element, |x, lane| {
            digits(x, lane).to_vec()
        });
    }

    fn whole<const N: usize, const N2: usize, const N3: usize>(bytes: usize) {
        let element = |digits: &[i64]| {
            let mut element = Element([Lanes::splat(0); N]);
            for (j, lanes) in element.0.iter_mut().enumerate() {
                *lanes = tile::float([digits[j], digits[j + N]]);
            }
            element
        };
        let digits = |x: &Element<N>, _| {
            let half = |lane: usize| x.0.map(|digit| tile::integer(digit)[lane]);
            [half(0), half(1)].concat()
        };
        for n in moduli(bytes) {
            let arithmetic = Whole::<N, N2, N3>::new([&n]);
            compare(&arithmetic, [&*n], N2, element, digits);
        }
    }

    #[test]
    fn products_of_digits_at_their_bounds_are_right_in_every_position() {
        pair::<20, 40>(128);
        pair::<30, 62>(192);
    }

    #[test]
    fn so_are_those_of_numbers_in_two_halves() {
        whole::<20, 40, 60>(256);
    }
}
