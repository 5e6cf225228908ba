//! A request that a client follows: its items, its results that wait, how it goes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use eyespot_core::Record;
use eyespot_media::{MediaError, MediaSource};
use eyespot_runtime::Settings;
use eyespot_supervisely::VideoBuilder;
use eyespot_supervisely::format::VideoAnnotation;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::Notify;

use crate::app::Served;
use crate::platform::{PlatformImage, PlatformVideo, Uploading};
use crate::running::Running;
use crate::upload::Stored;

/// Figures of a tracked video that are kept: some 200 MB.
const FIGURES: usize = 1_000_000;
/// Requests of more items than this are long ones.
const SHORT: u64 = 16;

/// What is to be predicted, and how.
pub(crate) struct Plan {
    pub(crate) served: Arc<Served>,
    pub(crate) sources: Vec<Result<Box<dyn MediaSource>, MediaError>>,
    pub(crate) settings: Settings,
    pub(crate) items: Items,
    /// The files, kept until the end.
    pub(crate) stored: Option<Stored>,
    /// What is to become of the predictions beside being told.
    pub(crate) upload: Option<Box<dyn Uploading>>,
    pub(crate) total: u64,
}

/// What the items of a request are called.
pub(crate) enum Items {
    /// Images by the names of their files.
    Files(Vec<String>),
    /// An image of an address.
    Url(String),
    /// Images of a platform.
    Images(Vec<PlatformImage>),
    /// The frames of a video: an uploaded one by its name, or one of a platform.
    Video { name: String, from: Option<PlatformVideo>, backward: bool, tracked: bool },
}

/// What a request is at.
enum Work {
    /// It waits for its turn.
    Waiting(Box<Plan>),
    /// Somebody works on it.
    Busy,
    /// It waits for its client to take results.
    Parked(Box<Running>),
    /// There is no more to do.
    Gone,
}

/// What somebody who works on a request starts from.
pub(crate) enum Begun {
    First(Box<Plan>),
    Again(Box<Running>),
}

/// A request that a client follows by its id.
pub(crate) struct Job {
    pub(crate) id: String,
    /// Items in all.
    pub(crate) total: u64,
    /// Has it many items?
    pub(crate) long: bool,
    work: Mutex<Work>,
    state: Mutex<State>,
    /// Told whenever results came or it ended.
    changed: Notify,
    stop: AtomicBool,
    /// Results that may wait.
    limit: usize,
}

struct State {
    stage: &'static str,
    pending: VecDeque<Box<RawValue>>,
    done: u64,
    failed: u64,
    exception: Option<Exception>,
    ended: bool,
    stopped: bool,
    paused: bool,
    /// When its client was done with it.
    cleared: Option<Instant>,
    touched: Instant,
    created: SystemTime,
    updated: SystemTime,
    /// The tracks of a video, and how many figures they have.
    video: Option<VideoBuilder>,
    figures: usize,
    /// Was the video uploaded?
    video_file: bool,
}

/// What ended a request, in the words of the protocol.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Exception {
    #[serde(rename = "type")]
    kind: &'static str,
    message: String,
    traceback: &'static str,
}

/// How far it is, in the words of the protocol.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Progress {
    message: &'static str,
    status: &'static str,
    current: u64,
    total: u64,
    is_size: bool,
}

/// How it goes, in the words of the protocol.
#[derive(Debug, Serialize)]
pub(crate) struct Report<P: Serialize> {
    uuid: String,
    stage: &'static str,
    progress: Progress,
    pending_results: P,
    final_result: bool,
    exception: Option<Exception>,
    is_inferring: bool,
    stopped: bool,
    paused: bool,
    finished: bool,
    failed: u64,
    created_at: f64,
    updated_at: f64,
    cancel_inference: bool,
    has_result: bool,
    preparing_progress: Progress,
    result: Option<()>,
}

