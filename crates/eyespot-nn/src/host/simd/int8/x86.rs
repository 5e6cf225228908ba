//! AVX-512 with VNNI, AVX-VNNI and AVX2.
#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "each function's contract is the trait's: the CPU has the instructions"
)]

#[allow(clippy::wildcard_imports, reason = "intrinsics")]
use core::arch::x86_64::*;

use super::scale::Limits;
use super::vector::{Format, Int};

/// 16 sums, 32 registers, masks: AVX-512 F, BW, VL and VNNI.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vnni512;

#[derive(Debug, Clone, Copy)]
pub(super) struct Scale512 {
    even: __m512i,
    odd: __m512i,
    right: __m512i,
    left: __m512i,
    sign: __m512i,
    round_even: __m512i,
    round_odd: __m512i,
}

#[inline(always)]
const fn mask16(n: usize) -> __mmask16 {
    ((1u32 << n) - 1) as __mmask16
}

/// The first `n` bytes. A store with a mask takes long.
#[inline(always)]
unsafe fn store_some(to: *mut i8, bytes: __m128i, n: usize) {
    match n {
        16 => _mm_storeu_si128(to.cast(), bytes),
        8 => _mm_storel_epi64(to.cast(), bytes),
        _ => _mm_mask_storeu_epi8(to, mask16(n), bytes),
    }
}

/// Every second lane.
const ODD: __mmask16 = 0xAAAA;

impl Int for Vnni512 {
    const LANES: usize = 16;
    const ROWS: &'static [usize] = &[12, 12, 8];
    const TABLE: usize = 64;
    const FORMAT: Format = Format::Raised;
    const ANY_SUM: bool = false;
    const SHORT: bool = true;
    type I32 = __m512i;
    type Groups = __m512i;
    type F32 = __m512;
    type Scale = Scale512;

