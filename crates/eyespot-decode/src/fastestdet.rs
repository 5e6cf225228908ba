//! The FastestDet head: anchor-free, one prediction per cell of a single grid (github.com/dog-qiuqiu/FastestDet,
//! BSD-3-Clause).

use eyespot_core::{BBox, ClassId, InputSize};

use crate::{Candidate, Candidates, DecodeError, DecodeOptions, LabelMode, Matrix};

/// Pixels of the model's input from one cell to the next.
pub const STRIDE: u16 = 16;

/// The input size that the published model was trained with.
pub const TRAINED: InputSize = InputSize::square(352);

/// The shape of a head's output: `[rows, columns, 5 + classes]`, a cell being
/// `objectness, x, y, width, height, classes..`.
///
/// Objectness comes out of a sigmoid already and the class scores out of a softmax, `0..=1`. The box is raw: centre =
/// (cell + tanh(`x, y`)) * stride, size = sigmoid(`width, height`) * trained size, in pixels of the model's input. The
/// trained size stays the same for an input of another size: a convolution sees pixels, not fractions of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    input: InputSize,
    trained: InputSize,
    classes: u16,
}

impl Head {
    /// A head of a model with this input size (a multiple of 32 each way), [trained](TRAINED) as the published one.
    #[must_use]
    pub const fn new(input: InputSize, classes: u16) -> Self {
        Self { input, trained: TRAINED, classes }
    }

    /// The same for a model that was trained with another input size.
    #[must_use]
    pub const fn with_trained(mut self, trained: InputSize) -> Self {
        self.trained = trained;
        self
    }

    /// Columns of the grid.
    #[must_use]
    pub const fn columns(&self) -> u16 {
        self.input.width / STRIDE
    }

    /// Rows of the grid.
    #[must_use]
    pub const fn rows(&self) -> u16 {
        self.input.height / STRIDE
    }

    /// Number of cells: 484 for 352 x 352.
    #[must_use]
    pub const fn cells(&self) -> usize {
        self.columns() as usize * self.rows() as usize
    }

    /// Number of values of a cell.
    #[must_use]
    pub const fn channels(&self) -> usize {
        5 + self.classes as usize
    }

    /// Adds what reaches the threshold to `candidates`, in pixels of the model's input.
    ///
    /// The score of a class is objectness^0.6 * class score^0.4. Cells whose objectness may reach the threshold but
    /// that hold a non-finite number are left out and counted as invalid.
    ///
    /// # Errors
    /// [`DecodeError::Length`] where `raw` has not [`cells`](Self::cells) times [`channels`](Self::channels) values.
    pub fn decode(
        &self,
        raw: &[f32],
        options: &DecodeOptions<'_>,
        candidates: &mut Candidates<'_>,
    ) -> Result<(), DecodeError> {
        let values = Matrix::new(raw, self.cells(), self.channels())?;
        self.decode_with(|row, column| values.at(row, column), options, candidates);
        Ok(())
    }

    /// As [`decode`](Self::decode), for outputs that lie otherwise: `value(cell, channel)` reads one. Most cells are
    /// done after their objectness.
    pub fn decode_with(
        &self,
        value: impl Fn(usize, usize) -> f32,
        options: &DecodeOptions<'_>,
        candidates: &mut Candidates<'_>,
    ) {
        // A cell can't reach the threshold if it would not even with a class score of 1.
        let least = libm::powf(options.conf, 1.0 / 0.6) * 0.999_99;
        let (columns, channels) = (self.columns(), self.channels());
        for row in 0..self.rows() {
            for column in 0..columns {
                let cell = usize::from(row) * usize::from(columns) + usize::from(column);
                let objectness = value(cell, 0);
                // NaN goes on, to be counted.
                if objectness < least {
                    continue;
                }
                if !objectness.is_finite() || !(1..channels).all(|channel| value(cell, channel).is_finite()) {
                    candidates.count_invalid();
                    continue;
                }
                self.classify(objectness, (column, row), |channel| value(cell, channel), options, candidates);
            }
        }
    }

