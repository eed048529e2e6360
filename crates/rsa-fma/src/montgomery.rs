//! The trait of an engine: Montgomery arithmetic modulo one odd number, or two at once.

use zeroize::{Zeroize, Zeroizing};

use crate::digits::power_of_two;

/// Arithmetic modulo `M` odd numbers at once, each with its top bit set and all of one length.
///
/// Montgomery's product of a and b is a·b/R (P. L. Montgomery, *Modular multiplication without
/// trial division*, Mathematics of Computation 44, 1985), where R = 2^`BITS` is at least four times
/// the numbers. What is done depends on lengths alone, never on values.
///
/// Methods of the implementations are not inlined: there are six of each, and called often they would
/// be most of a component.
pub(crate) trait Montgomery<const M: usize>: Sized {
    /// `M` numbers that are right modulo theirs. An engine may keep others than the least.
    type Element: Clone + Zeroize;

    /// The logarithm of R.
    const BITS: u32;

    /// Prepares the arithmetic for these moduli, big-endian, without leading zeros.
    fn new(moduli: [&[u8]; M]) -> Self;

    /// The numbers themselves, big-endian, below R/4. Engines may want them below twice the modulus
    /// where they are used.
    fn import(&self, values: [&[u8]; M]) -> Self::Element;

    /// The least numbers that are x, which a multiplication has given, in as many bytes as the moduli
    /// have.
    fn export(&self, x: &Self::Element) -> [Zeroizing<Vec<u8>>; M];

    /// Replaces x by x·y/R.
    fn multiply(&self, x: &mut Self::Element, y: &Self::Element);

    /// Replaces x by x·x/R, so many times.
    fn square(&self, x: &mut Self::Element, times: u32);
}

/// The operations that signing needs beyond multiplication.
pub(crate) trait Pair: Montgomery<2> {
    /// a + b.
    fn add(&self, a: &Self::Element, b: &Self::Element) -> Self::Element;

    /// a − b.
    fn subtract(&self, a: &Self::Element, b: &Self::Element) -> Self::Element;

    /// For each modulus the number of the entry with its index; every entry is read.
    fn select(&self, table: &[Self::Element], index: [u64; 2], selected: &mut Self::Element);

    /// A mutant of [`Pair::select`] that stops at the last entry it needs, for the tests that must
    /// find it.
    #[cfg(any(test, feature = "contract"))]
    #[inline(never)]
    fn select_stopping(
        &self,
        table: &[Self::Element],
        index: &[u64; 2],
        selected: &mut Self::Element,
    ) {
        let needed = index[0].max(index[1]) as usize;
        self.select(&table[..=needed], *index, selected);
    }

    /// Another, which reads only the entries that it needs: always as many, but others.
    #[cfg(any(test, feature = "contract"))]
    #[inline(never)]
    fn select_indexing(
        &self,
        table: &[Self::Element],
        index: &[u64; 2],
        selected: &mut Self::Element,
    ) {
        let [of_p, of_q] = index.map(|index| table[index as usize & 31].clone());
        self.select(&[of_p, of_q], [0, 1], selected);
    }
}

/// Arithmetic with what takes numbers into it.
pub(crate) struct Domain<A: Montgomery<M>, const M: usize> {
    pub(crate) arithmetic: A,
    /// R².
    square: A::Element,
}

impl<A: Montgomery<M>, const M: usize> Domain<A, M> {
    pub(crate) fn new(moduli: [&[u8]; M]) -> Self {
        let arithmetic = A::new(moduli);
        // R² = 2^(2·BITS) by doublings and then squarings: with BITS = t·2^s, the s-th square of
        // 2^(BITS + t), each divided by R, is 2^(BITS + t·2^s).
        let squarings = A::BITS.trailing_zeros();
        let start = A::BITS + (A::BITS >> squarings);
        let import = |values: [Zeroizing<Vec<u8>>; M]| {
            let mut values = values.iter();
            arithmetic.import([(); M].map(|()| values.next().map_or(&[][..], |value| value)))
        };
        let mut square = import(moduli.map(|n| power_of_two(n, start)));
        arithmetic.square(&mut square, squarings);
        Domain { arithmetic, square }
    }

    /// Replaces x by x·R.
    pub(crate) fn enter(&self, x: &mut A::Element) {
        self.arithmetic.multiply(x, &self.square);
    }

    /// x·R, from the bytes of x.
    pub(crate) fn import(&self, values: [&[u8]; M]) -> A::Element {
        let mut x = self.arithmetic.import(values);
        self.enter(&mut x);
        x
    }

    /// x, from x·R: the inverse of [`Domain::import`].
    pub(crate) fn export(&self, x: &A::Element) -> [Zeroizing<Vec<u8>>; M] {
        let mut x = Zeroizing::new(x.clone());
        let one = self.arithmetic.import([&[1]; M]);
        self.arithmetic.multiply(&mut x, &one);
        self.arithmetic.export(&x)
    }
}

impl<A: Montgomery<M>, const M: usize> Drop for Domain<A, M> {
    fn drop(&mut self) {
        self.square.zeroize();
    }
}
