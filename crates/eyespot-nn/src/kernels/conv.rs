//! Quantised convolutions over all input channels.

use super::dot::{dot_1x1, dot_2x2, sum};
use super::requant::scale;
use crate::graph::{Shape, Window};

/// A quantised convolution with its constants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConvI8<'a> {
    pub(crate) window: Window,
    pub(crate) input: Shape,
    pub(crate) output: Shape,
    pub(crate) weights: &'a [i8],
    pub(crate) bias: &'a [[u8; 4]],
    pub(crate) multipliers: &'a [[u8; 4]],
    pub(crate) shifts: &'a [i8],
    pub(crate) input_zero: i8,
    pub(crate) output_zero: i8,
    pub(crate) weight_zero: i16,
    pub(crate) clamp: [i8; 2],
}

impl ConvI8<'_> {
    /// The first tap of an output position: row or column of the input, negative in the padding.
    #[inline]
    pub(crate) fn start(&self, axis: usize, position: usize) -> isize {
        (position * usize::from(self.window.stride[axis])) as isize - self.window.pad[axis] as isize
    }

    /// Index of a pixel's first value, `None` outside the image.
    #[inline]
    pub(crate) fn pixel(&self, y: isize, x: isize) -> Option<usize> {
        let inside = y >= 0 && x >= 0 && y < self.input.h as isize && x < self.input.w as isize;
        inside.then(|| (y as usize * self.input.w as usize + x as usize) * self.input.c as usize)
    }

    /// A sum of products becomes an output.
    #[inline]
    pub(crate) fn output_of(&self, sum: i32, channel: usize) -> i8 {
        let bias = i32::from_le_bytes(self.bias[channel]);
        let multiplier = i32::from_le_bytes(self.multipliers[channel]);
        let scaled = scale(sum.wrapping_add(bias), multiplier, self.shifts[channel]);
        let [low, high] = self.clamp;
        // What lies outside the clamp also does so before the zero point is added: no overflow matters.
        scaled.saturating_add(i32::from(self.output_zero)).clamp(i32::from(low), i32::from(high)) as i8
    }
}

/// The definition of a convolution: every tap of every output, padding included.
pub(crate) fn conv_plain(conv: &ConvI8<'_>, depthwise: bool, input: &[i8], first: usize, output: &mut [i8]) {
    let [kh, kw] = conv.window.kernel.map(usize::from);
    let [dy, dx] = conv.window.dilation.map(isize::from_u16);
    let (depth, channels) = (conv.input.c as usize, conv.output.c as usize);
    for (at, value) in output.iter_mut().enumerate() {
        let (pixel, channel) = (at / channels, at % channels);
        let (row, column) = (first + pixel / conv.output.w as usize, pixel % conv.output.w as usize);
        let (top, left) = (conv.start(0, row), conv.start(1, column));
        // Depthwise: a single input channel, and weights that go tap by tap.
        let own = channel / (channels / depth).max(1);
        let sources = if depthwise { own..own + 1 } else { 0..depth };
        let mut sum = 0i32;
        for tap in 0..kh * kw {
            let (y, x) = (top + (tap / kw) as isize * dy, left + (tap % kw) as isize * dx);
            let pixel = conv.pixel(y, x);
            for source in sources.clone() {
                let input = pixel.map_or(conv.input_zero, |pixel| input[pixel + source]);
                let weight = if depthwise {
                    tap * channels + channel
                } else {
                    (channel * kh * kw + tap) * depth + source
                };
                let weight = i32::from(conv.weights[weight]) - i32::from(conv.weight_zero);
                sum = sum.wrapping_add(i32::from(input) * weight);
            }
        }
        *value = conv.output_of(sum, channel);
    }
}

trait FromU16 {
    fn from_u16(value: u16) -> Self;
}

impl FromU16 for isize {
    fn from_u16(value: u16) -> Self {
        usize::from(value) as Self
    }
}

