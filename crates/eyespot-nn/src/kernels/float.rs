//! Floating-point convolutions and activations. Output channels lie together in the weights, so that a block of them
//! fills the lanes of a vector.

use super::pool::ring_rows;
use crate::graph::{Activation, Conv, Pool, Shape, Window};

/// A floating-point convolution with its constants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConvF32<'a> {
    pub(crate) window: Window,
    pub(crate) input: Shape,
    pub(crate) output: Shape,
    pub(crate) weights: &'a [[u8; 4]],
    pub(crate) bias: &'a [[u8; 4]],
    pub(crate) activation: Activation,
}

impl ConvF32<'_> {
    fn start(&self, axis: usize, position: usize) -> isize {
        (position * usize::from(self.window.stride[axis])) as isize - self.window.pad[axis] as isize
    }

    fn pixel(&self, y: isize, x: isize) -> Option<usize> {
        let inside = y >= 0 && x >= 0 && y < self.input.h as isize && x < self.input.w as isize;
        inside.then(|| (y as usize * self.input.w as usize + x as usize) * self.input.c as usize)
    }
}

/// Applies a function to every value.
pub(crate) fn activate(activation: Activation, values: &mut [f32]) {
    let sigmoid = |x: f32| 1.0 / (1.0 + libm::expf(-x));
    let map = |values: &mut [f32], function: &dyn Fn(f32) -> f32| {
        for value in values {
            *value = function(*value);
        }
    };
    match activation {
        Activation::None => {}
        // `max` and `min` would swallow a NaN that shows a broken model.
        Activation::Clamp(low, high) => {
            for value in values {
                *value = if *value < low { low } else { *value };
                *value = if *value > high { high } else { *value };
            }
        }
        Activation::LeakyRelu(slope) => {
            for value in values {
                *value = if *value < 0.0 { *value * slope } else { *value };
            }
        }
        Activation::Sigmoid => map(values, &sigmoid),
        Activation::Silu => map(values, &|x| x * sigmoid(x)),
        Activation::Tanh => map(values, &libm::tanhf),
        Activation::HardSigmoid(factor, summand) => map(values, &|x| clamp_unit(x * factor + summand)),
        Activation::HardSwish => map(values, &|x| x * clamp_unit(x / 6.0 + 0.5)),
    }
}

const fn clamp_unit(x: f32) -> f32 {
    x.clamp(0.0, 1.0)
}

/// Output channels in a block: the lanes.
const LANES: usize = 8;

/// A convolution over all input channels, two output pixels at a time. The output holds whole rows, from row `first`.
pub(crate) fn conv_f32(
    conv: &ConvF32<'_>,
    input: &[f32],
    first: usize,
    output: &mut [f32],
    scratch: &mut [f32],
) {
    let (depth, channels) = (conv.input.c as usize, conv.output.c as usize);
    let width = conv.output.w as usize;
    let pixels = output.len() / channels;
    let place = |pixel: usize| (first + pixel / width, pixel % width);
    let Window { kernel, pad, stride, .. } = conv.window;
    let pairs = output.chunks_mut(2 * channels);
    if kernel == [1, 1] && pad == [0, 0] {
        let column = |pixel: usize| {
            let (row, column) = place(pixel);
            let start = (row * usize::from(stride[0]) * conv.input.w as usize
                + column * usize::from(stride[1]))
                * depth;
            &input[start..start + depth]
        };
        for (pair, out) in pairs.enumerate() {
            let second = (2 * pair + 1).min(pixels - 1);
            columns(conv, column(2 * pair), column(second), out);
        }
    } else {
        let len = conv.window.taps() * depth;
        let (one, rest) = scratch.split_at_mut(len);
        let two = &mut rest[..len];
        for (pair, out) in pairs.enumerate() {
            gather(conv, input, place(2 * pair), one);
            gather(conv, input, place((2 * pair + 1).min(pixels - 1)), two);
            columns(conv, one, two, out);
        }
    }
    activate(conv.activation, output);
}

fn gather(conv: &ConvF32<'_>, input: &[f32], (row, column): (usize, usize), out: &mut [f32]) {
    let [_, kw] = conv.window.kernel.map(usize::from);
    let [dy, dx] = conv.window.dilation.map(|step| usize::from(step) as isize);
    let depth = conv.input.c as usize;
    let (top, left) = (conv.start(0, row), conv.start(1, column));
    for (tap, values) in out.chunks_exact_mut(depth).enumerate() {
        match conv.pixel(top + (tap / kw) as isize * dy, left + (tap % kw) as isize * dx) {
            Some(from) => values.copy_from_slice(&input[from..from + depth]),
            None => values.fill(0.0),
        }
    }
}

