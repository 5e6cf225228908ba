//! A run of a model over inputs.

mod predict;
mod reader;
mod sources;
mod track;
mod worker;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use eyespot_core::{
    AnyError, ErrorKind, FrameBuf, FrameInfo, PipelineError, PredictionsBuf, PredictionsRef,
    PredictionsStorage as _, Record, Sink,
};
use eyespot_media::{Input, MediaError, MediaSource, MemoryImage, Stopper};

pub use sources::{SourceInfo, Sources};

use crate::error::StageError;
use crate::{Model, Prediction, RuntimeError, SessionError, Settings, StageTimes};

/// Frames that are read ahead, and results that wait for the caller, beyond what a batch needs.
const AHEAD: usize = 2;

/// A run of a model over inputs: reading, predicting and tracking go on in the background while the caller deals with
/// results.
///
/// As an iterator it yields owned [`Prediction`]s; [`step`](Self::step) hands results with their pixels to a [`Sink`].
/// Results come in the order of the frames. An item that can't be read or predicted gives an error in its place and
/// costs nothing else.
///
/// Only a few frames are under way at any time: a slow caller stops the reading, not the memory. Dropping the session
/// stops it.
#[allow(missing_debug_implementations)]
pub struct Session {
    /// `None` once everything came or the session was stopped.
    results: Option<Receiver<Message>>,
    /// What was ready when it was stopped.
    left: VecDeque<Message>,
    spare: Sender<FrameBuf>,
    control: Arc<Control>,
    reader: Option<JoinHandle<()>>,
    worker: Option<JoinHandle<()>>,
    tracker: Option<JoinHandle<()>>,
    labels: Arc<[String]>,
    skeleton: Arc<[(u8, u8)]>,
    current: Option<Slot>,
    status: Status,
}

/// How a session goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Results are on their way.
    Running,
    /// All results were taken.
    Done,
    /// It was stopped.
    Stopped,
    /// A stage failed for good: the device was lost, a sink can't write.
    Failed,
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Items that were read, broken ones included.
    pub read: u64,
    /// Items that were predicted, failed ones included.
    pub done: u64,
    /// Items of all inputs that were opened so far; `None` before the first, and where one does not know its length. It
    /// grows where several inputs are opened one after the other.
    pub total: Option<u64>,
}

/// No result came in time. The session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOut;

impl std::fmt::Display for TimedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no result came in time: ask again")
    }
}

impl std::error::Error for TimedOut {}

impl eyespot_core::Error for TimedOut {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Timeout
    }
}

/// What the threads and the caller share.
#[derive(Debug, Default)]
struct Control {
    stop: AtomicBool,
    read: AtomicU64,
    done: AtomicU64,
    times: Mutex<StageTimes>,
    sources: Sources,
    /// An input is being opened, which may take as long as a network does.
    opening: AtomicBool,
    /// Ends the waiting of a live source.
    stopper: Mutex<Option<Stopper>>,
}

impl Control {
    fn stopped(&self) -> bool {
        // In one order with `opening`: either the reader sees that it is to stop, or the caller that it opens an input.
        self.stop.load(Ordering::SeqCst)
    }

    /// Tells all threads, also one that waits for a camera or a network.
    fn halt(&self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(stopper) = &*self.stopper.lock().unwrap_or_else(PoisonError::into_inner) {
            stopper.stop();
        }
    }

