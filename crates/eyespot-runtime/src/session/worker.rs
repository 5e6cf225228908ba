//! The thread that predicts and tracks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Instant;

use eyespot_core::{
    AnyError, Frame, FrameBuf, PipelineError, PredictionsBuf, PredictionsStorage as _, SourceId, Tracker as _,
};

use eyespot_models::NoProgress;

use super::predict::Stage;
use super::reader::Job;
use super::{Control, Message, Slot, SourceInfo, failed, send};
use crate::shared_embedder::SharedEmbedder;
use crate::tracking::BoxedTracker;
use crate::{LoadOptions, Loader, Model, RuntimeError, Settings, Tracking};

/// Detections per frame that there is room for.
const DETECTIONS: usize = 4096;
/// Bytes of mask bits per frame, for models with masks: 64 masks of a whole Full HD frame.
const MASK_BYTES: usize = 16 << 20;

pub(super) struct Worker {
    stage: Stage,
    tracking: Option<Tracking>,
    embedder: Option<SharedEmbedder>,
    tracker: Option<(SourceId, BoxedTracker)>,
    sources: Vec<SourceInfo>,
    /// One per frame of a batch.
    results: Vec<PredictionsBuf>,
    control: Arc<Control>,
}

impl Worker {
    pub(super) fn new(
        model: &Model,
        sources: Vec<SourceInfo>,
        settings: &Settings,
        control: Arc<Control>,
    ) -> Result<Self, RuntimeError> {
        let stage = Stage::new(model, settings)?;
        let (mut embedder, mut tracker) = (model.embedder.clone(), None);
        if let Some(tracking) = &settings.tracking {
            if tracking.with_reid && embedder.is_none() {
                let (loader, options) = (Loader::from_env()?, LoadOptions::default());
                let loaded = loader.load_embedder(&tracking.reid_model, &options, &mut NoProgress)?;
                embedder = Some(SharedEmbedder::new(loaded));
            }
            // Wrong settings are said now, not at the first frame of a source.
            for source in &sources {
                tracking.validate(source.fps)?;
            }
            if let Some(first) = sources.first() {
                tracker = Some((first.id, tracking.build(first.fps, embedder.clone())?));
            }
        }
        let outputs = model.shared.outputs;
        let mask_bytes = if outputs.masks { MASK_BYTES } else { 0 };
        let keypoints = DETECTIONS * usize::from(outputs.keypoints);
        let results =
            (0..settings.batch()).map(|_| PredictionsBuf::new(DETECTIONS, mask_bytes, keypoints)).collect();
        let tracking = settings.tracking.clone();
        Ok(Self { stage, tracking, embedder, tracker, sources, results, control })
    }

    pub(super) fn run(mut self, jobs: &Receiver<Job>, to: &SyncSender<Message>) {
        let mut batch: Vec<FrameBuf> = Vec::with_capacity(self.results.len());
        loop {
            let mut interrupted = None;
            while batch.len() < self.results.len() {
                match jobs.recv() {
                    Ok(Job::Frame(frame)) => batch.push(frame),
                    Ok(job) => {
                        interrupted = Some(job);
                        break;
                    }
                    // The reader was stopped or broke down.
                    Err(_) => return,
                }
            }
            if self.control.stopped() || !self.process(&mut batch, to) {
                return;
            }
            match interrupted {
                Some(Job::Failed(error)) => {
                    self.control.done.fetch_add(1, Ordering::Relaxed);
                    if !send(to, failed("", PipelineError::Source(error))) {
                        return;
                    }
                }
                Some(Job::End) => {
                    send(to, Message::End);
                    return;
                }
                Some(Job::Frame(_)) | None => {}
            }
        }
    }

    /// Predicts, tracks and hands on a batch; tells whether to go on.
    fn process(&mut self, batch: &mut Vec<FrameBuf>, to: &SyncSender<Message>) -> bool {
        let frames: Vec<Frame<'_>> = batch.iter().filter_map(FrameBuf::frame).collect();
        if frames.is_empty() {
            return true;
        }
        let results = &mut self.results[..frames.len()];
        let start = Instant::now();
        let outcomes = self.stage.predict(&frames, results);
        self.control.time(|times| times.predict += start.elapsed());
        let mut done = Vec::with_capacity(frames.len());
        for ((frame, results), outcome) in frames.iter().zip(results).zip(outcomes) {
            let start = Instant::now();
            let name = frame.name.unwrap_or_default();
            if outcome.is_err() {
                results.view_mut().clear();
            }
            let tracked = match &self.tracking {
                Some(tracking) => {
                    let fps = fps_of(&self.sources, frame.info.source);
                    let build = || tracking.build(fps, self.embedder.clone());
                    track(&mut self.tracker, build, frame, results)
                }
                None => Ok(()),
            };
            self.control.time(|times| {
                times.track += start.elapsed();
                times.frames += u64::from(outcome.is_ok());
            });
            self.control.done.fetch_add(1, Ordering::Relaxed);
            let error = tracked.err().map(PipelineError::Tracker);
            done.push(match outcome {
                Err(error) => (None, Some(failed(name, PipelineError::Predictor(error)))),
                // What a tracker could tell in spite of an error is handed on like any other result.
                Ok(()) => {
                    (Some(PredictionsBuf::copy_of(results.view())), error.map(|error| failed(name, error)))
                }
            });
        }
        for (frame, (results, error)) in batch.drain(..).zip(done) {
            let result = results.map(|results| Message::Result(Slot { frame, results }));
            let fatal = matches!(&error, Some(Message::Error(error)) if error.is_fatal());
            if !result.into_iter().chain(error).all(|message| send(to, message)) || fatal {
                return false;
            }
        }
        true
    }
}

fn fps_of(sources: &[SourceInfo], id: SourceId) -> Option<f64> {
    sources.iter().find(|source| source.id == id).and_then(|source| source.fps)
}

/// Gives the detections of a frame their tracks. Each source has a tracker of its own.
fn track(
    tracker: &mut Option<(SourceId, BoxedTracker)>,
    build: impl FnOnce() -> Result<BoxedTracker, RuntimeError>,
    frame: &Frame<'_>,
    results: &mut PredictionsBuf,
) -> Result<(), AnyError> {
    let id = frame.info.source;
    let tracker = match tracker {
        Some((of, tracker)) if *of == id => tracker,
        slot => &mut slot.insert((id, build().map_err(AnyError::new)?)).1,
    };
    tracker.update(frame, results.view_mut().detections_mut())
}
