//! Heads with raw values for each cell of a grid.

use eyespot_core::PredictionsMut;
use eyespot_decode::{
    Activation, Background, Candidates, DecodeError, Nms, Scores, distances, fastestdet, yolox,
};

use super::{Context, Lies, Table};
use crate::Tensor;

/// Suppresses, and pushes what is left.
fn finish(candidates: &mut Candidates<'_>, context: &Context<'_>, out: &mut PredictionsMut<'_>) {
    Nms::new(context.iou).suppress(candidates);
    candidates.push_with(out, |candidate| context.detection(candidate), |_, _, _| {});
}

/// `[n, 5 + classes]`, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Yolox {
    pub(crate) output: usize,
    pub(crate) strides: Vec<u8>,
    pub(crate) classes: u16,
}

impl Yolox {
    pub(super) fn decode(
        &self,
        outputs: &[Tensor],
        context: &Context<'_>,
        candidates: &mut Candidates<'_>,
        out: &mut PredictionsMut<'_>,
    ) -> Result<(), DecodeError> {
        let raw = outputs.get(self.output).map_or(&[][..], |output| &output.values);
        let head = yolox::Head::new(context.input(), &self.strides, self.classes);
        head.decode(raw, &context.options, candidates)?;
        finish(candidates, context, out);
        Ok(())
    }
}

/// `[5 + classes, height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FastestDet {
    pub(crate) output: usize,
    pub(crate) classes: u16,
}

impl FastestDet {
    pub(super) fn decode(
        &self,
        outputs: &[Tensor],
        context: &Context<'_>,
        candidates: &mut Candidates<'_>,
        out: &mut PredictionsMut<'_>,
    ) -> Result<(), DecodeError> {
        let head = fastestdet::Head::new(context.input(), self.classes);
        let cells = Table { output: self.output, lies: Lies::Columns, start: 0, len: head.channels() };
        let cells = cells.of(outputs)?;
        if cells.rows() != head.cells() {
            return Err(DecodeError::Rows { expected: head.cells(), actual: cells.rows() });
        }
        head.decode_with(|cell, channel| cells.at(cell, channel), &context.options, candidates);
        finish(candidates, context, out);
        Ok(())
    }
}

/// Grids of distances.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Distances {
    pub(crate) levels: Vec<Level>,
    pub(crate) unit: distances::Unit,
    pub(crate) offset: f32,
    pub(crate) activation: Activation,
}

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Level {
    pub(crate) stride: u16,
    pub(crate) scores: Table,
    pub(crate) distances: Table,
    /// Do the cells of all levels follow one another in one output?
    pub(crate) shared: bool,
}

impl Distances {
    pub(super) fn decode(
        &self,
        outputs: &[Tensor],
        context: &Context<'_>,
        candidates: &mut Candidates<'_>,
        out: &mut PredictionsMut<'_>,
    ) -> Result<(), DecodeError> {
        let head = distances::Head { input: context.input(), unit: self.unit, offset: self.offset };
        let mut first = 0;
        for level in &self.levels {
            let (columns, lines) = head.grid(level.stride);
            let (mut scores, mut distances) = (level.scores.of(outputs)?, level.distances.of(outputs)?);
            if level.shared {
                scores = scores.rows_at(first, columns * lines);
                distances = distances.rows_at(first, columns * lines);
                first += columns * lines;
            }
            let scores = Scores::Classes {
                values: scores,
                objectness: None,
                activation: self.activation,
                background: Background::None,
            };
            let level = distances::Level { stride: level.stride, scores, distances };
            head.decode(&level, &context.options, candidates)?;
        }
        finish(candidates, context, out);
        Ok(())
    }
}
