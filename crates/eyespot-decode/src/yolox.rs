//! The YOLOX head: anchor-free, decoupled, one prediction per cell of each stride's grid (Ge et al., "YOLOX: Exceeding
//! YOLO Series in 2021", arXiv:2107.08430).

use eyespot_core::{BBox, ClassId, InputSize};

use crate::{Candidate, Candidates, DecodeError, DecodeOptions, LabelMode, Matrix};

/// The strides of the published models.
pub const STRIDES: [u8; 3] = [8, 16, 32];

/// The shape of a head's output: `[anchors, 5 + classes]`, rows of `x, y, width, height, objectness, classes..`.
///
/// The anchors are the cells of each stride's grid, row by row, strides in the given order. Objectness and class
/// scores come out of a sigmoid already, `0..=1`; the box is relative to its cell:
/// centre = (`x, y` + cell) * stride, size = exp(`width, height`) * stride, in pixels of the model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'a> {
    input: InputSize,
    strides: &'a [u8],
    classes: u16,
}

impl<'a> Head<'a> {
    /// A head of a model with this input size (a multiple of the largest stride each way). Strides of 0 have no
    /// cells.
    #[must_use]
    pub const fn new(input: InputSize, strides: &'a [u8], classes: u16) -> Self {
        Self { input, strides, classes }
    }

    /// Columns and rows of a stride's grid.
    fn grid(&self, stride: u8) -> (u16, u16) {
        let cells = |pixels: u16| pixels.checked_div(u16::from(stride)).unwrap_or(0);
        (cells(self.input.width), cells(self.input.height))
    }

    /// Number of anchors: 3549 for 416 x 416 and the usual strides.
    #[must_use]
    pub fn anchors(&self) -> usize {
        self.strides
            .iter()
            .map(|&stride| self.grid(stride))
            .map(|(columns, rows)| usize::from(columns) * usize::from(rows))
            .fold(0, usize::saturating_add)
    }

    /// Number of values of the output of one image.
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.anchors().saturating_mul(5 + usize::from(self.classes))
    }

    /// Adds what reaches the threshold to `candidates`, in pixels of the model's input.
    ///
    /// The score of a class is objectness * class score. Rows that reach the threshold in objectness but hold a
    /// non-finite number are left out and counted as invalid.
    ///
    /// # Errors
    /// [`DecodeError::Length`] where `raw` is not [`output_len`](Self::output_len) long.
    pub fn decode(
        &self,
        raw: &[f32],
        options: &DecodeOptions<'_>,
        candidates: &mut Candidates<'_>,
    ) -> Result<(), DecodeError> {
        let values = Matrix::new(raw, self.anchors(), 5 + usize::from(self.classes))?;
        self.decode_with(|row, column| values.at(row, column), options, candidates);
        Ok(())
    }

    /// As [`decode`](Self::decode), for outputs that lie otherwise: `value(anchor, channel)` reads one. Most anchors are
    /// done after their objectness.
    pub fn decode_with(
        &self,
        value: impl Fn(usize, usize) -> f32,
        options: &DecodeOptions<'_>,
        candidates: &mut Candidates<'_>,
    ) {
        let mut anchor = 0;
        for &stride in self.strides {
            let (columns, lines) = self.grid(stride);
            for y in 0..lines {
                for x in 0..columns {
                    self.cell(|channel| value(anchor, channel), [x, y], stride, options, candidates);
                    anchor += 1;
                }
            }
        }
    }

    /// What an anchor has to say.
    #[inline]
    fn cell(
        &self,
        value: impl Fn(usize) -> f32,
        [x, y]: [u16; 2],
        stride: u8,
        options: &DecodeOptions<'_>,
        candidates: &mut Candidates<'_>,
    ) {
        let objectness = value(4);
        // Nearly every cell ends here. NaN goes on, to be counted.
        if objectness < options.conf {
            return;
        }
        let score = |class: u16| value(5 + usize::from(class));
        if !objectness.is_finite() || !(0..self.classes).all(|class| score(class).is_finite()) {
            candidates.count_invalid();
            return;
        }
        let stride = f32::from(stride);
        let bbox = || {
            BBox::from_cxcywh(
                (value(0) + f32::from(x)) * stride,
                (value(1) + f32::from(y)) * stride,
                libm::expf(value(2)) * stride,
                libm::expf(value(3)) * stride,
            )
        };
        classify(objectness, (0..self.classes).map(score), bbox, options, candidates);
    }
}

/// Pushes a box with its best class or with each that reaches the threshold.
fn classify(
    objectness: f32,
    scores: impl Iterator<Item = f32>,
    bbox: impl Fn() -> BBox,
    options: &DecodeOptions<'_>,
    candidates: &mut Candidates<'_>,
) {
    let wanted = scores
        .zip(0u16..)
        .map(|(score, class)| (objectness * score, ClassId(class)))
        .filter(|&(score, class)| score >= options.conf && options.keeps(class));
    match options.labels {
        LabelMode::Best => {
            // The first of equal scores, as `argmax` does.
            let best = wanted.reduce(|best, next| if next.0 > best.0 { next } else { best });
            if let Some((score, class)) = best {
                candidates.push(Candidate::new(bbox(), score, class));
            }
        }
        LabelMode::Multi => {
            let mut shape = None;
            for (score, class) in wanted {
                let bbox = *shape.get_or_insert_with(&bbox);
                candidates.push(Candidate::new(bbox, score, class));
            }
        }
    }
}
