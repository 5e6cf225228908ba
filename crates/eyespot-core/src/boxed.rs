//! What a heap adds: boxed plugins of one error type, and result storage sized at run time.

use alloc::boxed::Box;
use alloc::vec;

use crate::predictions::Used;
use crate::{
    Affine, BBox, BatchOutput, CameraMotion, Detection, Embedder, Error, ErrorKind, ErrorType, Frame,
    FrameSource, Keypoint, ModelSpec, PredictOptions, PredictionsMut, PredictionsRef, PredictionsStorage,
    Predictor, Record, Sink, Tracker,
};

/// Any error of a plugin, with its kind.
#[derive(Debug)]
pub struct AnyError {
    kind: ErrorKind,
    source: Box<dyn core::error::Error + Send + Sync>,
}

impl AnyError {
    /// Wraps an error of a plugin.
    pub fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self { kind: error.kind(), source: Box::new(error) }
    }
}

impl core::fmt::Display for AnyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.source.fmt(f)
    }
}

impl core::error::Error for AnyError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        // Displayed as the wrapped error itself, so the chain goes on below it.
        self.source.source()
    }
}

impl Error for AnyError {
    fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// A plugin whose errors are [`AnyError`], so that it fits `Box<dyn Predictor<Error = AnyError>>` and the like.
#[derive(Debug, Clone, Copy)]
pub struct Boxed<P>(pub P);

impl<P> ErrorType for Boxed<P> {
    type Error = AnyError;
}

impl<P: FrameSource> FrameSource for Boxed<P>
where
    P::Error: Send + Sync + 'static,
{
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, AnyError> {
        self.0.next_frame().map_err(AnyError::new)
    }
}

impl<P: Predictor> Predictor for Boxed<P>
where
    P::Error: Send + Sync + 'static,
{
    fn spec(&self) -> ModelSpec<'_> {
        self.0.spec()
    }
    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        out: PredictionsMut<'_>,
    ) -> Result<(), AnyError> {
        self.0.predict(frame, options, out).map_err(AnyError::new)
    }
    fn predict_batch(
        &mut self,
        frames: &[Frame<'_>],
        options: &PredictOptions<'_>,
        out: &mut dyn BatchOutput,
    ) -> Result<(), AnyError> {
        self.0.predict_batch(frames, options, out).map_err(AnyError::new)
    }
    fn submit(&mut self, frames: &[Frame<'_>], options: &PredictOptions<'_>) -> Result<bool, AnyError> {
        self.0.submit(frames, options).map_err(AnyError::new)
    }
    fn collect(&mut self, options: &PredictOptions<'_>, out: &mut dyn BatchOutput) -> Result<(), AnyError> {
        self.0.collect(options, out).map_err(AnyError::new)
    }
    fn discard(&mut self) {
        self.0.discard();
    }
}

impl<P: Tracker> Tracker for Boxed<P>
where
    P::Error: Send + Sync + 'static,
{
    fn update(&mut self, frame: &Frame<'_>, detections: &mut [Detection]) -> Result<(), AnyError> {
        self.0.update(frame, detections).map_err(AnyError::new)
    }
    fn reset(&mut self) {
        self.0.reset();
    }
}

impl<P: Embedder> Embedder for Boxed<P>
where
    P::Error: Send + Sync + 'static,
{
    fn dim(&self) -> usize {
        self.0.dim()
    }
    fn embed(
        &mut self,
        frame: &Frame<'_>,
        boxes: &[BBox],
        out: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), AnyError> {
        self.0.embed(frame, boxes, out).map_err(AnyError::new)
    }
}

impl<P: Sink> Sink for Boxed<P>
where
    P::Error: Send + Sync + 'static,
{
    fn write(&mut self, record: &Record<'_>) -> Result<(), AnyError> {
        self.0.write(record).map_err(AnyError::new)
    }
    fn flush(&mut self) -> Result<(), AnyError> {
        self.0.flush().map_err(AnyError::new)
    }
}

impl<M: CameraMotion + ?Sized> CameraMotion for Box<M> {
    fn estimate(&mut self, frame: &Frame<'_>, detections: &[Detection]) -> Affine {
        (**self).estimate(frame, detections)
    }
    fn reset(&mut self) {
        (**self).reset();
    }
}

impl<E: Embedder + ?Sized> Embedder for Box<E> {
    fn dim(&self) -> usize {
        (**self).dim()
    }
    fn embed(
        &mut self,
        frame: &Frame<'_>,
        boxes: &[BBox],
        out: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), Self::Error> {
        (**self).embed(frame, boxes, out)
    }
}

impl<P: FrameSource + ?Sized> FrameSource for Box<P> {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Self::Error> {
        (**self).next_frame()
    }
}

impl<P: Predictor + ?Sized> Predictor for Box<P> {
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

impl<P: Tracker + ?Sized> Tracker for Box<P> {
    fn update(&mut self, frame: &Frame<'_>, detections: &mut [Detection]) -> Result<(), Self::Error> {
        (**self).update(frame, detections)
    }
    fn reset(&mut self) {
        (**self).reset();
    }
}

impl<P: Sink + ?Sized> Sink for Box<P> {
    fn write(&mut self, record: &Record<'_>) -> Result<(), Self::Error> {
        (**self).write(record)
    }
    fn flush(&mut self) -> Result<(), Self::Error> {
        (**self).flush()
    }
}

impl<S: PredictionsStorage + ?Sized> PredictionsStorage for Box<S> {
    fn view(&self) -> PredictionsRef<'_> {
        (**self).view()
    }
    fn view_mut(&mut self) -> PredictionsMut<'_> {
        (**self).view_mut()
    }
}

