//! Max pooling: first down the columns of a window, then along its rows.

use core::ops::Range;

use super::Local;
use super::simd::Level;
use crate::graph::{Activation, Pool};
use crate::kernels::pool_taps;

/// Rows of a max pooling from `first` on. `line` gives an input row.
pub(super) fn rows<'a>(
    level: Level,
    pool: &Pool,
    activation: Activation,
    line: impl Fn(usize) -> &'a [f32],
    first: usize,
    output: &mut [f32],
    highest: &mut [f32],
) {
    let row = pool.output.shape.w as usize * pool.output.shape.c as usize;
    for (y, out) in output.chunks_exact_mut(row).enumerate() {
        one(level, pool, pool_taps(pool, 0, first + y), &line, out, highest);
        level.activate(activation, out);
    }
}

/// A row of the output: the maxima of some input rows.
pub(super) fn one<'a>(
    level: Level,
    pool: &Pool,
    lines: Range<usize>,
    line: impl Fn(usize) -> &'a [f32],
    out: &mut [f32],
    highest: &mut [f32],
) {
    let channels = pool.input.shape.c as usize;
    let width = pool.input.shape.w as usize;
    let highest = &mut highest[..width * channels];
    highest.fill(f32::NEG_INFINITY);
    for y in lines {
        level.raise(highest, line(y));
    }
    out.fill(f32::NEG_INFINITY);
    let [_, kernel] = pool.window.kernel.map(usize::from);
    let pad = usize::from(pool.window.pad[1]);
    if pool.window.stride[1] == 1 {
        // A tap reads all columns that it finds inside, at once.
        for tap in 0..kernel {
            let (to, from) = (pad.saturating_sub(tap), tap.saturating_sub(pad));
            let outputs = pool.output.shape.w as usize;
            if to >= outputs || from >= width {
                continue;
            }
            let count = (outputs - to).min(width - from) * channels;
            let (to, from) = (to * channels, from * channels);
            level.raise(&mut out[to..to + count], &highest[from..from + count]);
        }
        return;
    }
    for (x, out) in out.chunks_exact_mut(channels).enumerate() {
        let taps = pool_taps(pool, 1, x);
        for pixel in highest[taps.start * channels..taps.end * channels].chunks_exact(channels) {
            level.raise(out, pixel);
        }
    }
}

/// Rows of a max pooling from `first` on, whose input rows a convolution computes when they are needed: `compute` writes
/// row `y` into a slice.
pub(super) fn through_ring(
    level: Level,
    pool: &Pool,
    activation: Activation,
    first: usize,
    output: &mut [f32],
    local: &mut Local,
    mut compute: impl FnMut(usize, &mut [f32]),
) {
    let width = pool.input.shape.w as usize * pool.input.shape.c as usize;
    let height = usize::from(pool.window.kernel[0]);
    let row = pool.output.shape.w as usize * pool.output.shape.c as usize;
    let Local { ring, highest } = local;
    let mut done = 0;
    for (y, out) in output.chunks_exact_mut(row).enumerate() {
        let taps = pool_taps(pool, 0, first + y);
        for line in taps.start.max(done)..taps.end {
            let start = line % height * width;
            compute(line, &mut ring[start..start + width]);
        }
        done = done.max(taps.end);
        let ring = &**ring;
        let line = |y: usize| &ring[y % height * width..][..width];
        one(level, pool, taps, line, out, highest);
        level.activate(activation, out);
    }
}
