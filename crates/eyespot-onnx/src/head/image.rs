//! Heads that say something about the whole image.

use eyespot_core::{BBox, ClassId, PredictionsMut};
use eyespot_decode::{
    Activation, Background, Candidates, ClassMap, DecodeError, DecodeOptions, LabelMode, Matrix, Scores,
};

use super::Context;
use crate::Tensor;

/// A score of each class for the whole image. Each class that reaches the threshold is a detection as large as the image.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Classification {
    pub(crate) output: usize,
    pub(crate) activation: Activation,
    pub(crate) background: Background,
}

impl Classification {
    pub(super) fn decode(
        &self,
        outputs: &[Tensor],
        context: &Context<'_>,
        candidates: &mut Candidates<'_>,
        out: &mut PredictionsMut<'_>,
    ) -> Result<(), DecodeError> {
        let values = outputs.get(self.output).map_or(&[][..], |output| &output.values);
        let scores = Scores::Classes {
            values: Matrix::new(values, 1, values.len())?,
            objectness: None,
            activation: self.activation,
            background: self.background,
        };
        let source = context.letterbox.source();
        let whole = BBox::new(0.0, 0.0, source.width.into(), source.height.into());
        let options = DecodeOptions { labels: LabelMode::Multi, ..context.options };
        scores.push(0, || whole, &options, candidates);
        candidates.push_into(out, |bbox| bbox);
        Ok(())
    }
}

/// A class for each pixel. Each class that is seen is a detection with a mask.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Semantic {
    pub(crate) output: usize,
    pub(crate) map: Map,
    pub(crate) background: Option<ClassId>,
}

/// What a map of classes consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Map {
    /// `[classes, height, width]`.
    Scores(Activation),
    /// `[height, width, classes]`.
    ScoresLast(Activation),
    /// `[height, width]`: how much it is the only class, inside above this.
    Binary(Activation),
    /// `[height, width]`: the class.
    Labels,
}

impl Semantic {
    pub(super) fn decode(
        &self,
        outputs: &[Tensor],
        context: &Context<'_>,
        labels: &mut Vec<u16>,
        out: &mut PredictionsMut<'_>,
    ) -> Result<(), DecodeError> {
        let short = DecodeError::Length { expected: 1, actual: 0 };
        let Tensor { dims, values } = outputs.get(self.output).ok_or(short)?;
        let turned;
        let map = match (self.map, &dims[..]) {
            (Map::Scores(activation), &[.., classes, height, width]) => {
                labels.resize(labels.len().max(height * width), 0);
                let size = (width, height);
                ClassMap::from_scores(values, classes, size, context.extent(), activation, labels)?
            }
            (Map::ScoresLast(activation), &[.., height, width, classes]) => {
                labels.resize(labels.len().max(height * width), 0);
                let cells = Matrix::new(values, height * width, classes)?.transposed();
                turned = (0..classes).flat_map(|class| cells.row(class)).collect::<Vec<_>>();
                ClassMap::from_scores(
                    &turned,
                    classes,
                    (width, height),
                    context.extent(),
                    activation,
                    labels,
                )?
            }
            (Map::Binary(activation), &[.., height, width]) => {
                labels.resize(labels.len().max(height * width), 0);
                // Beside the class the rest, which is as likely where the score is one half.
                let rest = |value: &f32| match activation {
                    Activation::None => 1.0 - value,
                    Activation::Sigmoid | Activation::Softmax => -value,
                };
                turned = values.iter().copied().chain(values.iter().map(rest)).collect();
                ClassMap::from_scores(&turned, 2, (width, height), context.extent(), activation, labels)?
            }
            (Map::Labels, &[.., height, width]) => {
                labels.resize(labels.len().max(height * width), 0);
                ClassMap::from_labels(values, (width, height), context.extent(), labels)?
            }
            _ => return Err(short),
        };
        push(&map, context, self.background, out);
        Ok(())
    }
}

fn push(
    map: &ClassMap<'_>,
    context: &Context<'_>,
    background: Option<ClassId>,
    out: &mut PredictionsMut<'_>,
) {
    map.push_into(
        out,
        &context.options,
        background,
        |bbox| context.to_view(bbox),
        |x, y| context.letterbox.point_to_target(x, y),
    );
}

/// A number for each pixel. The range of the image's numbers in equal bands, each a class with a mask.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Depth {
    pub(crate) output: usize,
}

/// Bands of a map of depths.
pub(crate) const BANDS: u16 = 8;

impl Depth {
    pub(super) fn decode(
        &self,
        outputs: &[Tensor],
        context: &Context<'_>,
        bands: &mut Vec<f32>,
        labels: &mut Vec<u16>,
        out: &mut PredictionsMut<'_>,
    ) -> Result<(), DecodeError> {
        let short = DecodeError::Length { expected: 1, actual: 0 };
        let Tensor { dims, values } = outputs.get(self.output).ok_or(short)?;
        let [height, width] = size(dims).ok_or(short)?;
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let (least, most) =
            (finite().fold(f32::INFINITY, f32::min), finite().fold(f32::NEG_INFINITY, f32::max));
        let step = (most - least) / f32::from(BANDS);
        let last = f32::from(BANDS - 1);
        // Where all are the same there is one band.
        let band =
            |value: f32| if step > 0.0 { ((value - least) / step).floor().min(last) } else { value * 0.0 };
        bands.clear();
        bands.extend(values.iter().map(|&value| band(value)));
        labels.resize(labels.len().max(height * width), 0);
        let map = ClassMap::from_labels(bands, (width, height), context.extent(), labels)?;
        push(&map, context, None, out);
        Ok(())
    }
}

/// Height and width of a map whose other dimensions are 1.
pub(crate) fn size(dims: &[usize]) -> Option<[usize; 2]> {
    match dims {
        [rest @ .., height, width] if rest.iter().all(|&dim| dim == 1) => Some([*height, *width]),
        // Channels last.
        [rest @ .., height, width, 1] if rest.iter().all(|&dim| dim == 1) => Some([*height, *width]),
        _ => None,
    }
}