    #[inline(always)]
    unsafe fn splat(value: i32) -> __m512i {
        _mm512_set1_epi32(value)
    }
    #[inline(always)]
    unsafe fn load(from: *const i32) -> __m512i {
        _mm512_loadu_si512(from.cast())
    }
    #[inline(always)]
    unsafe fn store(to: *mut i32, value: __m512i) {
        _mm512_storeu_si512(to.cast(), value);
    }
    #[inline(always)]
    unsafe fn add(a: __m512i, b: __m512i) -> __m512i {
        _mm512_add_epi32(a, b)
    }
    #[inline(always)]
    unsafe fn sub(a: __m512i, b: __m512i) -> __m512i {
        _mm512_sub_epi32(a, b)
    }
    #[inline(always)]
    unsafe fn mul(a: __m512i, b: __m512i) -> __m512i {
        _mm512_mullo_epi32(a, b)
    }
    #[inline(always)]
    unsafe fn shift_left(a: __m512i, bits: u32) -> __m512i {
        _mm512_sll_epi32(a, _mm_cvtsi32_si128(bits as i32))
    }
    #[inline(always)]
    unsafe fn shift_right(a: __m512i, bits: u32) -> __m512i {
        _mm512_sra_epi32(a, _mm_cvtsi32_si128(bits as i32))
    }
    #[inline(always)]
    unsafe fn splat_group(from: *const u8) -> __m512i {
        _mm512_set1_epi32(from.cast::<i32>().read_unaligned())
    }
    #[inline(always)]
    unsafe fn load_groups(from: *const u8) -> __m512i {
        _mm512_loadu_si512(from.cast())
    }
    #[inline(always)]
    unsafe fn dot(sums: __m512i, inputs: __m512i, weights: __m512i) -> __m512i {
        _mm512_dpbusd_epi32(sums, inputs, weights)
    }
    #[inline(always)]
    unsafe fn load_scale(from: *const i32) -> Scale512 {
        Scale512 {
            even: Self::load(from),
            odd: _mm512_srli_epi64::<32>(Self::load(from)),
            right: Self::load(from.add(16)),
            left: Self::load(from.add(2 * 16)),
            sign: Self::load(from.add(3 * 16)),
            round_even: Self::load(from.add(4 * 16)),
            round_odd: Self::load(from.add(5 * 16)),
        }
    }
    #[inline(always)]
    unsafe fn rescale<const LEFT: bool>(sums: __m512i, scale: &Scale512) -> __m512i {
        let sums = if LEFT { _mm512_sllv_epi32(sums, scale.left) } else { sums };
        let even = _mm512_mul_epi32(sums, scale.even);
        let odd = _mm512_mul_epi32(_mm512_srli_epi64::<32>(sums), scale.odd);
        let even = _mm512_srli_epi64::<31>(_mm512_add_epi64(even, scale.round_even));
        let odd = _mm512_add_epi64(odd, scale.round_odd);
        // Bits 31 to 62 are the result: one to the left they are the odd lane.
        let scaled = _mm512_mask_blend_epi32(ODD, even, _mm512_add_epi64(odd, odd));
        let negative = _mm512_srlv_epi32(sums, scale.sign);
        _mm512_srav_epi32(_mm512_sub_epi32(scaled, negative), scale.right)
    }
    #[inline(always)]
    unsafe fn load_floats(from: *const i32) -> __m512 {
        _mm512_loadu_ps(from.cast())
    }
    #[inline(always)]
    unsafe fn rescale_short(sums: __m512i, [factor, summand, away]: &[__m512; 3]) -> __m512i {
        let scaled = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums), *factor, *summand);
        // `away`, which is positive, or the sign of the sum.
        let away =
            _mm512_ternarylogic_epi32::<0xF8>(_mm512_castps_si512(*away), sums, _mm512_set1_epi32(i32::MIN));
        _mm512_cvtps_epi32(_mm512_add_ps(scaled, _mm512_castsi512_ps(away)))
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const i8, n: usize) -> __m512i {
        _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask16(n), from))
    }
    #[inline(always)]
    unsafe fn store_bytes(to: *mut i8, values: __m512i, limits: &Limits, n: usize) {
        let values = _mm512_add_epi32(values, _mm512_set1_epi32(limits.zero.into()));
        let (low, high) = (_mm_set1_epi8(limits.clamp[0]), _mm_set1_epi8(limits.clamp[1]));
        let bytes = _mm_min_epi8(_mm_max_epi8(_mm512_cvtsepi32_epi8(values), low), high);
        store_some(to, bytes, n);
    }
    #[inline(always)]
    unsafe fn store_four(to: [*mut i8; 4], values: [__m512i; 4], limits: &Limits, n: usize) {
        let bytes = bytes_of(values, limits);
        if n == 16 && (1..4).all(|at| to[at] == to[0].wrapping_add(16 * at)) {
            _mm512_storeu_si512(to[0].cast(), bytes);
            return;
        }
        let [p, q, r, s] = quarters(bytes);
        store_some(to[0], p, n);
        store_some(to[1], q, n);
        store_some(to[2], r, n);
        store_some(to[3], s, n);
    }

    const FOURS: bool = true;

    #[inline(always)]
    unsafe fn load_halves(a: *const i32, b: *const i32) -> __m512i {
        let low = _mm512_castsi256_si512(_mm256_loadu_si256(a.cast()));
        _mm512_inserti64x4::<1>(low, _mm256_loadu_si256(b.cast()))
    }
    #[inline(always)]
    unsafe fn store_halves(to: *mut i8, step: usize, values: [__m512i; 4], limits: &Limits, n: usize) {
        let bytes = bytes_of(values, limits);
        if n == 8 && step == 8 {
            _mm512_storeu_si512(to.cast(), bytes);
            return;
        }
        let mut to = to;
        for pair in quarters(bytes) {
            let second = to.wrapping_add(step);
            if n == 8 {
                _mm_storel_epi64(to.cast(), pair);
                _mm_storeh_pd(second.cast(), _mm_castsi128_pd(pair));
            } else {
                _mm_mask_storeu_epi8(to, mask16(n), pair);
                _mm_mask_storeu_epi8(second, mask16(n), _mm_srli_si128::<8>(pair));
            }
            to = to.wrapping_add(2 * step);
        }
    }
    #[inline(always)]
    unsafe fn table(table: &[i8; 256], values: &mut [i8]) {
        // Pairs of bytes are words of two registers each; without VBMI there is no permutation of bytes.
        let mut parts = [_mm512_setzero_si512(); 4];
        for (number, part) in parts.iter_mut().enumerate() {
            *part = _mm512_loadu_si512(table.as_ptr().add(64 * number).cast());
        }
        for block in values.as_chunks_mut::<64>().0 {
            let x = _mm512_loadu_si512(block.as_ptr().cast());
            let even = look_up(&parts, _mm512_slli_epi16::<8>(x));
            let odd = look_up(&parts, x);
            let bytes = _mm512_mask_blend_epi8(0xAAAA_AAAA_AAAA_AAAA, even, _mm512_slli_epi16::<8>(odd));
            _mm512_storeu_si512(block.as_mut_ptr().cast(), bytes);
        }
    }
}