impl Job {
    pub(crate) fn new(plan: Plan, limit: usize) -> Self {
        let (total, now) = (plan.total, SystemTime::now());
        let (video, video_file) = match &plan.items {
            Items::Video { tracked, from, name, .. } => {
                let converter = || plan.served.converter.clone().tracked_only(true);
                (tracked.then(|| VideoBuilder::new(converter(), name.as_str())), from.is_none())
            }
            _ => (None, false),
        };
        Self {
            id: uuid::Uuid::new_v4().simple().to_string(),
            total,
            long: total > SHORT,
            work: Mutex::new(Work::Waiting(Box::new(plan))),
            state: Mutex::new(State {
                stage: "Preparing model for inference...",
                pending: VecDeque::new(),
                done: 0,
                failed: 0,
                exception: None,
                ended: false,
                stopped: false,
                paused: false,
                cleared: None,
                touched: Instant::now(),
                created: now,
                updated: now,
                video,
                figures: 0,
                video_file,
            }),
            changed: Notify::new(),
            stop: AtomicBool::new(false),
            limit: limit.max(1),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_work(&self, work: Work) -> Work {
        std::mem::replace(&mut *self.work.lock().unwrap_or_else(PoisonError::into_inner), work)
    }

    // For who works on it.

    /// Takes it to work on; `None` if somebody else does or there is no more to do.
    pub(crate) fn begin(&self) -> Option<Begun> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = match std::mem::replace(&mut *work, Work::Busy) {
            Work::Waiting(plan) => Begun::First(plan),
            Work::Parked(running) => Begun::Again(running),
            other => {
                *work = other;
                return None;
            }
        };
        drop(work);
        let mut state = self.state();
        (state.stage, state.paused) = ("Running inference...", false);
        Some(taken)
    }

    /// Must whoever works on it stop?
    pub(crate) fn must_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Do so many results wait that it has to pause?
    pub(crate) fn is_full(&self) -> bool {
        self.state().pending.len() >= self.limit
    }

    /// Puts it aside until results were taken. Gives it back if they were taken meanwhile or it has to stop.
    pub(crate) fn park(&self, running: Box<Running>) -> Option<Box<Running>> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state();
        if state.pending.len() < self.limit || self.must_stop() {
            return Some(running);
        }
        state.paused = true;
        *work = Work::Parked(running);
        None
    }

    /// An item is done.
    pub(crate) fn add(&self, result: Option<Box<RawValue>>, failed: bool) {
        let mut state = self.state();
        state.pending.extend(result);
        state.done += 1;
        state.failed += u64::from(failed);
        state.updated = SystemTime::now();
        drop(state);
        self.changed.notify_waiters();
    }

    /// Results that come at the end.
    pub(crate) fn add_late(&self, results: impl IntoIterator<Item = Box<RawValue>>) {
        self.state().pending.extend(results);
        self.changed.notify_waiters();
    }

    /// Keeps the tracks of a frame for the annotation of the whole video.
    pub(crate) fn record(&self, record: &Record<'_>) {
        let mut state = self.state();
        let State { video: Some(video), figures, .. } = &mut *state else { return };
        let new = record.predictions.track_ids().flatten().count();
        if *figures + new > FIGURES {
            log::warn!(
                "request {}: more than {FIGURES} figures: its frames are told, not the whole",
                self.id
            );
            state.video = None;
            return;
        }
        *figures += new;
        video.push(&record.info, record.predictions);
    }

    /// How many items failed, of how many that were done.
    pub(crate) fn failures(&self) -> (u64, u64) {
        let state = self.state();
        (state.failed, state.done)
    }

    /// It is over; with a message, by an error.
    pub(crate) fn end(&self, error: Option<String>) {
        drop(self.set_work(Work::Gone));
        let mut state = self.state();
        state.stage = match (&error, self.must_stop()) {
            (Some(_), _) => "Error",
            (None, true) => "Cancelled",
            (None, false) => "Finished",
        };
        let exception = |message| Exception { kind: "RuntimeError", message, traceback: "" };
        state.exception = error.map(exception);
        (state.ended, state.stopped, state.paused) = (true, self.must_stop(), false);
        state.updated = SystemTime::now();
        if state.cleared.is_some() {
            state.forget();
        }
        drop(state);
        self.changed.notify_waiters();
    }

    // For its client.

