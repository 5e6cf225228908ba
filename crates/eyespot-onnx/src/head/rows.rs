//! Heads with a row for each object.

use eyespot_core::{Angle, BBox, Detection, Keypoint, PredictionsMut};
use eyespot_decode::{
    Activation, Background, BoxFormat, Boxes, Candidate, Candidates, DecodeError, KeypointLayout, Matrix,
    Nms, OrientedBox, Prototypes, Scores,
};

use super::{Context, Table};
use crate::Tensor;

/// A head with a row for each object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rows {
    pub(crate) boxes: Table,
    pub(crate) format: BoxFormat,
    pub(crate) normalized: bool,
    pub(crate) scores: RowScores,
    /// Coefficients, and the output of the prototypes.
    pub(crate) masks: Option<(Table, usize)>,
    pub(crate) keypoints: Option<Keypoints>,
    pub(crate) angle: Option<Table>,
    pub(crate) suppress: bool,
}

/// Where the scores of the rows are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum RowScores {
    Classes { values: Table, objectness: Option<Table>, activation: Activation, background: Background },
    Labelled { scores: Table, labels: Table, first: u16 },
}

/// Where the keypoints of the rows are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Keypoints {
    pub(crate) values: Table,
    pub(crate) layout: KeypointLayout,
    /// In parts of the image?
    pub(crate) normalized: bool,
}

impl Keypoints {
    pub(crate) const fn count(&self) -> usize {
        self.layout.count(self.values.len)
    }

    fn of<'a>(
        &self,
        outputs: &'a [Tensor],
        context: &Context<'_>,
    ) -> Result<(Matrix<'a>, KeypointLayout), DecodeError> {
        let scale = if self.normalized { context.extent() } else { [1.0; 2] };
        Ok((self.values.of(outputs)?, KeypointLayout { scale, ..self.layout }))
    }
}

impl RowScores {
    fn of<'a>(&self, outputs: &'a [Tensor]) -> Result<Scores<'a>, DecodeError> {
        Ok(match *self {
            Self::Classes { values, objectness, activation, background } => Scores::Classes {
                values: values.of(outputs)?,
                objectness: objectness.map(|table| table.of(outputs)).transpose()?,
                activation,
                background,
            },
            Self::Labelled { scores, labels, first } => {
                Scores::Labelled { scores: scores.of(outputs)?, labels: labels.of(outputs)?, first }
            }
        })
    }
}

impl Rows {
    pub(super) fn decode(
        &self,
        outputs: &[Tensor],
        context: &Context<'_>,
        candidates: &mut Candidates<'_>,
        scratch: &mut Vec<f32>,
        out: &mut PredictionsMut<'_>,
    ) -> Result<(), DecodeError> {
        let scale = if self.normalized { context.extent() } else { [1.0; 2] };
        let boxes = Boxes { values: self.boxes.of(outputs)?, format: self.format, scale };
        boxes.decode(&self.scores.of(outputs)?, &context.options, candidates)?;
        let angles = self.angle.map(|table| table.of(outputs)).transpose()?;
        let angle_of = |candidate: &Candidate| angles.map(|angles| angles.at(candidate.row as usize, 0));
        let oriented = |candidate: &Candidate| OrientedBox {
            bbox: candidate.bbox,
            angle: angle_of(candidate).unwrap_or_default(),
        };
        let nms = Nms::new(context.iou);
        match (self.suppress, angles) {
            (false, _) => {}
            (true, None) => nms.suppress(candidates),
            (true, Some(_)) => nms.suppress_by(candidates, |a, b| oriented(a).iou(&oriented(b))),
        }
        let keypoints = self.keypoints.map(|keypoints| keypoints.of(outputs, context)).transpose()?;
        let mut masks = self.masks.map(|masks| Masks::of(masks, outputs, scratch)).transpose()?;
        let detection = |candidate: &Candidate| match angle_of(candidate) {
            None => context.detection(candidate),
            Some(angle) => turned(candidate, angle, context),
        };
        candidates.push_with(out, detection, |candidate, index, out| {
            let row = candidate.row as usize;
            if let Some((values, layout)) = keypoints {
                let placed = layout.row(values, row).map(|keypoint| place(context, keypoint));
                out.set_keypoints_from(index, placed);
            }
            if let Some(masks) = &mut masks {
                masks.set(candidate, index, context, out);
            }
        });
        Ok(())
    }
}

/// A keypoint in the pixels of the image.
pub(super) fn place(context: &Context<'_>, keypoint: Keypoint) -> Keypoint {
    let (x, y) = context.letterbox.point_to_source(keypoint.x, keypoint.y);
    Keypoint { x, y, ..keypoint }
}

/// An oriented box reaches over the edges of the image where the object does: what would be cut off an upright box is not
/// what the edge cuts off.
fn turned(candidate: &Candidate, angle: f32, context: &Context<'_>) -> Option<Detection> {
    let bbox = context.letterbox.to_source(candidate.bbox);
    let (x, y) = bbox.center();
    let source = context.letterbox.source();
    let inside =
        (0.0..=f32::from(source.width)).contains(&x) && (0.0..=f32::from(source.height)).contains(&y);
    let mut detection = Detection::new(bbox, candidate.score, candidate.class);
    detection.angle = Some(Angle::from_radians(angle)?);
    inside.then_some(detection)
}

/// Prototypes and the coefficients of the rows.
struct Masks<'a> {
    coefficients: Matrix<'a>,
    prototypes: Prototypes<'a>,
    scratch: &'a mut [f32],
}

impl<'a> Masks<'a> {
    fn of(
        (coefficients, output): (Table, usize),
        outputs: &'a [Tensor],
        scratch: &'a mut Vec<f32>,
    ) -> Result<Self, DecodeError> {
        let Some(Tensor { dims, values }) = outputs.get(output) else {
            return Err(DecodeError::Length { expected: 1, actual: 0 });
        };
        let [.., count, height, width] = dims[..] else {
            return Err(DecodeError::Length { expected: 1, actual: 0 });
        };
        let prototypes = Prototypes::new(values, count, (width, height))?;
        scratch.resize(prototypes.scratch_len().max(scratch.len()), 0.0);
        let coefficients = coefficients.of(outputs)?;
        if coefficients.columns() != count {
            return Err(DecodeError::Columns { expected: count, actual: coefficients.columns() });
        }
        Ok(Self { coefficients, prototypes, scratch })
    }

    fn set(
        &mut self,
        candidate: &Candidate,
        index: usize,
        context: &Context<'_>,
        out: &mut PredictionsMut<'_>,
    ) {
        let [width, height] = context.extent();
        let inside: BBox = candidate.bbox.clipped(width, height);
        let row = self.coefficients.row(candidate.row as usize);
        // Its sizes were checked.
        if let Ok(logits) = self.prototypes.mask(row, &inside, [width, height], self.scratch) {
            let bbox = context.to_view(candidate.bbox);
            logits.set_mask(out, index, &bbox, 0.0, |x, y| context.letterbox.point_to_target(x, y));
        }
    }
}
