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
///
/// # Working ahead
/// A model on another device can take the next batch while the device computes the one before:
/// [`submit`](Self::submit) starts it, [`collect`](Self::collect) waits for its results.
/// - At most two batches are under way.
/// - Batches are collected in the order in which they were submitted, with the options of their submission.
/// - The error of a batch, from either call, costs that batch alone: it is not under way any more, others stay.
/// - `predict` and `predict_batch` leave batches that are under way as they are.
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

    /// Starts to find the objects of several frames, and does not wait for them. The frames are not needed any more when
    /// it returns. `false`: nothing was started, because two batches are under way, or, where none is, because this
    /// predictor does not work ahead; that is the default.
    ///
    /// # Errors
    /// As `predict`.
    fn submit(&mut self, frames: &[Frame<'_>], options: &PredictOptions<'_>) -> Result<bool, Self::Error> {
        let _ = (frames, options);
        Ok(false)
    }

    /// Waits for the batch that was submitted first, and appends the results of its frames to `out`. Where none is under
    /// way, there is nothing to do.
    ///
    /// # Errors
    /// As `predict`; the results of frames before the failed one are kept.
    fn collect(
        &mut self,
        options: &PredictOptions<'_>,
        out: &mut dyn BatchOutput,
    ) -> Result<(), Self::Error> {
        let _ = (options, out);
        Ok(())
    }

    /// Gives up all batches that are under way.
    fn discard(&mut self) {}
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
    fn submit(&mut self, frames: &[Frame<'_>], options: &PredictOptions<'_>) -> Result<bool, Self::Error> {
        (**self).submit(frames, options)
    }
    fn collect(
        &mut self,
        options: &PredictOptions<'_>,
        out: &mut dyn BatchOutput,
    ) -> Result<(), Self::Error> {
        (**self).collect(options, out)
    }
    fn discard(&mut self) {
        (**self).discard();
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

    /// Gives widths as `Whole` does, later.
    #[derive(Default)]
    struct Ahead(std::collections::VecDeque<std::vec::Vec<u16>>);

    impl ErrorType for Ahead {
        type Error = Infallible;
    }

    impl Predictor for Ahead {
        fn spec(&self) -> ModelSpec<'_> {
            Whole.spec()
        }
        fn predict(
            &mut self,
            frame: &Frame<'_>,
            options: &PredictOptions<'_>,
            out: PredictionsMut<'_>,
        ) -> Result<(), Infallible> {
            Whole.predict(frame, options, out)
        }
        fn submit(&mut self, frames: &[Frame<'_>], _: &PredictOptions<'_>) -> Result<bool, Infallible> {
            let room = self.0.len() < 2;
            if room {
                self.0.push_back(frames.iter().map(|frame| frame.image.width()).collect());
            }
            Ok(room)
        }
        fn collect(&mut self, _: &PredictOptions<'_>, out: &mut dyn BatchOutput) -> Result<(), Infallible> {
            for (index, width) in self.0.pop_front().unwrap_or_default().into_iter().enumerate() {
                let bbox = BBox::new(0.0, 0.0, width.into(), 1.0);
                out.output(index).push(Detection::new(bbox, 1.0, ClassId(0)));
            }
            Ok(())
        }
        fn discard(&mut self) {
            self.0.clear();
        }
    }

    /// Submits batches of one and two frames; tells what is found in the order of collection.
    fn widths_ahead(mut predictor: impl Predictor) -> std::vec::Vec<f32> {
        let data = [0; 8];
        let frames = [2, 3, 4]
            .map(|width| Frame::still(ImageView::packed(&data, width, 1, PixelFormat::Gray8).unwrap()));
        let options = PredictOptions::new();
        let mut found = std::vec::Vec::new();
        let mut collect = |predictor: &mut dyn Predictor<Error = _>| {
            let mut results = [Predictions::<1>::new(), Predictions::new()];
            predictor.collect(&options, &mut results).unwrap();
            found.extend(results.iter().flat_map(|one| one.view().detections()).map(|one| one.bbox.x2));
        };
        if predictor.submit(&frames[..1], &options).unwrap() {
            assert!(predictor.submit(&frames[1..], &options).unwrap());
            assert!(!predictor.submit(&frames, &options).unwrap());
        }
        collect(&mut predictor);
        collect(&mut predictor);
        predictor.submit(&frames[..1], &options).unwrap();
        predictor.discard();
        collect(&mut predictor);
        found
    }

    #[test]
    fn batches_are_collected_in_their_order_whatever_wraps_the_predictor() {
        assert_eq!(widths_ahead(Whole), []);
        assert_eq!(widths_ahead(&mut Ahead::default()), [2.0, 3.0, 4.0]);
        #[cfg(feature = "alloc")]
        {
            let boxed: std::boxed::Box<dyn Predictor<Error = crate::AnyError>> =
                std::boxed::Box::new(crate::Boxed(Ahead::default()));
            assert_eq!(widths_ahead(boxed), [2.0, 3.0, 4.0]);
        }
    }
}
