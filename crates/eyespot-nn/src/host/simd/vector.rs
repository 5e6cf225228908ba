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
    /// Values in the lower half of a vector, where working on that alone is cheaper; else as many as in the vector.
    const LOW: usize = Self::LANES;
    /// Most rows of a tile of products for each number of vectors of columns: what the registers hold.
    const ROWS: &'static [usize];
    /// A vector.
    type F32: Copy;

    unsafe fn splat(value: f32) -> Self::F32;
    unsafe fn load(from: *const f32) -> Self::F32;
    unsafe fn store(to: *mut f32, value: Self::F32);
    /// Asks for the line of the cache with a value, which need not exist.
    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}
    /// The first `n` values, fewer than a vector has; the rest are zeros.
    unsafe fn load_some(from: *const f32, n: usize) -> Self::F32;
    /// The first `n` values, fewer than a vector has.
    unsafe fn store_some(to: *mut f32, value: Self::F32, n: usize);
    /// The first [`LOW`](Self::LOW) values; the others are anything.
    #[inline(always)]
    unsafe fn load_low(from: *const f32) -> Self::F32 {
        // SAFETY: there are as many values.
        unsafe { Self::load(from) }
    }
    /// The first [`LOW`](Self::LOW) values.
    #[inline(always)]
    unsafe fn store_low(to: *mut f32, value: Self::F32) {
        // SAFETY: there is as much room.
        unsafe { Self::store(to, value) }
    }
    unsafe fn add(a: Self::F32, b: Self::F32) -> Self::F32;
    unsafe fn sub(a: Self::F32, b: Self::F32) -> Self::F32;
    unsafe fn mul(a: Self::F32, b: Self::F32) -> Self::F32;
    unsafe fn div(a: Self::F32, b: Self::F32) -> Self::F32;
    /// a * b + c, rounded once where the CPU can.
    unsafe fn fma(a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// The same for the first [`LOW`](Self::LOW) values; the others are anything.
    #[inline(always)]
    unsafe fn fma_low(a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        // SAFETY: the caller has the instructions.
        unsafe { Self::fma(a, b, c) }
    }
    /// The larger; `b` where one is not a number.
    unsafe fn max(a: Self::F32, b: Self::F32) -> Self::F32;
    /// The smaller; `b` where one is not a number.
    unsafe fn min(a: Self::F32, b: Self::F32) -> Self::F32;
    /// The nearest integers.
    unsafe fn round(a: Self::F32) -> Self::F32;
    /// 2 to the power of integers in -126 to 127.
    unsafe fn exp2(a: Self::F32) -> Self::F32;
    /// 1 / a, within 2 units in the last place.
    #[inline(always)]
    unsafe fn recip(a: Self::F32) -> Self::F32 {
        // SAFETY: the caller has the instructions.
        unsafe { Self::div(Self::splat(1.0), a) }
    }
    /// exp(x) for x up to 87, within 2 units in the last place for x in -10 to 10 and 4e-6 of its value elsewhere; x below
    /// -87 gives the value there: no result is denormal.
    ///
    /// The polynomial is that of Cephes (S. Moshier, `expf`).
    #[inline(always)]
    unsafe fn exp(x: Self::F32) -> Self::F32 {
        // SAFETY: the caller has the instructions.
        unsafe {
            let x = Self::max(Self::splat(-87.0), x);
            let n = Self::round(Self::mul(x, Self::splat(core::f32::consts::LOG2_E)));
            // ln 2 in two parts, the first with few bits, so that the products are exact.
            let r = Self::fma(n, Self::splat(-355.0 / 512.0), x);
            let r = Self::fma(n, Self::splat(2.121_944_4e-4), r);
            let mut p = Self::splat(1.987_569_1e-4);
            for factor in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1] {
                p = Self::fma(p, r, Self::splat(factor));
            }
            let y = Self::add(Self::fma(p, Self::mul(r, r), r), Self::splat(1.0));
            Self::mul(y, Self::exp2(n))
        }
    }
}