    /// Ends it. What is ready can still be taken. May wait for the item that is being predicted.
    pub(crate) fn stop(&self) {
        let waiting = {
            let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
            self.stop.store(true, Ordering::Relaxed);
            match std::mem::replace(&mut *work, Work::Gone) {
                Work::Busy => {
                    *work = Work::Busy;
                    None
                }
                Work::Gone => None,
                idle => Some(idle),
            }
        };
        if waiting.is_some() {
            drop(waiting);
            self.end(None);
        }
    }

    /// Ends it and frees its memory; only its name stays for a while.
    pub(crate) fn clear(&self) {
        {
            let mut state = self.state();
            state.cleared.get_or_insert_with(Instant::now);
            state.forget();
        }
        self.stop();
    }

    /// Was it cleared so long ago, or is it so long that nobody asked for it?
    pub(crate) fn is_stale(&self, ttl: Duration, cleared: Duration) -> bool {
        let state = self.state();
        match state.cleared {
            Some(since) => since.elapsed() >= cleared,
            None => state.touched.elapsed() >= ttl,
        }
    }

    /// Does its client count as one that is still there?
    pub(crate) fn is_over(&self) -> bool {
        self.state().ended
    }

    /// The results that wait, at once or as soon as there are any, but no later than after `wait`. The flag tells
    /// whether it had paused for lack of room.
    pub(crate) async fn take(&self, wait: Duration) -> (Report<Vec<Box<RawValue>>>, bool) {
        let until = tokio::time::Instant::now() + wait;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on nothing is missed.
            changed.as_mut().enable();
            {
                let mut state = self.state();
                state.touched = Instant::now();
                if !state.pending.is_empty() || state.ended || tokio::time::Instant::now() >= until {
                    let results: Vec<_> = state.pending.drain(..).collect();
                    let paused = state.paused;
                    // An error is told after the last result: who hears of it takes nothing more.
                    let more = !results.is_empty() && state.exception.is_some();
                    let mut report = self.report_of(&state, results);
                    if more {
                        (report.exception, report.finished, report.is_inferring) = (None, false, true);
                    }
                    return (report, paused);
                }
            }
            let _ = tokio::time::timeout_at(until, changed).await;
        }
    }

    /// How it goes; counts as a sign of life of its client.
    pub(crate) fn report(&self) -> Report<usize> {
        let mut state = self.state();
        state.touched = Instant::now();
        let pending = state.pending.len();
        self.report_of(&state, pending)
    }

    fn report_of<P: Serialize>(&self, state: &State, pending_results: P) -> Report<P> {
        let unix = |time: SystemTime| {
            time.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
        };
        let progress = Progress {
            message: state.stage,
            status: state.stage,
            current: state.done,
            total: self.total,
            is_size: false,
        };
        let finished = state.ended && state.pending.is_empty();
        Report {
            uuid: self.id.clone(),
            stage: state.stage,
            preparing_progress: progress.clone(),
            progress,
            pending_results,
            final_result: state.video.is_some(),
            exception: state.exception.clone(),
            is_inferring: !finished,
            stopped: state.stopped,
            paused: state.paused,
            finished,
            failed: state.failed,
            created_at: unix(state.created),
            updated_at: unix(state.updated),
            cancel_inference: self.must_stop(),
            has_result: state.video.is_some() && state.ended,
            result: None,
        }
    }

    /// What is kept of a tracked video, once it is over: its annotation, and whether it was uploaded.
    pub(crate) fn video(&self) -> Option<(VideoAnnotation, bool)> {
        let (video, uploaded) = {
            let state = self.state();
            (state.video.clone().filter(|_| state.ended)?, state.video_file)
        };
        Some((video.finish(None).0, uploaded))
    }
}

impl State {
    fn forget(&mut self) {
        self.pending = VecDeque::new();
        self.video = None;
    }
}

impl Report<Vec<Box<RawValue>>> {
    pub(crate) const fn is_finished(&self) -> bool {
        self.finished
    }

    /// What ended it, if an error did.
    pub(crate) fn error(&self) -> Option<&str> {
        self.exception.as_ref().map(|exception| exception.message.as_str())
    }

    pub(crate) fn into_results(self) -> Vec<Box<RawValue>> {
        self.pending_results
    }
}
