//! Convolutions over all input channels, in runs of pixels whose windows lie at equal distances in the image: along a row
//! where the window is inside, down a column at the left and right edges. Nothing is copied; taps in the padding are left
//! out.

use core::ops::Range;
use std::vec::Vec;

use super::geometry::Geometry;
use super::simd::{Level, Panels, Part, Run, Taps};
use crate::graph::{Activation, Shape, Window};

/// Values of the image in a block: they stay in the second cache while the panels of weights go by.
const BLOCK: usize = 1 << 16;

/// Bytes of a panel in a slice: they stay in the first cache while some tiles go by.
const SLICE: usize = 1 << 14;

/// Tiles that go by.
const TILES: usize = 4;

/// A part of the window's taps. The sums of the parts are added up in the output.
#[derive(Debug, Clone)]
struct Slice {
    lines: Range<usize>,
    /// Values of a whole line.
    values: Range<usize>,
    part: Part,
}

/// Rows that are computed: a panel's channels, from the row on that the output starts with.
#[derive(Debug, Clone, Copy)]
struct Rows<'a> {
    panel: usize,
    input: &'a [f32],
    first: usize,
}

/// The parts of a window: whole lines where they are short, parts of a line where it is long.
fn slices(panels: &Panels, window: Window, channels: usize) -> Vec<Slice> {
    let [lines, columns] = window.kernel.map(usize::from);
    let (line, most) = (columns * channels, (SLICE / panels.width().max(1)).max(1));
    let mut slices = Vec::new();
    if line <= most || window.dilation[1] != 1 {
        let step = lines.div_ceil((lines * line).div_ceil(most)).max(1);
        for start in (0..lines).step_by(step) {
            slices.push((start..lines.min(start + step), 0..line));
        }
    } else {
        let step = line.div_ceil(line.div_ceil(most));
        for number in 0..lines {
            for start in (0..line).step_by(step) {
                slices.push((number..number + 1, start..line.min(start + step)));
            }
        }
    }
    let last = slices.len() - 1;
    let part = |at: usize| Part { first: at == 0, last: at == last };
    slices
        .into_iter()
        .enumerate()
        .map(|(at, (lines, values))| Slice { lines, values, part: part(at) })
        .collect()
}

/// A convolution over all input channels.
#[derive(Debug)]
pub(super) struct Conv {
    panels: Panels,
    geometry: Geometry,
    /// Rows and columns of the output whose windows lie inside.
    inner: [Range<usize>; 2],
    slices: Vec<Slice>,
}

impl Conv {
    pub(super) fn new(
        level: Level,
        window: Window,
        [input, output]: [Shape; 2],
        [weights, bias]: [&[[u8; 4]]; 2],
        activation: Activation,
    ) -> Self {
        let panels = Panels::new(level, weights, bias, activation);
        let sides = [[input.h, output.h], [input.w, output.w]].map(|sides| sides.map(|side| side as usize));
        let inner = [0, 1].map(|axis| {
            let [kernel, stride, dilation, pad] =
                [window.kernel, window.stride, window.dilation, window.pad].map(|of| usize::from(of[axis]));
            let [input, output] = sides[axis];
            let reach = (kernel - 1) * dilation;
            let end = (input + pad).checked_sub(reach + 1).map_or(0, |last| last / stride + 1).min(output);
            pad.div_ceil(stride).min(end)..end
        });
        let slices = slices(&panels, window, input.c as usize);
        Self { panels, geometry: Geometry { window, input, output }, inner, slices }
    }

    /// Pixels that are computed together: one, or a row.
    pub(super) fn unit(&self) -> usize {
        self.geometry.unit()
    }

    /// Units that are worth a thread.
    pub(super) fn chunk(&self, threads: usize) -> usize {
        let products = self.panels.depth() * self.panels.columns();
        self.geometry.chunk(threads, products, self.panels.rows())
    }

    /// The outputs of whole units, from unit `first` on.
    pub(super) fn compute(&self, input: &[f32], first: usize, output: &mut [f32]) {
        let unit = self.unit() * self.panels.columns();
        let line = if self.geometry.is_flat() {
            1
        } else {
            usize::from(self.geometry.window.stride[0]) * self.geometry.input.w as usize
        };
        let block = (BLOCK / (line * self.geometry.input.c as usize)).max(1);
        for (number, output) in output.chunks_mut(block * unit).enumerate() {
            let first = first + number * block;
            for panel in 0..self.panels.count() {
                if self.geometry.is_flat() {
                    self.flat(panel, input, first, output);
                } else {
                    self.block(panel, input, first..first + output.len() / unit, output);
                }
            }
        }
    }