/// Prediction storage on the heap, its capacities chosen at run time and fixed from then on.
#[derive(Debug, Clone)]
pub struct PredictionsBuf {
    detections: Box<[Detection]>,
    masks: Box<[u8]>,
    keypoints: Box<[Keypoint]>,
    used: Used,
}

impl PredictionsBuf {
    /// Storage for so many detections, bytes of mask bits and keypoints.
    #[must_use]
    pub fn new(detections: usize, mask_bytes: usize, keypoints: usize) -> Self {
        Self {
            detections: vec![Detection::ZERO; detections].into_boxed_slice(),
            masks: vec![0; mask_bytes].into_boxed_slice(),
            keypoints: vec![Keypoint::default(); keypoints].into_boxed_slice(),
            used: Used::default(),
        }
    }

    /// A copy of predictions in storage of just their size.
    #[must_use]
    pub fn copy_of(predictions: PredictionsRef<'_>) -> Self {
        let mask_bytes = predictions.masks().flatten().map(|mask| mask.bits().len()).sum();
        let keypoints = predictions.keypoints().map(<[Keypoint]>::len).sum();
        let mut copy = Self::new(predictions.len(), mask_bytes, keypoints);
        copy.used.losses = predictions.losses();
        let mut out = copy.view_mut();
        for detection in predictions.detections() {
            let Some(index) = out.push(*detection) else { continue };
            if let Some(mask) = predictions.mask(detection) {
                let rect =
                    crate::MaskRect { x: mask.x(), y: mask.y(), width: mask.width(), height: mask.height() };
                out.set_mask(index, rect, mask.bits());
            }
            let keypoints = predictions.keypoints_of(detection);
            if !keypoints.is_empty() {
                out.set_keypoints(index, keypoints);
            }
        }
        copy
    }
}

impl PredictionsStorage for PredictionsBuf {
    fn view(&self) -> PredictionsRef<'_> {
        PredictionsRef::new(&self.detections, &self.masks, &self.keypoints, &self.used)
    }
    fn view_mut(&mut self) -> PredictionsMut<'_> {
        PredictionsMut::new(&mut self.detections, &mut self.masks, &mut self.keypoints, &mut self.used)
    }
}
