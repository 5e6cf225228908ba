//! Corners: the best window of each tile.
//!
//! J. Shi and C. Tomasi, Good features to track, 1994: a window is good where the tensor of its gradient has two large
//! eigenvalues. The measure here is their harmonic mean (half of it), which needs no root and ranks alike, over the
//! very window that Lucas-Kanade uses. Windows lie on a lattice of four pixels; one per tile spreads them.

use eyespot_core::{Detection, Wide, wide};

use crate::level::Level;
use crate::window::WINDOW;

/// Distance of the windows that are considered.
const LATTICE: usize = 4;

/// Windows per strip of the image.
const STRIP: usize = 8;

/// Columns of a strip: its windows reach one lattice step further.
const COLUMNS: usize = (STRIP + 1) * LATTICE;

/// Weakest measure of a corner: gradients of about two grey levels per pixel in both directions.
const WEAKEST: f32 = 500.0;

/// A window with texture in both directions; its corner in pixels of the working image.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Corner {
    pub(crate) x: u16,
    pub(crate) y: u16,
    pub(crate) strength: f32,
}

impl Corner {
    pub(crate) const ZERO: Self = Self { x: 0, y: 0, strength: 0.0 };
}

/// Boxes of moving things in pixels of the working image.
pub(crate) struct Boxes<'a> {
    detections: &'a [Detection],
    factor: f32,
    /// The one that hit last: neighbours mostly lie under the same box.
    last: usize,
}

impl<'a> Boxes<'a> {
    pub(crate) const fn new(detections: &'a [Detection], factor: f32) -> Self {
        Self { detections, factor, last: 0 }
    }

    fn hit(&self, index: usize, x: f32, y: f32) -> bool {
        let side = WINDOW as f32 * self.factor;
        self.detections.get(index).is_some_and(|detection| {
            let area = &detection.bbox;
            area.x1 < x + side && area.x2 > x && area.y1 < y + side && area.y2 > y
        })
    }

    /// Does a window with its corner at `x, y` touch a box? Boxes that are not numbers hide nothing.
    fn hide(&mut self, x: usize, y: usize) -> bool {
        let (x, y) = (x as f32 * self.factor, y as f32 * self.factor);
        if self.hit(self.last, x, y) {
            return true;
        }
        let hit = (0..self.detections.len()).find(|&index| self.hit(index, x, y));
        self.last = hit.unwrap_or(self.last);
        hit.is_some()
    }
}

/// Side of the tiles so that there are at most `count` of them: a multiple of the lattice.
pub(crate) fn tile_side(width: usize, height: usize, count: usize) -> usize {
    let mut side = 2 * LATTICE;
    while width.div_ceil(side) * height.div_ceil(side) > count.max(1) {
        side += LATTICE;
    }
    side
}

/// Sums over one row of 4x4 blocks: the three products of the gradient.
type Blocks = [[f32; STRIP + 1]; 3];

/// Writes at most one corner per tile to the front of `corners` and returns how many.
pub(crate) fn find_corners(level: &Level<'_>, boxes: &mut Boxes<'_>, corners: &mut [Corner]) -> usize {
    wide(Search { level, boxes, corners })
}

struct Search<'a, 'b> {
    level: &'a Level<'a>,
    boxes: &'a mut Boxes<'b>,
    corners: &'a mut [Corner],
}

impl Wide for Search<'_, '_> {
    type Output = usize;

    #[inline(always)]
    fn work(self) -> usize {
        search(self.level, self.boxes, self.corners)
    }
}

#[cfg_attr(feature = "host", inline(always))]
fn search(level: &Level<'_>, boxes: &mut Boxes<'_>, corners: &mut [Corner]) -> usize {
    let side = tile_side(level.width, level.height, corners.len());
    let tiles_x = level.width.div_ceil(side);
    let used = (tiles_x * level.height.div_ceil(side)).min(corners.len());
    let Some(tiles) = corners.get_mut(..used) else { return 0 };
    tiles.fill(Corner::ZERO);
    // The gradient needs a border of one pixel, so that all windows start at 1.
    let mut left = 1;
    while left + WINDOW < level.width {
        // The last strip is moved left to end with the image.
        let start = left.min(level.width.saturating_sub(COLUMNS + 1)).max(1);
        let mut before = None;
        let mut top = 1;
        while top + LATTICE < level.height {
            let blocks = sum_blocks(level, start, top);
            if let Some(upper) = before.replace(blocks) {
                let y = top - LATTICE;
                rate(&upper, &blocks, |index, strength| {
                    let x = start + index * LATTICE;
                    if let Some(best) = tiles.get_mut(y / side * tiles_x + x / side)
                        && strength > best.strength
                        && x + WINDOW < level.width
                        && !boxes.hide(x, y)
                    {
                        *best = Corner { x: x as u16, y: y as u16, strength };
                    }
                });
            }
            top += LATTICE;
        }
        left += STRIP * LATTICE;
    }
    compact(tiles)
}

