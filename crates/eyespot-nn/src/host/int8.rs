//! Quantised convolutions, row by row. The input rows of a window are copied first, with their padding, as the products
//! take them; a band of them stays in the cache while the panels of weights go by.

use core::ops::Range;

use bytemuck::cast_slice_mut;

use super::geometry::Geometry;
use super::simd::Level;
use super::simd::int8::{Depthwise, Panels, Run};
use crate::graph::{Shape, Window};
use crate::kernels::ConvI8;

/// Bytes of a band.
const BAND: usize = 1 << 15;

/// Bytes that a band is read over its end: whole groups.
const SLACK: usize = 4;

/// The input rows `first..` of a convolution, `None` in the padding.
fn row(input: &[i8], shape: Shape, y: isize) -> Option<&[i8]> {
    let len = shape.w as usize * shape.c as usize;
    let y = usize::try_from(y).ok().filter(|&y| y < shape.h as usize)?;
    input.get(y * len..(y + 1) * len)
}

/// A convolution over all input channels.
#[derive(Debug)]
pub(super) struct Conv {
    level: Level,
    panels: Panels,
    geometry: Geometry,
    input_zero: i8,
}

impl Conv {
    /// `None` where numbers lie outside what the kernels can do.
    pub(super) fn new(level: Level, conv: &ConvI8<'_>, depthwise: bool) -> Option<Self> {
        let ConvI8 { window, input, output, input_zero, .. } = *conv;
        let geometry = Geometry { window, input, output };
        Some(Self { level, panels: Panels::new(level, conv, depthwise)?, geometry, input_zero })
    }

    /// Pixels that are computed together: one, or a row.
    pub(super) fn unit(&self) -> usize {
        self.geometry.unit()
    }

    /// Units that are worth a thread.
    pub(super) fn chunk(&self, threads: usize) -> usize {
        let products = self.panels.depth().iter().product::<usize>() * self.panels.columns();
        self.geometry.chunk(threads, products, self.panels.rows())
    }

    /// Columns of the input that a row of the output looks at, padding included.
    fn reach(&self) -> usize {
        let Window { kernel, stride, dilation, .. } = self.geometry.window;
        (self.geometry.output.w as usize - 1) * usize::from(stride[1])
            + (usize::from(kernel[1]) - 1) * usize::from(dilation[1])
            + 1
    }

    /// Bytes of a pixel of a band.
    fn pixel(&self) -> usize {
        self.geometry.input.c as usize * self.level.format().bytes()
    }

    /// Input rows of a band for some rows of the output.
    fn lines(&self, rows: usize) -> usize {
        let Window { kernel, stride, dilation, .. } = self.geometry.window;
        (rows - 1) * usize::from(stride[0]) + (usize::from(kernel[0]) - 1) * usize::from(dilation[0]) + 1
    }

    /// Units of a band.
    fn block(&self) -> usize {
        if self.geometry.is_flat() {
            let tile = self.panels.rows();
            return (BAND / self.pixel()).next_multiple_of(tile).max(tile);
        }
        let line = self.reach() * self.pixel();
        let more = (BAND / line).saturating_sub(self.lines(1)) / usize::from(self.geometry.window.stride[0]);
        1 + more
    }

    /// Bytes of memory that a thread needs.
    pub(super) fn band(&self) -> usize {
        let bytes = if self.geometry.is_flat() {
            self.block() * self.pixel()
        } else {
            self.lines(self.block()) * self.reach() * self.pixel()
        };
        bytes + SLACK
    }

    /// The outputs of whole units, from unit `first` on.
    pub(super) fn compute(&self, input: &[i8], first: usize, output: &mut [i8], band: &mut [u8]) {
        let unit = self.unit() * self.panels.columns();
        let [lines, taps, groups, passes] = self.panels.depth();
        let [dilation_y, dilation_x] = self.geometry.window.dilation.map(usize::from);
        let [stride_y, stride_x] = self.geometry.window.stride.map(usize::from);
        let block = self.block();
        for (number, output) in output.chunks_mut(block * unit).enumerate() {
            let (first, count) = (first + number * block, output.len() / unit);
            let pixel = self.pixel();
            if self.geometry.is_flat() {
                let depth = self.geometry.input.c as usize;
                self.level.prepare(&input[first * depth..(first + count) * depth], band);
                let one = [1, 0];
                let run = Run { count, pitch: pixel, lines: one, taps: one, groups, passes };
                for panel in 0..self.panels.count() {
                    self.panels.product(panel, &run, band, output);
                }
                continue;
            }
            self.copy(input, first, count, band);
            let line = self.reach() * pixel;
            let run = Run {
                count: self.geometry.output.w as usize,
                pitch: stride_x * pixel,
                lines: [lines, dilation_y * line],
                taps: [taps, dilation_x * pixel],
                groups,
                passes,
            };
            for panel in 0..self.panels.count() {
                for (y, output) in output.chunks_exact_mut(unit).enumerate() {
                    self.panels.product(panel, &run, &band[y * stride_y * line..], output);
                }
            }
        }
    }

