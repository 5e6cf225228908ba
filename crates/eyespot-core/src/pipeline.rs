//! Source, predictor, tracker and sink, one frame at a time.

use crate::{
    Error, ErrorKind, Frame, FrameInfo, FrameSource, PredictOptions, PredictionsRef, PredictionsStorage,
    Predictor, Record, Sink, Tracker,
};

/// Which stage of a pipeline failed, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PipelineError<S, P, T, K> {
    /// The frame source.
    Source(S),
    /// The predictor.
    Predictor(P),
    /// The tracker.
    Tracker(T),
    /// The sink.
    Sink(K),
}

impl<S, P, T, K> core::fmt::Display for PipelineError<S, P, T, K>
where
    S: core::fmt::Display,
    P: core::fmt::Display,
    T: core::fmt::Display,
    K: core::fmt::Display,
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Source(error) => write!(f, "frame source: {error}"),
            Self::Predictor(error) => write!(f, "predictor: {error}"),
            Self::Tracker(error) => write!(f, "tracker: {error}"),
            Self::Sink(error) => write!(f, "sink: {error}"),
        }
    }
}

impl<S, P, T, K> core::error::Error for PipelineError<S, P, T, K>
where
    S: core::error::Error,
    P: core::error::Error,
    T: core::error::Error,
    K: core::error::Error,
{
}

impl<S: Error, P: Error, T: Error, K: Error> Error for PipelineError<S, P, T, K> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Source(error) => error.kind(),
            Self::Predictor(error) => error.kind(),
            Self::Tracker(error) => error.kind(),
            Self::Sink(error) => error.kind(),
        }
    }
}

/// Frames in, results out: source → predictor → tracker → sink over one lent result storage.
///
/// The same type runs on a microcontroller with static plugins and on a host with boxed ones.
#[derive(Debug)]
pub struct Pipeline<'o, S, P, T, K, R> {
    /// Where frames come from.
    pub source: S,
    /// What finds objects.
    pub predictor: P,
    /// What keeps identities.
    pub tracker: T,
    /// Where results go.
    pub sink: K,
    /// Options of every prediction.
    pub options: PredictOptions<'o>,
    results: R,
}

