//! Foreground blobs: what is summed up over one, and which of them belong together.

use eyespot_core::BBox;

use crate::components::Stats;
use crate::grid::Grid;

/// Sums over the foreground cells of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) left: u16,
    pub(crate) top: u16,
    pub(crate) right: u16,
    pub(crate) bottom: u16,
    /// Number of cells.
    pub(crate) area: u32,
    /// Number of cells that differ strongly.
    pub(crate) strong: u32,
    /// Sum of the distances from the background, in sixteenths of the cell's threshold.
    pub(crate) contrast: u32,
    /// Sum of the steps of grey across its left and right outline, in the image.
    pub(crate) edges: u32,
    /// The same in the background.
    pub(crate) old_edges: u32,
}

impl Stats for Blob {
    const ZERO: Self = Self {
        left: 0,
        top: 0,
        right: 0,
        bottom: 0,
        area: 0,
        strong: 0,
        contrast: 0,
        edges: 0,
        old_edges: 0,
    };

    fn merge(&mut self, other: &Self) {
        if other.area == 0 {
            return;
        }
        if self.area == 0 {
            *self = *other;
            return;
        }
        self.left = self.left.min(other.left);
        self.top = self.top.min(other.top);
        self.right = self.right.max(other.right);
        self.bottom = self.bottom.max(other.bottom);
        self.area += other.area;
        self.strong += other.strong;
        self.contrast += other.contrast;
        self.edges += other.edges;
        self.old_edges += other.old_edges;
    }
}

impl Blob {
    /// Was here once, and is gone: the outline is one of the background and not of the image.
    pub(crate) const fn is_ghost(&self) -> bool {
        2 * self.old_edges > 3 * self.edges
    }

    /// `(c - 1) / (c + 1)` of the mean contrast `c` in thresholds: 0 at the threshold, 0.5 at three times, `0..=1`.
    pub(crate) fn score(&self) -> f32 {
        let contrast = self.contrast as f32 / 16.0 / self.area.max(1) as f32;
        ((contrast - 1.0) / (contrast + 1.0)).clamp(0.0, 1.0)
    }

    /// The box in pixels of the view.
    pub(crate) fn bbox(&self, grid: &Grid) -> BBox {
        let side = f32::from(grid.side);
        let bbox = BBox::new(
            f32::from(self.left) * side,
            f32::from(self.top) * side,
            f32::from(self.right) * side,
            f32::from(self.bottom) * side,
        );
        bbox.clipped(f32::from(grid.view.0), f32::from(grid.view.1))
    }

    /// Empty cells between two blobs, across and down; 0 where they overlap in that direction.
    fn gaps(&self, other: &Self) -> (u16, u16) {
        let gap = |low: u16, high: u16, other_low: u16, other_high: u16| {
            other_low.saturating_sub(high).max(low.saturating_sub(other_high))
        };
        (
            gap(self.left, self.right, other.left, other.right),
            gap(self.top, self.bottom, other.top, other.bottom),
        )
    }

    /// Are they pieces of one object? They lie within `reach` cells of each other, one above the other or side by
    /// side, and fill a good part of the box around both.
    fn belongs_to(&self, other: &Self, reach: u16) -> bool {
        let (across, down) = self.gaps(other);
        let overlap = |low: u16, high: u16, other_low: u16, other_high: u16| {
            let common = high.min(other_high).saturating_sub(low.max(other_low));
            2 * common >= (high - low).min(other_high - other_low)
        };
        let stacked = overlap(self.left, self.right, other.left, other.right) && down <= reach;
        let abreast = overlap(self.top, self.bottom, other.top, other.bottom) && across <= reach / 2;
        let width = u32::from(self.right.max(other.right) - self.left.min(other.left));
        let height = u32::from(self.bottom.max(other.bottom) - self.top.min(other.top));
        (stacked || abreast) && 5 * (self.area + other.area) >= 2 * width * height
    }
}

/// Makes one blob of those that belong together. Returns how many are left at the start of the slice.
pub(crate) fn merge_pieces(blobs: &mut [Blob], reach: u16) -> usize {
    let mut len = blobs.len();
    let mut at = 0;
    while at < len {
        let found = (0..len).find(|&other| other != at && blobs[at].belongs_to(&blobs[other], reach));
        let Some(other) = found else {
            at += 1;
            continue;
        };
        let (kept, gone) = (at.min(other), at.max(other));
        let piece = blobs[gone];
        blobs[kept].merge(&piece);
        len -= 1;
        blobs.swap(gone, len);
        // The grown blob may reach others now, also ones that were passed already.
        at = kept;
    }
    len
}
