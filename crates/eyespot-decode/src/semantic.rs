//! Semantic segmentation: a class for each pixel of the image.

use eyespot_core::{BBox, ClassId, Detection, PredictionsMut};

use crate::masks::{Tap, set_mask};
use crate::scores::{Softmax, sigmoid};
use crate::{Activation, DecodeError, DecodeOptions, Matrix};

/// A cell without a class: a number there is not finite.
const NONE: u16 = u16::MAX;

/// A class for each cell of a map over the whole of the model's input.
///
/// Each class that is seen becomes one detection: its mask are the pixels of the class, its box is around them. Between the cells of a
/// map of scores the class is the one with the highest bilinear score among those of the four cells around; a map of
/// labels gives the nearest.
#[derive(Debug, Clone, Copy)]
pub struct ClassMap<'a> {
    labels: &'a [u16],
    /// A row for each class; none for a map of labels.
    scores: Option<Matrix<'a>>,
    width: usize,
    height: usize,
    input: [f32; 2],
    activation: Activation,
}

/// What the pixels of a class have in common.
struct Region {
    /// In cells.
    extent: BBox,
    score: f32,
}

impl<'a> ClassMap<'a> {
    /// A map of scores, `[classes, height, width]`, over an input of `input` pixels. `labels` is scratch memory with
    /// room for each cell.
    ///
    /// # Errors
    /// [`DecodeError::Length`] unless there are as many values, or where the scratch memory is too small.
    pub fn from_scores(
        values: &'a [f32],
        classes: usize,
        (width, height): (usize, usize),
        input: [f32; 2],
        activation: Activation,
        labels: &'a mut [u16],
    ) -> Result<Self, DecodeError> {
        let scores = Matrix::new(values, classes, width.saturating_mul(height))?;
        let labels = cells(labels, scores.columns())?;
        let columns = scores.transposed();
        for (cell, label) in labels.iter_mut().enumerate() {
            let best = columns.row(cell).zip(0..NONE).fold(None, |best: Option<(f32, u16)>, next| {
                if best.is_none_or(|best| next.0 > best.0) { Some(next) } else { best }
            });
            let finite = columns.row(cell).all(f32::is_finite);
            *label = best.filter(|_| finite).map_or(NONE, |(_, class)| class);
        }
        Ok(Self { labels, scores: Some(scores), width, height, input, activation })
    }

    /// A map of labels, `[height, width]`: whole numbers. The score of its classes is 1.
    ///
    /// # Errors
    /// As [`from_scores`](Self::from_scores).
    pub fn from_labels(
        values: &[f32],
        (width, height): (usize, usize),
        input: [f32; 2],
        labels: &'a mut [u16],
    ) -> Result<Self, DecodeError> {
        let count = Matrix::new(values, height, width)?.rows().saturating_mul(width);
        let labels = cells(labels, count)?;
        for (label, &value) in labels.iter_mut().zip(values) {
            let whole = value.is_finite() && value >= 0.0;
            *label = if whole { libm::roundf(value) as u16 } else { NONE };
        }
        Ok(Self { labels, scores: None, width, height, input, activation: Activation::None })
    }

    /// Pushes a detection with a mask for each class that is seen. Its score is the mean over its cells.
    ///
    /// `to_view` maps a box of the model's input to the image, cut to its size, and `to_input` a point of the image to the
    /// model's input. `background` is never pushed.
    pub fn push_into(
        &self,
        out: &mut PredictionsMut<'_>,
        options: &DecodeOptions<'_>,
        background: Option<ClassId>,
        to_view: impl Fn(BBox) -> BBox,
        to_input: impl Fn(f32, f32) -> (f32, f32),
    ) {
        let broken = self.labels.iter().filter(|&&label| label == NONE).count();
        out.count_invalid(u32::try_from(broken).unwrap_or(u32::MAX));
        let mut next = self.labels.iter().copied().filter(|&label| label != NONE).min();
        while let Some(label) = next {
            next = self.labels.iter().copied().filter(|&other| other > label && other != NONE).min();
            let class = ClassId(label);
            if background == Some(class) || !options.keeps(class) {
                continue;
            }
            let Some(region) = self.region(label, &to_view) else { continue };
            if region.score < options.conf {
                continue;
            }
            let is_set = |x: f32, y: f32| {
                let (x, y) = to_input(x, y);
                self.label_at(x, y) == label
            };
            let Some(bbox) = tight(&to_view(self.input_box(&region.extent)), is_set) else { continue };
            if let Some(index) = out.push(Detection::new(bbox, region.score.min(1.0), class)) {
                set_mask(out, index, &bbox, is_set);
            }
        }
    }

