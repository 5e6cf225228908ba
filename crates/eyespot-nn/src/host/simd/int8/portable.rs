//! Vectors that every CPU has, and Miri: arrays.
#![allow(unsafe_op_in_unsafe_fn, reason = "each function's contract is the trait's")]

use super::scale::Limits;
use super::vector::{Format, Int};
use crate::kernels::requant;

/// Arrays of four sums.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

type V = [i32; 4];

#[inline(always)]
fn zip(a: V, b: V, f: impl Fn(i32, i32) -> i32) -> V {
    core::array::from_fn(|at| f(a[at], b[at]))
}

impl Int for Portable {
    const LANES: usize = 4;
    const ROWS: &'static [usize] = &[4, 4];
    const FORMAT: Format = Format::Words;
    const ANY_SUM: bool = true;
    type I32 = V;
    type Groups = [i16; 8];
    type F32 = V;
    /// Multipliers, shifts to the right and to the left.
    type Scale = [V; 3];

    #[inline(always)]
    unsafe fn splat(value: i32) -> V {
        [value; 4]
    }
    #[inline(always)]
    unsafe fn load(from: *const i32) -> V {
        // SAFETY: the caller says that four values are there.
        from.cast::<V>().read_unaligned()
    }
    #[inline(always)]
    unsafe fn store(to: *mut i32, value: V) {
        // SAFETY: the caller says that four values fit there.
        to.cast::<V>().write_unaligned(value);
    }
    #[inline(always)]
    unsafe fn add(a: V, b: V) -> V {
        zip(a, b, i32::wrapping_add)
    }
    #[inline(always)]
    unsafe fn sub(a: V, b: V) -> V {
        zip(a, b, i32::wrapping_sub)
    }
    #[inline(always)]
    unsafe fn mul(a: V, b: V) -> V {
        zip(a, b, i32::wrapping_mul)
    }
    #[inline(always)]
    unsafe fn shift_left(a: V, bits: u32) -> V {
        a.map(|a| a.wrapping_shl(bits))
    }
    #[inline(always)]
    unsafe fn shift_right(a: V, bits: u32) -> V {
        a.map(|a| a.wrapping_shr(bits))
    }
    #[inline(always)]
    unsafe fn splat_group(from: *const u8) -> [i16; 8] {
        // SAFETY: the caller says that four bytes are there.
        let [a, b] = from.cast::<[i16; 2]>().read_unaligned();
        [a, b, a, b, a, b, a, b]
    }
    #[inline(always)]
    unsafe fn load_groups(from: *const u8) -> [i16; 8] {
        // SAFETY: the caller says that four groups are there.
        from.cast::<[i16; 8]>().read_unaligned()
    }
    #[inline(always)]
    unsafe fn dot(sums: V, inputs: [i16; 8], weights: [i16; 8]) -> V {
        let product = |at: usize| i32::from(inputs[at]).wrapping_mul(i32::from(weights[at]));
        core::array::from_fn(|at| sums[at].wrapping_add(product(2 * at).wrapping_add(product(2 * at + 1))))
    }
    #[inline(always)]
    unsafe fn load_scale(from: *const i32) -> [V; 3] {
        [0, 1, 2].map(|at| Self::load(from.add(4 * at)))
    }
    #[inline(always)]
    unsafe fn rescale<const LEFT: bool>(sums: V, [multipliers, right, left]: &[V; 3]) -> V {
        core::array::from_fn(|at| {
            let lifted = sums[at].wrapping_shl(left[at] as u32);
            requant::rounding_shift(requant::high_mul(lifted, multipliers[at]), right[at] as u32)
        })
    }
    #[inline(always)]
    unsafe fn load_floats(from: *const i32) -> V {
        Self::load(from)
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const i8, n: usize) -> V {
        // SAFETY: the caller says that `n` values are there.
        core::array::from_fn(|at| if at < n { (*from.add(at)).into() } else { 0 })
    }
    #[inline(always)]
    unsafe fn store_bytes(to: *mut i8, values: V, limits: &Limits, n: usize) {
        let [low, high] = limits.clamp.map(i32::from);
        for (at, value) in values.into_iter().enumerate().take(n) {
            // SAFETY: the caller says that `n` values fit there.
            *to.add(at) = value.saturating_add(limits.zero.into()).max(low).min(high) as i8;
        }
    }
}
