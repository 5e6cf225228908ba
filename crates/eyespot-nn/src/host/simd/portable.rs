//! Vectors that every CPU has, and Miri: arrays.
#![allow(unsafe_op_in_unsafe_fn, reason = "each function's contract is the trait's")]

use super::vector::Simd;

/// Arrays of four floats.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

type V = [f32; 4];

#[inline(always)]
fn zip(a: V, b: V, f: impl Fn(f32, f32) -> f32) -> V {
    core::array::from_fn(|at| f(a[at], b[at]))
}

impl Simd for Portable {
    const LANES: usize = 4;
    const ROWS: &'static [usize] = &[4, 4];
    type F32 = V;

    #[inline(always)]
    unsafe fn splat(value: f32) -> V {
        [value; 4]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> V {
        // SAFETY: the caller says that four values are there.
        from.cast::<V>().read_unaligned()
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: V) {
        // SAFETY: the caller says that four values fit there.
        to.cast::<V>().write_unaligned(value);
    }
    #[inline(always)]
    unsafe fn load_some(from: *const f32, n: usize) -> V {
        // SAFETY: the caller says that `n` values are there.
        core::array::from_fn(|at| if at < n { *from.add(at) } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn store_some(to: *mut f32, value: V, n: usize) {
        for (at, value) in value.into_iter().enumerate().take(n) {
            // SAFETY: the caller says that `n` values fit there.
            *to.add(at) = value;
        }
    }
    #[inline(always)]
    unsafe fn add(a: V, b: V) -> V {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: V, b: V) -> V {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: V, b: V) -> V {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(a: V, b: V) -> V {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn fma(a: V, b: V, c: V) -> V {
        zip(zip(a, b, |a, b| a * b), c, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn max(a: V, b: V) -> V {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn min(a: V, b: V) -> V {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn round(a: V) -> V {
        a.map(libm::rintf)
    }
    #[inline(always)]
    unsafe fn exp2(a: V) -> V {
        a.map(|a| f32::from_bits(((a as i32 + 127) << 23) as u32))
    }
}
