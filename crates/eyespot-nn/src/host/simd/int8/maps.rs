//! Functions of single values, over slices.

use super::scale::Limits;
use super::vector::{Format, Int};
use crate::graph::BinaryKind;

/// Writes inputs as products take them; `to` has as many bytes as they need. The compiler finds the vectors.
#[inline(always)]
pub(super) fn prepare<S: Int>(from: &[i8], to: &mut [u8]) {
    match S::FORMAT {
        Format::Raised => {
            for (to, from) in to.iter_mut().zip(from) {
                *to = *from as u8 ^ 0x80;
            }
        }
        Format::Signed => {
            for (to, from) in to.iter_mut().zip(from) {
                *to = *from as u8;
            }
        }
        Format::Words => {
            for (to, from) in to.as_chunks_mut::<2>().0.iter_mut().zip(from) {
                *to = i16::from(*from).to_ne_bytes();
            }
        }
    }
}

/// Raises values to those of another slice where they are larger. The compiler finds the vectors.
#[inline(always)]
pub(super) fn raise(a: &mut [i8], b: &[i8]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a = (*a).max(*b);
    }
}

/// Maps every value by a table for -128 to 127.
///
/// # Safety
/// The CPU has the instructions of `S`.
#[inline(always)]
pub(super) unsafe fn table<S: Int>(table: &[i8; 256], values: &mut [i8]) {
    // SAFETY: the caller has the instructions.
    let done = unsafe { S::table(table, values) };
    for value in values.iter_mut().skip(done) {
        *value = table[usize::from(*value as u8 ^ 0x80)];
    }
}

/// Adds a row of values to sums. The compiler finds the vectors.
#[inline(always)]
pub(super) fn accumulate(sums: &mut [i32], values: &[i8]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += i32::from(*value);
    }
}

/// Numbers of the arithmetic of two tensors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Binary {
    pub(super) kind: BinaryKind,
    /// Zero points of both sides.
    pub(super) zeros: [i8; 2],
    /// Bits that both sides are shifted to the left.
    pub(super) lift: u32,
    /// Scales of both sides and of the result, the same in all lanes.
    pub(super) scales: [*const i32; 3],
    pub(super) limits: Limits,
}

/// Constants of an operation in registers.
struct Loaded<S: Int> {
    scales: [S::Scale; 3],
    zeros: [S::I32; 2],
}

/// Arithmetic of two slices of one length, the first in place.
///
/// # Safety
/// The CPU has the instructions of `S`; the scales are there, and none shifts to the left.
#[inline(always)]
pub(super) unsafe fn binary<S: Int>(binary: &Binary, a: &mut [i8], b: &[i8]) {
    let len = a.len().min(b.len());
    let (a, b) = (a.as_mut_ptr(), b.as_ptr());
    // SAFETY: all places lie in both slices.
    unsafe {
        let [x, y, result] = binary.scales;
        let loaded = Loaded::<S> {
            scales: [S::load_scale(x), S::load_scale(y), S::load_scale(result)],
            zeros: [S::splat(binary.zeros[0].into()), S::splat(binary.zeros[1].into())],
        };
        let mut at = 0;
        while at + S::LANES <= len {
            one(binary, &loaded, a.add(at), b.add(at), S::LANES);
            at += S::LANES;
        }
        if at < len {
            one(binary, &loaded, a.add(at), b.add(at), len - at);
        }
    }
}

/// `n` values of both sides.
///
/// # Safety
/// As for [`binary`].
#[inline(always)]
unsafe fn one<S: Int>(binary: &Binary, loaded: &Loaded<S>, a: *mut i8, b: *const i8, n: usize) {
    // SAFETY: as the caller says.
    unsafe {
        let x = S::sub(S::load_bytes(a, n), loaded.zeros[0]);
        let y = S::sub(S::load_bytes(b, n), loaded.zeros[1]);
        let result = if binary.kind == BinaryKind::Mul {
            S::mul(x, y)
        } else {
            let x = S::rescale::<false>(S::shift_left(x, binary.lift), &loaded.scales[0]);
            let y = S::rescale::<false>(S::shift_left(y, binary.lift), &loaded.scales[1]);
            if binary.kind == BinaryKind::Add { S::add(x, y) } else { S::sub(x, y) }
        };
        S::store_bytes(a, S::rescale::<false>(result, &loaded.scales[2]), &binary.limits, n);
    }
}
