//! Montgomery arithmetic modulo two numbers at once, one in each lane.

use zeroize::{Zeroize, Zeroizing};

use super::lanes::Lanes;
use super::tile::{
    self, BLOCK, Block, Column, add_product, add_product_twice, add_upper_product, eliminate,
    window,
};
use super::{WIDTH, canonical, unsigned};
use crate::digits::negative_inverse;
use crate::montgomery::{self, Montgomery};

/// Two odd moduli of one length, at most 52·N − 2 bits; `N2` is 2·N.
pub(crate) struct Pair<const N: usize, const N2: usize> {
    n: [Lanes; N],
    /// −1/n modulo 2^52, as digits.
    inverse: Lanes,
    /// The moduli again, in digits from 0 to 2^52 − 1.
    plain: Zeroizing<[[u64; N]; 2]>,
    bytes: usize,
}

/// Two numbers in balanced digits, the lowest first.
#[derive(Clone)]
pub(crate) struct Element<const N: usize>(pub(super) [Lanes; N]);

impl<const N: usize> Zeroize for Element<N> {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize, const N2: usize> Pair<N, N2> {
    const START: [Column; N2] = {
        assert!(N2 == 2 * N && N.is_multiple_of(BLOCK));
        tile::start(N)
    };

    /// (what `columns` hold + m·n)/R, where m makes it divide.
    #[inline(never)]
    fn reduce(&self, columns: &mut [Column; N2]) -> Element<N> {
        let n = blocks(&self.n);
        for i in 0..N / BLOCK {
            let at = i * BLOCK;
            let (m, carry) = eliminate(window(columns, at), &n[0], self.inverse);
            let above = window(columns, at + BLOCK);
            add_upper_product(above, &m, &n[0]);
            above[0].low = above[0].low.add(carry);
            for (j, n) in n.iter().enumerate().skip(1) {
                add_product(window(columns, at + j * BLOCK), &m, n);
            }
        }
        let columns: &mut [Column; N] = window(columns, N);
        Element(tile::digits(columns, Lanes::splat(0)))
    }

    /// The digits of small integers, of at most 54 bits each.
    fn balance(&self, integer: impl Fn(usize) -> [i64; 2]) -> Element<N> {
        let mut columns = [Column::default(); N];
        for (k, column) in columns.iter_mut().enumerate() {
            *column = tile::whole(k, Lanes::new(integer(k).map(|lane| lane as u64)));
        }
        Element(tile::digits(&columns, Lanes::splat(0)))
    }
}

impl<const N: usize, const N2: usize> Montgomery<2> for Pair<N, N2> {
    type Element = Element<N>;

    const BITS: u32 = WIDTH * N as u32;

    fn new(moduli: [&[u8]; 2]) -> Self {
        let mut pair = Pair {
            n: [Lanes::splat(0); N],
            inverse: Lanes::splat(0),
            plain: Zeroizing::new(moduli.map(unsigned)),
            bytes: moduli[0].len(),
        };
        pair.n = pair.import(moduli).0;
        pair.inverse = super::balanced([0, 1].map(|lane| negative_inverse(pair.plain[lane][0])));
        pair
    }

    #[inline(never)]
    fn import(&self, values: [&[u8]; 2]) -> Element<N> {
        let plain: Zeroizing<[[u64; N]; 2]> = Zeroizing::new(values.map(unsigned));
        self.balance(|k| [plain[0][k] as i64, plain[1][k] as i64])
    }

    #[inline(never)]
    fn export(&self, x: &Element<N>) -> [Zeroizing<Vec<u8>>; 2] {
        let reduced = Zeroizing::new(self.multiply(x, &self.import([&[1], &[1]])));
        [0, 1].map(|lane| {
            let digits = Zeroizing::new(reduced.0.map(|digit| tile::integer(digit)[lane]));
            canonical(&*digits, &self.plain[lane], self.bytes)
        })
    }

    #[inline(never)]
    fn multiply(&self, a: &Element<N>, b: &Element<N>) -> Element<N> {
        let mut columns = Self::START;
        for (i, a) in blocks(&a.0).iter().enumerate() {
            for (j, b) in blocks(&b.0).iter().enumerate() {
                add_product(window(&mut columns, (i + j) * BLOCK), a, b);
            }
        }
        self.reduce(&mut columns)
    }

    #[inline(never)]
    fn square(&self, a: &Element<N>) -> Element<N> {
        let mut columns = Self::START;
        add_symmetric(&mut columns, blocks(&a.0), blocks(&a.0));
        self.reduce(&mut columns)
    }
}

impl<const N: usize, const N2: usize> montgomery::Pair for Pair<N, N2> {
    #[inline(never)]
    fn add(&self, a: &Element<N>, b: &Element<N>) -> Element<N> {
        self.balance(|k| {
            let (a, b) = (tile::integer(a.0[k]), tile::integer(b.0[k]));
            [a[0] + b[0], a[1] + b[1]]
        })
    }

    #[inline(never)]
    fn subtract(&self, a: &Element<N>, b: &Element<N>) -> Element<N> {
        self.balance(|k| {
            let (a, b) = (tile::integer(a.0[k]), tile::integer(b.0[k]));
            [a[0] - b[0], a[1] - b[1]]
        })
    }

    #[inline(never)]
    fn select(&self, table: &[Element<N>], index: [u64; 2]) -> Element<N> {
        let index = Lanes::new(index);
        let mut selected = Element([Lanes::splat(0); N]);
        for (i, entry) in (0..).zip(table) {
            let wanted = Lanes::splat(i).equal(index);
            for (selected, &digit) in selected.0.iter_mut().zip(&entry.0) {
                *selected = selected.or(digit.and(wanted));
            }
        }
        selected
    }
}

impl<const N: usize, const N2: usize> Drop for Pair<N, N2> {
    fn drop(&mut self) {
        self.n.zeroize();
        self.inverse.zeroize();
    }
}

/// The blocks of digits, of which there is a whole number.
pub(super) fn blocks(digits: &[Lanes]) -> &[Block] {
    digits.as_chunks().0
}

/// Adds a·b where the products of block i of a with block j of b, and of j with i, have one sum of
/// lanes: the first is added twice.
pub(super) fn add_symmetric(columns: &mut [Column], a: &[Block], b: &[Block]) {
    for (i, a) in a.iter().enumerate() {
        for (j, b) in b.iter().enumerate().skip(i) {
            let columns = window(columns, (i + j) * BLOCK);
            if i == j {
                add_product(columns, a, b);
            } else {
                add_product_twice(columns, a, b);
            }
        }
    }
}