    fn time(&self, add: impl FnOnce(&mut StageTimes)) {
        add(&mut self.times.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A frame with its results.
struct Slot {
    frame: FrameBuf,
    /// The frame as it was given, if it was an image in memory.
    memory: Option<MemoryImage>,
    results: PredictionsBuf,
}

/// From the worker to the caller, by way of the tracker where there is one.
enum Message {
    Result(Slot),
    /// With the frame that it cost.
    Error(SessionError, Option<FrameBuf>),
    /// Everything came. Without it a thread broke down.
    End,
}

impl Message {
    /// Does it end the session?
    fn is_fatal(&self) -> bool {
        matches!(self, Self::Error(error, _) if error.is_fatal())
    }
}

impl Session {
    /// Starts a run over one or several inputs: images, directories, videos, streams. They are opened in the background,
    /// one after the other, each when its turn comes; one that can't be opened gives its error in its place.
    ///
    /// # Errors
    /// [`RuntimeError`] where a setting is wrong.
    pub fn open(model: &Model, input: impl Into<Input>, settings: &Settings) -> Result<Self, RuntimeError> {
        Self::open_sources(model, eyespot_media::open_each(input, &settings.source_options()), settings)
    }

    /// Starts a run over sources that are open; some may have failed to open.
    ///
    /// # Errors
    /// [`RuntimeError`] where all sources failed or a setting is wrong.
    pub fn new(
        model: &Model,
        mut sources: Vec<Result<Box<dyn MediaSource>, MediaError>>,
        settings: &Settings,
    ) -> Result<Self, RuntimeError> {
        if sources.iter().all(Result::is_err)
            && let Some(Err(error)) = sources.pop()
        {
            return Err(error.into());
        }
        Self::open_sources(model, sources.into_iter(), settings)
    }

    /// Starts a run over sources that are opened in the background, each when its turn comes; one that can't be opened
    /// gives its error in its place.
    ///
    /// # Errors
    /// [`RuntimeError`] where a setting is wrong.
    pub fn open_sources(
        model: &Model,
        sources: impl Iterator<Item = Result<Box<dyn MediaSource>, MediaError>> + Send + 'static,
        settings: &Settings,
    ) -> Result<Self, RuntimeError> {
        let control = Arc::new(Control::default());
        let worker = worker::Worker::new(model, settings, Arc::clone(&control))?;
        let (to_worker, jobs) = sync_channel(settings.batch().saturating_add(AHEAD));
        let tracks = track::Stage::new(model, settings, Arc::clone(&control))?;
        let (to_caller, results) = sync_channel(settings.batch().saturating_add(AHEAD));
        let (spare, spares) = channel();
        let reading = Arc::clone(&control);
        let reader = spawn("eyespot-read", move || reader::run(sources, &to_worker, &spares, &reading))?;
        let (predicted, tracker) = match tracks {
            None => (to_caller, None),
            Some(tracks) => {
                let (predicted, from) = sync_channel(settings.batch());
                (predicted, Some(spawn("eyespot-track", move || tracks.run(&from, &to_caller))?))
            }
        };
        let worker = spawn("eyespot-predict", move || worker.run(&jobs, &predicted))?;
        Ok(Self {
            results: Some(results),
            left: VecDeque::new(),
            spare,
            control,
            reader: Some(reader),
            worker: Some(worker),
            tracker,
            labels: Arc::clone(&model.shared.labels),
            skeleton: Arc::clone(&model.shared.skeleton),
            current: None,
            status: Status::Running,
        })
    }

    /// Waits for the next result and hands it to `sink`. `Ok(None)` is the end; the sink is then flushed.
    ///
    /// # Errors
    /// The item that failed. After a failed read or prediction the next step goes on with the next item;
    /// [`SessionError::is_fatal`] tells whether that can work.
    pub fn step(&mut self, sink: &mut dyn Sink<Error = AnyError>) -> Result<Option<FrameInfo>, SessionError> {
        self.recycle();
        // Without a timeout nothing times out.
        let received = self.receive(None).unwrap_or(None);
        self.hand_on(received, sink)
    }

    /// Like [`step`](Self::step), but waits no longer than `timeout`.
    ///
    /// # Errors
    /// [`TimedOut`]; within, those of `step`.
    #[allow(clippy::type_complexity)]
    pub fn step_timeout(
        &mut self,
        sink: &mut dyn Sink<Error = AnyError>,
        timeout: Duration,
    ) -> Result<Result<Option<FrameInfo>, SessionError>, TimedOut> {
        self.recycle();
        let received = self.receive(Some(timeout))?;
        Ok(self.hand_on(received, sink))
    }

    /// Gives the frame of the last step back to the reader.
    fn recycle(&mut self) {
        if let Some(old) = self.current.take() {
            // Nobody may be left to take it.
            let _ = self.spare.send(old.frame);
        }
    }

    fn hand_on(
        &mut self,
        received: Option<Result<Slot, SessionError>>,
        sink: &mut dyn Sink<Error = AnyError>,
    ) -> Result<Option<FrameInfo>, SessionError> {
        let slot = match received {
            Some(Ok(slot)) => slot,
            Some(Err(error)) => return Err(error),
            None => return sink.flush().map(|()| None).map_err(|error| self.fail(String::new(), error)),
        };
        let slot = self.current.insert(slot);
        let Some(frame) = slot.frame.frame() else { return Ok(None) };
        let (info, name) = (frame.info, frame.name.unwrap_or_default().to_owned());
        let start = Instant::now();
        let record =
            Record { info, name: frame.name, image: Some(frame.image), predictions: slot.results.view() };
        let written = sink.write(&record);
        self.control.time(|times| times.sink += start.elapsed());
        written.map(|()| Some(info)).map_err(|error| self.fail(name, error))
    }

    /// A sink that can't write ends the session.
    fn fail(&mut self, item: String, error: AnyError) -> SessionError {
        self.end(Status::Failed);
        SessionError { item, error: PipelineError::Sink(error) }
    }

    /// The next result if it comes within `timeout`; `Ok(None)` is the end. A timeout of zero does not wait.
    ///
    /// # Errors
    /// [`TimedOut`].
    #[allow(clippy::type_complexity)]
    pub fn next_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<Result<Prediction, SessionError>>, TimedOut> {
        let received = self.receive(Some(timeout))?;
        Ok(received.map(|result| result.map(|slot| self.prediction(slot))))
    }

    /// The next message; without a timeout it waits for as long as it takes.
    #[allow(clippy::type_complexity)]
    fn receive(&mut self, timeout: Option<Duration>) -> Result<Option<Result<Slot, SessionError>>, TimedOut> {
        let message = match (&self.results, timeout) {
            (None, _) => match self.left.pop_front() {
                Some(message) => Some(message),
                None => return Ok(None),
            },
            (Some(results), None) => results.recv().ok(),
            (Some(results), Some(timeout)) => match results.recv_timeout(timeout) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => return Err(TimedOut),
                Err(RecvTimeoutError::Disconnected) => None,
            },
        };
        match message {
            Some(Message::Result(slot)) => Ok(Some(Ok(slot))),
            Some(Message::Error(error, frame)) => {
                if let Some(frame) = frame {
                    // Nobody may be left to take it.
                    let _ = self.spare.send(frame);
                }
                if error.is_fatal() {
                    self.end(Status::Failed);
                }
                Ok(Some(Err(error)))
            }
            Some(Message::End) => {
                if self.status == Status::Running {
                    self.end(Status::Done);
                }
                Ok(None)
            }
            None => {
                self.end(Status::Failed);
                Ok(Some(Err(SessionError::crashed())))
            }
        }
    }

    /// The results of the last step, and none before the first.
    #[must_use]
    pub fn results(&self) -> Option<PredictionsRef<'_>> {
        self.current.as_ref().map(|slot| slot.results.view())
    }

    /// Ends the session within a frame, or a batch of them. Results that were ready can still be taken.
    pub fn stop(&mut self) {
        let Some(results) = self.results.take() else { return };
        self.control.halt();
        self.status = Status::Stopped;
        // Until the worker has ended; it may be waiting for room.
        self.left.extend(results.iter());
        self.join();
    }

    /// Ends the session and gives up what was ready.
    fn end(&mut self, status: Status) {
        self.control.halt();
        self.status = status;
        self.results = None;
        self.left.clear();
        self.join();
    }

    fn join(&mut self) {
        // A thread that panicked was told as a failed session.
        for thread in [self.worker.take(), self.tracker.take()].into_iter().flatten() {
            let _ = thread.join();
        }
        // A reader that opens an input is left to itself: it ends when that is over.
        if let Some(reader) = self.reader.take()
            && !self.control.opening.load(Ordering::SeqCst)
        {
            let _ = reader.join();
        }
    }

    /// Were all results taken, or was the session stopped?
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.results.is_none()
    }

