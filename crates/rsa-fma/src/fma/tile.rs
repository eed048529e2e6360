//! The kernels: products of few digits, without loops, and the carries.
//!
//! The derivation of every constant and bound is in the docs of [`super`].

use super::lanes::Lanes;

/// Digits of a row, one factor of products.
pub(super) const ROW: usize = 4;
pub(super) type Row = [Lanes; ROW];

/// Digits that a row is multiplied with at once.
pub(super) const BREADTH: usize = 10;
pub(super) type Broad = [Lanes; BREADTH];

/// Digits of a block, of which squares are made.
pub(super) const BLOCK: usize = 5;
pub(super) type Block = [Lanes; BLOCK];

/// The sums of a column of a product so far: of the low parts of products, whose unit is that of the
/// column, and of the high parts, whose unit is 2^51 of it; as raw bits of floats, modulo 2^64.
#[derive(Clone, Copy, Default)]
pub(super) struct Column {
    pub(super) low: Lanes,
    pub(super) high: Lanes,
}

impl zeroize::DefaultIsZeroes for Column {}

impl Column {
    #[inline]
    pub(super) fn add(self, other: Column) -> Column {
        Column {
            low: self.low.add(other.low),
            high: self.high.add(other.high),
        }
    }
}

/// 3·2^102 as a float: next to it, floats are multiples of 2^51.
const SPLIT: Lanes = Lanes::splat(RAW_HIGH);
/// 3·2^102 + 3·2^51 as a float.
const SPLIT_AND_OFFSET: Lanes = Lanes::splat(RAW_HIGH + 3);
/// 3·2^103 as a float: next to it, floats are multiples of 2^52.
const SPLIT_DIGIT: Lanes = Lanes::splat(0x4678_0000_0000_0000);
/// The raw bits of 3·2^102, which every high part adds to its column.
const RAW_HIGH: u64 = 0x4668_0000_0000_0000;
/// The raw bits of 3·2^51, which every low part adds to its column.
const RAW_LOW: u64 = 0x4338_0000_0000_0000;

/// The low 52 bits: a digit, and the fraction of a float.
const DIGIT: Lanes = Lanes::splat((1 << 52) - 1);
/// The raw bits of 2^52, whose fraction then counts ones.
const ONES: Lanes = Lanes::splat(0x4330_0000_0000_0000);
/// 2^52 + 2^51 as a float.
const ONES_AND_HALF: Lanes = Lanes::splat(RAW_LOW);
const ONE: Lanes = Lanes::splat(1);

/// Added to the low parts of a column so that their sum is positive and rounds to the nearest.
const LOW_BIAS: u64 = (1 << 62) + (1 << 51);
/// Added to the high parts of a column so that their sum is positive.
const HIGH_BIAS: u64 = 1 << 60;
/// The amount that both biases add to the carry out of a column.
const CARRY_BIAS: u64 = (1 << 10) + (1 << 59);

/// Column k as it is before anything is added: the biases, minus what `products` products will add
/// beyond their value, and minus what the biases of the column below carry into it.
pub(super) const fn column(k: usize, products: u64) -> Column {
    let [low, high] = bias(k, products);
    Column {
        low: Lanes::splat(low),
        high: Lanes::splat(high),
    }
}

/// The low and the high part of that.
const fn bias(k: usize, products: u64) -> [u64; 2] {
    let carry = if k == 0 { 0 } else { CARRY_BIAS };
    [
        LOW_BIAS
            .wrapping_sub(carry)
            .wrapping_sub(products.wrapping_mul(RAW_LOW)),
        HIGH_BIAS.wrapping_sub(products.wrapping_mul(RAW_HIGH)),
    ]
}

/// The amount that so many products add to a column beyond their value.
const fn beyond(products: u64) -> Column {
    Column {
        low: Lanes::splat(products.wrapping_mul(RAW_LOW)),
        high: Lanes::splat(products.wrapping_mul(RAW_HIGH)),
    }
}

/// The number of products of `a` digits with `b` digits that are in column k, where the lowest is in
/// `at`.
pub(super) const fn count(k: usize, a: usize, b: usize, at: usize) -> u64 {
    let mut products = 0;
    let mut i = 0;
    while i < a {
        if at + i <= k && k < at + i + b {
            products += 1;
        }
        i += 1;
    }
    products
}

/// The same, of such a product and its reduction by a modulus of `b` digits, which makes `zeros`
/// columns zero: rows times S, each one row above, and the last times n.
const fn count_reduced(k: usize, a: usize, b: usize, zeros: usize) -> u64 {
    count(k, a, b, 0) + count(k, zeros - ROW, b, ROW) + count(k, ROW, b, zeros - ROW)
}

/// The columns of such a product and its reduction as they are before anything is added.
pub(super) const fn start<const C: usize>(a: usize, b: usize, zeros: usize) -> [Column; C] {
    let mut columns = [column(0, 0); C];
    let mut k = 0;
    while k < C {
        columns[k] = column(k, count_reduced(k, a, b, zeros));
        k += 1;
    }
    columns
}