    /// A box in cells, in pixels of the model's input.
    fn input_box(&self, cells: &BBox) -> BBox {
        let [width, height] = self.input;
        let (x, y) = (width / self.width as f32, height / self.height as f32);
        BBox::new(cells.x1 * x, cells.y1 * y, cells.x2 * x, cells.y2 * y)
    }

    /// The cells of a class that the image covers, with half a cell around them; `None` where there is none.
    fn region(&self, label: u16, to_view: &impl Fn(BBox) -> BBox) -> Option<Region> {
        let mut extent: Option<BBox> = None;
        let (mut sum, mut count) = (0.0, 0.0);
        for (cell, _) in self.labels.iter().enumerate().filter(|&(_, &other)| other == label) {
            let (x, y) = ((cell % self.width) as f32, (cell / self.width) as f32);
            if !to_view(self.input_box(&BBox::from_xywh(x, y, 1.0, 1.0))).is_valid() {
                continue;
            }
            let reach = BBox::new(x - 0.5, y - 0.5, x + 1.5, y + 1.5);
            extent = Some(extent.map_or(reach, |extent| extent.union_box(&reach)));
            sum += self.score(cell, label);
            count += 1.0;
        }
        extent.map(|extent| Region { extent, score: sum / count })
    }

    fn score(&self, cell: usize, label: u16) -> f32 {
        let Some(scores) = self.scores else { return 1.0 };
        let scores = scores.transposed();
        let value = scores.at(cell, label.into());
        match self.activation {
            Activation::None => value,
            Activation::Sigmoid => sigmoid(value),
            Activation::Softmax => Softmax::of(scores.row(cell)).score(value),
        }
    }

    /// The class at a point of the model's input.
    fn label_at(&self, x: f32, y: f32) -> u16 {
        let [width, height] = self.input;
        let x = Tap::of(x, 0.0, width, self.width);
        let y = Tap::of(y, 0.0, height, self.height);
        let cells = [(x.first, y.first), (x.second, y.first), (x.first, y.second), (x.second, y.second)]
            .map(|(x, y)| y * self.width + x);
        let labels = cells.map(|cell| self.labels.get(cell).copied().unwrap_or(NONE));
        let [first, ..] = labels;
        if labels == [first; 4] {
            return first;
        }
        let Some(scores) = self.scores else {
            let nearest = usize::from(x.share >= 0.5) + 2 * usize::from(y.share >= 0.5);
            return labels.get(nearest).copied().unwrap_or(NONE);
        };
        let mut best = (f32::NEG_INFINITY, NONE);
        for label in labels {
            let value = cells.map(|cell| scores.at(label.into(), cell));
            let value = y.mix(x.mix(value[0], value[1]), x.mix(value[2], value[3]));
            if value > best.0 || value == best.0 && label < best.1 {
                best = (value, label);
            }
        }
        best.1
    }
}

fn cells(scratch: &mut [u16], count: usize) -> Result<&mut [u16], DecodeError> {
    let actual = scratch.len();
    let cells = scratch.get_mut(..count).filter(|cells| !cells.is_empty());
    cells.ok_or(DecodeError::Length { expected: count.max(1), actual })
}

/// The smallest box of whole pixels around those within a box that are set.
fn tight(within: &BBox, is_set: impl Fn(f32, f32) -> bool) -> Option<BBox> {
    // Casts saturate.
    let (left, top) = (libm::floorf(within.x1) as u16, libm::floorf(within.y1) as u16);
    let (right, bottom) = (libm::ceilf(within.x2) as u16, libm::ceilf(within.y2) as u16);
    let mut bbox: Option<BBox> = None;
    for (y, x) in (top..bottom).flat_map(|y| (left..right).map(move |x| (f32::from(y), f32::from(x)))) {
        if is_set(x + 0.5, y + 0.5) {
            let pixel = BBox::from_xywh(x, y, 1.0, 1.0);
            bbox = Some(bbox.map_or(pixel, |bbox| bbox.union_box(&pixel)));
        }
    }
    bbox
}
