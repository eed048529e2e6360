//! The kernels: products of blocks of five digits, without loops, and the carries.
//!
//! The derivation of every constant and bound is in the docs of [`super`].

use super::lanes::Lanes;

/// Digits of a block.
pub(super) const BLOCK: usize = 5;

/// Columns that the product of two blocks touches.
pub(super) const SPAN: usize = 2 * BLOCK - 1;

/// A block of digits, as floats.
pub(super) type Block = [Lanes; BLOCK];

/// What a column of a product has been given so far: the low parts of products, whose unit is that
/// of the column, and the high parts, whose unit is 2^51 of it; as raw bits of floats, modulo 2^64.
#[derive(Clone, Copy, Default)]
pub(super) struct Column {
    pub(super) low: Lanes,
    pub(super) high: Lanes,
}

impl zeroize::DefaultIsZeroes for Column {}

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
/// What both biases add to the carry out of a column.
const CARRY_BIAS: u64 = (1 << 10) + (1 << 59);

/// Columns as they are before anything is added: minus what `products(column)` products will add
/// beyond their value, and the biases.
pub(super) const fn start<const COLUMNS: usize>(digits: usize) -> [Column; COLUMNS] {
    let mut columns = [Column {
        low: Lanes::splat(0),
        high: Lanes::splat(0),
    }; COLUMNS];
    let mut k = 0;
    while k < COLUMNS {
        // a·b puts min(k + 1, 2·digits − 1 − k) products into column k; so does m·n.
        let last = 2 * digits - 1;
        let products = 2 * if k < digits { k + 1 } else { last - k } as u64;
        let carry = if k == 0 { 0 } else { CARRY_BIAS };
        columns[k] = Column {
            low: Lanes::splat(
                LOW_BIAS
                    .wrapping_sub(carry)
                    .wrapping_sub(products.wrapping_mul(RAW_LOW)),
            ),
            high: Lanes::splat(HIGH_BIAS.wrapping_sub(products.wrapping_mul(RAW_HIGH))),
        };
        k += 1;
    }
    columns
}

/// Columns of whole numbers, not of products: `low[k]` plus the biases.
pub(super) fn whole(k: usize, low: Lanes) -> Column {
    let carry = if k == 0 { 0 } else { CARRY_BIAS };
    Column {
        low: low.add(Lanes::splat(LOW_BIAS.wrapping_sub(carry))),
        high: Lanes::splat(HIGH_BIAS),
    }
}

/// `WIDTH` columns from `at` on.
#[inline]
pub(super) fn window<const WIDTH: usize>(
    columns: &mut [Column],
    at: usize,
) -> &mut [Column; WIDTH] {
    columns[at..]
        .first_chunk_mut()
        .expect("positions follow from the number of digits alone")
}

/// Low and high part of a product of digits.
macro_rules! product {
    ($a:expr, $b:expr) => {{
        let high = $a.multiply_add($b, SPLIT);
        let low = $a.multiply_add($b, SPLIT_AND_OFFSET.subtract_float(high));
        (low, high)
    }};
}

/// The sum of products of one column.
macro_rules! products {
    ($a:ident, $b:ident, $i:literal $j:literal $(, $k:literal $l:literal)*) => {{
        let (low, high) = product!($a[$i], $b[$j]);
        $(
            let (l, h) = product!($a[$k], $b[$l]);
            let (low, high) = (low.add(l), high.add(h));
        )*
        (low, high)
    }};
}

macro_rules! add_products {
    ($columns:ident, $a:ident, $b:ident; $($column:literal: $($i:literal $j:literal),+;)+) => {$(
        let (low, high) = products!($a, $b, $($i $j),+);
        let column = &mut $columns[$column];
        column.low = column.low.add(low);
        column.high = column.high.add(high);
    )+};
}

macro_rules! add_products_twice {
    ($columns:ident, $a:ident, $b:ident; $($column:literal: $($i:literal $j:literal),+;)+) => {$(
        let (low, high) = products!($a, $b, $($i $j),+);
        let column = &mut $columns[$column];
        column.low = column.low.add(low.add(low));
        column.high = column.high.add(high.add(high));
    )+};
}

/// Adds a·b.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "relaxed-simd"))]
#[inline(never)]
pub(super) fn add_product(columns: &mut [Column; SPAN], a: &Block, b: &Block) {
    add_products! { columns, a, b;
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

/// Adds 2·a·b.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "relaxed-simd"))]
#[inline(never)]
pub(super) fn add_product_twice(columns: &mut [Column; SPAN], a: &Block, b: &Block) {
    add_products_twice! { columns, a, b;
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

/// Adds the part of a·b above the first five columns, which start at the sixth.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "relaxed-simd"))]
#[inline(never)]
pub(super) fn add_upper_product(columns: &mut [Column; BLOCK - 1], a: &Block, b: &Block) {
    add_products! { columns, a, b;
        0: 1 4, 2 3, 3 2, 4 1;
        1: 2 4, 3 3, 4 2;
        2: 3 4, 4 3;
        3: 4 4;
    }
}

/// The five digits m such that the five columns of `columns + m·n` are zero, where `inverse` is
/// −1/n modulo 2^52 as a digit; and the carry into the next column.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "relaxed-simd"))]
#[inline(never)]
pub(super) fn eliminate(columns: &[Column; BLOCK], n: &Block, inverse: Lanes) -> (Block, Lanes) {
    let mut m = Block::default();
    let mut carry = Lanes::splat(0);
    macro_rules! eliminate {
        ($i:literal; $($j:literal $k:literal),*) => {
            let mut column = columns[$i];
            $(
                let (low, high) = product!(m[$j], n[$k]);
                column.low = column.low.add(low);
                column.high = column.high.add(high);
            )*
            // The last product of the column, which is still to come, is counted already.
            let incomplete = Column {
                low: column.low.add(Lanes::splat(RAW_LOW)),
                high: column.high.add(Lanes::splat(RAW_HIGH)),
            };
            let (digit, _) = resolve(incomplete, carry);
            let high = digit.multiply_add(inverse, SPLIT_DIGIT);
            m[$i] = digit.multiply_add(inverse, SPLIT_DIGIT.subtract_float(high));
            let (low, high) = product!(m[$i], n[0]);
            column.low = column.low.add(low);
            column.high = column.high.add(high);
            (_, carry) = resolve(column, carry);
        };
    }
    eliminate!(0;);
    eliminate!(1; 0 1);
    eliminate!(2; 0 2, 1 1);
    eliminate!(3; 0 3, 1 2, 2 1);
    eliminate!(4; 0 4, 1 3, 2 2, 3 1);
    (m, carry)
}

/// The digits of what the columns hold together.
#[inline]
pub(super) fn digits<const N: usize>(columns: &[Column; N], mut carry: Lanes) -> [Lanes; N] {
    let mut digits = [Lanes::splat(0); N];
    for (digit, &column) in digits.iter_mut().zip(columns) {
        (*digit, carry) = resolve(column, carry);
    }
    digits
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
