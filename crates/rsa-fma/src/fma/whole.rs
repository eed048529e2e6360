//! Montgomery arithmetic modulo one number, whose halves share the lanes.

use zeroize::Zeroizing;

use super::lanes::Lanes;
use super::pair::{Element, add_symmetric, blocks};
use super::tile::{self, BLOCK, Block, Column, add_product, eliminate, window};
use super::{WIDTH, canonical, unsigned};
use crate::digits::negative_inverse;
use crate::montgomery::Montgomery;

/// An odd modulus of at most 104·N − 2 bits, in 2·N digits: digit j in one lane, digit j + N in the
/// other. `N2` is 2·N, `N4` 4·N.
pub(crate) struct Whole<const N: usize, const N2: usize, const N4: usize> {
    n: [Lanes; N],
    /// The lowest digits in both lanes.
    lowest: Block,
    /// −1/n modulo 2^52, as a digit, in both lanes.
    inverse: Lanes,
    /// The modulus again, in digits from 0 to 2^52 − 1.
    plain: [u64; N2],
    bytes: usize,
}

impl<const N: usize, const N2: usize, const N4: usize> Whole<N, N2, N4> {
    const START: [Column; N4] = {
        assert!(N4 == 2 * N2 && N2 == 2 * N && N.is_multiple_of(BLOCK));
        tile::start(N2)
    };

    /// With a = a₀ + a₁·B and b likewise, where B = 2^(52·N): `straight` holds a₀·b₀ in one lane
    /// and a₁·b₁ in the other, `crossed` two parts of a₀·b₁ + a₁·b₀. What comes of it is
    /// (a·b + m·n)/R, where m makes it divide.
    #[inline(never)]
    fn reduce(&self, straight: &[Column; N2], crossed: &[Column; N2]) -> Element<N> {
        // Both lanes alike: the digits are found in one after the other.
        let mut columns = Self::START;
        for (k, (straight, crossed)) in straight.iter().zip(crossed).enumerate() {
            add::<0>(&mut columns[k], straight);
            add::<1>(&mut columns[k + N2], straight);
            add::<0>(&mut columns[k + N], crossed);
            add::<1>(&mut columns[k + N], crossed);
        }
        // m times the lower half of n in one lane; times the upper half, N columns above, in the
        // other.
        let mut products = [Column::default(); N4];
        for i in 0..N2 / BLOCK {
            let at = i * BLOCK;
            let known: &mut [Column; BLOCK] = window(&mut columns, at);
            for (k, column) in (at..).zip(known.iter_mut()) {
                add_halves::<N>(column, &products, k);
            }
            let (m, carry) = eliminate(known, &self.lowest, self.inverse);
            columns[at + BLOCK].low = columns[at + BLOCK].low.add(carry);
            for (j, n) in blocks(&self.n).iter().enumerate() {
                add_product(window(&mut products, at + j * BLOCK), &m, n);
            }
        }
        let rest: &mut [Column; N2] = window(&mut columns, N2);
        for (k, column) in (N2..).zip(rest.iter_mut()) {
            add_halves::<N>(column, &products, k);
        }
        let digits = tile::digits(rest, Lanes::splat(0));
        let mut halves = [Lanes::splat(0); N];
        for (j, half) in halves.iter_mut().enumerate() {
            *half = Lanes::new([digits[j].lanes()[0], digits[j + N].lanes()[0]]);
        }
        Element(halves)
    }
}

/// Adds lane `LANE` of `other` to both.
fn add<const LANE: usize>(column: &mut Column, other: &Column) {
    column.low = column.low.add(other.low.spread::<LANE>());
    column.high = column.high.add(other.high.spread::<LANE>());
}

/// Adds what `products` has for column k: one lane counts columns from 0, the other from N.
fn add_halves<const N: usize>(column: &mut Column, products: &[Column], k: usize) {
    add::<0>(column, &products[k]);
    if k >= N {
        add::<1>(column, &products[k - N]);
    }
}

impl<const N: usize, const N2: usize, const N4: usize> Montgomery<1> for Whole<N, N2, N4> {
    type Element = Element<N>;

    const BITS: u32 = WIDTH * N2 as u32;

    fn new(moduli: [&[u8]; 1]) -> Self {
        let [modulus] = moduli;
        let mut whole = Whole {
            n: [Lanes::splat(0); N],
            lowest: Block::default(),
            inverse: Lanes::splat(0),
            plain: unsigned(modulus),
            bytes: modulus.len(),
        };
        whole.n = whole.import(moduli).0;
        for (lowest, digit) in whole.lowest.iter_mut().zip(whole.n) {
            *lowest = digit.spread::<0>();
        }
        whole.inverse = super::balanced([negative_inverse(whole.plain[0]); 2]);
        whole
    }

    #[inline(never)]
    fn import(&self, values: [&[u8]; 1]) -> Element<N> {
        let [value] = values;
        let plain: [u64; N2] = unsigned(value);
        let mut columns = [Column::default(); N2];
        for (k, (column, digit)) in columns.iter_mut().zip(plain).enumerate() {
            *column = tile::whole(k, Lanes::splat(digit));
        }
        let digits = tile::digits(&columns, Lanes::splat(0));
        let mut halves = [Lanes::splat(0); N];
        for (j, half) in halves.iter_mut().enumerate() {
            *half = Lanes::new([digits[j].lanes()[0], digits[j + N].lanes()[0]]);
        }
        Element(halves)
    }

    #[inline(never)]
    fn export(&self, x: &Element<N>) -> [Zeroizing<Vec<u8>>; 1] {
        let reduced = self.multiply(x, &self.import([&[1]]));
        let mut digits = [0; N2];
        for (j, &half) in reduced.0.iter().enumerate() {
            [digits[j], digits[j + N]] = tile::integer(half);
        }
        [canonical(&digits, &self.plain, self.bytes)]
    }

    #[inline(never)]
    fn multiply(&self, a: &Element<N>, b: &Element<N>) -> Element<N> {
        let mut straight = [Column::default(); N2];
        let mut crossed = [Column::default(); N2];
        let swapped = b.0.map(Lanes::swap);
        for (i, a) in blocks(&a.0).iter().enumerate() {
            for (j, (b, swapped)) in blocks(&b.0).iter().zip(blocks(&swapped)).enumerate() {
                add_product(window(&mut straight, (i + j) * BLOCK), a, b);
                add_product(window(&mut crossed, (i + j) * BLOCK), a, swapped);
            }
        }
        self.reduce(&straight, &crossed)
    }

    #[inline(never)]
    fn square(&self, a: &Element<N>) -> Element<N> {
        let mut straight = [Column::default(); N2];
        let mut crossed = [Column::default(); N2];
        let swapped = a.0.map(Lanes::swap);
        add_symmetric(&mut straight, blocks(&a.0), blocks(&a.0));
        // The lanes of blocks i and j are those of j and i, swapped, and reduce() adds them.
        add_symmetric(&mut crossed, blocks(&a.0), blocks(&swapped));
        self.reduce(&straight, &crossed)
    }
}