    /// Copies the input rows of some output rows, with their padding.
    fn copy(&self, input: &[i8], first: usize, count: usize, band: &mut [u8]) {
        let (bytes, channels) = (self.level.format().bytes(), self.geometry.input.c as usize);
        let reach = self.reach();
        let [top, left] = self.geometry.window.pad.map(usize::from);
        let inside = (self.geometry.input.w as usize).min(reach.saturating_sub(left));
        let start = (first * usize::from(self.geometry.window.stride[0])) as isize - top as isize;
        let mut zeros = [0; 4];
        self.level.prepare(&[self.input_zero; 4], &mut zeros[..]);
        let zero = |to: &mut [u8]| match bytes {
            1 => to.fill(zeros[0]),
            _ => to.chunks_exact_mut(bytes).for_each(|to| to.copy_from_slice(&zeros[..bytes])),
        };
        for (line, to) in band.chunks_exact_mut(reach * channels * bytes).take(self.lines(count)).enumerate()
        {
            let Some(from) = row(input, self.geometry.input, start + line as isize) else {
                zero(to);
                continue;
            };
            let Range { start, end } =
                left.min(reach) * channels * bytes..(left + inside).min(reach) * channels * bytes;
            zero(&mut to[..start]);
            self.level.prepare(&from[..inside * channels], &mut to[start..end]);
            zero(&mut to[end..]);
        }
    }
}

/// A convolution of each channel for itself.
#[derive(Debug)]
pub(super) struct Separate {
    level: Level,
    kernel: Depthwise,
    window: Window,
    input: Shape,
    output: Shape,
    input_zero: i8,
}

impl Separate {
    /// `None` where an input channel has several outputs, or where numbers lie outside what the kernels can do.
    pub(super) fn new(level: Level, conv: &ConvI8<'_>) -> Option<Self> {
        let ConvI8 { window, input, output, input_zero, .. } = *conv;
        Some(Self { level, kernel: Depthwise::new(level, conv)?, window, input, output, input_zero })
    }

    /// Bytes of memory that a thread needs: planes of groups, and a row of padding.
    pub(super) fn band(&self) -> usize {
        4 * self.kernel.planes() * self.kernel.plane() + self.line()
    }

    /// Values of an input row.
    const fn line(&self) -> usize {
        self.input.w as usize * self.input.c as usize
    }

    /// Whole rows of the output, from row `first` on.
    pub(super) fn rows(&self, input: &[i8], first: usize, output: &mut [i8], band: &mut [u8]) {
        let channels = self.output.c as usize;
        let (planes, plane) = (self.kernel.planes(), self.kernel.plane());
        let (groups, padding) = band.split_at_mut(4 * planes * plane);
        let groups: &mut [u32] = cast_slice_mut(groups);
        let padding: &mut [i8] = cast_slice_mut(&mut padding[..self.line()]);
        padding.fill(self.input_zero);
        let left = usize::from(self.window.pad[1]) * channels;
        let reach = self.kernel.reach() * channels;
        let inside = self.line().min(reach.saturating_sub(left));
        let constant = &padding[..1];
        let mut edge = [0];
        self.level.interleave([constant; 4], &mut edge);
        for plane in groups.chunks_exact_mut(plane) {
            let start = left.min(reach);
            plane[..start].fill(edge[0]);
            plane[start + inside..].fill(edge[0]);
        }
        let group = self.level.format().group();
        let [step, _] = self.window.dilation.map(usize::from);
        let kernel = usize::from(self.window.kernel[0]);
        for (y, out) in output.chunks_exact_mut(self.output.w as usize * channels).enumerate() {
            let top =
                ((first + y) * usize::from(self.window.stride[0])) as isize - self.window.pad[0] as isize;
            for (number, plane) in groups.chunks_exact_mut(plane).enumerate() {
                let rows = [0, 1, 2, 3].map(|at| {
                    let tap = (number * group + at).min(kernel - 1);
                    row(input, self.input, top + (tap * step) as isize).unwrap_or(padding)
                });
                self.level.interleave(rows, &mut plane[left.min(reach)..][..inside]);
            }
            self.kernel.row(groups, out);
        }
    }
}
