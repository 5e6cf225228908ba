//! Source, predictor, tracker and sink, one frame at a time.

use crate::{
    Error, ErrorKind, FrameInfo, FrameSource, PredictOptions, PredictionsRef, PredictionsStorage, Predictor,
    Sink, Tracker,
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
        self.tracker.update(&frame, out.detections_mut()).map_err(PipelineError::Tracker)?;
        self.sink.write(&frame.info, self.results.view()).map_err(PipelineError::Sink)?;
        Ok(Some(frame.info))
    }
}
