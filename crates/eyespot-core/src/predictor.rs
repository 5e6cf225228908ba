//! The trait of everything that sees.

use crate::{ClassId, ErrorType, Frame, PredictOptions, PredictionsMut};

/// Size of a model's input in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct InputSize {
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
}

impl InputSize {
    /// A size from width and height.
    #[must_use]
    pub const fn new(width: u16, height: u16) -> Self {
        Self { width, height }
    }

    /// The same width and height.
    #[must_use]
    pub const fn square(side: u16) -> Self {
        Self { width: side, height: side }
    }
}

/// What a model gives beside boxes, scores and classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Outputs {
    /// A mask for each object.
    pub masks: bool,
    /// Boxes with an angle.
    pub angles: bool,
    /// Keypoints per object, 0 for none.
    pub keypoints: u8,
}

/// What is to know about a model before it runs.
#[derive(Debug, Clone, Copy)]
pub struct ModelSpec<'a> {
    /// Name, for example `yolox/yolox-nano`.
    pub name: &'a str,
    /// Input size that it was made for; `None` if it takes any frame as it is. A sliding window without a size of
    /// its own takes this.
    pub input: Option<InputSize>,
    /// Class names; the index is the [`ClassId`].
    pub labels: &'a [&'a str],
    /// What it gives beside boxes.
    pub outputs: Outputs,
    /// Pairs of keypoints that a drawing connects.
    pub skeleton: &'a [(u8, u8)],
    /// Score threshold where the caller gives none.
    pub conf: f32,
}

impl<'a> ModelSpec<'a> {
    /// A model that gives plain boxes of the given classes, with a threshold of 0.25.
    #[must_use]
    pub const fn boxes(name: &'a str, input: Option<InputSize>, labels: &'a [&'a str]) -> Self {
        let outputs = Outputs { masks: false, angles: false, keypoints: 0 };
        Self { name, input, labels, outputs, skeleton: &[], conf: 0.25 }
    }

    /// Name of a class.
    #[must_use]
    pub fn label(&self, class: ClassId) -> Option<&'a str> {
        self.labels.get(class.index()).copied()
    }
}

/// Where the results of a batch go: one view per frame of it.
pub trait BatchOutput {
    /// The view for frame `index` of the batch.
    fn output(&mut self, index: usize) -> PredictionsMut<'_>;
}

impl<S: crate::PredictionsStorage> BatchOutput for &mut [S] {
    fn output(&mut self, index: usize) -> PredictionsMut<'_> {
        self[index].view_mut()
    }
}

impl<S: crate::PredictionsStorage, const N: usize> BatchOutput for [S; N] {
    fn output(&mut self, index: usize) -> PredictionsMut<'_> {
        self[index].view_mut()
    }
}

/// Finds objects in frames.
///
/// # Contract
/// - `predict` appends to `out`; the caller clears it.
/// - Coordinates are pixels of the view that it was given (`frame.image`, which may be a part of a frame); `out`
///   moves them to the whole frame.
/// - Scores lie in `0..=1`; only detections of at least the threshold and of the wanted classes are pushed.
/// - `options.img_size` is for models with an input size: one that can't change it refuses other sizes with an error of
///   the kind `Unsupported`. A predictor without an input size ignores it.
/// - It does not wait for I/O.
/// - After an error `out` may hold some of the detections of this frame; the predictor can be used again.
pub trait Predictor: ErrorType {
    /// Name, input size, classes.
    fn spec(&self) -> ModelSpec<'_>;

    /// Finds the objects of one frame.
    ///
    /// # Errors
    /// Whatever goes wrong in the implementation; see its error type.
    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        out: PredictionsMut<'_>,
    ) -> Result<(), Self::Error>;

    /// Finds the objects of several frames. The results are those of [`predict`](Self::predict) on each; a model
    /// that is faster in batches overrides this.
    ///
    /// # Errors
    /// As `predict`; the results of frames before the failed one are kept.
    fn predict_batch(
        &mut self,
        frames: &[Frame<'_>],
        options: &PredictOptions<'_>,
        out: &mut dyn BatchOutput,
    ) -> Result<(), Self::Error> {
        for (index, frame) in frames.iter().enumerate() {
            self.predict(frame, options, out.output(index))?;
        }
        Ok(())
    }
}

impl<P: Predictor + ?Sized> Predictor for &mut P {
    fn spec(&self) -> ModelSpec<'_> {
        (**self).spec()
    }
    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        out: PredictionsMut<'_>,
    ) -> Result<(), Self::Error> {
        (**self).predict(frame, options, out)
    }
    fn predict_batch(
        &mut self,
        frames: &[Frame<'_>],
        options: &PredictOptions<'_>,
        out: &mut dyn BatchOutput,
    ) -> Result<(), Self::Error> {
        (**self).predict_batch(frames, options, out)
    }
}

#[cfg(test)]
mod tests {
    use core::convert::Infallible;

    use super::*;
    use crate::{BBox, Detection, ImageView, PixelFormat, Predictions, PredictionsStorage};

    /// Finds a box as wide as the frame.
    struct Whole;

    impl ErrorType for Whole {
        type Error = Infallible;
    }

    impl Predictor for Whole {
        fn spec(&self) -> ModelSpec<'_> {
            ModelSpec::boxes("whole", None, &["frame"])
        }
        fn predict(
            &mut self,
            frame: &Frame<'_>,
            _: &PredictOptions<'_>,
            mut out: PredictionsMut<'_>,
        ) -> Result<(), Infallible> {
            let bbox = BBox::new(0.0, 0.0, f32::from(frame.image.width()), 1.0);
            out.push(Detection::new(bbox, 1.0, ClassId(0)));
            Ok(())
        }
    }

    #[test]
    fn a_batch_goes_to_an_array_or_a_slice() {
        let data = [0; 8];
        let frames =
            [2, 3].map(|width| Frame::still(ImageView::packed(&data, width, 1, PixelFormat::Gray8).unwrap()));
        let widths = |results: &[Predictions<1>]| {
            results.iter().map(|one| one.view().detections()[0].bbox.x2).collect::<std::vec::Vec<_>>()
        };
        let mut results = [Predictions::<1>::new(), Predictions::new()];
        Whole.predict_batch(&frames, &PredictOptions::new(), &mut results).unwrap();
        assert_eq!(widths(&results), [2.0, 3.0]);
        let mut results = [Predictions::<1>::new(), Predictions::new()];
        Whole.predict_batch(&frames, &PredictOptions::new(), &mut &mut results[..]).unwrap();
        assert_eq!(widths(&results), [2.0, 3.0]);
    }
}