/// The same for numbers of 2·`n` digits, where one lane of entry k is part of column k and the other of
/// column k + `n`: in the other for columns that have no entry of their own.
pub(super) const fn start_halves<const N3: usize>(n: usize) -> [Column; N3] {
    let mut entries = [column(0, 0); N3];
    let mut k = 0;
    while k < N3 {
        let [low, high] = bias(k, count_reduced(k, 2 * n, 2 * n, 2 * n));
        let [other_low, other_high] = if k + n < N3 {
            [0, 0]
        } else {
            bias(k + n, count_reduced(k + n, 2 * n, 2 * n, 2 * n))
        };
        entries[k] = Column {
            low: Lanes::new([low, other_low]),
            high: Lanes::new([high, other_high]),
        };
        k += 1;
    }
    entries
}

/// Column k of whole numbers, not of products: `low` plus the biases.
pub(super) fn whole(k: usize, low: Lanes) -> Column {
    let start = column(k, 0);
    Column {
        low: start.low.add(low),
        ..start
    }
}

/// The digits in rows; the last is filled up with zeros.
pub(super) fn rows(digits: &[Lanes]) -> impl Iterator<Item = Row> {
    digits
        .chunks(ROW)
        .map(|row| core::array::from_fn(|k| row.get(k).copied().unwrap_or_default()))
}

/// The digits in what rows are multiplied with, of which there is a whole number.
pub(super) fn broad(digits: &[Lanes]) -> &[Broad] {
    digits.as_chunks().0
}

/// `WIDTH` columns from `at` on.
#[inline]
#[allow(clippy::expect_used, reason = "positions are no input")]
pub(super) fn window<const WIDTH: usize>(
    columns: &mut [Column],
    at: usize,
) -> &mut [Column; WIDTH] {
    columns[at..]
        .first_chunk_mut()
        .expect("positions follow from the number of digits alone")
}

/// A product of digits.
macro_rules! product {
    ($a:expr, $b:expr) => {{
        let high = $a.multiply_add($b, SPLIT);
        let low = $a.multiply_add($b, SPLIT_AND_OFFSET.subtract_float(high));
        Column { low, high }
    }};
}

/// The sum of the products of one column.
macro_rules! products {
    ($a:ident, $b:ident, $i:literal $j:literal $(, $k:literal $l:literal)*) => {{
        let sum = product!($a[$i], $b[$j]);
        $(let sum = sum.add(product!($a[$k], $b[$l]));)*
        sum
    }};
}

/// Adds a·b.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "relaxed-simd"))]
#[inline(never)]
pub(super) fn add_row_product(columns: &mut [Column; ROW + BREADTH - 1], a: &Row, b: &Broad) {
    macro_rules! add {
        ($($column:literal: $($i:literal $j:literal),+;)+) => {
            $(columns[$column] = columns[$column].add(products!(a, b, $($i $j),+));)+
        };
    }
    add! {
        0: 0 0;
        1: 0 1, 1 0;
        2: 0 2, 1 1, 2 0;
        3: 0 3, 1 2, 2 1, 3 0;
        4: 0 4, 1 3, 2 2, 3 1;
        5: 0 5, 1 4, 2 3, 3 2;
        6: 0 6, 1 5, 2 4, 3 3;
        7: 0 7, 1 6, 2 5, 3 4;
        8: 0 8, 1 7, 2 6, 3 5;
        9: 0 9, 1 8, 2 7, 3 6;
        10: 1 9, 2 8, 3 7;
        11: 2 9, 3 8;
        12: 3 9;
    }
}

/// Adds 2·a·b.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "relaxed-simd"))]
#[inline(never)]
pub(super) fn add_product_twice(columns: &mut [Column; 2 * BLOCK - 1], a: &Block, b: &Block) {
    macro_rules! add_twice {
        ($($column:literal: $($i:literal $j:literal),+;)+) => {$(
            let sum = products!(a, b, $($i $j),+);
            columns[$column] = columns[$column].add(sum.add(sum));
        )+};
    }
    add_twice! {
        0: 0 0;
        1: 0 1, 1 0;
        2: 0 2, 1 1, 2 0;
        3: 0 3, 1 2, 2 1, 3 0;
        4: 0 4, 1 3, 2 2, 3 1, 4 0;
        5: 1 4, 2 3, 3 2, 4 1;
        6: 2 4, 3 3, 4 2;
        7: 3 4, 4 3;
        8: 4 4;
    }
}

