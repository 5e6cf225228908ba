//! Convolutions of each channel for itself, row by row.

use core::ops::Range;

use super::vector::Simd;

/// A depthwise convolution.
#[derive(Debug, Clone, Copy)]
pub(super) struct Depthwise {
    pub(super) input: *const f32,
    /// Height and width of the input.
    pub(super) size: [usize; 2],
    pub(super) channels: usize,
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) dilation: [usize; 2],
    pub(super) pad: [usize; 2],
    /// Width of the output.
    pub(super) width: usize,
    /// `[taps, channels]`.
    pub(super) weights: *const f32,
    pub(super) bias: *const f32,
}

impl Depthwise {
    /// The taps along an axis that lie inside the input.
    #[inline(always)]
    fn taps(&self, axis: usize, position: usize) -> Range<usize> {
        let start = position * self.stride[axis];
        let (pad, dilation) = (self.pad[axis], self.dilation[axis]);
        let first = pad.saturating_sub(start).div_ceil(dilation);
        let end = (self.size[axis] + pad).saturating_sub(start).div_ceil(dilation).min(self.kernel[axis]);
        first..end
    }
}

/// A row of the output.
///
/// # Safety
/// The CPU has the instructions of `S`, the pointers reach as far as the numbers say, and `y` is a row of the output.
#[inline(always)]
pub(super) unsafe fn row<S: Simd>(conv: &Depthwise, y: usize, out: *mut f32) {
    let rows = conv.taps(0, y);
    let inside = |x: usize| conv.taps(1, x) == (0..conv.kernel[1]);
    let mut x = 0;
    while x < conv.width {
        // SAFETY: the columns x to x + N lie in the output, and the taps in the input: the windows from the first to
        // the last are inside where both ends are.
        unsafe {
            let out = out.add(x * conv.channels);
            let left = conv.width - x;
            let whole = inside(x);
            let columns = conv.taps(1, x);
            x += if whole && left >= 8 && inside(x + 7) {
                pixels::<S, 8>(conv, (y, x), rows.clone(), columns, out)
            } else if whole && left >= 4 && inside(x + 3) {
                pixels::<S, 4>(conv, (y, x), rows.clone(), columns, out)
            } else {
                pixels::<S, 1>(conv, (y, x), rows.clone(), columns, out)
            };
        }
    }
}

/// `N` neighbours in a row that have the same taps. Gives `N`.
///
/// # Safety
/// As for [`row`]; the given taps lie inside the input for all `N`.
#[inline(always)]
unsafe fn pixels<S: Simd, const N: usize>(
    conv: &Depthwise,
    (y, x): (usize, usize),
    rows: Range<usize>,
    columns: Range<usize>,
    out: *mut f32,
) -> usize {
    let channels = conv.channels;
    let mut channel = 0;
    // SAFETY: the first tap that is inside is the smallest place that is read.
    unsafe {
        while channel + S::LANES <= channels {
            let mut acc = [S::load(conv.bias.add(channel)); N];
            for ky in rows.clone() {
                for kx in columns.clone() {
                    let weight = S::load(conv.weights.add((ky * conv.kernel[1] + kx) * channels + channel));
                    let from = conv.input.add(place(conv, (y, x), (ky, kx)) + channel);
                    for (at, acc) in acc.iter_mut().enumerate() {
                        *acc = S::fma(S::load(from.add(at * conv.stride[1] * channels)), weight, *acc);
                    }
                }
            }
            for (at, acc) in acc.into_iter().enumerate() {
                S::store(out.add(at * channels + channel), acc);
            }
            channel += S::LANES;
        }
        let rest = channels - channel;
        if rest > 0 {
            let mut acc = [S::load_some(conv.bias.add(channel), rest); N];
            for ky in rows.clone() {
                for kx in columns.clone() {
                    let weight = conv.weights.add((ky * conv.kernel[1] + kx) * channels + channel);
                    let weight = S::load_some(weight, rest);
                    let from = conv.input.add(place(conv, (y, x), (ky, kx)) + channel);
                    for (at, acc) in acc.iter_mut().enumerate() {
                        let value = S::load_some(from.add(at * conv.stride[1] * channels), rest);
                        *acc = S::fma(value, weight, *acc);
                    }
                }
            }
            for (at, acc) in acc.into_iter().enumerate() {
                S::store_some(out.add(at * channels + channel), acc, rest);
            }
        }
    }
    N
}

/// Index of the first channel of a tap that lies inside the input.
#[inline(always)]
fn place(conv: &Depthwise, (y, x): (usize, usize), (ky, kx): (usize, usize)) -> usize {
    let row = y * conv.stride[0] + ky * conv.dilation[0] - conv.pad[0];
    let column = x * conv.stride[1] + kx * conv.dilation[1] - conv.pad[1];
    (row * conv.size[1] + column) * conv.channels
}
