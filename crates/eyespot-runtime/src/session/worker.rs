//! The thread that predicts.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::time::{Duration, Instant};

use eyespot_core::{
    AnyError, Frame, FrameBuf, PipelineError, PredictionsBuf, PredictionsStorage as _, Predictor as _,
};

use eyespot_media::MemoryImage;

use super::predict::Stage;
use super::reader::Job;
use super::{Control, Message, Slot, failed, send};
use crate::registry::BoxedPredictor;
use crate::turns::{Turn, Turns};
use crate::{Model, RuntimeError, Settings};

/// How often a worker without work looks whether the session was stopped.
const POLL: Duration = Duration::from_millis(20);
/// Detections per frame that there is room for.
const DETECTIONS: usize = 4096;
/// Bytes of mask bits per frame, for models with masks: 64 masks of a whole Full HD frame.
const MASK_BYTES: usize = 16 << 20;

pub(super) struct Worker {
    stage: Stage,
    /// One per frame of a batch.
    results: Vec<PredictionsBuf>,
    /// What goes on next, to the tracker or the caller.
    ready: VecDeque<Message>,
    control: Arc<Control>,
}

/// A frame, and where it was an image in memory, that.
type Item = (FrameBuf, Option<MemoryImage>);

/// A batch that the model works on while the next one is made ready.
struct Ahead<'a> {
    batch: Vec<Item>,
    /// Results come in the order of submission, whoever asks: until these came, no other session has its turn. So it is never
    /// held while the caller or the reader is waited for.
    turn: Turn<'a, BoxedPredictor>,
}

impl Worker {
    pub(super) fn new(
        model: &Model,
        settings: &Settings,
        control: Arc<Control>,
    ) -> Result<Self, RuntimeError> {
        let stage = Stage::new(model, settings)?;
        settings.video.check()?;
        let outputs = model.shared.outputs;
        let mask_bytes = if outputs.masks { MASK_BYTES } else { 0 };
        let keypoints = DETECTIONS * usize::from(outputs.keypoints);
        let results =
            (0..settings.batch()).map(|_| PredictionsBuf::new(DETECTIONS, mask_bytes, keypoints)).collect();
        Ok(Self { stage, results, ready: VecDeque::new(), control })
    }

    pub(super) fn run(mut self, jobs: &Receiver<Job>, to: &SyncSender<Message>) {
        let shared = self.stage.model();
        let mut ahead = None;
        loop {
            let Some((batch, interrupted)) = self.receive(jobs, &mut ahead, to) else { return };
            if self.control.stopped() || !self.process(batch, &shared.predictor, &mut ahead, to) {
                return;
            }
            let Some(job) = interrupted else { continue };
            if !self.finish(&mut ahead, to) {
                return;
            }
            let Job::Failed(error) = job else {
                send(to, Message::End);
                return;
            };
            self.control.done.fetch_add(1, Ordering::Relaxed);
            if !send(to, failed("", PipelineError::Source(error), None)) {
                return;
            }
        }
    }

    /// Waits for the next batch. What came in place of a frame ends it early. `None`: there is nothing more to do.
    fn receive(
        &mut self,
        jobs: &Receiver<Job>,
        ahead: &mut Option<Ahead<'_>>,
        to: &SyncSender<Message>,
    ) -> Option<(Vec<Item>, Option<Job>)> {
        let mut batch = Vec::with_capacity(self.results.len());
        while batch.len() < self.results.len() {
            let job = match jobs.try_recv() {
                Ok(job) => job,
                Err(_) => {
                    // No frame waits: nor do the results of those before.
                    if !self.finish(ahead, to) {
                        return None;
                    }
                    match jobs.recv_timeout(POLL) {
                        Ok(job) => job,
                        // The reader waits for a network: who stopped the session does not.
                        Err(RecvTimeoutError::Timeout) if !self.control.stopped() => continue,
                        // The session was stopped, or the reader broke down.
                        Err(_) => return None,
                    }
                }
            };
            match job {
                Job::Frame(frame, memory) => batch.push((frame, memory)),
                job => return Some((batch, Some(job))),
            }
        }
        Some((batch, None))
    }

