//! Keypoints: in the row of a box, in heat maps, or along the axes of an image.

use eyespot_core::{BBox, Keypoint};

use crate::scores::sigmoid;
use crate::{Activation, DecodeError, Matrix};

/// How the keypoints of a row lie, one after the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeypointLayout {
    /// Values of a keypoint: 2 for a place alone, which then has a score of 1, or 3 for a place and its score.
    pub values: usize,
    /// Does y come before x?
    pub yx: bool,
    /// Horizontal and vertical factor to pixels of the model's input.
    pub scale: [f32; 2],
    /// What makes scores, `0..=1`, of the values.
    pub activation: Activation,
}

impl KeypointLayout {
    /// `x, y, score` in pixels of the model's input: YOLOv8 and its descendants.
    pub const PIXELS: Self = Self { values: 3, yx: false, scale: [1.0; 2], activation: Activation::None };

    /// `y, x, score` in parts of the model's input, as MoveNet gives them.
    #[must_use]
    pub const fn movenet(width: f32, height: f32) -> Self {
        Self { values: 3, yx: true, scale: [width, height], activation: Activation::None }
    }

    /// Keypoints in so many columns.
    #[must_use]
    pub const fn count(&self, columns: usize) -> usize {
        match columns.checked_div(self.values) {
            Some(count) => count,
            None => 0,
        }
    }

    /// The keypoints of a row, in pixels of the model's input.
    pub fn row<'a>(
        &self,
        values: Matrix<'a>,
        row: usize,
    ) -> impl ExactSizeIterator<Item = Keypoint> + Clone + use<'a> {
        let Self { values: step, yx, scale: [sx, sy], activation } = *self;
        let count = if row < values.rows() { self.count(values.columns()) } else { 0 };
        (0..count).map(move |keypoint| {
            let at = |value: usize| values.at(row, keypoint * step + value);
            let (x, y) = if yx { (at(1), at(0)) } else { (at(0), at(1)) };
            let score = match activation {
                _ if step < 3 => 1.0,
                Activation::Sigmoid => sigmoid(at(2)),
                Activation::None | Activation::Softmax => at(2),
            };
            Keypoint { x: x * sx, y: y * sy, score }
        })
    }
}

/// The keypoints of one person from heat maps, `[keypoints, height, width]`, one map for each: the place of the highest
/// value, a quarter of a cell towards the higher neighbour (Xiao et al., "Simple Baselines for Human Pose Estimation and
/// Tracking", arXiv:1804.06208). The score is that value, cut to `0..=1`.
///
/// `scale` is the horizontal and vertical factor from a cell to pixels of the model's input: 4 for the usual maps of a
/// quarter of its size.
///
/// # Errors
/// [`DecodeError::Length`] unless there is a whole number of maps.
pub fn heatmaps(
    values: &[f32],
    (width, height): (usize, usize),
    [sx, sy]: [f32; 2],
) -> Result<impl ExactSizeIterator<Item = Keypoint> + Clone + use<'_>, DecodeError> {
    let cells = width.saturating_mul(height);
    if cells == 0 || !values.len().is_multiple_of(cells) {
        let expected = cells.max(1).saturating_mul(values.len().div_ceil(cells.max(1)));
        return Err(DecodeError::Length { expected, actual: values.len() });
    }
    Ok(values.chunks_exact(cells).map(move |map| {
        let (at, highest) = highest(map.iter().copied());
        let (column, row) = (at % width, at / width);
        let value = |column: usize, row: usize| map.get(row * width + column).copied().unwrap_or(f32::NAN);
        let quarter = |before: Option<f32>, after: Option<f32>| match before.zip(after) {
            Some((before, after)) if after > before => 0.25,
            Some((before, after)) if after < before => -0.25,
            _ => 0.0,
        };
        let left = column.checked_sub(1).map(|column| value(column, row));
        let right = (column + 1 < width).then(|| value(column + 1, row));
        let above = row.checked_sub(1).map(|row| value(column, row));
        let below = (row + 1 < height).then(|| value(column, row + 1));
        Keypoint {
            x: (column as f32 + quarter(left, right)) * sx,
            y: (row as f32 + quarter(above, below)) * sy,
            score: highest.clamp(0.0, 1.0),
        }
    }))
}

/// The keypoints of one person from a classification along each axis (Li et al., "SimCC", arXiv:2107.03332; RTMPose): a
/// row for each keypoint, a column for each part of a pixel. The score is the lower of both maxima, cut to `0..=1`.
///
/// `split` is the number of columns for a pixel of the model's input, usually 2.
///
/// # Errors
/// [`DecodeError::Rows`] unless both have as many rows.
pub fn simcc<'a>(
    x: Matrix<'a>,
    y: Matrix<'a>,
    split: f32,
) -> Result<impl ExactSizeIterator<Item = Keypoint> + Clone + use<'a>, DecodeError> {
    if x.rows() != y.rows() {
        return Err(DecodeError::Rows { expected: x.rows(), actual: y.rows() });
    }
    Ok((0..x.rows()).map(move |keypoint| {
        let (column, in_x) = highest(x.row(keypoint));
        let (line, in_y) = highest(y.row(keypoint));
        Keypoint { x: column as f32 / split, y: line as f32 / split, score: in_x.min(in_y).clamp(0.0, 1.0) }
    }))
}

/// The first of the highest values and its place. Values that are no numbers are passed over; of none it is NaN.
fn highest(values: impl Iterator<Item = f32>) -> (usize, f32) {
    values.enumerate().fold((0, f32::NAN), |best, (at, value)| {
        if value > best.1 || best.1.is_nan() && !value.is_nan() { (at, value) } else { best }
    })
}

/// What keypoints of one object say about it: the box around those that reach `conf` (around all where none does), and
/// the mean of all scores. `None` where there is none, or a number is not finite.
#[must_use]
pub fn object(keypoints: impl Iterator<Item = Keypoint> + Clone, conf: f32) -> Option<(BBox, f32)> {
    let around = |least: f32| {
        keypoints.clone().filter(|keypoint| keypoint.score >= least).fold(
            None,
            |around, Keypoint { x, y, .. }| {
                let point = BBox::new(x, y, x, y);
                Some(around.map_or(point, |around: BBox| around.union_box(&point)))
            },
        )
    };
    let (sum, count) =
        keypoints.clone().fold((0.0, 0.0), |(sum, count), keypoint| (sum + keypoint.score, count + 1.0));
    let bbox = around(conf).or_else(|| around(f32::NEG_INFINITY))?;
    let score = sum / count;
    (bbox.is_valid() && (0.0..=1.0).contains(&score)).then_some((bbox, score))
}