impl<'o, S, P, T, K, R> Pipeline<'o, S, P, T, K, R>
where
    S: FrameSource,
    P: Predictor,
    T: Tracker,
    K: Sink,
    R: PredictionsStorage,
{
    /// A pipeline with the default options. `results` is storage, a `&'static mut` to it or a box.
    pub const fn new(source: S, predictor: P, tracker: T, sink: K, results: R) -> Self {
        Self { source, predictor, tracker, sink, options: PredictOptions::new(), results }
    }

    /// The same pipeline with other options.
    #[must_use]
    pub fn with_options(mut self, options: PredictOptions<'o>) -> Self {
        self.options = options;
        self
    }

    /// The results of the last step.
    pub fn results(&self) -> PredictionsRef<'_> {
        self.results.view()
    }

    /// Processes the next frame. `Ok(None)` is the end of the source; the sink is then flushed.
    ///
    /// # Errors
    /// The stage that failed. The next step goes on with the next frame. If a predictor fails, the tracker is told
    /// of a frame without detections, so that its clock goes on.
    #[allow(clippy::type_complexity)]
    pub fn step(
        &mut self,
    ) -> Result<Option<FrameInfo>, PipelineError<S::Error, P::Error, T::Error, K::Error>> {
        let Some(frame) = self.source.next_frame().map_err(PipelineError::Source)? else {
            self.sink.flush().map_err(PipelineError::Sink)?;
            return Ok(None);
        };
        let mut out = self.results.view_mut();
        out.clear();
        if let Err(error) = self.predictor.predict(&frame, &self.options, out.reborrow()) {
            out.clear();
            self.tracker.update(&frame, &mut []).map_err(PipelineError::Tracker)?;
            return Err(PipelineError::Predictor(error));
        }
        // What a tracker could tell in spite of an error is handed on like any other result.
        let tracked = self.tracker.update(&frame, out.detections_mut()).map_err(PipelineError::Tracker);
        let Frame { image, info, name } = frame;
        let record = Record { info, name, image: Some(image), predictions: self.results.view() };
        self.sink.write(&record).map_err(PipelineError::Sink)?;
        tracked.map(|()| Some(info))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        BBox, ClassId, Detection, ErrorType, ImageView, ModelSpec, PixelFormat, Predictions, PredictionsMut,
        TrackId,
    };
    use std::vec::Vec;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Broken;
    impl core::fmt::Display for Broken {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.write_str("broken")
        }
    }
    impl core::error::Error for Broken {}
    impl Error for Broken {
        fn kind(&self) -> ErrorKind {
            ErrorKind::Device
        }
    }

    /// Grey frames of one pixel, whose value is their number; frame 1 can't be read.
    struct Camera {
        pixel: [u8; 1],
        next: u8,
    }
    impl ErrorType for Camera {
        type Error = Broken;
    }
    impl FrameSource for Camera {
        fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Broken> {
            let number = self.next;
            self.next += 1;
            self.pixel[0] = number;
            match number {
                0 | 2..5 => {
                    let image =
                        ImageView::packed(&self.pixel, 1, 1, PixelFormat::Gray8).map_err(|_| Broken)?;
                    Ok(Some(Frame::new(image, number.into(), 0)))
                }
                1 => Err(Broken),
                _ => Ok(None),
            }
        }
    }

    /// Finds one object per frame, and fails on frame 3.
    struct Finder;
    impl ErrorType for Finder {
        type Error = Broken;
    }
    impl Predictor for Finder {
        fn spec(&self) -> ModelSpec<'_> {
            ModelSpec::boxes("finder", None, &["thing"])
        }
        fn predict(
            &mut self,
            frame: &Frame<'_>,
            _: &PredictOptions<'_>,
            mut out: PredictionsMut<'_>,
        ) -> Result<(), Broken> {
            let left = f32::from(frame.image.gray(0, 0));
            out.push(Detection::new(BBox::from_xywh(left, 0.0, 1.0, 1.0), 0.5, ClassId(0)));
            if frame.info.index == 3 { Err(Broken) } else { Ok(()) }
        }
    }

    /// Counts frames and gives each object the number of the frame.
    #[derive(Default)]
    struct Counter(u32);
    impl ErrorType for Counter {
        type Error = Broken;
    }
    impl Tracker for Counter {
        fn update(&mut self, _: &Frame<'_>, detections: &mut [Detection]) -> Result<(), Broken> {
            self.0 += 1;
            for detection in detections {
                detection.track = TrackId::new(self.0);
            }
            Ok(())
        }
        fn reset(&mut self) {}
    }

    #[derive(Default)]
    struct Log(Vec<(u64, f32, u32)>, usize);
    impl ErrorType for Log {
        type Error = Broken;
    }
    impl Sink for Log {
        fn write(&mut self, record: &Record<'_>) -> Result<(), Broken> {
            for detection in record.predictions.detections() {
                let track = detection.track.map_or(0, TrackId::get);
                self.0.push((record.info.index, detection.bbox.x1, track));
            }
            Ok(())
        }
        fn flush(&mut self) -> Result<(), Broken> {
            self.1 += 1;
            Ok(())
        }
    }

    #[test]
    fn a_failed_frame_costs_that_frame_only() {
        let camera = Camera { pixel: [0], next: 0 };
        let sinks = (Log::default(), Some(Log::default()));
        let mut pipeline = Pipeline::new(camera, Finder, Counter::default(), sinks, Predictions::<4>::new());
        let mut failed = Vec::new();
        loop {
            match pipeline.step() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => failed.push(error),
            }
        }
        assert_eq!(failed, [PipelineError::Source(Broken), PipelineError::Predictor(Broken)]);
        // The tracker heard of the frame whose detections failed, and of no other.
        let expected = [(0, 0.0, 1), (2, 2.0, 2), (4, 4.0, 4)];
        assert_eq!(pipeline.sink.0.0, expected);
        assert_eq!(pipeline.sink.1.as_ref().map(|log| log.0.as_slice()), Some(expected.as_slice()));
        assert_eq!(pipeline.sink.0.1, 1);
    }
}
