//! Operators that only touch memory: no sums worth blocking.

use super::activate;
use super::requant::scale;
use crate::graph::{Activation, Axis, BinaryKind, Rescale, Shape};

/// Index of the right side of an operation for each value of the left one.
fn repeated(a: Shape, b: Shape) -> impl Fn(usize) -> usize {
    let (width, channels) = (a.w as usize, a.c as usize);
    let stride = |side: u32, stride: u32| if side == 1 { 0 } else { stride as usize };
    let (dy, dx, dc) = (stride(b.h, b.w * b.c), stride(b.w, b.c), stride(b.c, 1));
    let same = a == b;
    move |at| {
        if same {
            return at;
        }
        let (pixel, channel) = (at / channels, at % channels);
        pixel / width * dy + pixel % width * dx + channel * dc
    }
}

/// Scales of a quantised operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BinaryQuant {
    pub(crate) a: Rescale,
    pub(crate) b: Rescale,
    pub(crate) output: Rescale,
    pub(crate) left_shift: u8,
    pub(crate) clamp: [i8; 2],
}

/// Arithmetic of two quantised tensors, the left one in place.
pub(crate) fn binary_i8(
    kind: BinaryKind,
    quant: &BinaryQuant,
    (shape_a, shape_b): (Shape, Shape),
    a: &mut [i8],
    b: &[i8],
) {
    let index = repeated(shape_a, shape_b);
    let [low, high] = quant.clamp.map(i32::from);
    let lifted = |value: i8, side: &Rescale| {
        let value = (i32::from(value) - i32::from(side.zero)).wrapping_shl(u32::from(quant.left_shift));
        scale(value, side.multiplier, side.shift)
    };
    for (at, a) in a.iter_mut().enumerate() {
        let b = b[index(at)];
        let result = match kind {
            BinaryKind::Add => lifted(*a, &quant.a).wrapping_add(lifted(b, &quant.b)),
            BinaryKind::Sub => lifted(*a, &quant.a).wrapping_sub(lifted(b, &quant.b)),
            BinaryKind::Mul => {
                (i32::from(*a) - i32::from(quant.a.zero)) * (i32::from(b) - i32::from(quant.b.zero))
            }
        };
        let scaled = scale(result, quant.output.multiplier, quant.output.shift);
        *a = scaled.saturating_add(i32::from(quant.output.zero)).clamp(low, high) as i8;
    }
}

/// Arithmetic of two floating-point tensors, the left one in place.
pub(crate) fn binary_f32(
    kind: BinaryKind,
    activation: Activation,
    (shape_a, shape_b): (Shape, Shape),
    a: &mut [f32],
    b: &[f32],
) {
    let index = repeated(shape_a, shape_b);
    for (at, a) in a.iter_mut().enumerate() {
        let b = b[index(at)];
        match kind {
            BinaryKind::Add => *a += b,
            BinaryKind::Sub => *a -= b,
            BinaryKind::Mul => *a *= b,
        }
    }
    activate(activation, a);
}

/// Maps every value by a table for -128 to 127, in place.
pub(crate) fn table(table: &[i8], values: &mut [i8]) {
    for value in values {
        *value = table[usize::from((*value as u8) ^ 0x80)];
    }
}

/// The same with a table for each channel. Four at a time: the stores of single bytes would take as long as the lookups.
pub(crate) fn channel_tables(tables: &[i8], values: &mut [i8]) {
    let tables = tables.as_chunks::<256>().0;
    let (by_four, others) = tables.as_chunks::<4>();
    let look_up = |table: &[i8; 256], value: i8| table[usize::from((value as u8) ^ 0x80)];
    for pixel in values.chunks_exact_mut(tables.len().max(1)) {
        let (fours, rest) = pixel.as_chunks_mut::<4>();
        for ([a, b, c, d], [e, f, g, h]) in fours.iter_mut().zip(by_four) {
            [*a, *b, *c, *d] = [look_up(e, *a), look_up(f, *b), look_up(g, *c), look_up(h, *d)];
        }
        for (value, table) in rest.iter_mut().zip(others) {
            *value = look_up(table, *value);
        }
    }
}

