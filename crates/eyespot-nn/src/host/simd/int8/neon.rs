//! NEON, with or without the dot product of Armv8.2.
#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "each function's contract is the trait's: the CPU has the instructions"
)]

#[allow(clippy::wildcard_imports, reason = "intrinsics")]
use core::arch::aarch64::*;

use super::scale::Limits;
use super::vector::{Format, Int};

/// 4 sums, 32 registers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Neon<const DOT: bool>;

#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    multipliers: int32x4_t,
    /// Negative: to the right.
    right: int32x4_t,
    left: int32x4_t,
    /// All ones where there is a shift to the right.
    shifted: int32x4_t,
}

impl<const DOT: bool> Int for Neon<DOT> {
    const LANES: usize = 4;
    const ROWS: &'static [usize] = &[8, 8, 8, 6];
    const TABLE: usize = 16;
    const FORMAT: Format = Format::Signed;
    const ANY_SUM: bool = true;
    type I32 = int32x4_t;
    /// Whole numbers are scaled as fast.
    type F32 = int32x4_t;
    type Groups = int8x16_t;
    type Scale = Scale;

    #[inline(always)]
    unsafe fn splat(value: i32) -> int32x4_t {
        vdupq_n_s32(value)
    }
    #[inline(always)]
    unsafe fn load(from: *const i32) -> int32x4_t {
        vld1q_s32(from)
    }
    #[inline(always)]
    unsafe fn store(to: *mut i32, value: int32x4_t) {
        vst1q_s32(to, value);
    }
    #[inline(always)]
    unsafe fn add(a: int32x4_t, b: int32x4_t) -> int32x4_t {
        vaddq_s32(a, b)
    }
    #[inline(always)]
    unsafe fn sub(a: int32x4_t, b: int32x4_t) -> int32x4_t {
        vsubq_s32(a, b)
    }
    #[inline(always)]
    unsafe fn mul(a: int32x4_t, b: int32x4_t) -> int32x4_t {
        vmulq_s32(a, b)
    }
    #[inline(always)]
    unsafe fn shift_left(a: int32x4_t, bits: u32) -> int32x4_t {
        vshlq_s32(a, vdupq_n_s32(bits as i32))
    }
    #[inline(always)]
    unsafe fn shift_right(a: int32x4_t, bits: u32) -> int32x4_t {
        vshlq_s32(a, vdupq_n_s32(-(bits as i32)))
    }
    #[inline(always)]
    unsafe fn splat_group(from: *const u8) -> int8x16_t {
        vreinterpretq_s8_s32(vdupq_n_s32(from.cast::<i32>().read_unaligned()))
    }
    #[inline(always)]
    unsafe fn load_groups(from: *const u8) -> int8x16_t {
        vld1q_s8(from.cast())
    }
    #[inline(always)]
    unsafe fn dot(sums: int32x4_t, inputs: int8x16_t, weights: int8x16_t) -> int32x4_t {
        if DOT {
            let mut sums = sums;
            // The intrinsic is not stable. The instruction reads and writes registers only.
            core::arch::asm!(
                ".arch_extension dotprod",
                "sdot {0:v}.4s, {1:v}.16b, {2:v}.16b",
                inout(vreg) sums,
                in(vreg) inputs,
                in(vreg) weights,
                options(pure, nomem, nostack, preserves_flags),
            );
            return sums;
        }
        let low = vpaddlq_s16(vmull_s8(vget_low_s8(inputs), vget_low_s8(weights)));
        let high = vpaddlq_s16(vmull_high_s8(inputs, weights));
        vaddq_s32(sums, vpaddq_s32(low, high))
    }
    #[inline(always)]
    unsafe fn load_scale(from: *const i32) -> Scale {
        Scale {
            multipliers: Self::load(from),
            right: vnegq_s32(Self::load(from.add(4))),
            left: Self::load(from.add(2 * 4)),
            shifted: vreinterpretq_s32_u32(vceqq_s32(Self::load(from.add(3 * 4)), vdupq_n_s32(31))),
        }
    }
    #[inline(always)]
    unsafe fn rescale<const LEFT: bool>(sums: int32x4_t, scale: &Scale) -> int32x4_t {
        let sums = if LEFT { vshlq_s32(sums, scale.left) } else { sums };
        let scaled = vqrdmulhq_s32(sums, scale.multipliers);
        // The shift rounds halves up; away from zero they go with one less.
        let sign = vandq_s32(vshrq_n_s32::<31>(scaled), scale.shifted);
        vrshlq_s32(vqaddq_s32(scaled, sign), scale.right)
    }
    #[inline(always)]
    unsafe fn load_floats(from: *const i32) -> int32x4_t {
        Self::load(from)
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const i8, n: usize) -> int32x4_t {
        let bytes: [i8; 4] = if n == 4 {
            from.cast::<[i8; 4]>().read_unaligned()
        } else {
            let mut bytes = [0; 4];
            core::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), n);
            bytes
        };
        let bytes = vcreate_s8(u64::from(u32::from_le_bytes(bytes.map(|byte| byte as u8))));
        vmovl_s16(vget_low_s16(vmovl_s8(bytes)))
    }
    #[inline(always)]
    unsafe fn store_bytes(to: *mut i8, values: int32x4_t, limits: &Limits, n: usize) {
        let words = vqmovn_s32(vaddq_s32(values, vdupq_n_s32(limits.zero.into())));
        let (low, high) = (vdup_n_s8(limits.clamp[0]), vdup_n_s8(limits.clamp[1]));
        let bytes = vqmovn_s16(vcombine_s16(words, words));
        let bytes = vget_lane_u32::<0>(vreinterpret_u32_s8(vmin_s8(vmax_s8(bytes, low), high)));
        if n == 4 {
            to.cast::<u32>().write_unaligned(bytes);
        } else {
            core::ptr::copy_nonoverlapping(bytes.to_le_bytes().as_ptr().cast(), to, n);
        }
    }
    #[inline(always)]
    unsafe fn table(table: &[i8; 256], values: &mut [i8]) {
        let mut parts = [vld1q_s8_x4(table.as_ptr()); 4];
        for (number, part) in parts.iter_mut().enumerate().skip(1) {
            *part = vld1q_s8_x4(table.as_ptr().add(64 * number));
        }
        for block in values.as_chunks_mut::<16>().0 {
            let place = veorq_u8(vld1q_u8(block.as_ptr().cast()), vdupq_n_u8(0x80));
            let mut found = vqtbl4q_s8(parts[0], place);
            for (number, part) in parts.iter().enumerate().skip(1) {
                // Indices outside a part leave the value as it is.
                found = vqtbx4q_s8(found, *part, vsubq_u8(place, vdupq_n_u8(64 * number as u8)));
            }
            vst1q_s8(block.as_mut_ptr(), found);
        }
    }
}
