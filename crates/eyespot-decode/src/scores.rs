//! From the class scores of a row to candidates.

use eyespot_core::{BBox, ClassId};

use crate::{Candidate, Candidates, DecodeOptions, LabelMode, Matrix};

/// What makes scores, `0..=1`, of a network's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Activation {
    /// Nothing: they are scores already.
    #[default]
    None,
    /// The logistic function, each value for itself.
    Sigmoid,
    /// Softmax over the values of a row.
    Softmax,
}

/// `1 / (1 + e^-x)`.
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-x))
}

/// Which column of the scores is no class but "nothing there".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Background {
    /// None is.
    #[default]
    None,
    /// The first: SSD.
    First,
    /// The last: DETR.
    Last,
}

/// What the rows of a head are and how sure it is.
#[derive(Debug, Clone, Copy)]
pub enum Scores<'a> {
    /// A column for each class.
    Classes {
        /// A row for each box.
        values: Matrix<'a>,
        /// One column, `0..=1`: how likely there is anything at all. It multiplies the scores.
        objectness: Option<Matrix<'a>>,
        /// What makes scores of the values.
        activation: Activation,
        /// Which column is no class.
        background: Background,
    },
    /// One class for each box: the graph chose it.
    Labelled {
        /// One column: the score, `0..=1`.
        scores: Matrix<'a>,
        /// One column: the class as a whole number.
        labels: Matrix<'a>,
        /// The number of the first class: 0, or 1 where 0 is the background. Smaller labels are no objects.
        first: u16,
    },
}

impl<'a> Scores<'a> {
    /// Scores that lie in a column for each class, ready for use.
    #[must_use]
    pub const fn ready(values: Matrix<'a>) -> Self {
        Self::Classes { values, objectness: None, activation: Activation::None, background: Background::None }
    }

    /// Number of rows.
    #[must_use]
    pub const fn rows(&self) -> usize {
        match self {
            Self::Classes { values, .. } => values.rows(),
            Self::Labelled { scores, .. } => scores.rows(),
        }
    }

    /// Pushes the box of a row with its best class, or with each that reaches the threshold. A row with a non-finite
    /// number, in its scores or in the box that they would get, is left out and counted.
    pub fn push(
        &self,
        row: usize,
        bbox: impl FnOnce() -> BBox,
        options: &DecodeOptions<'_>,
        candidates: &mut Candidates<'_>,
    ) {
        match *self {
            Self::Labelled { scores, labels, first } => {
                let (score, label) = (scores.at(row, 0), labels.at(row, 0));
                // NaN goes on, to be counted.
                if score < options.conf {
                    return;
                }
                if !(score.is_finite() && label.is_finite()) {
                    candidates.count_invalid();
                    return;
                }
                // A cast saturates.
                let Some(class) = (libm::roundf(label) as i32).checked_sub(first.into()) else { return };
                let Ok(class) = u16::try_from(class) else { return };
                if options.keeps(ClassId(class)) {
                    candidates.push(Candidate::of_row(bbox(), score, ClassId(class), row));
                }
            }
            Self::Classes { values, objectness, activation, background } => {
                let objectness = objectness.map_or(1.0, |column| column.at(row, 0));
                if objectness < options.conf {
                    return;
                }
                let classes = match background {
                    Background::None => values,
                    Background::First => values.columns_at(1, values.columns()),
                    Background::Last => values.columns_at(0, values.columns().saturating_sub(1)),
                };
                classify(&Row { values, classes, row, objectness, activation }, bbox, options, candidates);
            }
        }
    }
}

struct Row<'a> {
    values: Matrix<'a>,
    classes: Matrix<'a>,
    row: usize,
    objectness: f32,
    activation: Activation,
}

fn classify(
    row: &Row<'_>,
    bbox: impl FnOnce() -> BBox,
    options: &DecodeOptions<'_>,
    candidates: &mut Candidates<'_>,
) {
    // The highest value has the highest score: most rows need no exponential.
    let mut best: Option<(f32, ClassId)> = None;
    let mut finite = row.objectness.is_finite();
    for (value, class) in row.classes.row(row.row).zip(0u16..) {
        finite &= value.is_finite();
        let wanted = options.keeps(ClassId(class));
        // The first of equal scores, as `argmax` does.
        if wanted && best.is_none_or(|(highest, _)| value > highest) {
            best = Some((value, ClassId(class)));
        }
    }
    if !finite {
        candidates.count_invalid();
        return;
    }
    let Some((highest, class)) = best else { return };
    let softmax = match row.activation {
        Activation::Softmax => Softmax::of(row.values.row(row.row)),
        _ => Softmax { shift: 0.0, sum: 1.0 },
    };
    let score_of = |value: f32| {
        row.objectness
            * match row.activation {
                Activation::None => value,
                Activation::Sigmoid => sigmoid(value),
                Activation::Softmax => softmax.score(value),
            }
    };
    if score_of(highest) < options.conf {
        return;
    }
    let bbox = bbox();
    match options.labels {
        LabelMode::Best => candidates.push(Candidate::of_row(bbox, score_of(highest), class, row.row)),
        LabelMode::Multi => {
            for (value, class) in row.classes.row(row.row).zip(0u16..) {
                let score = score_of(value);
                if score >= options.conf && options.keeps(ClassId(class)) {
                    candidates.push(Candidate::of_row(bbox, score, ClassId(class), row.row));
                }
            }
        }
    }
}

/// The softmax of some values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Softmax {
    shift: f32,
    sum: f32,
}

impl Softmax {
    pub(crate) fn of(values: impl Iterator<Item = f32> + Clone) -> Self {
        let shift = values.clone().fold(f32::NEG_INFINITY, f32::max);
        Self { shift, sum: values.map(|value| libm::expf(value - shift)).sum() }
    }

    pub(crate) fn score(&self, value: f32) -> f32 {
        libm::expf(value - self.shift) / self.sum
    }
}