/// A strided copy of values of `size` bytes.
pub(crate) fn copy(axes: &[Axis; 5], size: usize, map: Option<&[i8]>, input: &[u8], output: &mut [u8]) {
    let [a, b, c, d, e] = axes;
    let along = |axis: &Axis| {
        let (from, to) = (axis.from as usize * size, axis.to as usize * size);
        (0..axis.count as usize).map(move |at| (at * from, at * to))
    };
    for (a_from, a_to) in along(a) {
        for (b_from, b_to) in along(b) {
            for (c_from, c_to) in along(c) {
                for (d_from, d_to) in along(d) {
                    let (from, to) = (a_from + b_from + c_from + d_from, a_to + b_to + c_to + d_to);
                    run(e, size, map, &input[from..], &mut output[to..]);
                }
            }
        }
    }
}

/// The innermost dimension.
#[inline]
fn run(axis: &Axis, size: usize, map: Option<&[i8]>, input: &[u8], output: &mut [u8]) {
    let count = axis.count as usize;
    if let Some(map) = map {
        let input = input.iter().step_by((axis.from as usize).max(1));
        let output = output.iter_mut().step_by((axis.to as usize).max(1));
        for (to, &from) in output.zip(input).take(count) {
            *to = map[usize::from(from ^ 0x80)] as u8;
        }
    } else if cfg!(feature = "host") && size == 4 && (axis.from != 1 || axis.to != 1) {
        scattered(axis, input, output);
    } else if axis.from == 1 && axis.to == 1 {
        output[..count * size].copy_from_slice(&input[..count * size]);
    } else if size == 1 {
        let (from, to) = (axis.from as usize, axis.to as usize);
        for at in 0..count {
            output[at * to] = input[at * from];
        }
    } else {
        let (from, to) = (axis.from as usize * size, axis.to as usize * size);
        for at in 0..count {
            output[at * to..at * to + size].copy_from_slice(&input[at * from..at * from + size]);
        }
    }
}

/// Words that don't lie side by side: a call of `memcpy` for each would cost more than the copy.
#[inline(never)]
fn scattered(axis: &Axis, input: &[u8], output: &mut [u8]) {
    let (from, to) = (axis.from as usize, axis.to as usize);
    let (input, output) = (input.as_chunks::<4>().0, output.as_chunks_mut::<4>().0);
    let mut first = 0;
    if [from, to] == [2, 1] {
        // Every second channel: vectors, but for the last one, behind which nothing need lie.
        first = (axis.count as usize).saturating_sub(1);
        for (to, [from, _]) in output[..first].iter_mut().zip(input.as_chunks::<2>().0) {
            *to = *from;
        }
    }
    for at in first..axis.count as usize {
        output[at * to] = input[at * from];
    }
}

pub(crate) fn quantize(size: f32, zero: i8, input: &[f32], output: &mut [i8]) {
    for (to, from) in output.iter_mut().zip(input) {
        // A cast saturates; NaN becomes 0.
        *to = (libm::roundf(from / size) + f32::from(zero)) as i8;
    }
}

pub(crate) fn dequantize(size: f32, zero: i8, input: &[i8], output: &mut [f32]) {
    for (to, from) in output.iter_mut().zip(input) {
        *to = size * (i32::from(*from) - i32::from(zero)) as f32;
    }
}

/// Where the samples of an output row or column lie: the two neighbours and the share of the second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sampling {
    pub(crate) align_corners: bool,
    pub(crate) half_pixel: bool,
}

impl Sampling {
    fn step(self, input: u32, output: u32) -> f32 {
        if self.align_corners && output > 1 {
            (input - 1) as f32 / (output - 1) as f32
        } else {
            input as f32 / output as f32
        }
    }