    fn flat(&self, panel: usize, input: &[f32], first: usize, output: &mut [f32]) {
        let (depth, stride) = (self.panels.depth(), self.panels.columns());
        let tiles = TILES * self.panels.rows();
        for (number, output) in output.chunks_mut(tiles * stride).enumerate() {
            for Slice { values, part, .. } in &self.slices {
                let one = Taps { count: 1, step: 0, weights: 0 };
                let (start, len) = (values.start, values.len());
                let count = output.len() / stride;
                let run = Run { count, pitch: depth, lines: one, taps: one, len, start, stride };
                let from = (first + number * tiles) * depth + start;
                self.panels.product(panel, &run, *part, &input[from..], output);
            }
        }
    }

    /// A panel's channels of some rows.
    fn block(&self, panel: usize, input: &[f32], rows: Range<usize>, output: &mut [f32]) {
        let [inner_rows, inner_columns] = self.inner.clone();
        let these = Rows { panel, input, first: rows.start };
        if !inner_columns.is_empty() {
            let some = (TILES * self.panels.rows()).div_ceil(inner_columns.len());
            for start in rows.clone().step_by(some) {
                for slice in &self.slices {
                    for y in start..rows.end.min(start + some) {
                        let (at, size) = ([y, inner_columns.start], [1, inner_columns.len()]);
                        self.run(these, slice, at, size, output);
                    }
                }
            }
        }
        let inner_rows =
            inner_rows.start.clamp(rows.start, rows.end)..inner_rows.end.clamp(rows.start, rows.end);
        for slice in &self.slices {
            for x in (0..inner_columns.start).chain(inner_columns.end..self.geometry.output.w as usize) {
                if !inner_rows.is_empty() {
                    let (at, size) = ([inner_rows.start, x], [inner_rows.len(), 1]);
                    self.run(these, slice, at, size, output);
                }
                for y in (rows.start..inner_rows.start).chain(inner_rows.end..rows.end) {
                    self.run(these, slice, [y, x], [1, 1], output);
                }
            }
        }
    }

    /// The taps along an axis that lie inside the input.
    fn taps(&self, axis: usize, position: usize) -> Range<usize> {
        let start = position * usize::from(self.geometry.window.stride[axis]);
        let size = [self.geometry.input.h, self.geometry.input.w][axis] as usize;
        let [kernel, dilation, pad] =
            [self.geometry.window.kernel, self.geometry.window.dilation, self.geometry.window.pad]
                .map(|of| usize::from(of[axis]));
        let end = (size + pad).saturating_sub(start).div_ceil(dilation).min(kernel);
        pad.saturating_sub(start).div_ceil(dilation).min(end)..end
    }

    /// Pixels from `y`, `x` on, along a row or down a column, that all have the same taps.
    fn run(
        &self,
        Rows { panel, input, first }: Rows<'_>,
        slice: &Slice,
        [y, x]: [usize; 2],
        [down, along]: [usize; 2],
        output: &mut [f32],
    ) {
        let within = |range: Range<usize>, of: &Range<usize>| {
            let start = range.start.clamp(of.start, of.end);
            start..range.end.clamp(start, of.end)
        };
        let (rows, columns) = (within(self.taps(0, y), &slice.lines), self.taps(1, x));
        let channels = self.geometry.input.c as usize;
        let (line, stride) = (self.geometry.input.w as usize * channels, self.panels.columns());
        let out_line = self.geometry.output.w as usize * stride;
        let [stride_y, stride_x] = self.geometry.window.stride.map(usize::from);
        let [dilation_y, dilation_x] = self.geometry.window.dilation.map(usize::from);
        let [pad_y, pad_x] = self.geometry.window.pad.map(usize::from);
        let kernel = usize::from(self.geometry.window.kernel[1]);
        let place = |position: usize, stride: usize, tap: usize, dilation: usize, pad: usize| {
            (position * stride + tap * dilation).saturating_sub(pad)
        };
        // Neighbouring taps lie together.
        let (values, taps, len) = if dilation_x == 1 {
            let values = within(columns.start * channels..columns.end * channels, &slice.values);
            (values.clone(), 1, values.len())
        } else {
            (columns.start * channels..columns.end * channels, columns.len(), channels)
        };
        let from = place(y, stride_y, rows.start, dilation_y, pad_y) * line
            + place(x, stride_x, columns.start, dilation_x, pad_x) * channels
            + values.start.saturating_sub(columns.start * channels);
        let run = Run {
            count: down * along,
            pitch: if down > 1 { stride_y * line } else { stride_x * channels },
            lines: Taps { count: rows.len(), step: dilation_y * line, weights: kernel * channels },
            taps: Taps { count: taps, step: dilation_x * channels, weights: channels },
            len,
            start: rows.start * kernel * channels + values.start,
            stride: if down > 1 { out_line } else { stride },
        };
        let to = (y - first) * out_line + x * stride;
        self.panels.product(panel, &run, slice.part, input.get(from..).unwrap_or(&[]), &mut output[to..]);
    }
}
