//! Montgomery arithmetic modulo two numbers at once, one in each lane.

use zeroize::{Zeroize, Zeroizing};

use super::lanes::Lanes;
use super::modulus::Modulus;
use super::tile::{
    self, BLOCK, BREADTH, Block, Column, ROW, add_product_twice, add_row_product, broad, eliminate,
    rows, set_square, settle, settle_all, window,
};
use super::{WIDTH, canonical, unsigned};
use crate::digits::negative_inverse;
use crate::montgomery::{self, Montgomery};

/// Two odd moduli of one length, at most 52·N − 16 bits. A product has `C` columns, of which the
/// reduction leaves the upper N; those below are a whole number of rows, and at least N.
pub(crate) struct Pair<const N: usize, const C: usize> {
    modulus: Modulus<N>,
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

impl<const N: usize, const C: usize> Pair<N, C> {
    /// The columns that a reduction makes zero.
    const ZEROS: usize = {
        assert!(N.is_multiple_of(BREADTH) && (C - N).is_multiple_of(ROW) && C >= 2 * N);
        C - N
    };
    const START_OF_PRODUCT: [Column; C] = tile::start(Self::ZEROS, N, Self::ZEROS);
    const START_OF_SQUARE: [Column; C] = tile::start(N, N, Self::ZEROS);

    /// Puts (what `columns` hold + m·n)/R into `x`, where m makes it divide.
    #[inline(never)]
    fn reduce(&self, columns: &mut [Column; C], x: &mut Element<N>) {
        let carry = self.modulus.reduce(
            columns,
            Self::ZEROS,
            |columns, at| settle(window(columns, at)),
            |columns, at| eliminate(window(columns, at), &self.modulus.inverse),
        );
        settle_all(&columns[Self::ZEROS..], carry, &mut x.0);
    }

    /// The digits of small integers, of at most 54 bits each.
    fn balance(&self, integer: impl Fn(usize) -> [i64; 2]) -> Element<N> {
        let mut columns = [Column::default(); N];
        for (k, column) in columns.iter_mut().enumerate() {
            *column = tile::whole(k, Lanes::new(integer(k).map(|lane| lane as u64)));
        }
        let mut element = Element([Lanes::splat(0); N]);
        settle_all(&columns, Lanes::splat(0), &mut element.0);
        element
    }
}

impl<const N: usize, const C: usize> Montgomery<2> for Pair<N, C> {
    type Element = Element<N>;

    const BITS: u32 = WIDTH * Self::ZEROS as u32;

    fn new(moduli: [&[u8]; 2]) -> Self {
        let mut pair = Pair {
            modulus: Modulus::default(),
            plain: Zeroizing::new(moduli.map(unsigned)),
            bytes: moduli[0].len(),
        };
        let lowest = [0, 1].map(|lane| negative_inverse(pair.plain[lane][0]));
        let n = pair.import(moduli).0;
        let inverse = tile::inverse(&n, super::balanced(lowest));
        let mut columns: [Column; C] =
            core::array::from_fn(|k| tile::column(k, tile::count(k, ROW, N, 0)));
        for (j, n) in broad(&n).iter().enumerate() {
            add_row_product(window(&mut columns, j * BREADTH), &inverse, n);
        }
        // n·inverse is one less than a multiple of 2^208: its lowest digits are −1 and zeros.
        let (_, carry) = settle(window(&mut columns, 0));
        settle_all(&columns[ROW..], carry, &mut pair.modulus.scaled);
        (pair.modulus.n, pair.modulus.inverse) = (n, inverse);
        pair
    }

    #[inline(never)]
    fn import(&self, values: [&[u8]; 2]) -> Element<N> {
        let plain: Zeroizing<[[u64; N]; 2]> = Zeroizing::new(values.map(unsigned));
        self.balance(|k| [plain[0][k] as i64, plain[1][k] as i64])
    }

    #[inline(never)]
    fn export(&self, x: &Element<N>) -> [Zeroizing<Vec<u8>>; 2] {
        [0, 1].map(|lane| {
            let digits = Zeroizing::new(x.0.map(|digit| tile::integer(digit)[lane]));
            canonical(&*digits, &self.plain[lane], self.bytes)
        })
    }

    #[inline(never)]
    fn multiply(&self, x: &mut Element<N>, y: &Element<N>) {
        let mut columns = Self::START_OF_PRODUCT;
        for (i, row) in rows(&x.0).enumerate() {
            for (j, y) in broad(&y.0).iter().enumerate() {
                add_row_product(window(&mut columns, i * ROW + j * BREADTH), &row, y);
            }
        }
        self.reduce(&mut columns, x);
    }

    #[inline(never)]
    fn square(&self, x: &mut Element<N>, times: u32) {
        let mut columns = Self::START_OF_SQUARE;
        for _ in 0..times {
            let blocks = blocks(&x.0);
            let (spans, _) = columns.as_chunks_mut();
            let (starts, _) = Self::START_OF_SQUARE.as_chunks();
            for ((span, start), block) in spans.iter_mut().zip(starts).zip(blocks) {
                set_square(span, start, block);
            }
            columns[2 * N..].copy_from_slice(&Self::START_OF_SQUARE[2 * N..]);
            for (i, a) in blocks.iter().enumerate() {
                for (j, b) in blocks.iter().enumerate().skip(i + 1) {
                    add_product_twice(window(&mut columns, (i + j) * BLOCK), a, b);
                }
            }
            self.reduce(&mut columns, x);
        }
    }
}

impl<const N: usize, const C: usize> montgomery::Pair for Pair<N, C> {
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
    fn select(&self, table: &[Element<N>], index: [u64; 2], selected: &mut Element<N>) {
        let index = Lanes::new(index);
        let (eights, rest) = table.as_chunks::<8>();
        // Few digits at a time, which stay in registers, and eight entries without a loop.
        for (at, selected) in selected.0.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
            let mut sum = Block::default();
            let mut add = |i, entry: &Element<N>| {
                let wanted = Lanes::splat(i).equal(index);
                for (sum, &digit) in sum.iter_mut().zip(&blocks(&entry.0)[at]) {
                    *sum = sum.or(digit.and(wanted));
                }
            };
            let mut i = 0..;
            for entries in eights {
                entries
                    .iter()
                    .zip(&mut i)
                    .for_each(|(entry, i)| add(i, entry));
            }
            rest.iter().zip(i).for_each(|(entry, i)| add(i, entry));
            *selected = sum;
        }
    }
}

/// The blocks of digits, of which there is a whole number.
fn blocks(digits: &[Lanes]) -> &[Block] {
    digits.as_chunks().0
}
