//! Heads whose boxes the graph has decoded: a row for each box.

use eyespot_core::BBox;

use crate::{Candidates, DecodeError, DecodeOptions, Matrix, Scores};

/// What the four numbers of a box are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BoxFormat {
    /// Centre x, centre y, width, height: YOLOv8, DETR.
    #[default]
    CenterSize,
    /// Left, top, right, bottom: what most graphs with suppression inside give.
    Corners,
    /// Top, left, bottom, right: TensorFlow.
    CornersYx,
}

impl BoxFormat {
    /// The box of four numbers.
    #[must_use]
    pub const fn bbox(self, [a, b, c, d]: [f32; 4]) -> BBox {
        match self {
            Self::CenterSize => BBox::from_cxcywh(a, b, c, d),
            Self::Corners => BBox::new(a, b, c, d),
            Self::CornersYx => BBox::new(b, a, d, c),
        }
    }
}

/// A head whose boxes the graph has decoded: every row is a box, in pixels of the model's input or in parts of its size.
///
/// That is what most exports of today look like, whatever the network: YOLOv8 and its descendants (`[4 + classes, n]`,
/// with suppression to come), YOLOv5 (`[n, 5 + classes]`), DETR and RT-DETR (boxes and logits of some hundred queries),
/// SSD, and all graphs with suppression inside. What differs is where the columns are: see [`Matrix`] and [`Scores`].
#[derive(Debug, Clone, Copy)]
pub struct Boxes<'a> {
    /// Four columns.
    pub values: Matrix<'a>,
    /// What they are.
    pub format: BoxFormat,
    /// Horizontal and vertical factor to pixels of the model's input: 1 for boxes in pixels, width and height of the
    /// input for boxes in `0..=1`.
    pub scale: [f32; 2],
}

impl<'a> Boxes<'a> {
    /// Boxes in pixels of the model's input.
    #[must_use]
    pub const fn pixels(values: Matrix<'a>, format: BoxFormat) -> Self {
        Self { values, format, scale: [1.0; 2] }
    }

    /// The box of a row, in pixels of the model's input.
    #[must_use]
    pub fn bbox(&self, row: usize) -> BBox {
        let [sx, sy] = self.scale;
        let bbox = self.format.bbox(core::array::from_fn(|column| self.values.at(row, column)));
        BBox::new(bbox.x1 * sx, bbox.y1 * sy, bbox.x2 * sx, bbox.y2 * sy)
    }

    /// Adds what reaches the threshold to `candidates`, in pixels of the model's input.
    /// [`Candidate::row`](crate::Candidate::row) is the row, for what else it holds.
    ///
    /// # Errors
    /// [`DecodeError::Columns`] unless a box has four, and [`DecodeError::Rows`] unless there are as many scores as
    /// boxes.
    pub fn decode(
        &self,
        scores: &Scores<'_>,
        options: &DecodeOptions<'_>,
        candidates: &mut Candidates<'_>,
    ) -> Result<(), DecodeError> {
        if self.values.columns() != 4 {
            return Err(DecodeError::Columns { expected: 4, actual: self.values.columns() });
        }
        let rows = self.values.rows();
        if scores.rows() != rows {
            return Err(DecodeError::Rows { expected: rows, actual: scores.rows() });
        }
        for row in 0..rows {
            scores.push(row, || self.bbox(row), options, candidates);
        }
        Ok(())
    }
}
