//! What a caller may ask of a predictor.

use crate::{ClassFilter, InputSize};

/// An option is outside its range.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OptionError {
    /// Name of the option.
    pub option: &'static str,
    /// The value that was given.
    pub value: f32,
}

impl core::fmt::Display for OptionError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} must lie between 0 and 1, but is {}", self.option, self.value)
    }
}

impl core::error::Error for OptionError {}

impl crate::Error for OptionError {
    fn kind(&self) -> crate::ErrorKind {
        crate::ErrorKind::InvalidInput
    }
}

/// Options of one prediction. Small and passed by value; what is `None` is the model's default.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PredictOptions<'a> {
    conf: Option<f32>,
    iou: Option<f32>,
    classes: ClassFilter<'a>,
    img_size: Option<InputSize>,
}

impl<'a> PredictOptions<'a> {
    /// The model's defaults, all classes.
    #[must_use]
    pub const fn new() -> Self {
        Self { conf: None, iou: None, classes: ClassFilter::ALL, img_size: None }
    }

    /// Keep detections with at least this score.
    ///
    /// # Errors
    /// [`OptionError`] unless `0 <= conf <= 1`.
    pub fn with_conf(mut self, conf: f32) -> Result<Self, OptionError> {
        self.conf = Some(unit("conf", conf)?);
        Ok(self)
    }

    /// Suppress a detection that overlaps a better one of its class by more than this IoU.
    ///
    /// # Errors
    /// [`OptionError`] unless `0 <= iou <= 1`.
    pub fn with_iou(mut self, iou: f32) -> Result<Self, OptionError> {
        self.iou = Some(unit("iou", iou)?);
        Ok(self)
    }

    /// Keep only these classes.
    #[must_use]
    pub const fn with_classes(mut self, classes: ClassFilter<'a>) -> Self {
        self.classes = classes;
        self
    }

    /// Another size of the model's input: smaller is faster, larger finds smaller objects.
    #[must_use]
    pub const fn with_img_size(mut self, img_size: InputSize) -> Self {
        self.img_size = Some(img_size);
        self
    }

    /// The score threshold, or the model's default.
    #[must_use]
    pub fn conf_or(&self, default: f32) -> f32 {
        self.conf.unwrap_or(default)
    }

    /// The IoU threshold of non-maximum suppression, or the model's default.
    #[must_use]
    pub fn iou_or(&self, default: f32) -> f32 {
        self.iou.unwrap_or(default)
    }

    /// The size of the model's input, or the model's default.
    #[must_use]
    pub fn img_size_or(&self, default: InputSize) -> InputSize {
        self.img_size.unwrap_or(default)
    }

    /// The classes to keep.
    #[must_use]
    pub const fn classes(&self) -> ClassFilter<'a> {
        self.classes
    }
}

fn unit(option: &'static str, value: f32) -> Result<f32, OptionError> {
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err(OptionError { option, value }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_outside_their_range_are_refused() {
        for value in [-0.1, 1.1, f32::NAN, f32::INFINITY] {
            assert!(PredictOptions::new().with_conf(value).is_err());
            assert!(PredictOptions::new().with_iou(value).is_err());
        }
        let options = PredictOptions::new().with_conf(0.4).unwrap();
        assert_eq!((options.conf_or(0.25), options.iou_or(0.65)), (0.4, 0.65));
    }
}
