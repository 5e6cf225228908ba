//! Stages that tell how long they took.

use core::sync::atomic::{AtomicU32, Ordering};

use eyespot_core::{
    Affine, CameraMotion, Detection, ErrorType, Frame, FrameSource, ModelSpec, PredictOptions,
    PredictionsMut, Predictor, Record, Sink, Tracker,
};

/// Something that counts: cycles, instructions or microseconds.
pub trait Clock: Clone {
    /// The count now. It may wrap around.
    fn now(&self) -> u32;
    /// What was counted since an earlier [`now`](Self::now).
    fn since(&self, earlier: u32) -> u32;
}

/// What a stage took in the latest frame. A static, so that it can be read while the pipeline holds the stage.
#[derive(Debug, Default)]
pub struct Meter(AtomicU32);

impl Meter {
    /// Nothing was measured yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// The latest count.
    #[must_use]
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stage of a pipeline, measured. What a stage calls that is measured itself counts in both.
#[derive(Debug)]
pub struct Timed<T, C> {
    /// The stage.
    pub inner: T,
    clock: C,
    meter: &'static Meter,
}

impl<T, C: Clock> Timed<T, C> {
    /// Measures a stage.
    pub const fn new(inner: T, clock: C, meter: &'static Meter) -> Self {
        Self { inner, clock, meter }
    }

    /// Not inlined, so that the stack of a stage is free again for the next one.
    #[inline(never)]
    fn run<'a, R>(&'a mut self, work: impl FnOnce(&'a mut T) -> R) -> R {
        let start = self.clock.now();
        let result = work(&mut self.inner);
        self.meter.0.store(self.clock.since(start), Ordering::Relaxed);
        result
    }
}

impl<T: ErrorType, C> ErrorType for Timed<T, C> {
    type Error = T::Error;
}

impl<T: FrameSource, C: Clock> FrameSource for Timed<T, C> {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, T::Error> {
        self.run(T::next_frame)
    }
}

impl<T: Predictor, C: Clock> Predictor for Timed<T, C> {
    fn spec(&self) -> ModelSpec<'_> {
        self.inner.spec()
    }
    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        out: PredictionsMut<'_>,
    ) -> Result<(), T::Error> {
        self.run(|inner| inner.predict(frame, options, out))
    }
}

impl<T: Tracker, C: Clock> Tracker for Timed<T, C> {
    fn update(&mut self, frame: &Frame<'_>, detections: &mut [Detection]) -> Result<(), T::Error> {
        self.run(|inner| inner.update(frame, detections))
    }
    fn reset(&mut self) {
        self.inner.reset();
    }
}

impl<T: CameraMotion, C: Clock> CameraMotion for Timed<T, C> {
    fn estimate(&mut self, frame: &Frame<'_>, detections: &[Detection]) -> Affine {
        self.run(|inner| inner.estimate(frame, detections))
    }
    fn reset(&mut self) {
        self.inner.reset();
    }
}

impl<T: Sink, C: Clock> Sink for Timed<T, C> {
    fn write(&mut self, record: &Record<'_>) -> Result<(), T::Error> {
        self.run(|inner| inner.write(record))
    }
    fn flush(&mut self) -> Result<(), T::Error> {
        self.inner.flush()
    }
}
