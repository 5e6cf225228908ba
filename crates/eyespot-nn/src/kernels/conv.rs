//! Quantised convolutions over all input channels.

use bytemuck::cast_slice_mut;

use super::dot::{GROUP, Groups, dot_2x2, sums, widen};
use super::requant::scale;
use crate::check::WIDEST;
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

    /// How sums of an output channel become outputs.
    #[inline(always)]
    pub(crate) fn rescale(&self, channel: usize) -> Rescale {
        let [low, high] = self.clamp.map(i32::from);
        Rescale {
            bias: self.bias.get(channel).map_or(0, |bias| i32::from_le_bytes(*bias)),
            multiplier: self.multipliers.get(channel).map_or(0, |multiplier| i32::from_le_bytes(*multiplier)),
            shift: self.shifts.get(channel).copied().unwrap_or(0),
            zero: self.output_zero.into(),
            low,
            high,
        }
    }
}

/// From sums of products to outputs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rescale {
    bias: i32,
    multiplier: i32,
    shift: i8,
    zero: i32,
    low: i32,
    high: i32,
}

impl Rescale {
    #[inline(always)]
    pub(crate) const fn apply(&self, sum: i32) -> i8 {
        let scaled =
            scale(sum.wrapping_add(self.bias), self.multiplier, self.shift).saturating_add(self.zero);
        (if scaled < self.low {
            self.low
        } else if scaled > self.high {
            self.high
        } else {
            scaled
        }) as i8
    }
}

/// The definition of a convolution: every tap of every output, padding included.
pub(crate) fn conv_plain(conv: &ConvI8<'_>, depthwise: bool, input: &[i8], first: usize, output: &mut [i8]) {
    let (channels, width) = (conv.output.c as usize, conv.output.w as usize);
    for (at, value) in output.iter_mut().enumerate() {
        let pixel = at / channels;
        let place = (first + pixel / width, pixel % width);
        *value = plain_value(conv, depthwise, input, place, at % channels);
    }
}

/// One output of a convolution.
pub(super) fn plain_value(
    conv: &ConvI8<'_>,
    depthwise: bool,
    input: &[i8],
    (row, column): (usize, usize),
    channel: usize,
) -> i8 {
    let [kh, kw] = conv.window.kernel.map(usize::from);
    let [dy, dx] = conv.window.dilation.map(isize::from_u16);
    let (depth, channels) = (conv.input.c as usize, conv.output.c as usize);
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
            let weight =
                if depthwise { tap * channels + channel } else { (channel * kh * kw + tap) * depth + source };
            let weight = i32::from(conv.weights[weight]) - i32::from(conv.weight_zero);
            sum = sum.wrapping_add(i32::from(input) * weight);
        }
    }
    conv.rescale(channel).apply(sum)
}

trait FromU16 {
    fn from_u16(value: u16) -> Self;
}

impl FromU16 for isize {
    fn from_u16(value: u16) -> Self {
        usize::from(value) as Self
    }
}

/// Two output pixels and two output channels at a time. The taps of an output pixel are gathered into a column of wide
/// numbers first.
pub(crate) fn conv_fast(
    conv: &ConvI8<'_>,
    input: &[i8],
    first: usize,
    output: &mut [i8],
    scratch: &mut [[i16; 4]],
) {
    let (depth, channels) = (conv.input.c as usize, conv.output.c as usize);
    let width = conv.output.w as usize;
    let Window { kernel, pad, stride, .. } = conv.window;
    let point = kernel == [1, 1] && pad == [0, 0];
    let direct = point && stride == [1, 1];
    let len = conv.window.taps() * depth;
    let (column, bytes) = scratch.split_at_mut(len.div_ceil(WIDEST) * (2 * WIDEST / 4));
    let column: &mut [Groups] = cast_slice_mut(column);
    let column = &mut column[..len.div_ceil(GROUP)];
    let bytes: &mut [i8] = cast_slice_mut(bytes);
    let mut fill = |pixel: usize, which: usize, column: &mut [Groups]| {
        if direct {
            let start = (first * width + pixel) * depth;
            widen(&input[start..start + depth], which, column);
            return;
        }
        let (row, across) = (first + pixel / width, pixel % width);
        if point {
            let start = (row * usize::from(stride[0]) * conv.input.w as usize
                + across * usize::from(stride[1]))
                * depth;
            widen(&input[start..start + depth], which, column);
        } else {
            let bytes = &mut bytes[..len];
            gather(conv, input, (row, across), bytes);
            widen(bytes, which, column);
        }
    };
    let mut pairs = output.chunks_exact_mut(2 * channels);
    let mut pixel = 0;
    for out in pairs.by_ref() {
        fill(pixel, 0, column);
        fill(pixel + 1, 1, column);
        let (out_one, out_two) = out.split_at_mut(channels);
        columns(conv, column, out_one, out_two);
        pixel += 2;
    }
    let last = pairs.into_remainder();
    if !last.is_empty() {
        fill(pixel, 0, column);
        columns(conv, column, last, &mut []);
    }
}

/// Copies the taps of an output pixel, one after the other.
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

/// All output channels of two output pixels; the second may be empty.
fn columns(conv: &ConvI8<'_>, column: &[Groups], out_one: &mut [i8], out_two: &mut [i8]) {
    // The zero point of the weights takes its share of the sum of the inputs.
    let zero = i32::from(conv.weight_zero);
    let len = conv.window.taps() * conv.input.c as usize;
    let shares = if zero == 0 { [0; 2] } else { sums(column, len).map(|sum| sum.wrapping_mul(zero)) };
    let mut rows = conv.weights.chunks(2 * len);
    let mut channel = 0;
    let mut put = |channel: usize, one: i32, two: i32| {
        let rescale = conv.rescale(channel);
        if let Some(out) = out_one.get_mut(channel) {
            *out = rescale.apply(one.wrapping_sub(shares[0]));
        }
        if let Some(out) = out_two.get_mut(channel) {
            *out = rescale.apply(two.wrapping_sub(shares[1]));
        }
    };
    for rows in rows.by_ref() {
        let (first, second) = rows.split_at(len);
        // The last of an odd number of channels goes with itself.
        let odd = second.is_empty();
        let [a, b, c, d] = dot_2x2(column, [first, if odd { first } else { second }]);
        put(channel, a, c);
        if !odd {
            put(channel + 1, b, d);
        }
        channel += 2;
    }
}
