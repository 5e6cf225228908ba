//! The thread that tracks: while it looks at one frame, the model works on the next.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Instant;

use eyespot_core::{
    AnyError, Detection, FrameBuf, PipelineError, PredictionsStorage as _, SourceId, Tracker as _,
};
use eyespot_models::NoProgress;

use super::{Control, Message, failed, send};
use crate::shared_embedder::SharedEmbedder;
use crate::tracking::BoxedTracker;
use crate::{LoadOptions, Loader, Model, RuntimeError, Settings, Tracking};

pub(super) struct Stage {
    tracking: Tracking,
    embedder: Option<SharedEmbedder>,
    /// Each source has a tracker of its own.
    tracker: Option<(SourceId, BoxedTracker)>,
    control: Arc<Control>,
}

impl Stage {
    /// `None` where nothing is tracked.
    pub(super) fn new(
        model: &Model,
        settings: &Settings,
        control: Arc<Control>,
    ) -> Result<Option<Self>, RuntimeError> {
        let Some(tracking) = settings.tracking.clone() else { return Ok(None) };
        let mut embedder = model.embedder.clone();
        if tracking.with_reid && embedder.is_none() {
            let (loader, options) = (Loader::from_env()?, LoadOptions::default());
            let loaded = loader.load_embedder(&tracking.reid_model, &options, &mut NoProgress)?;
            embedder = Some(SharedEmbedder::new(loaded));
        }
        // Wrong settings are said now, not at the first frame of a source, whose rate is not known yet.
        tracking.build(None, embedder.clone())?;
        Ok(Some(Self { tracking, embedder, tracker: None, control }))
    }

    /// Hands on what comes, results with their tracks.
    pub(super) fn run(mut self, from: &Receiver<Message>, to: &SyncSender<Message>) {
        for mut message in from {
            if self.control.stopped() {
                return;
            }
            let error = match &mut message {
                Message::Result(slot) => {
                    let tracked = self.track(&slot.frame, slot.results.view_mut().detections_mut());
                    let name = || slot.frame.frame().and_then(|frame| frame.name).unwrap_or_default();
                    tracked.err().map(|error| failed(name(), PipelineError::Tracker(error), None))
                }
                Message::Error(_, frame) => {
                    // Time goes on where nothing was predicted. That error is told, not what comes of it.
                    if let Some(frame) = frame {
                        let _ = self.track(frame, &mut []);
                    }
                    None
                }
                Message::End => None,
            };
            // What a tracker could tell in spite of an error is handed on like any other result.
            for message in [Some(message), error].into_iter().flatten() {
                let fatal = message.is_fatal();
                if !send(to, message) || fatal {
                    return;
                }
            }
        }
    }

    /// Gives the detections of a frame their tracks.
    fn track(&mut self, frame: &FrameBuf, detections: &mut [Detection]) -> Result<(), AnyError> {
        let Some(frame) = frame.frame() else { return Ok(()) };
        let start = Instant::now();
        let id = frame.info.source;
        let tracker = match &mut self.tracker {
            Some((of, tracker)) if *of == id => tracker,
            slot => {
                let fps = self.control.sources.get(id).and_then(|source| source.fps);
                let tracker = self.tracking.build(fps, self.embedder.clone()).map_err(AnyError::new)?;
                &mut slot.insert((id, tracker)).1
            }
        };
        let tracked = tracker.update(&frame, detections);
        self.control.time(|times| times.track += start.elapsed());
        tracked
    }
}