/// One or two output pixels.
fn columns(conv: &ConvF32<'_>, one: &[f32], two: &[f32], out: &mut [f32]) {
    let channels = conv.output.c as usize;
    let (out_one, out_two) = out.split_at_mut(channels);
    let mut channel = 0;
    while channel + LANES <= channels {
        block::<LANES>(conv, one, two, channel, out_one, out_two);
        channel += LANES;
    }
    while channel < channels {
        block::<1>(conv, one, two, channel, out_one, out_two);
        channel += 1;
    }
}

#[inline(always)]
fn block<const N: usize>(
    conv: &ConvF32<'_>,
    one: &[f32],
    two: &[f32],
    channel: usize,
    out_one: &mut [f32],
    out_two: &mut [f32],
) {
    let channels = conv.output.c as usize;
    let mut sums = [[0.0f32; N]; 2];
    for (at, sum) in sums[0].iter_mut().enumerate() {
        *sum = f32::from_le_bytes(conv.bias[channel + at]);
    }
    sums[1] = sums[0];
    let weights = conv.weights[channel..].chunks(channels);
    for ((&a, &b), weights) in one.iter().zip(two).zip(weights) {
        let Some(weights) = weights.first_chunk::<N>() else { return };
        let weights = weights.map(f32::from_le_bytes);
        for at in 0..N {
            sums[0][at] += a * weights[at];
            sums[1][at] += b * weights[at];
        }
    }
    out_one[channel..channel + N].copy_from_slice(&sums[0]);
    if let Some(out) = out_two.get_mut(channel..channel + N) {
        out.copy_from_slice(&sums[1]);
    }
}

/// A convolution of each channel for itself.
pub(crate) fn depthwise_f32(conv: &ConvF32<'_>, input: &[f32], first: usize, output: &mut [f32]) {
    let (depth, channels) = (conv.input.c as usize, conv.output.c as usize);
    let [_, kw] = conv.window.kernel.map(usize::from);
    let [dy, dx] = conv.window.dilation.map(|step| usize::from(step) as isize);
    let (width, multiplier) = (conv.output.w as usize, (channels / depth).max(1));
    for (at, out) in output.chunks_exact_mut(channels).enumerate() {
        let (top, left) = (conv.start(0, first + at / width), conv.start(1, at % width));
        for (out, bias) in out.iter_mut().zip(conv.bias) {
            *out = f32::from_le_bytes(*bias);
        }
        for (tap, weights) in conv.weights.chunks_exact(channels).enumerate() {
            let place = conv.pixel(top + (tap / kw) as isize * dy, left + (tap % kw) as isize * dx);
            let Some(values) = place.map(|from| &input[from..from + depth]) else { continue };
            if multiplier == 1 {
                for ((out, value), weight) in out.iter_mut().zip(values).zip(weights) {
                    *out += value * f32::from_le_bytes(*weight);
                }
            } else {
                for (channel, (out, weight)) in out.iter_mut().zip(weights).enumerate() {
                    *out += values[channel / multiplier] * f32::from_le_bytes(*weight);
                }
            }
        }
    }
    activate(conv.activation, output);
}

/// Runs a convolution row by row into a ring and a max pooling after it; `row` computes a row of the convolution.
pub(crate) fn through_ring<T: Copy + PartialOrd>(
    (conv, pool): (&Conv, &Pool),
    least: T,
    ring: &mut [T],
    output: &mut [T],
    mut row: impl FnMut(usize, &mut [T]),
    mut finish: impl FnMut(&mut [T]),
) {
    let width = conv.output.shape.w as usize * conv.output.shape.c as usize;
    let height = usize::from(pool.window.kernel[0]);
    let mut done = 0;
    let lines = output.chunks_exact_mut(pool.output.shape.w as usize * pool.output.shape.c as usize);
    for (y, out) in lines.enumerate() {
        let rows = ring_rows(pool, y);
        for line in rows.start.max(done)..rows.end {
            let start = line % height * width;
            row(line, &mut ring[start..start + width]);
        }
        done = done.max(rows.end);
        super::max_ring_row(pool, y, least, ring, out);
        finish(out);
    }
}