    /// Gives the model a batch. Where it works ahead, the results of the batch before it are handed on, otherwise those of this
    /// one. Tells whether to go on.
    fn process<'a>(
        &mut self,
        batch: Vec<Item>,
        model: &'a Turns<BoxedPredictor>,
        ahead: &mut Option<Ahead<'a>>,
        to: &SyncSender<Message>,
    ) -> bool {
        if batch.is_empty() {
            return true;
        }
        // Who waits for the model gets it before it is given more.
        if ahead.as_ref().is_some_and(|ahead| ahead.turn.is_wanted()) && !self.finish(ahead, to) {
            return false;
        }
        let (before, mut turn) = match ahead.take() {
            Some(Ahead { batch, turn }) => (batch, turn),
            None => {
                let mut turn = model.take();
                // Of a session that was stopped or broke down.
                turn.discard();
                (Vec::new(), turn)
            }
        };
        let start = Instant::now();
        let submitted = self.stage.submit(&mut turn, &frames(&batch));
        self.control.time(|times| times.predict += start.elapsed());
        self.collect(before, &mut turn);
        if let Ok(true) = submitted {
            *ahead = Some(Ahead { batch, turn });
            return self.hand_on(ahead, to);
        }
        let start = Instant::now();
        let (frames, results) = (frames(&batch), &mut self.results[..batch.len()]);
        let outcomes = match submitted {
            Ok(_) => self.stage.predict(&mut turn, &frames, results),
            Err(error) => self.stage.each(&mut turn, Err(error), &frames, results),
        };
        drop(turn);
        self.control.time(|times| times.predict += start.elapsed());
        self.conclude(batch, outcomes);
        self.hand_on(ahead, to)
    }

    /// Hands on the results of the batch that the model works on; tells whether to go on.
    fn finish(&mut self, ahead: &mut Option<Ahead<'_>>, to: &SyncSender<Message>) -> bool {
        if let Some(Ahead { batch, mut turn }) = ahead.take() {
            self.collect(batch, &mut turn);
        }
        self.hand_on(ahead, to)
    }

    /// Makes the results of a batch ready that the model was given.
    fn collect(&mut self, batch: Vec<Item>, model: &mut BoxedPredictor) {
        if batch.is_empty() {
            return;
        }
        let start = Instant::now();
        let outcomes = self.stage.collect(model, &frames(&batch), &mut self.results[..batch.len()]);
        self.control.time(|times| times.predict += start.elapsed());
        self.conclude(batch, outcomes);
    }

    /// Makes what was predicted ready.
    fn conclude(&mut self, batch: Vec<Item>, outcomes: Vec<Result<(), AnyError>>) {
        for (((frame, memory), results), outcome) in batch.into_iter().zip(&self.results).zip(outcomes) {
            self.control.time(|times| times.frames += u64::from(outcome.is_ok()));
            self.control.done.fetch_add(1, Ordering::Relaxed);
            self.ready.push_back(match outcome {
                Ok(()) => {
                    let results = PredictionsBuf::copy_of(results.view());
                    Message::Result(Slot { frame, memory, results })
                }
                Err(error) => {
                    let name = frame.frame().and_then(|frame| frame.name).unwrap_or_default().to_owned();
                    failed(&name, PipelineError::Predictor(error), Some(frame))
                }
            });
        }
    }

    /// Hands on what is ready; tells whether to go on.
    fn hand_on(&mut self, ahead: &mut Option<Ahead<'_>>, to: &SyncSender<Message>) -> bool {
        while let Some(message) = self.ready.pop_front() {
            let fatal = message.is_fatal();
            let sent = match to.try_send(message) {
                // The caller may be waiting for another session, and that one for the model.
                Err(TrySendError::Full(message)) if let Some(Ahead { batch, mut turn }) = ahead.take() => {
                    self.ready.push_front(message);
                    self.collect(batch, &mut turn);
                    continue;
                }
                Err(TrySendError::Full(message)) => send(to, message),
                sent => sent.is_ok(),
            };
            if !sent || fatal {
                return false;
            }
        }
        true
    }
}

/// The frames of a batch.
fn frames(batch: &[Item]) -> Vec<Frame<'_>> {
    batch.iter().filter_map(|(frame, _)| frame.frame()).collect()
}
