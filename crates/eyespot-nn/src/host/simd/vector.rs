//! Vectors of floats, one implementation for each instruction set.

use core::fmt::Debug;

/// An instruction set's vectors of floats.
///
/// # Safety
/// Every function needs a CPU that has the instruction set. Pointers must be valid for the vector's values, or for `n`
/// of them where a function says so; they need no alignment.
pub(super) trait Simd: Copy + Debug {
    /// Values in a vector.
    const LANES: usize;
    /// Most rows of a tile of products: what the registers hold.
    const ROWS: usize;
    /// A vector.
    type F32: Copy;

    unsafe fn splat(value: f32) -> Self::F32;
    unsafe fn load(from: *const f32) -> Self::F32;
    unsafe fn store(to: *mut f32, value: Self::F32);
    /// The first `n` values, fewer than a vector has; the rest are zeros.
    unsafe fn load_some(from: *const f32, n: usize) -> Self::F32;
    /// The first `n` values, fewer than a vector has.
    unsafe fn store_some(to: *mut f32, value: Self::F32, n: usize);
    unsafe fn add(a: Self::F32, b: Self::F32) -> Self::F32;
    unsafe fn sub(a: Self::F32, b: Self::F32) -> Self::F32;
    unsafe fn mul(a: Self::F32, b: Self::F32) -> Self::F32;
    unsafe fn div(a: Self::F32, b: Self::F32) -> Self::F32;
    /// a * b + c, rounded once where the CPU can.
    unsafe fn fma(a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// The larger; `b` where one is not a number.
    unsafe fn max(a: Self::F32, b: Self::F32) -> Self::F32;
    /// The smaller; `b` where one is not a number.
    unsafe fn min(a: Self::F32, b: Self::F32) -> Self::F32;
    /// The nearest integers.
    unsafe fn round(a: Self::F32) -> Self::F32;
    /// 2 to the power of integers in -126 to 127.
    unsafe fn exp2(a: Self::F32) -> Self::F32;
}