    /// How it goes.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.status
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress {
            read: self.control.read.load(Ordering::Relaxed),
            done: self.control.done.load(Ordering::Relaxed),
            total: self.control.sources.frame_count(),
        }
    }

    /// The inputs that were opened so far.
    #[must_use]
    pub fn sources(&self) -> Sources {
        self.control.sources.clone()
    }

    /// The class names.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Time spent in each stage so far. Stages run side by side, so their sum may exceed the time that went by.
    #[must_use]
    pub fn times(&self) -> StageTimes {
        *self.control.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn prediction(&self, slot: Slot) -> Prediction {
        let Slot { frame, memory, results } = slot;
        let (info, name) = frame
            .frame()
            .map(|frame| (frame.info, frame.name.unwrap_or_default().to_owned()))
            .unwrap_or_default();
        // Nobody may be left to take it.
        let _ = self.spare.send(frame);
        let is_video = self.control.sources.get(info.source).is_some_and(|source| source.is_video());
        let (labels, skeleton) = (Arc::clone(&self.labels), Arc::clone(&self.skeleton));
        Prediction { info, name, is_video, labels, skeleton, results, memory }
    }
}

impl Iterator for Session {
    type Item = Result<Prediction, SessionError>;

    fn next(&mut self) -> Option<Self::Item> {
        let received = self.receive(None).ok().flatten()?;
        Some(received.map(|slot| self.prediction(slot)))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end(self.status);
    }
}

/// Are the settings right for the model?
pub(crate) fn check(model: &Model, settings: &Settings) -> Result<(), RuntimeError> {
    predict::Stage::new(model, settings)?;
    settings.video.check()?;
    settings.tracking.as_ref().map_or(Ok(()), |tracking| tracking.validate(None))
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, RuntimeError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(RuntimeError::Thread)
}

/// Sends unless the session was stopped; tells whether to go on.
fn send<T>(to: &SyncSender<T>, message: T) -> bool {
    to.send(message).is_ok()
}

/// A stage that failed, with the name of the item, and the frame that it cost.
fn failed(item: &str, error: StageError, frame: Option<FrameBuf>) -> Message {
    Message::Error(SessionError { item: item.to_owned(), error }, frame)
}