/// Moves the corners that were found to the front.
fn compact(tiles: &mut [Corner]) -> usize {
    let mut count = 0;
    for index in 0..tiles.len() {
        if tiles[index].strength > 0.0 {
            tiles.swap(index, count);
            count += 1;
        }
    }
    count
}

/// Calls `take` with the strength of each window of a strip that is strong enough.
#[cfg_attr(feature = "host", inline(always))]
#[cfg_attr(not(feature = "host"), inline)]
fn rate(upper: &Blocks, lower: &Blocks, mut take: impl FnMut(usize, f32)) {
    let mut strengths = [0.0f32; STRIP];
    for (index, strength) in strengths.iter_mut().enumerate() {
        let sum = |product: usize| {
            upper[product][index]
                + upper[product][index + 1]
                + lower[product][index]
                + lower[product][index + 1]
        };
        let (xx, xy, yy) = (sum(0), sum(1), sum(2));
        *strength = (xx * yy - xy * xy) / (xx + yy + 1.0);
    }
    for (index, &strength) in strengths.iter().enumerate() {
        if strength > WEAKEST {
            take(index, strength);
        }
    }
}

/// The products of the gradient (twice the slope), summed over a row of 4x4 blocks from `left, top`. Blocks that are
/// not whole are 0.
#[cfg_attr(feature = "host", inline(always))]
#[cfg_attr(not(feature = "host"), inline)]
fn sum_blocks(level: &Level<'_>, left: usize, top: usize) -> Blocks {
    let mut columns = [[0i32; COLUMNS]; 3];
    for y in top..top + LATTICE {
        let rows = (
            level.span::<COLUMNS>(left, y - 1),
            level.span::<{ COLUMNS + 2 }>(left - 1, y),
            level.span::<COLUMNS>(left, y + 1),
        );
        if let (Some(upper), Some(middle), Some(lower)) = rows {
            add_products(&mut columns, upper, middle, lower);
        } else {
            add_products_at_edge(&mut columns, level, left, y);
        }
    }
    let mut blocks = [[0.0; STRIP + 1]; 3];
    for (blocks, columns) in blocks.iter_mut().zip(&columns) {
        for (sum, block) in blocks.iter_mut().zip(columns.as_chunks::<LATTICE>().0) {
            *sum = (block[0] + block[1] + block[2] + block[3]) as f32;
        }
    }
    blocks
}

#[cfg_attr(feature = "host", inline(always))]
#[cfg_attr(not(feature = "host"), inline)]
fn add_products(
    columns: &mut [[i32; COLUMNS]; 3],
    upper: &[u8; COLUMNS],
    middle: &[u8; COLUMNS + 2],
    lower: &[u8; COLUMNS],
) {
    let (mut slope_x, mut slope_y) = ([0i16; COLUMNS], [0i16; COLUMNS]);
    for x in 0..COLUMNS {
        slope_x[x] = i16::from(middle[x + 2]) - i16::from(middle[x]);
        slope_y[x] = i16::from(lower[x]) - i16::from(upper[x]);
    }
    let [xx, xy, yy] = columns;
    for x in 0..COLUMNS {
        let (gx, gy) = (i32::from(slope_x[x]), i32::from(slope_y[x]));
        xx[x] += gx * gx;
        xy[x] += gx * gy;
        yy[x] += gy * gy;
    }
}

/// As [`add_products`] where the strip is wider than the image or the row its last.
#[cold]
fn add_products_at_edge(columns: &mut [[i32; COLUMNS]; 3], level: &Level<'_>, left: usize, y: usize) {
    let at = |x: usize, y: usize| level.span::<1>(x, y).map(|&[byte]| i32::from(byte));
    let [xx, xy, yy] = columns;
    for index in 0..COLUMNS {
        let x = left + index;
        let slope = |from: Option<i32>, to: Option<i32>| Some(to? - from?);
        let (Some(gx), Some(gy)) = (slope(at(x - 1, y), at(x + 1, y)), slope(at(x, y - 1), at(x, y + 1)))
        else {
            return;
        };
        xx[index] += gx * gx;
        xy[index] += gx * gy;
        yy[index] += gy * gy;
    }
}
