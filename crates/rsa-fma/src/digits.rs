//! Numbers as bytes, and as digits of any width up to 56 bits. What is done depends on lengths
//! alone, never on values.

use std::hint::black_box;

use zeroize::{Zeroize, Zeroizing};

/// The digits of `width` bits, the lowest first, of a big-endian number; as many as `digits` has
/// room for, zeros above.
#[inline(never)]
pub(crate) fn from_bytes(bytes: &[u8], width: u32, digits: &mut [u64]) {
    let mut bytes = bytes.iter().rev();
    let (mut buffer, mut bits) = (0u64, 0);
    for digit in digits {
        while bits < width {
            buffer |= u64::from(bytes.next().copied().unwrap_or(0)) << bits;
            bits += 8;
        }
        *digit = buffer & mask(width);
        buffer >>= width;
        bits -= width;
    }
    buffer.zeroize();
}

/// The number that has these digits, big-endian, in as many bytes as `bytes` has room for.
#[inline(never)]
pub(crate) fn to_bytes(digits: &[u64], width: u32, length: usize) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    let mut digits = digits.iter();
    let (mut buffer, mut bits) = (0u64, 0);
    for byte in bytes.iter_mut().rev() {
        if bits < 8 {
            buffer |= digits.next().copied().unwrap_or(0) << bits;
            bits += width;
        }
        *byte = buffer as u8;
        buffer >>= 8;
        bits -= 8;
    }
    buffer.zeroize();
    bytes
}

/// The `width` lowest bits.
pub(crate) const fn mask(width: u32) -> u64 {
    (1 << width) - 1
}

/// All ones if a = b, else zero.
pub(crate) fn mask_if_equal(a: u64, b: u64) -> u64 {
    let different = a ^ b;
    // The top bit of x | −x is set unless x is zero.
    !mask_if_set((different | different.wrapping_neg()) >> 63)
}

/// All ones if the bit is 1, zero if it is 0. The compiler cannot know that it is one of these, and
/// make a selection or a branch of it.
fn mask_if_set(bit: u64) -> u64 {
    black_box(bit).wrapping_neg()
}

/// −1/n modulo 2^64, for an odd n: Newton's iteration, which doubles the number of right bits.
pub(crate) fn negative_inverse(n: u64) -> u64 {
    // n·n is 1 modulo 8, so n is its own inverse to three bits.
    let mut inverse = n;
    for _ in 0..5 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(n.wrapping_mul(inverse)));
    }
    inverse.wrapping_neg()
}

/// 2^exponent modulo a big-endian n whose top bit is set, for an exponent not below its length in
/// bits: 2^bits − n, doubled, and n subtracted where it can be.
#[inline(never)]
pub(crate) fn power_of_two(n: &[u8], exponent: u32) -> Zeroizing<Vec<u8>> {
    let words = n.len().div_ceil(4);
    let mut modulus = Zeroizing::new(vec![0; words]);
    from_bytes(n, 32, &mut modulus);
    let mut value = Zeroizing::new(vec![0; words]);
    let mut difference = Zeroizing::new(vec![0; words]);
    // 2^bits does not fit: its words are zeros.
    subtract(&mut difference, &value, &modulus);
    value.copy_from_slice(&difference);
    for _ in 8 * n.len() as u32..exponent {
        let mut carry = 0;
        for word in value.iter_mut() {
            let doubled = *word << 1 | carry;
            *word = doubled & mask(32);
            carry = doubled >> 32;
        }
        let borrow = subtract(&mut difference, &value, &modulus);
        // The difference counts if the doubled value had a bit more than fits, or was not below n.
        let keep = mask_if_set(carry | (borrow ^ 1));
        for (word, difference) in value.iter_mut().zip(difference.iter()) {
            *word ^= (*word ^ difference) & keep;
        }
    }
    to_bytes(&value, 32, n.len())
}

/// a − b in words of 32 bits; whether it is negative, as 0 or 1.
fn subtract(difference: &mut [u64], a: &[u64], b: &[u64]) -> u64 {
    let mut borrow = 0;
    for ((difference, a), b) in difference.iter_mut().zip(a).zip(b) {
        let word = a.wrapping_sub(*b).wrapping_sub(borrow);
        *difference = word & mask(32);
        borrow = word >> 63;
    }
    borrow
}

/// a + b·c, big-endian, in `length` bytes.
#[inline(never)]
pub(crate) fn add_product(a: &[u8], b: &[u8], c: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let digits = |bytes: &[u8]| {
        let mut digits = Zeroizing::new(vec![0; bytes.len().div_ceil(4)]);
        from_bytes(bytes, 32, &mut digits);
        digits
    };
    let (b, c) = (digits(b), digits(c));
    let mut sum = Zeroizing::new(vec![0; b.len() + c.len()]);
    from_bytes(a, 32, &mut sum);
    for (i, b) in b.iter().enumerate() {
        let mut carry = 0;
        for (c, sum) in c.iter().zip(&mut sum[i..]) {
            // At most (2^32 − 1)² + 2·(2^32 − 1), which is 2^64 − 1.
            let product = b * c + *sum + carry;
            *sum = product & mask(32);
            carry = product >> 32;
        }
        for sum in &mut sum[i + c.len()..] {
            let total = *sum + carry;
            *sum = total & mask(32);
            carry = total >> 32;
        }
    }
    to_bytes(&sum, 32, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_digits_of_any_width_are_the_same_number() {
        let bytes: Vec<u8> = (0..130u32).map(|i| (i * 37 + 11) as u8).collect();
        for width in 8..=56 {
            let mut digits = vec![0; 1040usize.div_ceil(width as usize)];
            from_bytes(&bytes, width, &mut digits);
            assert!(digits.iter().all(|digit| digit >> width == 0));
            assert_eq!(*to_bytes(&digits, width, bytes.len()), bytes, "{width}");
        }
    }

    #[test]
    fn the_inverse_is_one() {
        for n in [1, 3, 5, 0xffff_ffff_ffff_ffff, 0x1234_5678_9abc_def1] {
            assert_eq!(negative_inverse(n).wrapping_mul(n), u64::MAX);
        }
    }

    #[test]
    fn powers_of_two_and_sums_of_products_are_those_of_machine_words() {
        let n = 0xdead_beef_1234_5677u64;
        for exponent in [64, 65, 100, 127] {
            let expected = ((1u128 << exponent) % u128::from(n)) as u64;
            let power = power_of_two(&n.to_be_bytes(), exponent);
            assert_eq!(*power, expected.to_be_bytes());
        }
        let max = u64::MAX.to_be_bytes();
        let expected = u128::from(u64::MAX) * u128::from(u64::MAX) + u128::from(u64::MAX);
        assert_eq!(*add_product(&max, &max, &max, 16), expected.to_be_bytes());
    }
}
