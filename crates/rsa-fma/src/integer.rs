//! Montgomery arithmetic in whole numbers: limbs of 27 bits, whose products gather in 64.
//!
//! A row of the product is added together with the row of m·n that clears its lowest limb (the
//! method called *coarsely integrated operand scanning*: Ç. K. Koç, T. Acar, B. S. Kaliski, *Analyzing
//! and comparing Montgomery multiplication algorithms*, IEEE Micro 16, 1996); carries are resolved
//! once, at the end. A limb gathers at most 2·L products below 2^54 and a carry: with L ≤ 152 less
//! than 2^54·304 + 2^36 < 2^63.
//!
//! Elements are below 2·n. R is at least 4·n, so that a product (a·b + m·n)/R is below
//! (4·n² + R·n)/R ≤ 2·n again, without a subtraction that would depend on it.

use zeroize::{Zeroize, Zeroizing};

use crate::digits::{from_bytes, mask, mask_if_equal, negative_inverse, to_bytes};
use crate::montgomery::{self, Montgomery};

const WIDTH: u32 = 27;

/// Odd moduli of at most 27·L − 2 bits.
pub(crate) struct Integer<const L: usize, const M: usize>([Modulus<L>; M]);

struct Modulus<const L: usize> {
    n: Limbs<L>,
    /// −1/n modulo 2^27.
    inverse: u64,
    bytes: usize,
}

type Limbs<const L: usize> = [u32; L];

/// A number below 2·n for each modulus.
#[derive(Clone)]
pub(crate) struct Element<const L: usize, const M: usize>([Limbs<L>; M]);

impl<const L: usize, const M: usize> Zeroize for Element<L, M> {
    fn zeroize(&mut self) {
        self.0.as_flattened_mut().zeroize();
    }
}

impl<const L: usize, const M: usize> Element<L, M> {
    fn each(limbs: impl Fn(usize) -> Limbs<L>) -> Self {
        let mut element = Element([[0; L]; M]);
        for (modulus, element) in element.0.iter_mut().enumerate() {
            *element = limbs(modulus);
        }
        element
    }
}

impl<const L: usize> Modulus<L> {
    fn new(modulus: &[u8]) -> Self {
        let n: Limbs<L> = limbs(modulus);
        Modulus {
            n,
            inverse: negative_inverse(u64::from(n[0])) & mask(WIDTH),
            bytes: modulus.len(),
        }
    }

    #[inline(never)]
    fn multiply(&self, a: &Limbs<L>, b: &Limbs<L>) -> Limbs<L> {
        let mut sums = [0u64; L];
        for &b in b {
            let lowest = sums[0] + u64::from(a[0]) * u64::from(b);
            let m = lowest.wrapping_mul(self.inverse) & mask(WIDTH);
            let carry = (lowest + m * u64::from(self.n[0])) >> WIDTH;
            for j in 1..L {
                sums[j - 1] = sums[j]
                    + u64::from(a[j]) * u64::from(b)
                    + u64::from(m as u32) * u64::from(self.n[j]);
            }
            sums[L - 1] = 0;
            sums[0] += carry;
        }
        let mut carry = 0;
        sums.map(|sum| {
            let sum = sum + carry;
            carry = sum >> WIDTH;
            (sum & mask(WIDTH)) as u32
        })
    }

    /// `limb(j)` for each limb, less 2·n if that is not negative. Limbs may be from −2^29 to 2^29,
    /// the number from 0 to 4·n.
    #[inline(never)]
    fn reduce(&self, limb: impl Fn(usize) -> i64, times_n: i64) -> Limbs<L> {
        let mut carry = 0;
        let mut plain = [0; L];
        for (j, plain) in plain.iter_mut().enumerate() {
            let sum = limb(j) + times_n * i64::from(self.n[j]) + carry;
            *plain = sum & mask(WIDTH).cast_signed();
            carry = sum >> WIDTH;
        }
        let mut carry = 0;
        let mut less = [0; L];
        for (j, less) in less.iter_mut().enumerate() {
            let sum = plain[j] - 2 * i64::from(self.n[j]) + carry;
            *less = sum & mask(WIDTH).cast_signed();
            carry = sum >> WIDTH;
        }
        // The carry out is −1 if 2·n was too much, else 0.
        let mut limbs = [0; L];
        for (j, limb) in limbs.iter_mut().enumerate() {
            *limb = (less[j] ^ ((less[j] ^ plain[j]) & carry)) as u32;
        }
        plain.zeroize();
        less.zeroize();
        limbs
    }