    fn classify(
        &self,
        objectness: f32,
        (column, row): (u16, u16),
        value: impl Fn(usize) -> f32,
        options: &DecodeOptions<'_>,
        candidates: &mut Candidates<'_>,
    ) {
        let bbox = || {
            let sigmoid = |x: f32| 1.0 / (1.0 + libm::expf(-x));
            let stride = f32::from(STRIDE);
            BBox::from_cxcywh(
                (f32::from(column) + libm::tanhf(value(1))) * stride,
                (f32::from(row) + libm::tanhf(value(2))) * stride,
                sigmoid(value(3)) * f32::from(self.trained.width),
                sigmoid(value(4)) * f32::from(self.trained.height),
            )
        };
        let share = libm::powf(objectness, 0.6);
        let score_of = |score: f32| share * libm::powf(score, 0.4);
        let wanted = (0..self.classes)
            .map(|class| (value(5 + usize::from(class)), ClassId(class)))
            .filter(|&(_, class)| options.keeps(class));
        match options.labels {
            LabelMode::Best => {
                // The first of equal scores, as `argmax` does.
                let best = wanted.reduce(|best, next| if next.0 > best.0 { next } else { best });
                if let Some((score, class)) = best
                    && score_of(score) >= options.conf
                {
                    candidates.push(Candidate::new(bbox(), score_of(score), class));
                }
            }
            LabelMode::Multi => {
                let mut shape = None;
                for (score, class) in wanted.map(|(score, class)| (score_of(score), class)) {
                    if score >= options.conf {
                        let bbox = *shape.get_or_insert_with(bbox);
                        candidates.push(Candidate::new(bbox, score, class));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    const HEAD: Head = Head::new(InputSize::new(64, 32), 2).with_trained(InputSize::new(64, 32));

    #[test]
    fn a_cell_becomes_a_box() {
        let mut raw = vec![0.0; HEAD.cells() * HEAD.channels()];
        // Second row, third column: a box as large as half of the input in its corner.
        let cell = &mut raw[6 * 7..7 * 7];
        cell.copy_from_slice(&[0.81, 0.0, 0.0, 0.0, 0.0, 0.1, 0.9]);
        let mut slots = [Candidate::EMPTY; 4];
        let mut candidates = Candidates::new(&mut slots);
        HEAD.decode(&raw, &DecodeOptions::new(0.5), &mut candidates).unwrap();
        let [found] = candidates.as_slice() else { panic!("{candidates:?}") };
        assert_eq!(found.bbox, BBox::from_cxcywh(32.0, 16.0, 32.0, 16.0));
        assert_eq!(found.class, ClassId(1));
        // 0.81^0.6 * 0.9^0.4
        assert!((found.score - 0.844_89).abs() < 1e-4, "{}", found.score);
        candidates.clear();
        HEAD.decode(&raw, &DecodeOptions::new(0.2).with_labels(LabelMode::Multi), &mut candidates).unwrap();
        assert_eq!(candidates.len(), 2);
    }

    #[test]
    fn what_is_not_finite_is_counted_and_a_wrong_length_is_an_error() {
        let mut raw = vec![0.0; HEAD.cells() * HEAD.channels()];
        raw[0] = f32::NAN;
        raw[7] = 0.9;
        raw[8] = f32::INFINITY;
        let mut slots = [Candidate::EMPTY; 4];
        let mut candidates = Candidates::new(&mut slots);
        HEAD.decode(&raw, &DecodeOptions::new(0.1), &mut candidates).unwrap();
        assert_eq!((candidates.len(), candidates.invalid()), (0, 2));
        let error = HEAD.decode(&raw[1..], &DecodeOptions::new(0.1), &mut candidates);
        assert_eq!(error, Err(DecodeError::Length { expected: 56, actual: 55 }));
    }
}
