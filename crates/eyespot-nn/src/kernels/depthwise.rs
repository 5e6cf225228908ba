//! Quantised convolutions of each channel for itself.

use super::conv::{ConvI8, conv_plain};

/// Taps of the largest window that the fast path takes.
const TAPS: usize = 49;

/// A block of channels at a time, all taps in one go. Larger windows and several outputs per channel take the plain
/// path.
pub(crate) fn depthwise_fast(conv: &ConvI8<'_>, input: &[i8], first: usize, output: &mut [i8]) {
    let taps = conv.window.taps();
    if conv.input.c != conv.output.c || taps > TAPS {
        conv_plain(conv, true, input, first, output);
        return;
    }
    let channels = conv.output.c as usize;
    let width = conv.output.w as usize;
    let [_, kw] = conv.window.kernel.map(usize::from);
    let [dy, dx] = conv.window.dilation.map(|step| usize::from(step) as isize);
    let mut places = [OUTSIDE; TAPS];
    let places = &mut places[..taps];
    for (at, out) in output.chunks_exact_mut(channels).enumerate() {
        let (top, left) = (conv.start(0, first + at / width), conv.start(1, at % width));
        for (tap, place) in places.iter_mut().enumerate() {
            let (y, x) = (top + (tap / kw) as isize * dy, left + (tap % kw) as isize * dx);
            *place = conv.pixel(y, x).unwrap_or(OUTSIDE);
        }
        let mut channel = 0;
        while channel + 16 <= channels {
            block::<16>(conv, input, places, channel, out);
            channel += 16;
        }
        while channel + 4 <= channels {
            block::<4>(conv, input, places, channel, out);
            channel += 4;
        }
        while channel < channels {
            block::<1>(conv, input, places, channel, out);
            channel += 1;
        }
    }
}

/// The place of a tap in the padding.
const OUTSIDE: usize = usize::MAX;

/// `N` channels of an output pixel.
#[inline(always)]
fn block<const N: usize>(conv: &ConvI8<'_>, input: &[i8], places: &[usize], channel: usize, out: &mut [i8]) {
    let mut sums = [0i32; N];
    let mut totals = [0i32; N];
    let padding = [conv.input_zero; N];
    let weights = conv.weights[channel..].chunks(conv.output.c as usize);
    for (&place, weights) in places.iter().zip(weights) {
        let values = match place {
            OUTSIDE => &padding,
            place => input[place + channel..].first_chunk::<N>().unwrap_or(&padding),
        };
        let Some(weights) = weights.first_chunk::<N>() else { return };
        for at in 0..N {
            sums[at] = sums[at].wrapping_add(i32::from(values[at]) * i32::from(weights[at]));
        }
        if conv.weight_zero != 0 {
            for at in 0..N {
                totals[at] = totals[at].wrapping_add(i32::from(values[at]));
            }
        }
    }
    let zero = i32::from(conv.weight_zero);
    for (at, out) in out[channel..channel + N].iter_mut().enumerate() {
        *out = conv.output_of(sums[at].wrapping_sub(totals[at].wrapping_mul(zero)), channel + at);
    }
}
