//! The `MoveNet` head: the keypoints of the person in the middle (a `CenterNet`, Zhou et al., arXiv:1904.07850; facts from
//! the published graph of `MoveNet` Lightning, Apache-2.0).

use eyespot_core::{InputSize, Keypoint};

use crate::{DecodeError, Matrix};

/// Pixels of the model's input from one cell to the next.
pub const STRIDE: u16 = 4;

/// What is added to a distance before something is divided by it.
const SOFTENING: f32 = 1.8;

/// What the network gives: four maps over a grid, each with its channels one after the other.
///
/// The person is where `center`, divided by the distance from the middle of the image, is highest. There `regression` tells
/// roughly where each keypoint is, and the keypoint is where its own heatmap, divided by the distance from that place, is
/// highest; `offsets` move it within its cell.
#[derive(Debug, Clone, Copy)]
pub struct Maps<'a> {
    center: Matrix<'a>,
    heatmaps: Matrix<'a>,
    regression: Matrix<'a>,
    offsets: Matrix<'a>,
    columns: usize,
    keypoints: u16,
}

impl<'a> Maps<'a> {
    /// Maps of a model with this input size and number of keypoints: `center` of one channel and `heatmaps` of one for each
    /// keypoint, both `0..=1`, and `regression` and `offsets` of two for each keypoint, y and x in cells.
    ///
    /// # Errors
    /// [`DecodeError::Length`] where a map has another number of values.
    pub fn new(
        input: InputSize,
        keypoints: u16,
        [center, heatmaps, regression, offsets]: [&'a [f32]; 4],
    ) -> Result<Self, DecodeError> {
        let (columns, rows) = (usize::from(input.width / STRIDE), usize::from(input.height / STRIDE));
        let (cells, count) = (columns * rows, usize::from(keypoints));
        if cells == 0 {
            return Err(DecodeError::Length { expected: 1, actual: 0 });
        }
        Ok(Self {
            center: Matrix::new(center, 1, cells)?,
            heatmaps: Matrix::new(heatmaps, count, cells)?,
            regression: Matrix::new(regression, 2 * count, cells)?,
            offsets: Matrix::new(offsets, 2 * count, cells)?,
            columns,
            keypoints,
        })
    }

    /// The cell where a map is highest, the values divided by the distance from a place, in cells.
    fn highest(&self, map: Matrix<'_>, channel: usize, (x, y): (f32, f32)) -> usize {
        let mut best = (0, f32::NEG_INFINITY);
        for (cell, value) in map.row(channel).enumerate() {
            let (dx, dy) = ((cell % self.columns) as f32 - x, (cell / self.columns) as f32 - y);
            let value = value / (libm::sqrtf(dx * dx + dy * dy) + SOFTENING);
            // The first of equal ones, as `argmax` does; NaN is never higher.
            if value > best.1 {
                best = (cell, value);
            }
        }
        best.0
    }

    /// Where a cell is, moved by two channels of a map.
    fn place(&self, map: Matrix<'_>, keypoint: usize, cell: usize) -> (f32, f32) {
        let x = (cell % self.columns) as f32 + map.at(2 * keypoint + 1, cell);
        let y = (cell / self.columns) as f32 + map.at(2 * keypoint, cell);
        (x, y)
    }

    /// The keypoints of the person, in pixels of the model's input. Where the maps hold numbers that are not finite, so may
    /// they.
    pub fn keypoints(&self) -> impl ExactSizeIterator<Item = Keypoint> + Clone + use<'a> {
        let maps = *self;
        let rows = maps.center.columns() / maps.columns.max(1);
        let middle = ((maps.columns / 2) as f32, (rows / 2) as f32);
        let person = maps.highest(maps.center, 0, middle);
        (0..maps.keypoints).map(move |keypoint| {
            let keypoint = usize::from(keypoint);
            let cell = maps.highest(maps.heatmaps, keypoint, maps.place(maps.regression, keypoint, person));
            let (x, y) = maps.place(maps.offsets, keypoint, cell);
            let stride = f32::from(STRIDE);
            Keypoint { x: x * stride, y: y * stride, score: maps.heatmaps.at(keypoint, cell) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn the_person_in_the_middle_and_the_keypoint_near_its_place() {
        // 8 x 6 cells, one keypoint.
        let input = InputSize::new(32, 24);
        let (mut center, mut heatmap) = (vec![0.0; 48], vec![0.0; 48]);
        let (mut regression, mut offsets) = (vec![0.0; 96], vec![0.0; 96]);
        // A surer person at the edge, one near the middle (column 4, row 2).
        (center[0], center[20]) = (0.9, 0.8);
        // It says: two down and one left; there lies the weaker of two peaks.
        (regression[20], regression[48 + 20]) = (2.0, -1.0);
        (heatmap[7], heatmap[4 * 8 + 3]) = (0.9, 0.6);
        (offsets[35], offsets[48 + 35]) = (0.5, 0.25);
        let maps = |center| Maps::new(input, 1, [center, &heatmap, &regression, &offsets]);
        let found: Vec<_> = maps(&center).unwrap().keypoints().collect();
        assert_eq!(found, [Keypoint { x: 13.0, y: 18.0, score: 0.6 }]);
        assert!(matches!(maps(&center[1..]), Err(DecodeError::Length { expected: 48, actual: 47 })));
        let broken = maps(&[f32::NAN; 48]).unwrap().keypoints().next().unwrap();
        assert!(broken.score.is_finite());
        assert!(Maps::new(InputSize::new(3, 9), 0, [&[]; 4]).is_err());
    }
}
