//! Functions of single values, over slices.

use super::vector::{Format, Int};

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

/// Sums and how they become means.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Means {
    /// What sums start with.
    pub(crate) start: i32,
    /// Values in a sum, at most [`MOST`](super::MOST).
    pub(crate) count: i32,
    /// Halves go up and not away from zero.
    pub(crate) half_up: bool,
    /// Smallest and largest mean.
    pub(crate) clamp: [i8; 2],
}

/// Means of the sums of columns, rounded. Each column has as many values as `sums`, in which they are summed up, and `to`.
/// The compiler finds the vectors.
///
/// A quotient of floats is rounded, but none of a sum of up to 2^16 bytes becomes a whole number that was less.
#[inline(always)]
pub(super) fn means(how: &Means, columns: &[i32], sums: &mut [i32], to: &mut [i8]) {
    let Means { start, count, half_up, clamp: [low, high] } = *how;
    sums.fill(start);
    for column in columns.chunks_exact(sums.len().max(1)) {
        for (sum, value) in sums.iter_mut().zip(column) {
            *sum += value;
        }
    }
    let (half, count) = (count / 2, count.max(1));
    // SAFETY: a number of at most 2^30, which floats have, by one of at least 1: the quotient fits an `i32`. A cast that
    // asks whether it does keeps the compiler from vectors.
    let quotient = |sum: i32| unsafe { (sum.min(1 << 30) as f32 / count as f32).to_int_unchecked::<i32>() };
    for (to, sum) in to.iter_mut().zip(sums) {
        let mean = if half_up {
            // Above zero, where whole numbers are cut as they should be.
            quotient(*sum + half + 256 * count) - 256
        } else {
            quotient(*sum + if *sum > 0 { half } else { -half })
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
