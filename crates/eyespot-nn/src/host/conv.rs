//! Convolutions as products of rows: the taps of some output pixels are laid out as rows, which are multiplied with
//! panels of weights. Nothing is laid out twice, and the rows of a block stay in the cache.

use super::aligned::Aligned;
use super::simd::{DEPTH, Level, PITCH, Panels};
use crate::graph::{Activation, Shape, Window};

/// Tiles of rows in a block: each panel of weights is read once for all of them.
const TILES: usize = 4;

/// A convolution over all input channels.
#[derive(Debug)]
pub(super) struct Conv {
    level: Level,
    panels: Panels,
    window: Window,
    input: Shape,
    output: Shape,
    activation: Activation,
}

impl Conv {
    pub(super) fn new(
        level: Level,
        window: Window,
        [input, output]: [Shape; 2],
        [weights, bias]: [&[[u8; 4]]; 2],
        activation: Activation,
    ) -> Self {
        Self { level, panels: Panels::new(level, weights, bias), window, input, output, activation }
    }

    /// Floats of memory for the rows of a block.
    pub(super) const fn room(level: Level) -> usize {
        TILES * level.rows() * PITCH
    }

    /// Pixels that are worth a thread.
    pub(super) fn chunk(&self, threads: usize) -> usize {
        let pixels = self.output.h as usize * self.output.w as usize;
        let work = pixels * self.panels.depth() * self.panels.columns();
        if threads == 1 || work < 1 << 16 {
            return pixels;
        }
        let chunks = pixels.div_ceil(2 * TILES * self.level.rows()).next_multiple_of(threads);
        pixels.div_ceil(chunks)
    }

    /// The outputs of whole pixels, from pixel `first` on.
    pub(super) fn pixels(&self, input: &[f32], first: usize, output: &mut [f32], rows: &mut Aligned) {
        let columns = self.panels.columns();
        let block = TILES * self.level.rows();
        let count = output.len() / columns;
        let blocks = count.div_ceil(block).max(1);
        let mut first = first;
        for output in output.chunks_mut(count.div_ceil(blocks).max(1) * columns) {
            let count = output.len() / columns;
            let depth = self.panels.depth();
            // Parts of about the same depth.
            let parts = depth.div_ceil(DEPTH);
            let part = depth.div_ceil(parts);
            for start in (0..depth).step_by(part) {
                let part = part.min(depth - start);
                self.lay_out(input, first, count, [start, part], rows);
                self.panels.product(rows, [start, part], output, columns);
            }
            self.level.activate(self.activation, output);
            first += count;
        }
    }

    /// Lays the values `start` to `start + len` of the taps of some pixels out as rows.
    fn lay_out(&self, input: &[f32], first: usize, count: usize, [start, len]: [usize; 2], rows: &mut [f32]) {
        let (width, channels) = (self.output.w as usize, self.input.c as usize);
        let Window { kernel, pad, stride, .. } = self.window;
        let rows = rows.chunks_exact_mut(PITCH).take(count);
        if kernel == [1, 1] && pad == [0, 0] {
            let (stride, row) = (stride.map(usize::from), self.input.w as usize);
            if stride == [1, 1] {
                let input = &input[first * channels..];
                for (pixel, to) in input.chunks_exact(channels).zip(rows) {
                    copy(&pixel[start..start + len], &mut to[..len]);
                }
                return;
            }
            for (pixel, to) in (first..).zip(rows) {
                let from = (pixel / width * stride[0] * row + pixel % width * stride[1]) * channels + start;
                copy(&input[from..from + len], &mut to[..len]);
            }
            return;
        }
        for (pixel, to) in (first..).zip(rows) {
            self.taps(input, [pixel / width, pixel % width], start, &mut to[..len]);
        }
    }

    /// The taps of an output pixel from value `start` on.
    fn taps(&self, input: &[f32], [y, x]: [usize; 2], start: usize, mut to: &mut [f32]) {
        let channels = self.input.c as usize;
        let [_, columns] = self.window.kernel.map(usize::from);
        let [dy, dx] = self.window.dilation.map(usize::from);
        let [stride_y, stride_x] = self.window.stride.map(usize::from);
        let [pad_y, pad_x] = self.window.pad.map(usize::from);
        let (height, width) = (self.input.h as usize, self.input.w as usize);
        let left = x * stride_x;
        // All taps of a line lie side by side in the image.
        let whole = dx == 1 && left >= pad_x && left + columns <= width + pad_x;
        let run = if whole { columns * channels } else { channels };
        let mut at = start;
        while !to.is_empty() {
            // The run that value `at` belongs to, and its place in it.
            let (tap, skip) = (at / run, at % run);
            let (ky, kx) = if whole { (tap, 0) } else { (tap / columns, tap % columns) };
            let (part, rest) = to.split_at_mut((run - skip).min(to.len()));
            let (line, column) = (y * stride_y + ky * dy, left + kx * dx);
            let inside = line >= pad_y
                && line < height + pad_y
                && column >= pad_x
                && (whole || column < width + pad_x);
            if inside {
                let from = ((line - pad_y) * width + column - pad_x) * channels + skip;
                copy(&input[from..from + part.len()], part);
            } else {
                part.fill(0.0);
            }
            at += part.len();
            to = rest;
        }
    }
}

/// Runs are often short: a call of `memcpy` for each would cost more than the copy.
#[inline(always)]
fn copy(from: &[f32], to: &mut [f32]) {
    let (from_lines, from_rest) = from.as_chunks::<16>();
    let (to_lines, to_rest) = to.as_chunks_mut::<16>();
    for (to, from) in to_lines.iter_mut().zip(from_lines) {
        *to = *from;
    }
    for (to, from) in to_rest.iter_mut().zip(from_rest) {
        *to = *from;
    }
}
