//! Heads that say how far the edges of a box are from each cell of a grid (Tian et al., "FCOS", arXiv:1904.01355), as
//! plain numbers or as distributions (Li et al., "Generalized Focal Loss", arXiv:2006.04388): NanoDet, RTMDet, PicoDet.

use eyespot_core::{BBox, InputSize};

use crate::scores::Softmax;
use crate::{Candidates, DecodeError, DecodeOptions, Matrix, Scores};

/// What a distance is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Unit {
    /// Strides of the grid: NanoDet.
    #[default]
    Strides,
    /// Pixels of the model's input: RTMDet.
    Pixels,
}

/// The grid of one stride. Its rows are the cells, line by line.
#[derive(Debug, Clone, Copy)]
pub struct Level<'a> {
    /// Pixels of the model's input from one cell to the next.
    pub stride: u16,
    /// Scores of each cell.
    pub scores: Scores<'a>,
    /// Left, top, right and bottom of each cell, each as one number or as a distribution over the distances
    /// 0, 1, 2, .. before its softmax: 4 columns or a multiple.
    pub distances: Matrix<'a>,
}

/// A head of distances.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Head {
    /// The model's input.
    pub input: InputSize,
    /// What the distances are measured in.
    pub unit: Unit,
    /// Where in its cell the point is that they start from: 0 for its corner (RTMDet, NanoDet-Plus), 0.5 for its centre
    /// (NanoDet, FCOS).
    pub offset: f32,
}

impl Head {
    /// Columns and rows of the grid of a stride; none for a stride of 0.
    #[must_use]
    pub const fn grid(&self, stride: u16) -> (usize, usize) {
        if stride == 0 {
            return (0, 0);
        }
        (self.input.width.div_ceil(stride) as usize, self.input.height.div_ceil(stride) as usize)
    }

    /// Adds what reaches the threshold in one grid to `candidates`, in pixels of the model's input.
    ///
    /// # Errors
    /// [`DecodeError::Rows`] unless there is a row for each cell, and [`DecodeError::Columns`] unless the distances have
    /// a multiple of four.
    pub fn decode(
        &self,
        level: &Level<'_>,
        options: &DecodeOptions<'_>,
        candidates: &mut Candidates<'_>,
    ) -> Result<(), DecodeError> {
        let (columns, lines) = self.grid(level.stride);
        let cells = columns * lines;
        for actual in [level.scores.rows(), level.distances.rows()] {
            if actual != cells {
                return Err(DecodeError::Rows { expected: cells, actual });
            }
        }
        let bins = level.distances.columns() / 4;
        if bins == 0 || !level.distances.columns().is_multiple_of(4) {
            return Err(DecodeError::Columns {
                expected: 4 * bins.max(1),
                actual: level.distances.columns(),
            });
        }
        let stride = f32::from(level.stride);
        let unit = if self.unit == Unit::Strides { stride } else { 1.0 };
        for cell in 0..cells {
            let bbox = || {
                let at = |cell: usize| (cell as f32 + self.offset) * stride;
                let (x, y) = (at(cell % columns), at(cell / columns));
                let edge = |side: usize| unit * distance(level.distances.columns_at(side * bins, bins), cell);
                BBox::new(x - edge(0), y - edge(1), x + edge(2), y + edge(3))
            };
            level.scores.push(cell, bbox, options, candidates);
        }
        Ok(())
    }
}

/// One number, or the mean of a distribution.
fn distance(bins: Matrix<'_>, cell: usize) -> f32 {
    if bins.columns() == 1 {
        return bins.at(cell, 0);
    }
    let softmax = Softmax::of(bins.row(cell));
    bins.row(cell).enumerate().map(|(bin, value)| bin as f32 * softmax.score(value)).sum()
}
