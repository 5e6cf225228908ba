//! Vectors of 32-bit sums of products of bytes, one implementation for each instruction set.

use core::fmt::Debug;

use super::scale::Limits;

/// How the inputs and weights of a product are stored: a lane multiplies 4 bytes of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Four inputs with 128 added, so that they have no sign; weights as they are.
    Raised,
    /// Four inputs and weights as they are.
    #[cfg_attr(not(target_arch = "aarch64"), allow(dead_code, reason = "NEON multiplies signed bytes"))]
    Signed,
    /// Two inputs and weights, widened to 16 bits.
    Words,
}

impl Format {
    /// Values in a group.
    pub(crate) const fn group(self) -> usize {
        match self {
            Self::Raised | Self::Signed => 4,
            Self::Words => 2,
        }
    }

    /// Bytes of a value.
    pub(crate) const fn bytes(self) -> usize {
        4 / self.group()
    }
}

/// An instruction set's vectors of sums.
///
/// # Safety
/// Every function needs a CPU that has the instruction set. Pointers must be valid for the vector's lanes (four bytes each,
/// or one where a function speaks of bytes), or for `n` of them where a function says so; they need no alignment.
pub(super) trait Int: Copy + Debug {
    /// Sums in a vector.
    const LANES: usize;
    /// Most rows of a tile of products for each number of vectors of columns: what the registers hold.
    const ROWS: &'static [usize];
    /// How inputs and weights are stored.
    const FORMAT: Format;
    /// Can [`rescale`](Self::rescale) take any sum?
    const ANY_SUM: bool;
    /// Is [`rescale_short`](Self::rescale_short) there, and faster?
    const SHORT: bool = false;
    /// Sums.
    type I32: Copy;
    /// A group of inputs or weights for each lane.
    type Groups: Copy;
    /// Floats.
    type F32: Copy;
    /// Multipliers and shifts of the lanes.
    type Scale: Copy;

    unsafe fn splat(value: i32) -> Self::I32;
    unsafe fn load(from: *const i32) -> Self::I32;
    unsafe fn store(to: *mut i32, value: Self::I32);
    unsafe fn add(a: Self::I32, b: Self::I32) -> Self::I32;
    unsafe fn sub(a: Self::I32, b: Self::I32) -> Self::I32;
    /// The lower half of the product.
    unsafe fn mul(a: Self::I32, b: Self::I32) -> Self::I32;
    /// Shifts to the left by one number for all.
    unsafe fn shift_left(a: Self::I32, bits: u32) -> Self::I32;
    /// Shifts to the right by one number for all, keeping the sign.
    unsafe fn shift_right(a: Self::I32, bits: u32) -> Self::I32;

    /// One group for all lanes: four bytes are read.
    unsafe fn splat_group(from: *const u8) -> Self::Groups;
    unsafe fn load_groups(from: *const u8) -> Self::Groups;
    /// Adds the products of a group of inputs and one of weights to each sum.
    unsafe fn dot(sums: Self::I32, inputs: Self::Groups, weights: Self::Groups) -> Self::I32;

    /// Reads what [`super::scale::Scales`] packed for a vector of channels.
    unsafe fn load_scale(from: *const i32) -> Self::Scale;
    /// Sums times their multipliers, shifted and rounded as `kernels::requant` does. With `LEFT` some shifts go to the left.
    unsafe fn rescale<const LEFT: bool>(sums: Self::I32, scale: &Self::Scale) -> Self::I32;

    /// Floats that are stored as their bits.
    unsafe fn load_floats(from: *const i32) -> Self::F32;
    /// `sum * factor + summand`, and the third number with the sign of the sum, to the nearest whole number.
    #[inline(always)]
    unsafe fn rescale_short(sums: Self::I32, _numbers: &[Self::F32; 3]) -> Self::I32 {
        sums
    }

    /// The first `n` bytes with their signs, the rest zeros.
    unsafe fn load_bytes(from: *const i8, n: usize) -> Self::I32;
    /// Adds the zero point, clamps, and writes the first `n` values as bytes.
    unsafe fn store_bytes(to: *mut i8, values: Self::I32, limits: &Limits, n: usize);

    /// [`store_bytes`](Self::store_bytes) of four vectors.
    #[inline(always)]
    unsafe fn store_four(to: [*mut i8; 4], values: [Self::I32; 4], limits: &Limits, n: usize) {
        let ([p, q, r, s], [a, b, c, d]) = (to, values);
        // SAFETY: as the caller says.
        unsafe {
            Self::store_bytes(p, a, limits, n);
            Self::store_bytes(q, b, limits, n);
            Self::store_bytes(r, c, limits, n);
            Self::store_bytes(s, d, limits, n);
        }
    }

    /// Are there instructions for [`store_four`](Self::store_four), [`load_halves`](Self::load_halves) and
    /// [`store_halves`](Self::store_halves)? Without them the last two do nothing of use.
    const FOURS: bool = false;

    /// The first halves of two vectors.
    #[inline(always)]
    unsafe fn load_halves(a: *const i32, _b: *const i32) -> Self::I32 {
        // SAFETY: as the caller says.
        unsafe { Self::load(a) }
    }

    /// [`store_bytes`](Self::store_bytes) of the halves of four vectors, `n` values of each, at equal distances.
    #[inline(always)]
    unsafe fn store_halves(_to: *mut i8, _step: usize, _values: [Self::I32; 4], _limits: &Limits, _n: usize) {
    }

    /// Values that [`table`](Self::table) maps at once, at most 64; 0 where there is no such instruction.
    const TABLE: usize = 0;

    /// Maps blocks of [`TABLE`](Self::TABLE) values by a table for -128 to 127.
    #[inline(always)]
    unsafe fn table(_table: &[i8; 256], _values: &mut [i8]) {}
}
