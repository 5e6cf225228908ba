//! Quantised operators that are no convolutions: copies, means, softmax.

use std::boxed::Box;

use super::simd::Level;
use super::simd::int8::{MOST, Means};
use crate::graph::{Axis, Pool, PoolKind, PoolQuant, Shape};
use crate::kernels::{Division, exp_of_difference, pool_taps, summand};

/// Values that a thread needs for [`copy`].
pub(super) const COPY_ROOM: usize = 1 << 13;

/// A strided copy of bytes, mapped by a table where there is one.
pub(super) fn copy(
    level: Level,
    axes: &[Axis; 5],
    table: Option<&[i8; 256]>,
    input: &[i8],
    output: &mut [i8],
    room: &mut [i8],
) {
    let [a, b, c, d, e] = axes;
    let along = |axis: &Axis| {
        let (from, to) = (axis.from as usize, axis.to as usize);
        (0..axis.count as usize).map(move |at| (at * from, at * to))
    };
    let rows = room.len() / e.count as usize;
    let through_room = e.to == 1 && rows > 0 && (table.is_some() || e.from == 2);
    for (a_from, a_to) in along(a) {
        for (b_from, b_to) in along(b) {
            for (c_from, c_to) in along(c) {
                let (from, to) = (a_from + b_from + c_from, a_to + b_to + c_to);
                let (input, output) = (&input[from..], &mut output[to..]);
                if through_room {
                    for first in (0..d.count as usize).step_by(rows) {
                        let count = rows.min(d.count as usize - first);
                        let (from, to) = (first * d.from as usize, first * d.to as usize);
                        let some = [Axis { count: count as u32, ..*d }, *e];
                        block(level, &some, table, &input[from..], &mut output[to..], room);
                    }
                    continue;
                }
                for (from, to) in along(d) {
                    run(level, e, table, &input[from..], &mut output[to..]);
                }
            }
        }
    }
}

/// Rows by way of memory where they lie together: the more values there are at once, the faster they are mapped.
fn block(
    level: Level,
    [d, e]: &[Axis; 2],
    table: Option<&[i8; 256]>,
    input: &[i8],
    output: &mut [i8],
    room: &mut [i8],
) {
    let (row, rows) = (e.count as usize, d.count as usize);
    let room = &mut room[..rows * row];
    if d.from == e.count * e.from {
        run(level, &Axis { count: e.count * d.count, ..*e }, None, input, room);
    } else {
        for (at, to) in room.chunks_exact_mut(row).enumerate() {
            run(level, e, None, &input[at * d.from as usize..], to);
        }
    }
    if let Some(table) = table {
        level.table(table, room);
    }
    for (at, from) in room.chunks_exact(row).enumerate() {
        few(from, &mut output[at * d.to as usize..][..row]);
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

/// Copies values. A call of `memcpy` costs more than some bytes: the first ones and the last ones, some of them twice.
#[inline]
fn few(from: &[i8], to: &mut [i8]) {
    match from.len() {
        4..8 => ends::<4>(from, to),
        8..16 => ends::<8>(from, to),
        16..=32 => ends::<16>(from, to),
        33..=64 => ends::<32>(from, to),
        _ => to.copy_from_slice(from),
    }
}

#[inline(always)]
fn ends<const N: usize>(from: &[i8], to: &mut [i8]) {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk::<N>()) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut::<N>(), from.last_chunk::<N>()) {
        *to = *from;
    }
}

/// Values that a thread needs for the means of a pooling, or of whole channels.
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
            let start = padding as i32 * i32::from(quant.zero);
            let how = Means { start, count: count as i32, half_up: quant.half_up, clamp: quant.clamp };
            level.means(&how, &columns[taps.start * channels..taps.end * channels], sums, out);
        }
    }
}

/// The sums of whole channels: those of columns first.
pub(super) fn sums<'a>(level: Level, shape: Shape, input: &[i8], room: &'a mut [i32]) -> &'a [i32] {
    let channels = shape.c as usize;
    let (columns, rest) = room.split_at_mut(shape.w as usize * channels);
    let sums = &mut rest[..channels];
    columns.fill(0);
    input.chunks_exact(columns.len()).for_each(|line| level.accumulate(columns, line));
    sums.fill(0);
    for column in columns.chunks_exact(channels) {
        sums.iter_mut().zip(column).for_each(|(sum, &value)| *sum += value);
    }
    sums
}

/// Exponentials of the differences 0, -1 to -255 to the largest value of a pixel.
#[derive(Debug)]
pub(super) struct Softmax {
    exact: [i32; 256],
    /// As they are summed up; zeros where a difference counts nothing.
    summands: [i32; 256],
    /// The largest of those from a difference on.
    most: [i32; 256],
    /// Differences that count.
    count: usize,
}

impl Softmax {
    pub(super) fn new(multiplier: i32, shift: i8, diff_min: i32) -> Box<Self> {
        let count = (1 - i64::from(diff_min)).clamp(0, 256) as usize;
        let exact = core::array::from_fn(|at| exp_of_difference(multiplier, shift, -(at as i32)));
        let mut softmax = Self { exact, summands: [0; 256], most: [i32::MIN; 256], count };
        let mut most = i32::MIN;
        for at in (0..count).rev() {
            softmax.summands[at] = summand(exact[at]);
            most = most.max(exact[at]);
            softmax.most[at] = most;
        }
        Box::new(softmax)
    }

    /// Softmax over the channels of each pixel, in place.
    pub(super) fn apply(&self, level: Level, values: &mut [i8], channels: usize) {
        for pixel in values.chunks_exact_mut(channels) {
            let max = pixel.iter().fold(i8::MIN, |max, &value| max.max(value));
            // A difference of two bytes fits one.
            let place = |value: i8| usize::from(max.wrapping_sub(value) as u8);
            let sum = pixel.iter().fold(0i32, |sum, &value| sum.wrapping_add(self.summands[place(value)]));
            let division = Division::by(sum);
            // The shares of most differences are rounded to nothing.
            let counted = self.most[..self.count].partition_point(|&most| division.of(most) > i8::MIN);
            let mut table = [i8::MIN; 256];
            let values = table[..=usize::from(max as u8 ^ 0x80)].iter_mut().rev();
            for (share, &exp) in values.zip(&self.exact[..counted]) {
                *share = division.of(exp);
            }
            level.table(&table, pixel);
        }
    }
}
