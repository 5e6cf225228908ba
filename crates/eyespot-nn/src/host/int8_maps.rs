//! Quantised operators that are no convolutions: copies, means, softmax.

use std::boxed::Box;

use super::simd::Level;
use super::simd::int8::MOST;
use crate::graph::{Axis, Pool, PoolKind, PoolQuant, Shape};
use crate::kernels::{exp_of_difference, pool_taps, softmax_by};

/// A strided copy of bytes, mapped by a table where there is one.
pub(super) fn copy(
    level: Level,
    axes: &[Axis; 5],
    table: Option<&[i8; 256]>,
    input: &[i8],
    output: &mut [i8],
) {
    let [a, b, c, d, e] = axes;
    let along = |axis: &Axis| {
        let (from, to) = (axis.from as usize, axis.to as usize);
        (0..axis.count as usize).map(move |at| (at * from, at * to))
    };
    for (a_from, a_to) in along(a) {
        for (b_from, b_to) in along(b) {
            for (c_from, c_to) in along(c) {
                for (d_from, d_to) in along(d) {
                    let (from, to) = (a_from + b_from + c_from + d_from, a_to + b_to + c_to + d_to);
                    run(level, e, table, &input[from..], &mut output[to..]);
                }
            }
        }
    }
}

/// The innermost dimension.
#[inline]
fn run(level: Level, axis: &Axis, table: Option<&[i8; 256]>, input: &[i8], output: &mut [i8]) {
    let (count, from, to) = (axis.count as usize, axis.from as usize, axis.to as usize);
    if to != 1 {
        for at in 0..count {
            let value = input[at * from];
            output[at * to] = table.map_or(value, |table| table[usize::from(value as u8 ^ 0x80)]);
        }
        return;
    }
    let output = &mut output[..count];
    match from {
        1 => few(&input[..count], output),
        2 => level.every_second(&input[..2 * count - 1], output),
        _ => output.iter_mut().enumerate().for_each(|(at, to)| *to = input[at * from]),
    }
    if let Some(table) = table {
        level.table(table, output);
    }
}

/// Copies values. A call of `memcpy` costs more than some bytes: the last ones are copied twice.
#[inline]
fn few(from: &[i8], to: &mut [i8]) {
    match from.len() {
        16..=256 => twice::<16>(from, to),
        8..16 => twice::<8>(from, to),
        4..8 => twice::<4>(from, to),
        _ => to.copy_from_slice(from),
    }
}

#[inline(always)]
fn twice<const N: usize>(from: &[i8], to: &mut [i8]) {
    for (to, from) in to.as_chunks_mut::<N>().0.iter_mut().zip(from.as_chunks::<N>().0) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut::<N>(), from.last_chunk::<N>()) {
        *to = *from;
    }
}

/// Values that a thread needs for the means of a pooling.
pub(super) const fn means_room(input: Shape) -> usize {
    (input.w as usize + 1) * input.c as usize
}

/// Is a window small enough for [`means`]?
pub(super) fn has_means(pool: &Pool) -> bool {
    pool.window.taps() <= MOST
}

/// Rows of an average pooling, from `first` on: sums of columns first, then of windows.
pub(super) fn means(
    level: Level,
    (pool, quant): (&Pool, &PoolQuant),
    input: &[i8],
    first: usize,
    output: &mut [i8],
    sums: &mut [i32],
) {
    let channels = pool.input.shape.c as usize;
    let line = pool.input.shape.w as usize * channels;
    let (columns, rest) = sums.split_at_mut(line);
    let sums = &mut rest[..channels];
    for (y, out) in output.chunks_exact_mut(pool.output.shape.w as usize * channels).enumerate() {
        let rows = pool_taps(pool, 0, first + y);
        columns.fill(0);
        for y in rows.clone() {
            level.accumulate(columns, &input[y * line..(y + 1) * line]);
        }
        for (x, out) in out.chunks_exact_mut(channels).enumerate() {
            let taps = pool_taps(pool, 1, x);
            let inside = rows.len() * taps.len();
            let (count, padding) = match pool.kind {
                PoolKind::AverageWithPadding => (pool.window.taps(), pool.window.taps() - inside),
                _ => (inside, 0),
            };
            sums.fill(padding as i32 * i32::from(quant.zero));
            for tap in taps {
                let columns = &columns[tap * channels..(tap + 1) * channels];
                sums.iter_mut().zip(columns).for_each(|(sum, column)| *sum += column);
            }
            level.means(sums, count as i32, quant.half_up, quant.clamp, out);
        }
    }
}

/// Exponentials of the differences 0, -1 to -255.
pub(super) fn exponentials(multiplier: i32, shift: i8) -> Box<[i32; 256]> {
    Box::new(core::array::from_fn(|at| exp_of_difference(multiplier, shift, -(at as i32))))
}

/// Softmax over the channels of each pixel, in place.
pub(super) fn softmax(exponentials: &[i32; 256], diff_min: i32, values: &mut [i8], channels: usize) {
    // A difference of two bytes fits one.
    let exp = |difference: i32| exponentials[usize::from(difference.unsigned_abs() as u8)];
    softmax_by(exp, diff_min, values, channels);
}
