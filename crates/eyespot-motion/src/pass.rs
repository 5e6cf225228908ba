//! One pass over the grid: rows stream through threshold, filters and labelling, and the background learns behind them.

use eyespot_core::ImageView;

use crate::blob::Blob;
use crate::cell::{Cell, Rates};
use crate::components::{Component, Labeler, Stats};
use crate::filter::{dilate, keep_near_strong, majority};
use crate::grid::Grid;
use crate::random::XorShift;

/// Rows that are kept of each stage. The last stage runs two rows behind the first and looks one row further back.
pub(crate) const RING: usize = 4;

/// Where the rows of the stages are kept, each at least as wide as the grid.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    /// Grey levels.
    pub(crate) level: [&'a mut [u8]; RING],
    /// What differs from the background: 1, and strongly: 2.
    pub(crate) raw: [&'a mut [u8]; RING],
    /// The same without specks and holes.
    pub(crate) clean: [&'a mut [u8]; RING],
    /// Around what is clean: the cells of a component and those that do not learn.
    pub(crate) zone: &'a mut [u8],
}

/// What a pass works with.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    pub(crate) image: &'a ImageView<'a>,
    pub(crate) grid: &'a Grid,
    /// The background, `stride` cells per row.
    pub(crate) cells: &'a mut [u16],
    pub(crate) stride: usize,
    pub(crate) rows: Rows<'a>,
    /// The smallest difference in grey levels that counts.
    pub(crate) threshold: u8,
    pub(crate) rates: Rates,
    /// Where nothing is any more: foreground cells in these boxes age faster.
    pub(crate) ghosts: &'a [[u16; 4]],
    pub(crate) random: &'a mut XorShift,
}

/// How many times the usual a cell of a ghost ages per frame, in steps.
const GHOST_AGE: u16 = 2;

/// The difference in grey levels at which a cell is foreground.
#[inline]
fn threshold_of(cell: Cell, floor: u8) -> u8 {
    let spread = u16::from(cell.spread());
    (spread * 5 / 2).max(u16::from(floor)).min(255) as u8
}

/// Weak foreground counts only this close to strong one, as a fraction of the grid's width: a soft shadow reaches
/// farther.
const NEAR: usize = 40;

/// A row of the grid with what lies around it.
struct Around<'a> {
    level: &'a [u8],
    level_above: &'a [u8],
    cells: &'a [u16],
    above: &'a [u16],
    below: &'a [u16],
}

impl Around<'_> {
    /// How a cell differs from the background: not at all, weakly (1) or strongly (2).
    fn mark(&self, x: usize, threshold: u8) -> u8 {
        let mean = |cells: &[u16], x: usize| i16::from(Cell(cells[x]).mean());
        let (level, own) = (i16::from(self.level[x]), mean(self.cells, x));
        let (left, right) = (x.saturating_sub(1), (x + 1).min(self.cells.len() - 1));
        // A camera that sways by less than half a cell brings half of the way to a neighbour's level.
        let neighbours =
            [mean(self.cells, left), mean(self.cells, right), mean(self.above, x), mean(self.below, x)];
        let (low, high) = neighbours.iter().fold((own, own), |(low, high), &n| (low.min(n), high.max(n)));
        let distance = ((own + low) / 2 - level).max(level - (own + high) / 2);
        let threshold = i16::from(threshold);
        if distance <= threshold {
            return 0;
        }
        if distance <= 2 * threshold || self.is_shadow(x, left, right) {
            return 1;
        }
        2
    }

    /// Looks it like a shadow: somewhat darker, and by as much as its neighbours?
    fn is_shadow(&self, x: usize, left: usize, right: usize) -> bool {
        let mean = |cells: &[u16], x: usize| i16::from(Cell(cells[x]).mean());
        let (level, own) = (i16::from(self.level[x]), mean(self.cells, x));
        if level >= own || level * 16 < own * 9 {
            return false;
        }
        let change = |x: usize| i16::from(self.level[x]) - mean(self.cells, x);
        let above = i16::from(self.level_above[x]) - mean(self.above, x);
        [change(left), change(right), above].iter().all(|other| (other - (level - own)).abs() <= SHADOW_STEP)
    }
}

/// Most by which the darkening of a shadow varies from cell to cell, in grey levels.
const SHADOW_STEP: i16 = 6;

