//! How long each stage took.

use std::time::{Duration, Instant};

use eyespot_core::{
    BatchOutput, Detection, ErrorType, Frame, FrameSource, ModelSpec, PredictOptions, PredictionsMut,
    Predictor, Record, Sink, Tracker,
};

/// A plugin that measures the wall-clock time spent in it.
#[derive(Debug)]
pub struct Timed<P> {
    inner: P,
    elapsed: Duration,
}

impl<P> Timed<P> {
    /// Measures `inner`.
    pub const fn new(inner: P) -> Self {
        Self { inner, elapsed: Duration::ZERO }
    }

    /// Time spent so far.
    pub const fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

/// Adds the time that `$call` takes. A macro, since a closure could not return what the plugin lends.
macro_rules! timed {
    ($self:ident, $call:expr) => {{
        let start = Instant::now();
        let result = $call;
        $self.elapsed += start.elapsed();
        result
    }};
}

impl<P: ErrorType> ErrorType for Timed<P> {
    type Error = P::Error;
}

impl<P: FrameSource> FrameSource for Timed<P> {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Self::Error> {
        timed!(self, self.inner.next_frame())
    }
}

impl<P: Predictor> Predictor for Timed<P> {
    fn spec(&self) -> ModelSpec<'_> {
        self.inner.spec()
    }
    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        out: PredictionsMut<'_>,
    ) -> Result<(), Self::Error> {
        timed!(self, self.inner.predict(frame, options, out))
    }
    fn predict_batch(
        &mut self,
        frames: &[Frame<'_>],
        options: &PredictOptions<'_>,
        out: &mut dyn BatchOutput,
    ) -> Result<(), Self::Error> {
        timed!(self, self.inner.predict_batch(frames, options, out))
    }
}

impl<P: Tracker> Tracker for Timed<P> {
    fn update(&mut self, frame: &Frame<'_>, detections: &mut [Detection]) -> Result<(), Self::Error> {
        timed!(self, self.inner.update(frame, detections))
    }
    fn reset(&mut self) {
        self.inner.reset();
    }
}

impl<P: Sink> Sink for Timed<P> {
    fn write(&mut self, record: &Record<'_>) -> Result<(), Self::Error> {
        timed!(self, self.inner.write(record))
    }
    fn flush(&mut self) -> Result<(), Self::Error> {
        timed!(self, self.inner.flush())
    }
}

/// Time spent in each stage over a number of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StageTimes {
    /// Frames that went through.
    pub frames: u64,
    /// Reading and decoding.
    pub source: Duration,
    /// Finding objects: pre-processing, the network, decoding its head, suppression.
    pub predict: Duration,
    /// Tracking.
    pub track: Duration,
    /// Drawing, encoding and writing results.
    pub sink: Duration,
}

impl StageTimes {
    /// Time spent in all stages.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.source + self.predict + self.track + self.sink
    }
}

impl std::ops::AddAssign for StageTimes {
    fn add_assign(&mut self, other: Self) {
        self.frames += other.frames;
        self.source += other.source;
        self.predict += other.predict;
        self.track += other.track;
        self.sink += other.sink;
    }
}