/// The outputs of four vectors, one after the other.
#[inline(always)]
unsafe fn bytes_of([a, b, c, d]: [__m512i; 4], limits: &Limits) -> __m512i {
    let zero = _mm512_set1_epi16(limits.zero.into());
    let (low, high) = (_mm512_set1_epi8(limits.clamp[0]), _mm512_set1_epi8(limits.clamp[1]));
    let first = _mm512_adds_epi16(_mm512_packs_epi32(a, b), zero);
    let second = _mm512_adds_epi16(_mm512_packs_epi32(c, d), zero);
    let bytes = _mm512_min_epi8(_mm512_max_epi8(_mm512_packs_epi16(first, second), low), high);
    // Each quarter has four values of each vector.
    let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    _mm512_permutexvar_epi32(order, bytes)
}

#[inline(always)]
unsafe fn quarters(bytes: __m512i) -> [__m128i; 4] {
    [
        _mm512_castsi512_si128(bytes),
        _mm512_extracti32x4_epi32::<1>(bytes),
        _mm512_extracti32x4_epi32::<2>(bytes),
        _mm512_extracti32x4_epi32::<3>(bytes),
    ]
}

/// The values of the upper bytes of words, in the lower bytes; the upper ones are of no use.
#[inline(always)]
unsafe fn look_up(parts: &[__m512i; 4], x: __m512i) -> __m512i {
    let place = _mm512_srli_epi16::<9>(x);
    let negative = _mm512_permutex2var_epi16(parts[0], place, parts[1]);
    let positive = _mm512_permutex2var_epi16(parts[2], place, parts[3]);
    let pair = _mm512_mask_blend_epi16(_mm512_movepi16_mask(x), positive, negative);
    // The lower or the upper byte of the pair.
    let upper = _mm512_test_epi16_mask(x, _mm512_set1_epi16(1 << 8));
    _mm512_mask_srli_epi16::<8>(pair, upper, pair)
}

/// 8 sums, 16 registers: AVX2, with or without AVX-VNNI.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx<const VNNI: bool>;

#[derive(Debug, Clone, Copy)]
pub(super) struct Scale256 {
    even: __m256i,
    odd: __m256i,
    right: __m256i,
    left: __m256i,
    sign: __m256i,
    round_even: __m256i,
    round_odd: __m256i,
}

impl<const VNNI: bool> Int for Avx<VNNI> {
    const LANES: usize = 8;
    const ROWS: &'static [usize] = &[6, 6];
    const TABLE: usize = 32;
    const FORMAT: Format = if VNNI { Format::Raised } else { Format::Words };
    const ANY_SUM: bool = false;
    const SHORT: bool = true;
    type I32 = __m256i;
    type Groups = __m256i;
    type F32 = __m256;
    type Scale = Scale256;

