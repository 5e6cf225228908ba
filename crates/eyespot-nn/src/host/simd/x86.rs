//! AVX-512 and AVX2 with FMA.
#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "each function's contract is the trait's: the CPU has the instructions"
)]

#[allow(clippy::wildcard_imports, reason = "intrinsics")]
use core::arch::x86_64::*;

use super::vector::Simd;

/// 16 floats, 32 registers, masks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx512;

#[inline(always)]
const fn mask16(n: usize) -> __mmask16 {
    ((1u32 << n) - 1) as __mmask16
}

impl Simd for Avx512 {
    const LANES: usize = 16;
    // Processors that do a vector in two halves do one for half the time.
    const LOW: usize = 8;
    const ROWS: &'static [usize] = &[14, 14, 9, 6];
    type F32 = __m512;

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m512 {
        _mm512_set1_ps(value)
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m512 {
        _mm512_loadu_ps(from)
    }
    #[inline(always)]
    unsafe fn prefetch(from: *const f32) {
        _mm_prefetch::<_MM_HINT_T0>(from.cast());
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: __m512) {
        _mm512_storeu_ps(to, value);
    }
    #[inline(always)]
    unsafe fn load_some(from: *const f32, n: usize) -> __m512 {
        _mm512_maskz_loadu_ps(mask16(n), from)
    }
    #[inline(always)]
    unsafe fn store_some(to: *mut f32, value: __m512, n: usize) {
        _mm512_mask_storeu_ps(to, mask16(n), value);
    }
    #[inline(always)]
    unsafe fn load_low(from: *const f32) -> __m512 {
        _mm512_castps256_ps512(_mm256_loadu_ps(from))
    }
    #[inline(always)]
    unsafe fn store_low(to: *mut f32, value: __m512) {
        _mm256_storeu_ps(to, _mm512_castps512_ps256(value));
    }
    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        _mm512_add_ps(a, b)
    }
    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        _mm512_sub_ps(a, b)
    }
    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        _mm512_mul_ps(a, b)
    }
    #[inline(always)]
    unsafe fn div(a: __m512, b: __m512) -> __m512 {
        _mm512_div_ps(a, b)
    }
    #[inline(always)]
    unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
        _mm512_fmadd_ps(a, b, c)
    }
    #[inline(always)]
    unsafe fn fma_low(a: __m512, b: __m512, c: __m512) -> __m512 {
        let [a, b, c] = [a, b, c].map(|vector| _mm512_castps512_ps256(vector));
        _mm512_castps256_ps512(_mm256_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    unsafe fn max(a: __m512, b: __m512) -> __m512 {
        _mm512_max_ps(a, b)
    }
    #[inline(always)]
    unsafe fn min(a: __m512, b: __m512) -> __m512 {
        _mm512_min_ps(a, b)
    }
    #[inline(always)]
    unsafe fn round(a: __m512) -> __m512 {
        _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a)
    }
    #[inline(always)]
    unsafe fn exp2(a: __m512) -> __m512 {
        let biased = _mm512_add_epi32(_mm512_cvtps_epi32(a), _mm512_set1_epi32(127));
        _mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased))
    }
    #[inline(always)]
    unsafe fn recip(a: __m512) -> __m512 {
        // 14 bits, and a step of Newton for the rest.
        let guess = _mm512_rcp14_ps(a);
        _mm512_fmadd_ps(_mm512_fnmadd_ps(a, guess, _mm512_set1_ps(1.0)), guess, guess)
    }
    #[inline(always)]
    unsafe fn exp(x: __m512) -> __m512 {
        // 2^x / ln 2. The polynomial fits 2^r for r in -1/2 to 1/2 with the least relative error, 7.5e-8. Powers that are
        // too small for a normal number are kept away from the instruction that scales: it takes 150 cycles for them.
        let x = _mm512_max_ps(_mm512_set1_ps(-87.0), x);
        let scale = _mm512_set1_ps(core::f32::consts::LOG2_E);
        let n = Self::round(_mm512_mul_ps(x, scale));
        let r = _mm512_fmsub_ps(x, scale, n);
        let mut p = _mm512_set1_ps(1.327_646_4e-3);
        for factor in [9.675_541e-3, 5.550_713_5e-2, 0.240_221_2, 0.693_146_94, 1.000_000_1] {
            p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(factor));
        }
        _mm512_scalef_ps(p, n)
    }
}

/// 8 floats, 16 registers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2;

#[inline(always)]
unsafe fn mask8(n: usize) -> __m256i {
    _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
}

impl Simd for Avx2 {
    const LANES: usize = 8;
    const ROWS: &'static [usize] = &[6, 6];
    type F32 = __m256;

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m256 {
        _mm256_set1_ps(value)
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m256 {
        _mm256_loadu_ps(from)
    }
    #[inline(always)]
    unsafe fn prefetch(from: *const f32) {
        _mm_prefetch::<_MM_HINT_T0>(from.cast());
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: __m256) {
        _mm256_storeu_ps(to, value);
    }
    #[inline(always)]
    unsafe fn load_some(from: *const f32, n: usize) -> __m256 {
        _mm256_maskload_ps(from, mask8(n))
    }
    #[inline(always)]
    unsafe fn store_some(to: *mut f32, value: __m256, n: usize) {
        _mm256_maskstore_ps(to, mask8(n), value);
    }
    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        _mm256_add_ps(a, b)
    }
    #[inline(always)]
    unsafe fn sub(a: __m256, b: __m256) -> __m256 {
        _mm256_sub_ps(a, b)
    }
    #[inline(always)]
    unsafe fn mul(a: __m256, b: __m256) -> __m256 {
        _mm256_mul_ps(a, b)
    }
    #[inline(always)]
    unsafe fn div(a: __m256, b: __m256) -> __m256 {
        _mm256_div_ps(a, b)
    }
    #[inline(always)]
    unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
        _mm256_fmadd_ps(a, b, c)
    }
    #[inline(always)]
    unsafe fn max(a: __m256, b: __m256) -> __m256 {
        _mm256_max_ps(a, b)
    }
    #[inline(always)]
    unsafe fn min(a: __m256, b: __m256) -> __m256 {
        _mm256_min_ps(a, b)
    }
    #[inline(always)]
    unsafe fn round(a: __m256) -> __m256 {
        _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a)
    }
    #[inline(always)]
    unsafe fn exp2(a: __m256) -> __m256 {
        let biased = _mm256_add_epi32(_mm256_cvtps_epi32(a), _mm256_set1_epi32(127));
        _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
    }
}
