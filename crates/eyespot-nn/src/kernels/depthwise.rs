//! Quantised convolutions of each channel for itself.

use core::ops::Range;

use super::conv::{ConvI8, Rescale, conv_plain, plain_value};
#[cfg(dsp)]
use super::dsp::{even, odd};

/// Taps of the largest window that the fast path takes.
const TAPS: usize = 49;

/// Channels at a time.
const BLOCK: usize = if cfg!(target_arch = "arm") { 4 } else { 8 };

/// A tap of a block of channels: how far behind the first tap its inputs lie, and its weights.
#[derive(Clone, Copy)]
struct Tap {
    offset: usize,
    weights: Weights,
}

/// A block of channels at a time, with weights and scales unpacked once for the whole image. Larger windows and several
/// outputs per channel take the plain path.
pub(crate) fn depthwise_fast(conv: &ConvI8<'_>, input: &[i8], first: usize, output: &mut [i8]) {
    let taps = conv.window.taps();
    let channels = conv.output.c as usize;
    if conv.input.c != conv.output.c || taps > TAPS {
        conv_plain(conv, true, input, first, output);
        return;
    }
    let kw = usize::from(conv.window.kernel[1]);
    let [dy, dx] = conv.window.dilation.map(usize::from);
    let row = conv.input.w as usize * channels;
    let mut table = [Tap { offset: 0, weights: Weights::default() }; TAPS];
    let table = &mut table[..taps];
    for (at, tap) in table.iter_mut().enumerate() {
        tap.offset = at / kw * dy * row + at % kw * dx * channels;
    }
    let whole = channels - channels % BLOCK;
    for channel in (0..whole).step_by(BLOCK) {
        for (tap, weights) in table.iter_mut().zip(conv.weights.chunks(channels)) {
            if let Some(weights) = weights[channel..].first_chunk() {
                tap.weights = unpack(weights, conv.weight_zero);
            }
        }
        image(conv, input, first, output, channel, table);
    }
    for (pixel, out) in output.chunks_exact_mut(channels).enumerate() {
        let width = conv.output.w as usize;
        for (channel, out) in out.iter_mut().enumerate().skip(whole) {
            *out = plain_value(conv, true, input, (first + pixel / width, pixel % width), channel);
        }
    }
}

/// All pixels of a block of channels.
fn image(conv: &ConvI8<'_>, input: &[i8], first: usize, output: &mut [i8], channel: usize, taps: &[Tap]) {
    let (width, channels) = (conv.output.w as usize, conv.output.c as usize);
    let rescales: [Rescale; BLOCK] = core::array::from_fn(|at| conv.rescale(channel + at));
    let [kh, kw] = conv.window.kernel.map(usize::from);
    let padding = [conv.input_zero; BLOCK];
    let input_row = conv.input.w as isize * channels as isize;
    for (y, line) in output.chunks_exact_mut(width * channels).enumerate() {
        let top = conv.start(0, first + y);
        let rows = inside(conv, 0, top, conv.input.h);
        let start = top * input_row + channel as isize;
        for (x, out) in line.chunks_exact_mut(channels).enumerate() {
            let left = conv.start(1, x);
            let columns = inside(conv, 1, left, conv.input.w);
            let start = start + left * channels as isize;
            let mut sums = [0; BLOCK];
            if rows.len() == kh && columns.len() == kw {
                products(input.get(start as usize..).unwrap_or(&[]), taps, &mut sums);
            } else {
                let at = |tap: &Tap| input.get((start + tap.offset as isize) as usize..);
                at_the_edge(at, taps, kw, (rows.clone(), columns), &padding, &mut sums);
            }
            for ((out, rescale), sum) in out[channel..].iter_mut().zip(&rescales).zip(sums) {
                *out = rescale.apply(sum);
            }
        }
    }
}

/// A window that lies inside the image. On Cortex-M a function of its own, so that nothing else takes registers.
#[cfg_attr(target_arch = "arm", inline(never))]
fn products(values: &[i8], taps: &[Tap], sums: &mut [i32; BLOCK]) {
    let mut own = [0; BLOCK];
    for tap in taps {
        if let Some(values) = values.get(tap.offset..).and_then(|values| values.first_chunk()) {
            add(&mut own, values, &tap.weights);
        }
    }
    *sums = own;
}

/// A window that lies partly in the padding.
#[cfg_attr(target_arch = "arm", inline(never))]
fn at_the_edge<'a>(
    at: impl Fn(&Tap) -> Option<&'a [i8]>,
    taps: &[Tap],
    kw: usize,
    (rows, columns): (Range<usize>, Range<usize>),
    padding: &[i8; BLOCK],
    sums: &mut [i32; BLOCK],
) {
    let mut own = [0; BLOCK];
    for (y, taps) in taps.chunks(kw).enumerate() {
        let columns = if rows.contains(&y) { columns.clone() } else { 0..0 };
        for (x, tap) in taps.iter().enumerate() {
            let values =
                if columns.contains(&x) { at(tap).and_then(|values| values.first_chunk()) } else { None };
            add(&mut own, values.unwrap_or(padding), &tap.weights);
        }
    }
    *sums = own;
}

/// The taps along an axis that lie inside the image.
#[inline]
fn inside(conv: &ConvI8<'_>, axis: usize, start: isize, size: u32) -> Range<usize> {
    let (kernel, step) = (usize::from(conv.window.kernel[axis]), usize::from(conv.window.dilation[axis]));
    let left = (size as isize - start).max(0) as usize;
    if step == 1 {
        return (-start).max(0) as usize..left.min(kernel);
    }
    ((-start).max(0) as usize).div_ceil(step)..left.div_ceil(step).min(kernel)
}

#[cfg(not(dsp))]
type Weights = [i16; BLOCK];

#[cfg(not(dsp))]
fn unpack(weights: &[i8; BLOCK], zero: i16) -> Weights {
    weights.map(|weight| i16::from(weight) - zero)
}

#[cfg(not(dsp))]
#[inline(always)]
fn add(sums: &mut [i32; BLOCK], values: &[i8; BLOCK], weights: &Weights) {
    for at in 0..BLOCK {
        sums[at] = sums[at].wrapping_add(i32::from(values[at]) * i32::from(weights[at]));
    }
}

/// Weights 0 and 2, 1 and 3.
#[cfg(dsp)]
type Weights = [u32; 2];

#[cfg(dsp)]
fn unpack(weights: &[i8; BLOCK], zero: i16) -> Weights {
    let [a, b, c, d] = weights.map(|weight| (i16::from(weight) - zero) as u16);
    [u32::from(a) | u32::from(c) << 16, u32::from(b) | u32::from(d) << 16]
}

/// Bytes become halves in pairs, and each half is multiplied where it lies: the compiler finds SMLABB and SMLATT.
#[cfg(dsp)]
#[inline(always)]
fn add(sums: &mut [i32; BLOCK], values: &[i8; BLOCK], weights: &Weights) {
    let low = |pair: u32| i32::from(pair as i16);
    let high = |pair: u32| pair as i32 >> 16;
    let values = u32::from_le_bytes(values.map(|value| value as u8));
    let (x, w) = (even(values), weights[0]);
    sums[0] = sums[0].wrapping_add(low(x) * low(w));
    sums[2] = sums[2].wrapping_add(high(x) * high(w));
    let (x, w) = (odd(values), weights[1]);
    sums[1] = sums[1].wrapping_add(low(x) * low(w));
    sums[3] = sums[3].wrapping_add(high(x) * high(w));
}
