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

/// Raises pixels of `channels` values to pixels of another slice, whose starts lie `step` values apart.
#[inline(always)]
pub(super) fn raise_pixels(a: &mut [i8], b: &[i8], channels: usize, step: usize) {
    match channels {
        8..16 => raise_each(a, b, [channels, step], raise_ends::<8>),
        16..=32 => raise_each(a, b, [channels, step], raise_ends::<16>),
        33..=64 => raise_each(a, b, [channels, step], raise_ends::<32>),
        _ => raise_each(a, b, [channels, step], raise),
    }
}

#[inline(always)]
fn raise_each(a: &mut [i8], b: &[i8], [channels, step]: [usize; 2], raise: impl Fn(&mut [i8], &[i8])) {
    for (a, b) in a.chunks_exact_mut(channels).zip(b.chunks(step)) {
        let Some(b) = b.get(..channels) else { return };
        raise(a, b);
    }
}

/// The first values and the last ones; some are raised twice, which changes nothing.
#[inline(always)]
fn raise_ends<const N: usize>(a: &mut [i8], b: &[i8]) {
    if let (Some(a), Some(b)) = (a.first_chunk_mut::<N>(), b.first_chunk::<N>()) {
        raise(a, b);
    }
    if let (Some(a), Some(b)) = (a.last_chunk_mut::<N>(), b.last_chunk::<N>()) {
        raise(a, b);
    }
}

/// Maps every value by a table for -128 to 127.
///
/// # Safety
/// The CPU has the instructions of `S`.
#[inline(always)]
pub(super) unsafe fn table<S: Int>(table: &[i8; 256], values: &mut [i8]) {
    let one = |value: i8| table[usize::from(value as u8 ^ 0x80)];
    let whole = values.len().checked_rem(S::TABLE).map_or(0, |rest| values.len() - rest);
    let (blocks, rest) = values.split_at_mut(whole);
    // SAFETY: the caller has the instructions.
    unsafe { S::table(table, blocks) };
    if S::TABLE == 0 || rest.len() < 8 {
        rest.iter_mut().for_each(|value| *value = one(*value));
        return;
    }
    // A whole block for the few.
    let mut block = [0; 64];
    block[..rest.len()].copy_from_slice(rest);
    // SAFETY: the caller has the instructions.
    unsafe { S::table(table, &mut block[..S::TABLE]) };
    rest.copy_from_slice(&block[..rest.len()]);
}

/// Copies every second value. The compiler finds the vectors.
#[inline(always)]
pub(super) fn every_second(from: &[i8], to: &mut [i8]) {
    let (pairs, rest) = from.as_chunks::<2>();
    for (to, [value, _]) in to.iter_mut().zip(pairs) {
        *to = *value;
    }
    if let (Some(to), Some(value)) = (to.get_mut(pairs.len()), rest.first()) {
        *to = *value;
    }
}

/// Means of sums of `count` values, rounded; halves go up or away from zero. The compiler finds the vectors.
///
/// A quotient of floats is rounded, but none of a sum of up to 2^16 bytes becomes a whole number that was less.
#[inline(always)]
pub(super) fn means(sums: &[i32], count: i32, half_up: bool, [low, high]: [i8; 2], to: &mut [i8]) {
    let (half, divisor) = (count / 2, count as f32);
    for (to, sum) in to.iter_mut().zip(sums) {
        let mean = if half_up {
            // Above zero, where whole numbers are cut as they should be.
            ((*sum + half + 256 * count) as f32 / divisor) as i32 - 256
        } else {
            ((*sum + if *sum > 0 { half } else { -half }) as f32 / divisor) as i32
        };
        *to = mean.max(low.into()).min(high.into()) as i8;
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
    /// Sides whose scale is 1/2: one bit less is all.
    pub(super) halved: [bool; 2],
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
        while at + 4 * S::LANES <= len {
            let (to, b) = (a.add(at), b.add(at));
            let places = [to, to.add(S::LANES), to.add(2 * S::LANES), to.add(3 * S::LANES)];
            let values = [
                one(binary, &loaded, places[0], b, S::LANES),
                one(binary, &loaded, places[1], b.add(S::LANES), S::LANES),
                one(binary, &loaded, places[2], b.add(2 * S::LANES), S::LANES),
                one(binary, &loaded, places[3], b.add(3 * S::LANES), S::LANES),
            ];
            S::store_four(places, values, &binary.limits, S::LANES);
            at += 4 * S::LANES;
        }
        while at < len {
            let n = S::LANES.min(len - at);
            let values = one(binary, &loaded, a.add(at), b.add(at), n);
            S::store_bytes(a.add(at), values, &binary.limits, n);
            at += n;
        }
    }
}

/// The results of `n` values of both sides, less their zero point.
///
/// # Safety
/// As for [`binary`].
#[inline(always)]
unsafe fn one<S: Int>(binary: &Binary, loaded: &Loaded<S>, a: *const i8, b: *const i8, n: usize) -> S::I32 {
    // SAFETY: as the caller says.
    unsafe {
        let x = S::sub(S::load_bytes(a, n), loaded.zeros[0]);
        let y = S::sub(S::load_bytes(b, n), loaded.zeros[1]);
        let result = if binary.kind == BinaryKind::Mul {
            S::mul(x, y)
        } else {
            let (x, y) = (lifted(binary, loaded, x, 0), lifted(binary, loaded, y, 1));
            if binary.kind == BinaryKind::Add { S::add(x, y) } else { S::sub(x, y) }
        };
        S::rescale::<false>(result, &loaded.scales[2])
    }
}

/// A side in the common scale.
///
/// # Safety
/// As for [`binary`].
#[inline(always)]
unsafe fn lifted<S: Int>(binary: &Binary, loaded: &Loaded<S>, value: S::I32, side: usize) -> S::I32 {
    // SAFETY: as the caller says.
    unsafe {
        if binary.halved[side] {
            return S::shift_left(value, binary.lift - 1);
        }
        S::rescale::<false>(S::shift_left(value, binary.lift), &loaded.scales[side])
    }
}