/// Two output pixels and two output channels at a time. The taps of an output pixel are gathered into a column, or
/// used in place where they are a single pixel.
pub(crate) fn conv_fast(
    conv: &ConvI8<'_>,
    input: &[i8],
    first: usize,
    output: &mut [i8],
    scratch: &mut [i8],
) {
    let (depth, channels) = (conv.input.c as usize, conv.output.c as usize);
    let width = conv.output.w as usize;
    let pixels = output.len() / channels;
    let place = |pixel: usize| (first + pixel / width, pixel % width);
    let Window { kernel, pad, stride, .. } = conv.window;
    let mut pairs = output.chunks_exact_mut(2 * channels);
    if kernel == [1, 1] && pad == [0, 0] {
        let direct = stride == [1, 1];
        let column = |pixel: usize| {
            let start = if direct {
                (first * width + pixel) * depth
            } else {
                let (row, column) = place(pixel);
                (row * usize::from(stride[0]) * conv.input.w as usize + column * usize::from(stride[1]))
                    * depth
            };
            &input[start..start + depth]
        };
        for (pair, out) in pairs.by_ref().enumerate() {
            two_columns(conv, column(2 * pair), column(2 * pair + 1), out);
        }
        if pixels % 2 == 1 {
            one_column(conv, column(pixels - 1), pairs.into_remainder());
        }
        return;
    }
    let len = conv.window.taps() * depth;
    let (one, rest) = scratch.split_at_mut(len);
    let two = &mut rest[..len];
    for (pair, out) in pairs.by_ref().enumerate() {
        gather(conv, input, place(2 * pair), one);
        gather(conv, input, place(2 * pair + 1), two);
        two_columns(conv, one, two, out);
    }
    if pixels % 2 == 1 {
        gather(conv, input, place(pixels - 1), one);
        one_column(conv, one, pairs.into_remainder());
    }
}

/// Copies the taps of an output pixel into a column.
fn gather(conv: &ConvI8<'_>, input: &[i8], (row, column): (usize, usize), out: &mut [i8]) {
    let [kh, kw] = conv.window.kernel.map(usize::from);
    let [dy, dx] = conv.window.dilation.map(isize::from_u16);
    let depth = conv.input.c as usize;
    let (top, left) = (conv.start(0, row), conv.start(1, column));
    let mut lines = out.chunks_exact_mut(kw * depth);
    for tap in 0..kh as isize {
        let Some(line) = lines.next() else { return };
        let y = top + tap * dy;
        if dx == 1
            && let (Some(from), Some(to)) = (conv.pixel(y, left), conv.pixel(y, left + kw as isize - 1))
        {
            copy_short(&input[from..to + depth], line);
            continue;
        }
        for (tap, values) in line.chunks_exact_mut(depth).enumerate() {
            match conv.pixel(y, left + tap as isize * dx) {
                Some(from) => copy_short(&input[from..from + depth], values),
                None => values.fill(conv.input_zero),
            }
        }
    }
}

/// A call of `memcpy` costs more than a few bytes.
#[inline]
fn copy_short(from: &[i8], to: &mut [i8]) {
    if from.len() >= 16 {
        to.copy_from_slice(from);
        return;
    }
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

fn two_columns(conv: &ConvI8<'_>, one: &[i8], two: &[i8], out: &mut [i8]) {
    let channels = conv.output.c as usize;
    let (out_one, out_two) = out.split_at_mut(channels);
    // The zero point of the weights takes its share of the sum of the inputs.
    let zero = i32::from(conv.weight_zero);
    let shares = if zero == 0 { [0; 2] } else { [sum(one).wrapping_mul(zero), sum(two).wrapping_mul(zero)] };
    let len = one.len();
    let mut pairs = conv.weights.chunks_exact(2 * len);
    let mut outs = out_one.chunks_exact_mut(2).zip(out_two.chunks_exact_mut(2)).enumerate();
    for weights in pairs.by_ref() {
        let Some((at, (one_out, two_out))) = outs.next() else { return };
        let (first, second) = weights.split_at(len);
        let [a, b, c, d] = dot_2x2([one, two], [first, second]);
        one_out[0] = conv.output_of(a.wrapping_sub(shares[0]), 2 * at);
        one_out[1] = conv.output_of(b.wrapping_sub(shares[0]), 2 * at + 1);
        two_out[0] = conv.output_of(c.wrapping_sub(shares[1]), 2 * at);
        two_out[1] = conv.output_of(d.wrapping_sub(shares[1]), 2 * at + 1);
    }
    if channels % 2 == 1 {
        let (last, weights) = (channels - 1, pairs.remainder());
        out_one[last] = conv.output_of(dot_1x1(one, weights).wrapping_sub(shares[0]), last);
        out_two[last] = conv.output_of(dot_1x1(two, weights).wrapping_sub(shares[1]), last);
    }
}

fn one_column(conv: &ConvI8<'_>, column: &[i8], out: &mut [i8]) {
    let zero = i32::from(conv.weight_zero);
    let share = if zero == 0 { 0 } else { sum(column).wrapping_mul(zero) };
    for (channel, (out, weights)) in out.iter_mut().zip(conv.weights.chunks_exact(column.len())).enumerate() {
        *out = conv.output_of(dot_1x1(column, weights).wrapping_sub(share), channel);
    }
}
