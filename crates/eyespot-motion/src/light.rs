//! How the light changed since the background was learnt.

use eyespot_core::ImageView;

use crate::cell::Cell;
use crate::grid::Grid;

/// The grid rows that are looked at: every so many.
const ROW_STEP: usize = 4;
/// Widest change of a grey level that is followed.
const REACH: i32 = 48;
const BINS: usize = 2 * REACH as usize + 1;
/// Brightness ranges with a shift of their own: gain and gamma move dark and bright levels differently.
const BANDS: usize = 4;

/// What became of the light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Light {
    /// As it was.
    Same,
    /// Levels of the background moved, by so much in each band of brightness.
    Moved([i32; BANDS]),
    /// Most of the image is another one: a cut, a light switch, a camera that was turned.
    Cut,
}

impl Light {
    /// Compares a sparse sample of the image with the background. Besides the light it gives the noise: the median
    /// distance from the background in grey levels. It is a cut where more than the fraction `cut` of the
    /// sample differs by more than `threshold` levels after the shifts.
    pub(crate) fn measure(
        image: &ImageView<'_>,
        grid: &Grid,
        cells: &[u16],
        stride: usize,
        threshold: u8,
        cut: f32,
        buffer: &mut [u8],
    ) -> (Self, u8) {
        let mut shifts = Histograms { counts: [[0; BINS]; BANDS] };
        for row in ((ROW_STEP / 2).min(grid.height - 1)..grid.height).step_by(ROW_STEP) {
            grid.read_row(image, row, buffer);
            for (&level, &cell) in buffer[..grid.width].iter().zip(&cells[row * stride..]) {
                shifts.add(Cell(cell).mean(), level);
            }
        }
        let bands = shifts.bands();
        let distances = shifts.distances(&bands);
        let all: u32 = distances.iter().sum();
        let near: u32 = distances.iter().take(usize::from(threshold) + 1).sum();
        let mut sum = 0;
        let noise = distances.iter().position(|count| {
            sum += count;
            2 * sum >= all
        });
        let light = if (all - near) as f32 > cut * all as f32 {
            Self::Cut
        } else if bands.iter().all(|shift| shift.abs() <= 1) {
            Self::Same
        } else {
            Self::Moved(bands)
        };
        (light, noise.unwrap_or(0) as u8)
    }

    /// What each grey level of the background is under the new light.
    pub(crate) fn table(&self) -> [u8; 256] {
        let mut table = [0; 256];
        for (level, entry) in table.iter_mut().enumerate() {
            *entry = (level as i32 + self.shift(level as i32)).clamp(0, 255) as u8;
        }
        table
    }

    /// Linear between the middles of the bands, constant beyond.
    fn shift(&self, level: i32) -> i32 {
        let Self::Moved(bands) = self else { return 0 };
        let width = 256 / BANDS as i32;
        let from_first = (level - width / 2).clamp(0, width * (BANDS as i32 - 1) - 1);
        let (band, part) = ((from_first / width) as usize, from_first % width);
        let (low, high) = (bands[band], bands[band + 1]);
        low + ((high - low) * part + width / 2).div_euclid(width)
    }
}

struct Histograms {
    counts: [[u16; BINS]; BANDS],
}

impl Histograms {
    fn add(&mut self, mean: u8, level: u8) {
        let shift = (i32::from(level) - i32::from(mean)).clamp(-REACH, REACH);
        let count = &mut self.counts[usize::from(mean) * BANDS / 256][(shift + REACH) as usize];
        *count = count.saturating_add(1);
    }

    /// How many samples lie so many levels from the shift of their band. What moved out of reach is as far as can be.
    fn distances(&self, bands: &[i32; BANDS]) -> [u32; BINS] {
        let mut distances = [0; BINS];
        for (counts, &shift) in self.counts.iter().zip(bands) {
            for (bin, &count) in counts.iter().enumerate() {
                let out_of_reach = bin == 0 || bin == BINS - 1;
                let distance = (bin as i32 - REACH).abs_diff(shift) as usize;
                distances[if out_of_reach { BINS - 1 } else { distance.min(BINS - 1) }] += u32::from(count);
            }
        }
        distances
    }

    /// The shift of each band: its own median where that is well supported, else the one of all.
    fn bands(&self) -> [i32; BANDS] {
        let mut all = [0u32; BINS];
        for band in &self.counts {
            for (sum, &count) in all.iter_mut().zip(band) {
                *sum += u32::from(count);
            }
        }
        let total: u32 = all.iter().sum();
        let common = median(&all, total / 16).unwrap_or(0);
        core::array::from_fn(|band| {
            let counts: [u32; BINS] = core::array::from_fn(|bin| u32::from(self.counts[band][bin]));
            median(&counts, (total / 16).max(24)).unwrap_or(common)
        })
    }
}

/// The median shift; `None` with too few samples, or where less than half of them lie near it: then the band is full of
/// objects, not of light.
fn median(counts: &[u32; BINS], enough: u32) -> Option<i32> {
    let total: u32 = counts.iter().sum();
    if total == 0 || total < enough {
        return None;
    }
    let mut below = 0;
    let middle = counts.iter().position(|count| {
        below += count;
        2 * below >= total
    })?;
    let near: u32 = counts[middle.saturating_sub(4)..(middle + 5).min(BINS)].iter().sum();
    (2 * near >= total).then_some(middle as i32 - REACH)
}