/// Sets columns to `start` + a·a.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "relaxed-simd"))]
#[inline(never)]
pub(super) fn set_square(
    columns: &mut [Column; 2 * BLOCK],
    start: &[Column; 2 * BLOCK],
    a: &Block,
) {
    // Twice the products of two different digits, and the square of one.
    macro_rules! set {
        ($($column:literal: [$($i:literal $j:literal),*] $($k:literal)?;)+) => {
            $(columns[$column] = start[$column]
                $(.add(products!(a, a, $i $j)).add(products!(a, a, $i $j)))*
                $(.add(product!(a[$k], a[$k])))?;)+
        };
    }
    set! {
        0: [] 0;
        1: [0 1];
        2: [0 2] 1;
        3: [0 3, 1 2];
        4: [0 4, 1 3] 2;
        5: [1 4, 2 3];
        6: [2 4] 3;
        7: [3 4];
        8: [] 4;
    }
    columns[9] = start[9];
}

/// −1/n modulo 2^208, where `lowest` is −1/n modulo 2^52 as a digit. Done once for a modulus.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "relaxed-simd"))]
#[inline(never)]
pub(super) fn inverse(n: &[Lanes], lowest: Lanes) -> Row {
    let mut m = Row::default();
    let mut columns: [Column; ROW] = core::array::from_fn(|k| column(k, k as u64 + 1));
    columns[0].low = columns[0].low.add(Lanes::splat(1));
    let mut carry = Lanes::splat(0);
    for i in 0..ROW {
        // The last product of the column, which is still to come, is counted already.
        let (digit, _) = resolve(columns[i].add(beyond(1)), carry);
        let high = digit.multiply_add(lowest, SPLIT_DIGIT);
        m[i] = digit.multiply_add(lowest, SPLIT_DIGIT.subtract_float(high));
        for (column, &n) in columns[i..].iter_mut().zip(n) {
            *column = column.add(product!(m[i], n));
        }
        (_, carry) = resolve(columns[i], carry);
    }
    m
}

/// The row m such that the columns are zero once m·n is added, where `inverse` is −1/n modulo 2^208.
/// These products are counted already.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "relaxed-simd"))]
#[inline(never)]
pub(super) fn eliminate(columns: &[Column; ROW], inverse: &Row) -> Row {
    let zero = Lanes::splat(0);
    let (d0, carry) = resolve(columns[0].add(const { beyond(1) }), zero);
    let (d1, carry) = resolve(columns[1].add(const { beyond(2) }), carry);
    let (d2, carry) = resolve(columns[2].add(const { beyond(3) }), carry);
    let (d3, _) = resolve(columns[3].add(const { beyond(4) }), carry);
    let d = [d0, d1, d2, d3];

    let start = const { [column(0, 1), column(1, 2), column(2, 3), column(3, 4)] };
    let (m0, carry) = resolve(start[0].add(products!(d, inverse, 0 0)), zero);
    let (m1, carry) = resolve(start[1].add(products!(d, inverse, 0 1, 1 0)), carry);
    let (m2, carry) = resolve(start[2].add(products!(d, inverse, 0 2, 1 1, 2 0)), carry);
    let (m3, _) = resolve(
        start[3].add(products!(d, inverse, 0 3, 1 2, 2 1, 3 0)),
        carry,
    );
    [m0, m1, m2, m3]
}

/// The digits of what the columns hold together with `carry`, which becomes what they carry out.
#[inline(never)]
fn digits<const N: usize>(columns: &[Column; N], carry: &mut Lanes, digits: &mut [Lanes; N]) {
    let mut over = *carry;
    for (digit, &column) in digits.iter_mut().zip(columns) {
        (*digit, over) = resolve(column, over);
    }
    *carry = over;
}

/// The digits of the columns of a row, and the carry out.
pub(super) fn settle(columns: &[Column; ROW]) -> (Row, Lanes) {
    let mut row = Row::default();
    let mut carry = Lanes::splat(0);
    digits(columns, &mut carry, &mut row);
    (row, carry)
}

/// The digits of a number whose columns these are, with what is carried into them.
pub(super) fn settle_all(columns: &[Column], mut carry: Lanes, digits: &mut [Lanes]) {
    let columns = columns.as_chunks::<BREADTH>().0;
    for (digits, columns) in digits.as_chunks_mut().0.iter_mut().zip(columns) {
        self::digits(columns, &mut carry, digits);
    }
}

/// The digit of a complete column, as a float from −2^51 to 2^51 − 1, and the carry.
#[inline(always)]
fn resolve(column: Column, carry: Lanes) -> (Lanes, Lanes) {
    let odd = column.high.and(ONE).shift_left::<51>();
    let sum = column.low.add(odd).add(carry);
    let digit = sum.and(DIGIT).or(ONES).subtract_float(ONES_AND_HALF);
    let carry = sum.shift_right::<52>().add(column.high.shift_right::<1>());
    (digit, carry)
}

/// The integer that a digit is.
#[inline]
pub(super) fn integer(digit: Lanes) -> [i64; 2] {
    digit.lanes().map(|lane| f64::from_bits(lane) as i64)
}

/// An integer of at most 53 bits as a digit.
pub(super) fn float(lanes: [i64; 2]) -> Lanes {
    Lanes::new(lanes.map(|lane| (lane as f64).to_bits()))
}
