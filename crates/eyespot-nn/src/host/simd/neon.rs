//! NEON.
#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "each function's contract is the trait's: the CPU has the instructions"
)]

#[allow(clippy::wildcard_imports, reason = "intrinsics")]
use core::arch::aarch64::*;

use super::vector::Simd;

/// Two registers of 4 floats: a tile of 8 rows and 16 columns fills the 32 registers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Neon;

type V = [float32x4_t; 2];

#[inline(always)]
unsafe fn each(a: V, f: impl Fn(float32x4_t) -> float32x4_t) -> V {
    [f(a[0]), f(a[1])]
}

#[inline(always)]
unsafe fn zip(a: V, b: V, f: impl Fn(float32x4_t, float32x4_t) -> float32x4_t) -> V {
    [f(a[0], b[0]), f(a[1], b[1])]
}

impl Simd for Neon {
    const LANES: usize = 8;
    const ROWS: &'static [usize] = &[6, 6];
    type F32 = V;

    #[inline(always)]
    unsafe fn splat(value: f32) -> V {
        [vdupq_n_f32(value); 2]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> V {
        [vld1q_f32(from), vld1q_f32(from.add(4))]
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: V) {
        vst1q_f32(to, value[0]);
        vst1q_f32(to.add(4), value[1]);
    }
    #[inline(always)]
    unsafe fn load_some(from: *const f32, n: usize) -> V {
        let mut values = [0.0; 8];
        core::ptr::copy_nonoverlapping(from, values.as_mut_ptr(), n);
        Self::load(values.as_ptr())
    }
    #[inline(always)]
    unsafe fn store_some(to: *mut f32, value: V, n: usize) {
        let mut values = [0.0; 8];
        Self::store(values.as_mut_ptr(), value);
        core::ptr::copy_nonoverlapping(values.as_ptr(), to, n);
    }
    #[inline(always)]
    unsafe fn add(a: V, b: V) -> V {
        zip(a, b, |a, b| vaddq_f32(a, b))
    }
    #[inline(always)]
    unsafe fn sub(a: V, b: V) -> V {
        zip(a, b, |a, b| vsubq_f32(a, b))
    }
    #[inline(always)]
    unsafe fn mul(a: V, b: V) -> V {
        zip(a, b, |a, b| vmulq_f32(a, b))
    }
    #[inline(always)]
    unsafe fn div(a: V, b: V) -> V {
        zip(a, b, |a, b| vdivq_f32(a, b))
    }
    #[inline(always)]
    unsafe fn fma(a: V, b: V, c: V) -> V {
        [vfmaq_f32(c[0], a[0], b[0]), vfmaq_f32(c[1], a[1], b[1])]
    }
    #[inline(always)]
    unsafe fn max(a: V, b: V) -> V {
        zip(a, b, |a, b| vbslq_f32(vcgtq_f32(a, b), a, b))
    }
    #[inline(always)]
    unsafe fn min(a: V, b: V) -> V {
        zip(a, b, |a, b| vbslq_f32(vcltq_f32(a, b), a, b))
    }
    #[inline(always)]
    unsafe fn round(a: V) -> V {
        each(a, |a| vrndnq_f32(a))
    }
    #[inline(always)]
    unsafe fn exp2(a: V) -> V {
        each(a, |a| {
            let biased = vaddq_s32(vcvtnq_s32_f32(a), vdupq_n_s32(127));
            vreinterpretq_f32_s32(vshlq_n_s32::<23>(biased))
        })
    }
}
