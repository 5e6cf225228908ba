//! The thread that predicts and tracks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use eyespot_core::{
    AnyError, Frame, FrameBuf, PipelineError, PredictionsBuf, PredictionsStorage as _, SourceId, Tracker as _,
};

use eyespot_media::MemoryImage;
use eyespot_models::NoProgress;

use super::predict::Stage;
use super::reader::Job;
use super::{Control, Message, Slot, failed, send};
use crate::shared_embedder::SharedEmbedder;
use crate::tracking::BoxedTracker;
use crate::{LoadOptions, Loader, Model, RuntimeError, Settings, Tracking};

/// How often a worker without work looks whether the session was stopped.
const POLL: Duration = Duration::from_millis(20);
/// Detections per frame that there is room for.
const DETECTIONS: usize = 4096;
/// Bytes of mask bits per frame, for models with masks: 64 masks of a whole Full HD frame.
const MASK_BYTES: usize = 16 << 20;

pub(super) struct Worker {
    stage: Stage,
    tracking: Option<Tracking>,
    embedder: Option<SharedEmbedder>,
    tracker: Option<(SourceId, BoxedTracker)>,
    /// One per frame of a batch.
    results: Vec<PredictionsBuf>,
    control: Arc<Control>,
}

impl Worker {
    pub(super) fn new(
        model: &Model,
        settings: &Settings,
        control: Arc<Control>,
    ) -> Result<Self, RuntimeError> {
        let stage = Stage::new(model, settings)?;
        settings.video.check()?;
        let mut embedder = model.embedder.clone();
        if let Some(tracking) = &settings.tracking {
            if tracking.with_reid && embedder.is_none() {
                let (loader, options) = (Loader::from_env()?, LoadOptions::default());
                let loaded = loader.load_embedder(&tracking.reid_model, &options, &mut NoProgress)?;
                embedder = Some(SharedEmbedder::new(loaded));
            }
            // Wrong settings are said now, not at the first frame of a source, whose rate is not known yet.
            tracking.build(None, embedder.clone())?;
        }
        let outputs = model.shared.outputs;
        let mask_bytes = if outputs.masks { MASK_BYTES } else { 0 };
        let keypoints = DETECTIONS * usize::from(outputs.keypoints);
        let results =
            (0..settings.batch()).map(|_| PredictionsBuf::new(DETECTIONS, mask_bytes, keypoints)).collect();
        let tracking = settings.tracking.clone();
        Ok(Self { stage, tracking, embedder, tracker: None, results, control })
    }

    pub(super) fn run(mut self, jobs: &Receiver<Job>, to: &SyncSender<Message>) {
        let mut batch: Vec<(FrameBuf, Option<MemoryImage>)> = Vec::with_capacity(self.results.len());
        loop {
            let mut interrupted = None;
            while batch.len() < self.results.len() {
                match jobs.recv_timeout(POLL) {
                    Ok(Job::Frame(frame, memory)) => batch.push((frame, memory)),
                    Ok(job) => {
                        interrupted = Some(job);
                        break;
                    }
                    // The reader waits for a network: who stopped the session does not.
                    Err(RecvTimeoutError::Timeout) if !self.control.stopped() => {}
                    // The session was stopped, or the reader broke down.
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
                Some(Job::Frame(..)) | None => {}
            }
        }
    }

    /// Predicts, tracks and hands on a batch; tells whether to go on.
    fn process(
        &mut self,
        batch: &mut Vec<(FrameBuf, Option<MemoryImage>)>,
        to: &SyncSender<Message>,
    ) -> bool {
        let frames: Vec<Frame<'_>> = batch.iter().filter_map(|(frame, _)| frame.frame()).collect();
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
                    let fps = || self.control.sources.get(frame.info.source).and_then(|source| source.fps);
                    let build = || tracking.build(fps(), self.embedder.clone());
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
        for ((frame, memory), (results, error)) in batch.drain(..).zip(done) {
            let result = results.map(|results| Message::Result(Slot { frame, memory, results }));
            let fatal = matches!(&error, Some(Message::Error(error)) if error.is_fatal());
            if !result.into_iter().chain(error).all(|message| send(to, message)) || fatal {
                return false;
            }
        }
        true
    }
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