    fn at(self, step: f32, position: usize, size: u32) -> (usize, usize, f32) {
        let at = if self.half_pixel { (position as f32 + 0.5) * step - 0.5 } else { position as f32 * step };
        let floor = libm::floorf(at);
        let last = size as usize - 1;
        // A cast from below zero gives zero.
        ((floor as usize).min(last), (libm::ceilf(at) as usize).min(last), at - floor)
    }

    /// In steps of 1/1024 of a pixel, rounded.
    fn fixed_step(self, input: u32, output: u32) -> i64 {
        let (mut input, mut output) = (i64::from(input), i64::from(output));
        if self.align_corners && output > 1 {
            (input, output) = (input - 1, output - 1);
        }
        ((input << 10) + output / 2) / output
    }

    /// The two neighbours and the share of the second in 1/1024; it is negative before the first pixel.
    fn fixed_at(self, step: i64, position: usize, size: u32) -> (usize, usize, i64) {
        let at = position as i64 * step + if self.half_pixel { step / 2 - (1 << 9) } else { 0 };
        let first = (at / (1 << 10)).max(0);
        let second = ((at + (1 << 10) - 1) / (1 << 10)).min(i64::from(size) - 1);
        let last = size as usize - 1;
        ((first as usize).min(last), (second.max(0) as usize).min(last), at - (first << 10))
    }
}

pub(crate) fn resize_f32(sampling: Sampling, from: Shape, to: Shape, input: &[f32], output: &mut [f32]) {
    let steps = [sampling.step(from.h, to.h), sampling.step(from.w, to.w)];
    let place = |axis: usize, position: usize| {
        sampling.at(steps[axis], position, if axis == 0 { from.h } else { from.w })
    };
    resize((from, to), input, output, place, |[a, b, c, d], dy, dx| {
        a * (1.0 - dy) * (1.0 - dx) + b * (1.0 - dy) * dx + c * dy * (1.0 - dx) + d * dy * dx
    });
}

/// In fixed point, rounded to nearest; quantisation of input and output is the same.
pub(crate) fn resize_i8(sampling: Sampling, from: Shape, to: Shape, input: &[i8], output: &mut [i8]) {
    let steps = [sampling.fixed_step(from.h, to.h), sampling.fixed_step(from.w, to.w)];
    let place = |axis: usize, position: usize| {
        sampling.fixed_at(steps[axis], position, if axis == 0 { from.h } else { from.w })
    };
    resize((from, to), input, output, place, |corners: [i8; 4], dy, dx| {
        let [a, b, c, d] = corners.map(i64::from);
        let one = 1i64 << 10;
        let sum = a * (one - dy) * (one - dx) + b * (one - dy) * dx + c * dy * (one - dx) + d * dy * dx;
        let half = if sum > 0 { 1 << 19 } else { -(1 << 19) };
        ((sum + half) / (1 << 20)) as i8
    });
}

/// `place(axis, position)` gives the neighbours of a row or column of the output and the share of the second.
fn resize<T: Copy, S: Copy>(
    (from, to): (Shape, Shape),
    input: &[T],
    output: &mut [T],
    place: impl Fn(usize, usize) -> (usize, usize, S),
    blend: impl Fn([T; 4], S, S) -> T,
) {
    let channels = to.c as usize;
    for (y, line) in output.chunks_exact_mut(to.w as usize * channels).enumerate() {
        let (top, bottom, dy) = place(0, y);
        for (x, pixel) in line.chunks_exact_mut(channels).enumerate() {
            let (left, right, dx) = place(1, x);
            let at =
                |y: usize, x: usize, channel: usize| input[(y * from.w as usize + x) * channels + channel];
            for (channel, out) in pixel.iter_mut().enumerate() {
                let corners = [
                    at(top, left, channel),
                    at(top, right, channel),
                    at(bottom, left, channel),
                    at(bottom, right, channel),
                ];
                *out = blend(corners, dy, dx);
            }
        }
    }
}
