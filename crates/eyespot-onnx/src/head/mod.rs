//! Heads: from outputs to results.

mod grids;
mod image;
mod poses;
mod rows;

use eyespot_core::{BBox, Detection, InputSize, PredictionsMut};
use eyespot_decode::{Candidate, Candidates, DecodeError, DecodeOptions, Matrix};
use eyespot_image::Letterbox;

pub(crate) use grids::{Distances, FastestDet, Level, Yolox};
pub(crate) use image::{BANDS, Classification, Depth, Map, Semantic, size};
pub(crate) use poses::{Heatmaps, MoveNet, SimCc};
pub(crate) use rows::{Keypoints, RowScores, Rows};

use crate::Tensor;

/// A head whose outputs are known by number and column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Head {
    Rows(Rows),
    Yolox(Yolox),
    FastestDet(FastestDet),
    Distances(Distances),
    MoveNet(MoveNet),
    Heatmaps(Heatmaps),
    SimCc(SimCc),
    Semantic(Semantic),
    Depth(Depth),
    Classification(Classification),
}

/// What a head is given beside the outputs.
pub(crate) struct Context<'a> {
    pub(crate) letterbox: &'a Letterbox,
    pub(crate) options: DecodeOptions<'a>,
    pub(crate) iou: f32,
}

impl Context<'_> {
    pub(crate) const fn input(&self) -> InputSize {
        self.letterbox.target()
    }

    /// Width and height of the input.
    pub(crate) fn extent(&self) -> [f32; 2] {
        [f32::from(self.input().width), f32::from(self.input().height)]
    }

    fn to_view(&self, bbox: BBox) -> BBox {
        self.letterbox.to_source_clipped(bbox)
    }

    /// A candidate in the pixels of the image; `None` outside of it.
    fn detection(&self, candidate: &Candidate) -> Option<Detection> {
        let bbox = self.to_view(candidate.bbox);
        bbox.is_valid().then(|| Detection::new(bbox, candidate.score, candidate.class))
    }
}

/// Memory that is kept from call to call.
#[derive(Debug, Clone)]
pub(crate) struct Scratch {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) values: Vec<f32>,
    pub(crate) labels: Vec<u16>,
}

impl Head {
    /// Pushes what the outputs hold, in the pixels of the image.
    pub(crate) fn decode(
        &self,
        outputs: &[Tensor],
        context: &Context<'_>,
        scratch: &mut Scratch,
        out: &mut PredictionsMut<'_>,
    ) -> Result<(), DecodeError> {
        let Scratch { candidates, values, labels } = scratch;
        let mut candidates = Candidates::new(candidates);
        match self {
            Self::Rows(rows) => rows.decode(outputs, context, &mut candidates, values, out),
            Self::Yolox(head) => head.decode(outputs, context, &mut candidates, out),
            Self::FastestDet(head) => head.decode(outputs, context, &mut candidates, out),
            Self::Distances(head) => head.decode(outputs, context, &mut candidates, out),
            Self::MoveNet(head) => head.decode(outputs, context, out),
            Self::Heatmaps(head) => head.decode(outputs, context, out),
            Self::SimCc(head) => head.decode(outputs, context, out),
            Self::Semantic(head) => head.decode(outputs, context, labels, out),
            Self::Depth(head) => head.decode(outputs, context, values, labels, out),
            Self::Classification(head) => head.decode(outputs, context, &mut candidates, out),
        }
    }

    /// Keypoints of an object.
    pub(crate) const fn keypoints(&self) -> usize {
        match self {
            Self::Rows(rows) => match &rows.keypoints {
                Some(keypoints) => keypoints.count(),
                None => 0,
            },
            Self::MoveNet(head) => head.keypoints,
            Self::Heatmaps(head) => head.keypoints,
            Self::SimCc(head) => head.keypoints,
            _ => 0,
        }
    }

    pub(crate) const fn has_masks(&self) -> bool {
        match self {
            Self::Rows(rows) => rows.masks.is_some(),
            Self::Semantic(_) | Self::Depth(_) => true,
            _ => false,
        }
    }

    pub(crate) const fn has_angles(&self) -> bool {
        matches!(self, Self::Rows(Rows { angle: Some(_), .. }))
    }
}

/// Which way the rows of a table lie in an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lies {
    /// `[.., rows, columns]`.
    Rows,
    /// `[1, columns, ..]`, the rest are the rows.
    Columns,
    /// `[.., rows]`, one column.
    Vector,
}

/// Some columns of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) output: usize,
    pub(crate) lies: Lies,
    pub(crate) start: usize,
    pub(crate) len: usize,
}

impl Table {
    /// The number of columns of an output.
    pub(crate) fn columns(lies: Lies, dims: &[usize]) -> usize {
        match (lies, dims) {
            (Lies::Rows, [.., columns]) | (Lies::Columns, [columns, _] | [_, columns, _, ..]) => *columns,
            (Lies::Vector, _) => 1,
            _ => 0,
        }
    }

    /// The columns, a row for each box or cell.
    ///
    /// # Errors
    /// [`DecodeError::Columns`] where the output has fewer, and [`DecodeError::Length`] where it is no table.
    pub(crate) fn of<'a>(&self, outputs: &'a [Tensor]) -> Result<Matrix<'a>, DecodeError> {
        let output = outputs.get(self.output).ok_or(DecodeError::Length { expected: 1, actual: 0 })?;
        let columns = Self::columns(self.lies, &output.dims);
        let (expected, actual) = (self.start.saturating_add(self.len), columns);
        if actual < expected {
            return Err(DecodeError::Columns { expected, actual });
        }
        let rows = output.values.len() / columns.max(1);
        let matrix = match self.lies {
            Lies::Rows | Lies::Vector => Matrix::new(&output.values, rows, columns)?,
            Lies::Columns => Matrix::new(&output.values, columns, rows)?.transposed(),
        };
        Ok(matrix.columns_at(self.start, self.len))
    }

    /// The only column.
    pub(crate) const fn vector(output: usize) -> Self {
        Self { output, lies: Lies::Vector, start: 0, len: 1 }
    }

    /// Other columns of the same output.
    pub(crate) const fn part(self, start: usize, len: usize) -> Self {
        Self { start, len, ..self }
    }
}
