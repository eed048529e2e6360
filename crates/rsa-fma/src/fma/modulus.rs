//! Montgomery's reduction, row by row.

use zeroize::Zeroize;

use super::lanes::Lanes;
use super::tile::{BREADTH, Column, ROW, Row, add_row_product, broad, window};

/// The values that a reduction by n needs.
pub(super) struct Modulus<const N: usize> {
    pub(super) n: [Lanes; N],
    /// −1/n modulo 2^208.
    pub(super) inverse: Row,
    /// (n·inverse + 1)/2^208.
    pub(super) scaled: [Lanes; N],
}

impl<const N: usize> Modulus<N> {
    /// Makes `zeros` columns zero by adding multiples of n, and gives what they carry into the next.
    ///
    /// `settle` gives the digits of the row of columns from a position on, and their carry;
    /// `eliminate` the row whose product with n makes these columns zero.
    #[inline]
    #[allow(clippy::expect_used, reason = "N is no input")]
    pub(super) fn reduce(
        &self,
        sums: &mut [Column],
        zeros: usize,
        settle: impl Fn(&mut [Column], usize) -> (Row, Lanes),
        eliminate: impl Fn(&mut [Column], usize) -> Row,
    ) -> Lanes {
        let last = zeros - ROW;
        let (nearest, farther) = broad(&self.scaled)
            .split_first()
            .expect("numbers have more digits");
        // Of a row's products, the next row waits for the nearest. The others are added while that
        // one is settled, which is a chain of dependent additions.
        let mut before = Row::default();
        for at in (0..last).step_by(ROW) {
            let (row, carry) = settle(sums, at);
            if at > 0 {
                for (j, n) in (1..).zip(farther) {
                    add_row_product(window(sums, at + j * BREADTH), &before, n);
                }
            }
            add_row_product(window(sums, at + ROW), &row, nearest);
            sums[at + ROW].low = sums[at + ROW].low.add(carry);
            before = row;
        }
        let m = eliminate(sums, last);
        for (j, n) in (1..).zip(farther) {
            add_row_product(window(sums, last + j * BREADTH), &before, n);
        }
        for (j, n) in broad(&self.n).iter().enumerate() {
            add_row_product(window(sums, last + j * BREADTH), &m, n);
        }
        let (_, carry) = settle(sums, last);
        carry
    }
}

impl<const N: usize> Default for Modulus<N> {
    fn default() -> Modulus<N> {
        Modulus {
            n: [Lanes::splat(0); N],
            inverse: Row::default(),
            scaled: [Lanes::splat(0); N],
        }
    }
}

impl<const N: usize> Drop for Modulus<N> {
    fn drop(&mut self) {
        self.n.zeroize();
        self.inverse.zeroize();
        self.scaled.zeroize();
    }
}