impl Pass<'_> {
    /// Runs over the grid and hands out the blobs. Returns how many runs were lost for want of slots.
    pub(crate) fn run(
        &mut self,
        mut labeler: Labeler<'_, Blob>,
        mut emit: impl FnMut(&Component<Blob>),
    ) -> u32 {
        let (width, height) = (self.grid.width, self.grid.height);
        for row in 0..height + 2 {
            if row < height {
                self.compare(row);
            }
            if let Some(row) = row.checked_sub(1).filter(|&row| row < height) {
                // Rows beyond the border repeat those at it, so that objects are not cut there.
                let (above, below) = (row.saturating_sub(1), (row + 1).min(height - 1));
                let [above, at, below] = [above, row, below].map(|row| &self.rows.raw[row % RING][..width]);
                let clean = &mut self.rows.clean[row % RING][..width];
                majority(above, at, below, clean);
                keep_near_strong(above, at, below, clean, (width / NEAR).max(2));
            }
            if let Some(row) = row.checked_sub(2) {
                let (above, below) = (row.saturating_sub(1), (row + 1).min(height - 1));
                let [above, at, below] = [above, row, below].map(|row| &self.rows.clean[row % RING][..width]);
                dilate(above, at, below, &mut self.rows.zone[..width]);
                let this = &*self;
                labeler.row(&this.rows.zone[..width], |run| this.sum(row, run), &mut emit);
                self.learn(row);
            }
        }
        labeler.finish(emit)
    }

    fn cells(&self, row: usize) -> &[u16] {
        &self.cells[row * self.stride..][..self.grid.width]
    }

    /// Reads a row and marks what differs from the background.
    fn compare(&mut self, row: usize) {
        let width = self.grid.width;
        self.grid.read_row(self.image, row, self.rows.level[row % RING]);
        let above = row.saturating_sub(1);
        let cells = |row: usize| &self.cells[row * self.stride..][..width];
        let around = Around {
            level: &self.rows.level[row % RING][..width],
            level_above: &self.rows.level[above % RING][..width],
            cells: cells(row),
            above: cells(above),
            below: cells((row + 1).min(self.grid.height - 1)),
        };
        for (x, mark) in self.rows.raw[row % RING][..width].iter_mut().enumerate() {
            let cell = Cell(around.cells[x]);
            let threshold = threshold_of(cell, self.threshold);
            // Most cells end here.
            let far = cell.mean().abs_diff(around.level[x]) > threshold;
            *mark = if far { around.mark(x, threshold) } else { 0 };
        }
    }

    /// The sums of a run of zone cells; only clean ones count.
    fn sum(&self, row: usize, run: core::ops::Range<usize>) -> Blob {
        let (clean, raw, level) =
            (&self.rows.clean[row % RING], &self.rows.raw[row % RING], &self.rows.level[row % RING]);
        let cells = self.cells(row);
        let mut blob = Blob { top: row as u16, bottom: row as u16 + 1, left: u16::MAX, ..Blob::ZERO };
        for x in run.clone() {
            if clean[x] == 0 {
                continue;
            }
            let cell = Cell(cells[x]);
            let distance = u32::from(cell.mean().abs_diff(level[x]));
            blob.left = blob.left.min(x as u16);
            blob.right = x as u16 + 1;
            blob.area += 1;
            blob.strong += u32::from(raw[x] == 2);
            blob.contrast += distance * 16 / u32::from(threshold_of(cell, self.threshold)).max(1);
        }
        if blob.area > 0 {
            // The step from two cells outside to two inside, so that it does not matter where in a cell the outline is.
            let step = |outside: usize, inside: usize| {
                let mean = |x: usize| i32::from(Cell(cells[x]).mean());
                let now = (i32::from(level[outside]) - i32::from(level[inside])).unsigned_abs();
                (now, (mean(outside) - mean(inside)).unsigned_abs())
            };
            let last = self.grid.width - 1;
            let (left, right) = (usize::from(blob.left), usize::from(blob.right) - 1);
            for (outside, inside) in [
                (left.saturating_sub(1), (left + 1).min(right)),
                ((right + 1).min(last), right.saturating_sub(1).max(left)),
            ] {
                let (now, old) = step(outside, inside);
                blob.edges += now;
                blob.old_edges += old;
            }
        }
        blob
    }

    /// The background learns from what is not foreground; the foreground grows older.
    fn learn(&mut self, row: usize) {
        let level = &*self.rows.level[row % RING];
        let zone = &*self.rows.zone;
        let cells = &mut self.cells[row * self.stride..][..self.grid.width];
        for ((cell, &level), &zone) in cells.iter_mut().zip(level.iter()).zip(zone.iter()) {
            let known = Cell(*cell);
            *cell = if zone == 0 {
                known.learn(level, &self.rates, self.random.next()).0
            } else {
                known.hold(level, self.rates.age).0
            };
        }
        for &[left, top, right, bottom] in self.ghosts {
            if (usize::from(top)..usize::from(bottom)).contains(&row) {
                let right = usize::from(right).min(cells.len());
                for x in usize::from(left)..right {
                    if zone[x] != 0 {
                        cells[x] = Cell(cells[x]).hold(level[x], GHOST_AGE).0;
                    }
                }
            }
        }
    }
}