    /// The least number that is a, which is below 2·n.
    #[inline(never)]
    fn canonical(&self, a: &Limbs<L>) -> Zeroizing<Vec<u8>> {
        let mut carry = 0;
        let mut less = Zeroizing::new([0; L]);
        for (j, less) in less.iter_mut().enumerate() {
            let sum = i64::from(a[j]) - i64::from(self.n[j]) + carry;
            *less = sum & mask(WIDTH).cast_signed();
            carry = sum >> WIDTH;
        }
        let mut plain = Zeroizing::new([0u64; L]);
        for (j, plain) in plain.iter_mut().enumerate() {
            *plain = (less[j] ^ ((less[j] ^ i64::from(a[j])) & carry)).cast_unsigned();
        }
        to_bytes(&*plain, WIDTH, self.bytes)
    }
}

impl<const L: usize> Drop for Modulus<L> {
    fn drop(&mut self) {
        self.n.zeroize();
        self.inverse.zeroize();
    }
}

impl<const L: usize, const M: usize> Montgomery<M> for Integer<L, M> {
    type Element = Element<L, M>;

    const BITS: u32 = WIDTH * L as u32;

    fn new(moduli: [&[u8]; M]) -> Self {
        Integer(moduli.map(Modulus::new))
    }

    #[inline(never)]
    fn import(&self, values: [&[u8]; M]) -> Self::Element {
        Element(values.map(limbs))
    }

    #[inline(never)]
    #[allow(clippy::expect_used, reason = "there are as many moduli as elements")]
    fn export(&self, x: &Self::Element) -> [Zeroizing<Vec<u8>>; M] {
        let mut moduli = self.0.iter().zip(&x.0);
        [(); M].map(|()| {
            let (modulus, x) = moduli.next().expect("M of each");
            modulus.canonical(x)
        })
    }

    #[inline(never)]
    fn multiply(&self, x: &mut Self::Element, y: &Self::Element) {
        *x = Element::each(|i| self.0[i].multiply(&x.0[i], &y.0[i]));
    }

    #[inline(never)]
    fn square(&self, x: &mut Self::Element, times: u32) {
        for _ in 0..times {
            *x = Element::each(|i| self.0[i].multiply(&x.0[i], &x.0[i]));
        }
    }
}

impl<const L: usize> montgomery::Pair for Integer<L, 2> {
    #[inline(never)]
    fn add(&self, a: &Self::Element, b: &Self::Element) -> Self::Element {
        Element::each(|i| {
            let (a, b) = (&a.0[i], &b.0[i]);
            self.0[i].reduce(|j| i64::from(a[j]) + i64::from(b[j]), 0)
        })
    }

    #[inline(never)]
    fn subtract(&self, a: &Self::Element, b: &Self::Element) -> Self::Element {
        Element::each(|i| {
            let (a, b) = (&a.0[i], &b.0[i]);
            self.0[i].reduce(|j| i64::from(a[j]) - i64::from(b[j]), 2)
        })
    }

    #[inline(never)]
    fn select(&self, table: &[Self::Element], index: [u64; 2], selected: &mut Self::Element) {
        *selected = Element::each(|modulus| {
            let mut selected = [0; L];
            for (i, entry) in (0u64..).zip(table) {
                let wanted = mask_if_equal(i, index[modulus]) as u32;
                for (selected, limb) in selected.iter_mut().zip(&entry.0[modulus]) {
                    *selected |= limb & wanted;
                }
            }
            selected
        });
    }
}

fn limbs<const L: usize>(bytes: &[u8]) -> Limbs<L> {
    let mut digits = Zeroizing::new([0; L]);
    from_bytes(bytes, WIDTH, &mut *digits);
    digits.map(|digit| digit as u32)
}
