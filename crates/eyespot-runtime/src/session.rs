//! A run of a model over an input.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eyespot_core::{
    AnyError, Boxed, Error as _, ErrorKind, FrameInfo, InputSize, NullSink, Pipeline, PipelineError,
    PredictOptions, PredictionsBuf, PredictionsRef, PredictionsStorage as _, Predictor, Sink, SourceId,
};
use eyespot_media::{ImageOptions, Source, SourceOptions};
use eyespot_window::SlidingWindow;

use crate::classes::{Classes, classes};
use crate::timed::Timed;
use crate::tracking::{BoxedTracker, EmbedderMut};
use crate::{
    BoxedPredictor, LoadOptions, Loader, Model, Prediction, RuntimeError, SessionError, Settings, StageTimes,
};

/// Detections per frame that a session has room for.
const DETECTIONS: usize = 4096;
/// Bytes of mask bits per frame, for models with masks: 64 masks of a whole Full HD frame.
const MASK_BYTES: usize = 16 << 20;
/// Windows that the model is given at once.
const WINDOW_BATCH: usize = 1;

/// A run of a model over an input, one frame at a time.
///
/// [`step`](Self::step) hands each result to a [`Sink`] without copying it; as an iterator the session yields owned
/// [`Prediction`]s. A frame that can't be read or predicted costs that frame only.
#[allow(missing_debug_implementations)]
pub struct Session<'m> {
    source: Source,
    predictor: Box<dyn Predictor<Error = AnyError> + Send + 'm>,
    tracker: Option<BoxedTracker<'m>>,
    options: PredictOptions<'static>,
    classes: Option<Classes>,
    labels: Arc<[String]>,
    results: PredictionsBuf,
    times: StageTimes,
    /// The path of the last prediction, shared by all predictions of a video.
    path: Option<Arc<PathBuf>>,
}

impl<'m> Session<'m> {
    /// Opens an image, a directory of images or a video.
    ///
    /// # Errors
    /// [`RuntimeError`] where the input can't be opened or a setting is wrong.
    pub fn open(model: &'m mut Model, input: &Path, settings: &Settings) -> Result<Self, RuntimeError> {
        let images = ImageOptions { recursive: settings.recursive, ..ImageOptions::default() };
        let source = eyespot_media::open(input, &SourceOptions { images, video: settings.video })?;
        Self::new(model, source, settings)
    }

    /// A session over a source that is already open.
    ///
    /// # Errors
    /// [`RuntimeError`] where a setting is wrong.
    pub fn new(model: &'m mut Model, source: Source, settings: &Settings) -> Result<Self, RuntimeError> {
        let options = settings.options()?;
        let labels = Arc::clone(&model.labels);
        let names = model.predictor.spec().labels;
        let classes = settings.classes.as_ref().map(|wanted| classes(wanted, names)).transpose()?;
        let tracking = settings.tracking.as_ref();
        if let Some(tracking) = tracking.filter(|tracking| tracking.with_reid && model.embedder.is_none()) {
            let loader = Loader::from_env()?;
            let options = LoadOptions::default();
            model.embedder = Some(loader.load_embedder(
                &tracking.reid_model,
                &options,
                &mut eyespot_models::NoProgress,
            )?);
        }
        let outputs = model.predictor.spec().outputs;
        let Model { predictor: inner, embedder, .. } = model;
        let embedder = embedder.as_mut().map(|embedder| &mut **embedder as EmbedderMut<'m>);
        let tracker = tracking.map(|tracking| tracking.build(source.fps(), embedder)).transpose()?;
        let mask_bytes = if outputs.masks { MASK_BYTES } else { 0 };
        let results =
            PredictionsBuf::new(DETECTIONS, mask_bytes, DETECTIONS * usize::from(outputs.keypoints));
        Ok(Self {
            source,
            predictor: predictor(inner, settings)?,
            tracker,
            options,
            classes,
            labels,
            results,
            times: StageTimes::default(),
            path: None,
        })
    }

    /// Processes the next frame and hands the result to `sink`. `Ok(None)` is the end.
    ///
    /// # Errors
    /// The stage that failed. After a failed source or predictor the next step goes on with the next frame;
    /// [`is_fatal`] tells whether that can work.
    pub fn step(&mut self, sink: &mut dyn Sink<Error = AnyError>) -> Result<Option<FrameInfo>, SessionError> {
        let filter = self.classes.as_ref().map(Classes::as_filter).unwrap_or_default();
        let mut pipeline = Pipeline::new(
            Timed::new(&mut self.source),
            Timed::new(&mut *self.predictor),
            Timed::new(&mut self.tracker),
            Timed::new(sink),
            &mut self.results,
        )
        .with_options(self.options.with_classes(filter));
        let stepped = pipeline.step();
        self.times.source += pipeline.source.elapsed();
        self.times.predict += pipeline.predictor.elapsed();
        self.times.track += pipeline.tracker.elapsed();
        self.times.sink += pipeline.sink.elapsed();
        if let Ok(Some(_)) = stepped {
            self.times.frames += 1;
        }
        stepped
    }

    /// The results of the last step.
    #[must_use]
    pub fn results(&self) -> PredictionsRef<'_> {
        self.results.view()
    }

    /// The input.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// Number of the input in `FrameInfo::source`, for programs with several.
    #[must_use]
    pub fn with_source_id(mut self, id: SourceId) -> Self {
        self.source = self.source.with_id(id);
        self
    }

    /// The class names.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Time spent in each stage so far.
    #[must_use]
    pub const fn times(&self) -> StageTimes {
        self.times
    }

    /// The last result, owned.
    fn prediction(&mut self, info: FrameInfo) -> Prediction {
        let current = self.source.current_path();
        if self.path.as_deref().map(PathBuf::as_path) != current {
            self.path = current.map(|path| Arc::new(path.to_owned()));
        }
        Prediction {
            info,
            path: self.path.clone(),
            is_video: matches!(self.source, Source::Video(_)),
            labels: Arc::clone(&self.labels),
            results: PredictionsBuf::copy_of(self.results.view()),
        }
    }
}

impl Iterator for Session<'_> {
    type Item = Result<Prediction, SessionError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.step(&mut Boxed(NullSink)) {
            Ok(Some(info)) => Some(Ok(self.prediction(info))),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

/// The model, within a sliding window if one is wanted.
fn predictor<'m>(
    inner: &'m mut BoxedPredictor,
    settings: &Settings,
) -> Result<Box<dyn Predictor<Error = AnyError> + Send + 'm>, RuntimeError> {
    let Some(window) = settings.sliding_window else {
        return Ok(Box::new(&mut **inner));
    };
    // A plan for the smallest frame shows whether size and overlap fit together at all.
    window.tiles.plan(InputSize::square(1), inner.spec().input)?;
    let sliding = SlidingWindow::new(&mut **inner, window.tiles)
        .with_batch::<WINDOW_BATCH>()
        .with_merge(window.merge)
        .with_whole_frame(window.whole_frame);
    Ok(Box::new(Boxed(sliding)))
}

/// Does the error end the session? A broken frame does not; a sink that can't write and a full disk do.
#[must_use]
pub fn is_fatal(error: &SessionError) -> bool {
    match error {
        PipelineError::Source(_) => false,
        PipelineError::Predictor(error) => error.kind() == ErrorKind::Device,
        PipelineError::Tracker(_) | PipelineError::Sink(_) => true,
    }
}