    #[inline(always)]
    unsafe fn splat(value: i32) -> __m256i {
        _mm256_set1_epi32(value)
    }
    #[inline(always)]
    unsafe fn load(from: *const i32) -> __m256i {
        _mm256_loadu_si256(from.cast())
    }
    #[inline(always)]
    unsafe fn store(to: *mut i32, value: __m256i) {
        _mm256_storeu_si256(to.cast(), value);
    }
    #[inline(always)]
    unsafe fn add(a: __m256i, b: __m256i) -> __m256i {
        _mm256_add_epi32(a, b)
    }
    #[inline(always)]
    unsafe fn sub(a: __m256i, b: __m256i) -> __m256i {
        _mm256_sub_epi32(a, b)
    }
    #[inline(always)]
    unsafe fn mul(a: __m256i, b: __m256i) -> __m256i {
        _mm256_mullo_epi32(a, b)
    }
    #[inline(always)]
    unsafe fn shift_left(a: __m256i, bits: u32) -> __m256i {
        _mm256_sll_epi32(a, _mm_cvtsi32_si128(bits as i32))
    }
    #[inline(always)]
    unsafe fn shift_right(a: __m256i, bits: u32) -> __m256i {
        _mm256_sra_epi32(a, _mm_cvtsi32_si128(bits as i32))
    }
    #[inline(always)]
    unsafe fn splat_group(from: *const u8) -> __m256i {
        _mm256_set1_epi32(from.cast::<i32>().read_unaligned())
    }
    #[inline(always)]
    unsafe fn load_groups(from: *const u8) -> __m256i {
        _mm256_loadu_si256(from.cast())
    }
    #[inline(always)]
    unsafe fn dot(sums: __m256i, inputs: __m256i, weights: __m256i) -> __m256i {
        if VNNI {
            _mm256_dpbusd_avx_epi32(sums, inputs, weights)
        } else {
            _mm256_add_epi32(sums, _mm256_madd_epi16(inputs, weights))
        }
    }
    #[inline(always)]
    unsafe fn load_scale(from: *const i32) -> Scale256 {
        Scale256 {
            even: Self::load(from),
            odd: _mm256_srli_epi64::<32>(Self::load(from)),
            right: Self::load(from.add(8)),
            left: Self::load(from.add(2 * 8)),
            sign: Self::load(from.add(3 * 8)),
            round_even: Self::load(from.add(4 * 8)),
            round_odd: Self::load(from.add(5 * 8)),
        }
    }
    #[inline(always)]
    unsafe fn rescale<const LEFT: bool>(sums: __m256i, scale: &Scale256) -> __m256i {
        let sums = if LEFT { _mm256_sllv_epi32(sums, scale.left) } else { sums };
        let even = _mm256_mul_epi32(sums, scale.even);
        let odd = _mm256_mul_epi32(_mm256_srli_epi64::<32>(sums), scale.odd);
        let even = _mm256_srli_epi64::<31>(_mm256_add_epi64(even, scale.round_even));
        let odd = _mm256_add_epi64(odd, scale.round_odd);
        // Bits 31 to 62 are the result: one to the left they are the odd lane.
        let scaled = _mm256_blend_epi32::<0xAA>(even, _mm256_add_epi64(odd, odd));
        let negative = _mm256_srlv_epi32(sums, scale.sign);
        _mm256_srav_epi32(_mm256_sub_epi32(scaled, negative), scale.right)
    }
    #[inline(always)]
    unsafe fn load_floats(from: *const i32) -> __m256 {
        _mm256_loadu_ps(from.cast())
    }
    #[inline(always)]
    unsafe fn rescale_short(sums: __m256i, [factor, summand, away]: &[__m256; 3]) -> __m256i {
        let scaled = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums), *factor, *summand);
        let sign = _mm256_and_ps(_mm256_castsi256_ps(sums), _mm256_set1_ps(-0.0));
        _mm256_cvtps_epi32(_mm256_add_ps(scaled, _mm256_or_ps(*away, sign)))
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const i8, n: usize) -> __m256i {
        let bytes = if n == 8 {
            from.cast::<i64>().read_unaligned()
        } else {
            let mut bytes = [0i8; 8];
            core::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), n);
            i64::from_le_bytes(bytes.map(|byte| byte as u8))
        };
        _mm256_cvtepi8_epi32(_mm_cvtsi64_si128(bytes))
    }
    #[inline(always)]
    unsafe fn store_bytes(to: *mut i8, values: __m256i, limits: &Limits, n: usize) {
        let values = _mm256_add_epi32(values, _mm256_set1_epi32(limits.zero.into()));
        let words = _mm_packs_epi32(_mm256_castsi256_si128(values), _mm256_extracti128_si256::<1>(values));
        let (low, high) = (_mm_set1_epi8(limits.clamp[0]), _mm_set1_epi8(limits.clamp[1]));
        let bytes = _mm_min_epi8(_mm_max_epi8(_mm_packs_epi16(words, words), low), high);
        if n == 8 {
            _mm_storel_epi64(to.cast(), bytes);
        } else {
            let bytes = _mm_cvtsi128_si64(bytes).to_le_bytes();
            core::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), to, n);
        }
    }
    #[inline(always)]
    unsafe fn table(table: &[i8; 256], values: &mut [i8]) {
        // 16 shuffles: each gives the values of its 16 indices and zeros for the others.
        let (sign, top) = (_mm256_set1_epi8(-128), _mm256_set1_epi8(0x70));
        for block in values.as_chunks_mut::<32>().0 {
            let x = _mm256_loadu_si256(block.as_ptr().cast());
            let mut place = _mm256_xor_si256(x, sign);
            let mut found = _mm256_setzero_si256();
            for part in table.as_chunks::<16>().0 {
                let part = _mm256_broadcastsi128_si256(_mm_loadu_si128(part.as_ptr().cast()));
                // Anything but 0 to 15 gets the upper bit, and so a zero.
                let index = _mm256_adds_epu8(place, top);
                found = _mm256_or_si256(found, _mm256_shuffle_epi8(part, index));
                place = _mm256_sub_epi8(place, _mm256_set1_epi8(16));
            }
            _mm256_storeu_si256(block.as_mut_ptr().cast(), found);
        }
    }
}
