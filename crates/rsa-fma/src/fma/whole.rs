//! Montgomery arithmetic modulo one number, whose halves share the lanes.

use zeroize::Zeroizing;

use super::lanes::Lanes;
use super::modulus::Modulus;
use super::pair::Element;
use super::tile::{
    self, BREADTH, Column, ROW, add_row_product, broad, eliminate, rows, settle, settle_all, window,
};
use super::{WIDTH, canonical, unsigned};
use crate::digits::negative_inverse;
use crate::montgomery::Montgomery;

/// An odd modulus of at most 104·N − 32 bits, in 2·N digits: digit j in one lane, digit j + N in the
/// other. `N2` is 2·N, `N3` 3·N.
///
/// The product of a digit, in both lanes, with such digits belongs to column k of the sum in one lane,
/// and to column k + N in the other. So 3·N entries hold all columns, and the two parts of a column
/// are brought together when its digit is wanted.
pub(crate) struct Whole<const N: usize, const N2: usize, const N3: usize> {
    modulus: Modulus<N>,
    /// The modulus again, in digits from 0 to 2^52 − 1.
    plain: [u64; N2],
    bytes: usize,
}

impl<const N: usize, const N2: usize, const N3: usize> Whole<N, N2, N3> {
    const START: [Column; N3] = {
        assert!(N3 == 3 * N && N2 == 2 * N && N.is_multiple_of(BREADTH) && N2.is_multiple_of(ROW));
        tile::start_halves(N)
    };

    /// Adds x·y.
    fn add_product(sums: &mut [Column; N3], x: &Element<N>, y: &Element<N>) {
        let mut digits = [Lanes::splat(0); N2];
        for (k, both) in x.0.iter().enumerate() {
            digits[k] = both.spread::<0>();
            digits[k + N] = both.spread::<1>();
        }
        for (i, row) in rows(&digits).enumerate() {
            for (j, y) in broad(&y.0).iter().enumerate() {
                add_row_product(window(sums, i * ROW + j * BREADTH), &row, y);
            }
        }
    }

    /// Puts (what `sums` hold + m·n)/R into `x`, where m makes it divide.
    fn reduce(&self, sums: &mut [Column; N3], x: &mut Element<N>) {
        let carry = self.modulus.reduce(
            sums,
            N2,
            |sums, at| {
                let (row, carry) = settle(&columns::<N, ROW>(sums, at));
                // The column that it is carried into has one entry in one lane.
                (row, Lanes::new([carry.lanes()[0], 0]))
            },
            |sums, at| eliminate(&columns::<N, ROW>(sums, at), &self.modulus.inverse),
        );
        set_halves(&columns::<N, N2>(sums, N2), carry, x);
    }
}

/// `COLUMNS` columns from `at` on, in both lanes.
fn columns<const N: usize, const COLUMNS: usize>(sums: &[Column], at: usize) -> [Column; COLUMNS] {
    core::array::from_fn(|k| {
        let part = |sum: Option<&Column>, spread: fn(Lanes) -> Lanes| {
            let sum = sum.copied().unwrap_or_default();
            Column {
                low: spread(sum.low),
                high: spread(sum.high),
            }
        };
        let lower = part(sums.get(at + k), Lanes::spread::<0>);
        let upper = (at + k).checked_sub(N).and_then(|k| sums.get(k));
        lower.add(part(upper, Lanes::spread::<1>))
    })
}

/// Puts the digits of columns into `x`: digit j in one lane, digit j + N in the other.
fn set_halves<const N: usize, const N2: usize>(
    columns: &[Column; N2],
    carry: Lanes,
    x: &mut Element<N>,
) {
    let mut digits = [Lanes::splat(0); N2];
    settle_all(columns, carry, &mut digits);
    let (lower, upper) = digits.split_at(N);
    for (x, (lower, upper)) in x.0.iter_mut().zip(lower.iter().zip(upper)) {
        *x = Lanes::new([lower.lanes()[0], upper.lanes()[0]]);
    }
}

impl<const N: usize, const N2: usize, const N3: usize> Montgomery<1> for Whole<N, N2, N3> {
    type Element = Element<N>;

    const BITS: u32 = WIDTH * N2 as u32;

    fn new(moduli: [&[u8]; 1]) -> Self {
        let [modulus] = moduli;
        let mut whole = Whole {
            modulus: Modulus::default(),
            plain: unsigned(modulus),
            bytes: modulus.len(),
        };
        let n = whole.import(moduli).0;
        let lowest = super::balanced([negative_inverse(whole.plain[0]); 2]);
        let inverse = tile::inverse(&n.map(Lanes::spread::<0>), lowest);
        let mut sums = [Column::default(); N3];
        for (j, n) in broad(&n).iter().enumerate() {
            add_row_product(window(&mut sums, j * BREADTH), &inverse, n);
        }
        let mut columns = columns::<N, N3>(&sums, 0);
        for (k, column) in columns.iter_mut().enumerate() {
            *column = column.add(tile::column(k, tile::count(k, ROW, N2, 0)));
        }
        // n·inverse is one less than a multiple of 2^208: its lowest digits are −1 and zeros.
        let (_, carry) = settle(window(&mut columns, 0));
        let mut scaled = Element(n);
        set_halves::<N, N2>(window(&mut columns, ROW), carry, &mut scaled);
        whole.modulus.scaled = scaled.0;
        (whole.modulus.n, whole.modulus.inverse) = (n, inverse);
        whole
    }

    #[inline(never)]
    fn import(&self, values: [&[u8]; 1]) -> Element<N> {
        let [value] = values;
        let plain: [u64; N2] = unsigned(value);
        let columns = core::array::from_fn(|k| tile::whole(k, Lanes::splat(plain[k])));
        let mut x = Element([Lanes::splat(0); N]);
        set_halves::<N, N2>(&columns, Lanes::splat(0), &mut x);
        x
    }

    #[inline(never)]
    fn export(&self, x: &Element<N>) -> [Zeroizing<Vec<u8>>; 1] {
        let mut digits = [0; N2];
        for (j, &half) in x.0.iter().enumerate() {
            [digits[j], digits[j + N]] = tile::integer(half);
        }
        [canonical(&digits, &self.plain, self.bytes)]
    }

    #[inline(never)]
    fn multiply(&self, x: &mut Element<N>, y: &Element<N>) {
        let mut sums = Self::START;
        Self::add_product(&mut sums, x, y);
        self.reduce(&mut sums, x);
    }

    #[inline(never)]
    fn square(&self, x: &mut Element<N>, times: u32) {
        for _ in 0..times {
            let mut sums = Self::START;
            Self::add_product(&mut sums, x, x);
            self.reduce(&mut sums, x);
        }
    }
}
