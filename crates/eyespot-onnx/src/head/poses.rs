//! Heads with the keypoints of one object.

use eyespot_core::{ClassId, Detection, Keypoint, PredictionsMut};
use eyespot_decode::{DecodeError, KeypointLayout, keypoints};

use super::rows::place;
use super::{Context, Lies, Table};
use crate::Tensor;

/// The score from which a keypoint counts for the box around them.
const VISIBLE: f32 = 0.2;

/// Pushes the object that keypoints, in pixels of the model's input, belong to. There have to be as many as `expected`.
fn push(
    keypoints: impl ExactSizeIterator<Item = Keypoint> + Clone,
    expected: usize,
    context: &Context<'_>,
    out: &mut PredictionsMut<'_>,
) -> Result<(), DecodeError> {
    if keypoints.len() != expected {
        return Err(DecodeError::Rows { expected, actual: keypoints.len() });
    }
    let Some((bbox, score)) = keypoints::object(keypoints.clone(), VISIBLE) else {
        out.count_invalid(1);
        return Ok(());
    };
    if score < context.options.conf || !context.options.keeps(ClassId(0)) {
        return Ok(());
    }
    let bbox = context.to_view(bbox);
    if bbox.is_valid()
        && let Some(index) = out.push(Detection::new(bbox, score, ClassId(0)))
    {
        out.set_keypoints_from(index, keypoints.map(|keypoint| place(context, keypoint)));
    }
    Ok(())
}

/// `[keypoints, 3]`: y, x, score in parts of the input.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MoveNet {
    pub(crate) output: usize,
    pub(crate) keypoints: usize,
}

impl MoveNet {
    pub(super) fn decode(
        &self,
        outputs: &[Tensor],
        context: &Context<'_>,
        out: &mut PredictionsMut<'_>,
    ) -> Result<(), DecodeError> {
        let values = Table { output: self.output, lies: Lies::Rows, start: 0, len: 3 }.of(outputs)?;
        let [width, height] = context.extent();
        let layout = KeypointLayout::movenet(width, height);
        let keypoint = |row| layout.row(values, row).next().unwrap_or_default();
        push((0..values.rows()).map(keypoint), self.keypoints, context, out)
    }
}

/// `[keypoints, height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Heatmaps {
    pub(crate) output: usize,
    pub(crate) keypoints: usize,
}

impl Heatmaps {
    pub(super) fn decode(
        &self,
        outputs: &[Tensor],
        context: &Context<'_>,
        out: &mut PredictionsMut<'_>,
    ) -> Result<(), DecodeError> {
        let short = DecodeError::Length { expected: 1, actual: 0 };
        let Tensor { dims, values } = outputs.get(self.output).ok_or(short)?;
        let [.., height, width] = dims[..] else { return Err(short) };
        let [x, y] = context.extent();
        let scale = [x / width.max(1) as f32, y / height.max(1) as f32];
        let found = keypoints::heatmaps(values, (width, height), scale)?;
        push(found, self.keypoints, context, out)
    }
}

/// `[keypoints, width * split]` and `[keypoints, height * split]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SimCc {
    pub(crate) x: Table,
    pub(crate) y: Table,
    pub(crate) keypoints: usize,
    pub(crate) split: f32,
}

impl SimCc {
    pub(super) fn decode(
        &self,
        outputs: &[Tensor],
        context: &Context<'_>,
        out: &mut PredictionsMut<'_>,
    ) -> Result<(), DecodeError> {
        let found = keypoints::simcc(self.x.of(outputs)?, self.y.of(outputs)?, self.split)?;
        push(found, self.keypoints, context, out)
    }
}
