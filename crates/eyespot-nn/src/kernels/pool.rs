//! Pooling.

use core::ops::Range;

use super::requant::scale;
use crate::graph::{Activation, Pool, PoolKind, PoolQuant, Rescale, Shape};

/// The taps of an output position that lie inside the image.
#[inline]
pub(crate) fn taps(pool: &Pool, axis: usize, position: usize) -> Range<usize> {
    let start = position * usize::from(pool.window.stride[axis]);
    let pad = usize::from(pool.window.pad[axis]);
    let end = start + usize::from(pool.window.kernel[axis]);
    let size = if axis == 0 { pool.input.shape.h } else { pool.input.shape.w } as usize;
    start.saturating_sub(pad)..end.saturating_sub(pad).min(size)
}

/// The rows of an output and the ranges of input rows that they look at.
fn rows<'a, T>(
    pool: &'a Pool,
    output: &'a mut [T],
) -> impl Iterator<Item = (usize, Range<usize>, &'a mut [T])> + 'a {
    let row = pool.output.shape.w as usize * pool.output.shape.c as usize;
    output.chunks_exact_mut(row).enumerate().map(|(y, out)| (y, taps(pool, 0, y), out))
}

fn line<T>(values: &[T], shape: Shape, y: usize) -> &[T] {
    let row = shape.w as usize * shape.c as usize;
    &values[y * row..(y + 1) * row]
}

/// Raises a row of outputs to the maxima of a row of inputs.
fn raise<T: Copy + PartialOrd>(pool: &Pool, line: &[T], out: &mut [T]) {
    let channels = pool.output.shape.c as usize;
    for (x, out) in out.chunks_exact_mut(channels).enumerate() {
        let taps = taps(pool, 1, x);
        for pixel in line[taps.start * channels..taps.end * channels].chunks_exact(channels) {
            for (out, &value) in out.iter_mut().zip(pixel) {
                *out = if value > *out { value } else { *out };
            }
        }
    }
}

pub(crate) fn max_i8(pool: &Pool, quant: &PoolQuant, input: &[i8], output: &mut [i8]) {
    for (_, taps, out) in rows(pool, output) {
        out.fill(quant.clamp[0]);
        for y in taps {
            raise(pool, line(input, pool.input.shape, y), out);
        }
        clamp(out, quant.clamp);
    }
}

fn clamp(values: &mut [i8], [low, high]: [i8; 2]) {
    if high < i8::MAX {
        for value in values {
            *value = (*value).max(low).min(high);
        }
    }
}

pub(crate) fn max_f32(pool: &Pool, activation: Activation, input: &[f32], output: &mut [f32]) {
    for (_, taps, out) in rows(pool, output) {
        out.fill(f32::NEG_INFINITY);
        for y in taps {
            raise(pool, line(input, pool.input.shape, y), out);
        }
        super::activate(activation, out);
    }
}

/// A row of a max pooling whose input rows lie in a ring.
pub(crate) fn max_ring_row<T: Copy + PartialOrd>(pool: &Pool, y: usize, least: T, ring: &[T], out: &mut [T]) {
    out.fill(least);
    let height = usize::from(pool.window.kernel[0]);
    for y in taps(pool, 0, y) {
        raise(pool, line(ring, pool.input.shape, y % height), out);
    }
}

/// The rows that a row of a max pooling looks at.
pub(crate) fn ring_rows(pool: &Pool, y: usize) -> Range<usize> {
    taps(pool, 0, y)
}

pub(crate) fn average_i8(pool: &Pool, quant: &PoolQuant, input: &[i8], output: &mut [i8]) {
    let channels = pool.output.shape.c as usize;
    let [low, high] = quant.clamp.map(i32::from);
    for (_, rows, out) in rows(pool, output) {
        for (x, out) in out.chunks_exact_mut(channels).enumerate() {
            let columns = taps(pool, 1, x);
            let inside = rows.len() * columns.len();
            let (count, padding) = match pool.kind {
                PoolKind::AverageWithPadding => (pool.window.taps(), pool.window.taps() - inside),
                _ => (inside, 0),
            };
            let padding = padding as i32 * i32::from(quant.zero);
            let count = count as i32;
            for (channel, out) in out.iter_mut().enumerate() {
                let mut sum = padding;
                for y in rows.clone() {
                    let line = line(input, pool.input.shape, y);
                    for x in columns.clone() {
                        sum += i32::from(line[x * channels + channel]);
                    }
                }
                let mean = if quant.half_up {
                    (sum + count / 2).div_euclid(count)
                } else if sum > 0 {
                    (sum + count / 2) / count
                } else {
                    (sum - count / 2) / count
                };
                *out = mean.clamp(low, high) as i8;
            }
        }
    }
}

pub(crate) fn average_f32(pool: &Pool, activation: Activation, input: &[f32], output: &mut [f32]) {
    let channels = pool.output.shape.c as usize;
    for (_, rows, out) in rows(pool, output) {
        for (x, out) in out.chunks_exact_mut(channels).enumerate() {
            let columns = taps(pool, 1, x);
            out.fill(0.0);
            for y in rows.clone() {
                let line = line(input, pool.input.shape, y);
                let taps = &line[columns.start * channels..columns.end * channels];
                for pixel in taps.chunks_exact(channels) {
                    for (out, value) in out.iter_mut().zip(pixel) {
                        *out += value;
                    }
                }
            }
            let count = match pool.kind {
                PoolKind::AverageWithPadding => pool.window.taps(),
                _ => rows.len() * columns.len(),
            };
            for out in out.iter_mut() {
                *out /= count as f32;
            }
        }
        super::activate(activation, out);
    }
}

/// The mean of each channel over the whole image, scaled once.
pub(crate) fn mean_i8(shape: Shape, input_zero: i8, rescale: &Rescale, input: &[i8], output: &mut [i8]) {
    let channels = shape.c as usize;
    for (channel, out) in output.iter_mut().enumerate() {
        let sum: i32 = input[channel..].iter().step_by(channels).map(|&value| i32::from(value)).sum();
        *out = mean_of(shape, input_zero, rescale, sum);
    }
}

/// The mean from the sum over the whole image.
pub(crate) fn mean_of(shape: Shape, input_zero: i8, rescale: &Rescale, sum: i32) -> i8 {
    let zeros = (shape.h * shape.w) as i32 * i32::from(input_zero);
    let scaled = scale(sum - zeros, rescale.multiplier, rescale.shift);
    scaled.saturating_add(i32::from(rescale.zero)).clamp(-128, 127) as i8
}
