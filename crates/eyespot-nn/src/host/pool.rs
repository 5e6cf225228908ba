//! Max pooling: first down the columns of a window, then along its rows.

use core::ops::Range;

use bytemuck::cast_slice_mut;

use super::Local;
use super::simd::Level;
use crate::graph::Pool;
use crate::kernels::pool_taps;

/// What is pooled.
pub(super) trait Value: bytemuck::Pod {
    /// Raises values to those of another slice.
    fn raise(level: Level, a: &mut [Self], b: &[Self]);

    /// Raises pixels of `channels` values to those of another slice, whose starts lie `step` values apart.
    fn raise_pixels(level: Level, a: &mut [Self], b: &[Self], channels: usize, step: usize) {
        for (a, b) in a.chunks_exact_mut(channels).zip(b.chunks(step)) {
            Self::raise(level, a, &b[..channels]);
        }
    }
}

impl Value for f32 {
    fn raise(level: Level, a: &mut [Self], b: &[Self]) {
        level.raise(a, b);
    }
}

impl Value for i8 {
    fn raise(level: Level, a: &mut [Self], b: &[Self]) {
        level.raise_i8(a, b);
    }

    fn raise_pixels(level: Level, a: &mut [Self], b: &[Self], channels: usize, step: usize) {
        level.raise_pixels(a, b, channels, step);
    }
}

/// A max pooling, the value that is below all, and what happens to the rows of the output.
#[derive(Clone, Copy)]
pub(super) struct Max<'a, T, F> {
    pub(super) level: Level,
    pub(super) pool: &'a Pool,
    pub(super) least: T,
    pub(super) finish: F,
}

/// Rows of a max pooling from `first` on. `line` gives an input row.
pub(super) fn rows<'a, T: Value, F: Fn(&mut [T])>(
    max: &Max<'_, T, F>,
    line: impl Fn(usize) -> &'a [T],
    first: usize,
    output: &mut [T],
    highest: &mut [f32],
) {
    let pool = max.pool;
    let row = pool.output.shape.w as usize * pool.output.shape.c as usize;
    for (y, out) in output.chunks_exact_mut(row).enumerate() {
        one(max, pool_taps(pool, 0, first + y), &line, out, cast_slice_mut(highest));
    }
}

/// A row of the output: the maxima of some input rows.
fn one<'a, T: Value, F: Fn(&mut [T])>(
    max: &Max<'_, T, F>,
    lines: Range<usize>,
    line: impl Fn(usize) -> &'a [T],
    out: &mut [T],
    highest: &mut [T],
) {
    let Max { level, pool, least, .. } = *max;
    let channels = pool.input.shape.c as usize;
    let width = pool.input.shape.w as usize;
    let highest = &mut highest[..width * channels];
    highest.fill(least);
    for y in lines {
        T::raise(level, highest, line(y));
    }
    out.fill(least);
    let [_, kernel] = pool.window.kernel.map(usize::from);
    let (pad, stride) = (usize::from(pool.window.pad[1]), usize::from(pool.window.stride[1]));
    let outputs = pool.output.shape.w as usize;
    for tap in 0..kernel {
        // A tap reads all columns that it finds inside, at once.
        let to = pad.saturating_sub(tap).div_ceil(stride);
        let from = to * stride + tap - pad.min(to * stride + tap);
        if to >= outputs || from >= width {
            continue;
        }
        let count = (outputs - to).min((width - from).div_ceil(stride));
        let out = &mut out[to * channels..(to + count) * channels];
        let highest = &highest[from * channels..];
        if stride == 1 {
            T::raise(level, out, &highest[..count * channels]);
        } else {
            T::raise_pixels(level, out, highest, channels, stride * channels);
        }
    }
    (max.finish)(out);
}

/// Rows of a max pooling from `first` on, whose input rows a convolution computes when they are needed: `compute` writes
/// row `y` into a slice, with the memory of the thread's convolutions.
pub(super) fn through_ring<T: Value, F: Fn(&mut [T])>(
    max: &Max<'_, T, F>,
    first: usize,
    output: &mut [T],
    local: &mut Local,
    mut compute: impl FnMut(usize, &mut [T], &mut [u8]),
) {
    let pool = max.pool;
    let width = pool.input.shape.w as usize * pool.input.shape.c as usize;
    let height = usize::from(pool.window.kernel[0]);
    let row = pool.output.shape.w as usize * pool.output.shape.c as usize;
    let Local { ring, highest, band } = local;
    let (ring, band): (&mut [T], &mut [u8]) = (cast_slice_mut(ring), cast_slice_mut(band));
    let mut done = 0;
    for (y, out) in output.chunks_exact_mut(row).enumerate() {
        let taps = pool_taps(pool, 0, first + y);
        for line in taps.start.max(done)..taps.end {
            let start = line % height * width;
            compute(line, &mut ring[start..start + width], band);
        }
        done = done.max(taps.end);
        let ring = &*ring;
        let line = |y: usize| &ring[y % height * width..][..width];
        one(max, taps, line, out, cast_slice_mut(highest));
    }
}
