//! What the work of a convolution is divided into.

use crate::graph::{Shape, Window};

/// Products that are worth a thread.
const WORK: usize = 1 << 16;

/// Window and sizes of a convolution over all input channels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Geometry {
    pub(super) window: Window,
    pub(super) input: Shape,
    pub(super) output: Shape,
}

impl Geometry {
    /// Every pixel of the image is a pixel of the output: rows don't matter.
    pub(super) fn is_flat(&self) -> bool {
        let Window { kernel, stride, pad, .. } = self.window;
        let same = self.input.h == self.output.h && self.input.w == self.output.w;
        kernel == [1, 1] && stride == [1, 1] && pad == [0, 0] && same
    }

    /// Pixels that are computed together: one, or a row.
    pub(super) fn unit(&self) -> usize {
        if self.is_flat() { 1 } else { self.output.w as usize }
    }

    /// Units that are worth a thread, with so many products for a pixel and pixels in a tile.
    pub(super) fn chunk(&self, threads: usize, products: usize, tile: usize) -> usize {
        let pixels = self.output.h as usize * self.output.w as usize;
        let unit = self.unit();
        if threads == 1 || pixels * products < WORK {
            return pixels / unit;
        }
        // At least two tiles, and some chunks for each thread: one may be slower than the other.
        let least = (2 * tile).div_ceil(unit);
        (pixels / unit).div_ceil(4 * threads).next_multiple_of(least)
    }
}
