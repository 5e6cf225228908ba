//! What every head takes.

use eyespot_core::{ClassFilter, ClassId, PredictOptions};

/// How many classes a box may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LabelMode {
    /// The best of the wanted classes. What the YOLOX authors evaluate with.
    #[default]
    Best,
    /// Every wanted class over the threshold, each as a candidate of its own: for evaluations that rank all of them.
    Multi,
}

/// Options of a head decoder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DecodeOptions<'a> {
    /// Candidates need at least this score.
    pub conf: f32,
    /// Classes to keep.
    pub classes: ClassFilter<'a>,
    /// One class per box or several.
    pub labels: LabelMode,
}

impl<'a> DecodeOptions<'a> {
    /// All classes, the best one of each box.
    #[must_use]
    pub const fn new(conf: f32) -> Self {
        Self { conf, classes: ClassFilter::ALL, labels: LabelMode::Best }
    }

    /// The threshold and the classes that a caller of `predict` asked for; `conf` is the model's default.
    #[must_use]
    pub fn of(options: &PredictOptions<'a>, conf: f32) -> Self {
        Self { conf: options.conf_or(conf), classes: options.classes(), labels: LabelMode::Best }
    }

    /// The same with another label mode.
    #[must_use]
    pub const fn with_labels(mut self, labels: LabelMode) -> Self {
        self.labels = labels;
        self
    }

    /// Is a class one of those that the caller wants?
    #[must_use]
    pub fn keeps(&self, class: ClassId) -> bool {
        self.classes.is_all() || self.classes.keeps(class)
    }
}
