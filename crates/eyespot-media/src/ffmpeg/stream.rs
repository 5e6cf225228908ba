//! Live streams and cameras.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use eyespot_core::{ErrorType, Frame, FrameBuf, FrameSource, SourceId};

use super::file::DEFAULT_FPS;
use super::process::{Killer, Process};
use super::tool::Tool;
use crate::input::scheme_of;
use crate::planes::{Planes, Tag, encoding_of};
use crate::video_options::Wanted;
use crate::{MediaError, MediaSource, Stopper, StreamStats, VideoDecoder, VideoOptions};

/// How live streams and cameras are read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StreamOptions {
    /// How many of the newest frames wait to be asked for; older ones are dropped. 2 by default.
    pub queue: usize,
    /// A stream that gives no frame for so long counts as broken. 10 s by default.
    pub timeout: Duration,
    /// How often in a row connecting again may fail; `None`, the default, for ever.
    pub max_retries: Option<u32>,
    /// Wait before connecting again; doubled for each further attempt. Half a second by default.
    pub backoff: Duration,
    /// The longest wait before connecting again. 30 s by default.
    pub max_backoff: Duration,
    /// Take RTSP over UDP instead of TCP: quicker, but frames get lost.
    pub rtsp_over_udp: bool,
    /// Size that a camera is asked for, width and height in pixels; its own by default.
    pub camera_size: Option<(u16, u16)>,
    /// Frames per second that a camera is asked for; its own by default.
    pub camera_fps: Option<f32>,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            queue: 2,
            timeout: Duration::from_secs(10),
            max_retries: None,
            backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(30),
            rtsp_over_udp: false,
            camera_size: None,
            camera_fps: None,
        }
    }
}

impl StreamOptions {
    /// What ffmpeg is told before the address.
    fn arguments(&self, address: &str) -> Vec<OsString> {
        let mut arguments = Vec::new();
        let mut option = |name: &str, value: String| arguments.extend([name.into(), value.into()]);
        match scheme_of(address).as_deref() {
            None => {
                option("-f", "v4l2".into());
                if let Some((width, height)) = self.camera_size {
                    option("-video_size", format!("{width}x{height}"));
                }
                if let Some(fps) = self.camera_fps {
                    option("-framerate", fps.to_string());
                }
            }
            Some("rtsp" | "rtsps") => {
                option("-rtsp_transport", if self.rtsp_over_udp { "udp" } else { "tcp" }.into());
                option("-fflags", "nobuffer".into());
            }
            Some(_) => option("-fflags", "nobuffer".into()),
        }
        arguments
    }

    /// The wait before an attempt, counted from 0.
    fn wait(&self, attempt: u32) -> Duration {
        self.backoff.saturating_mul(1 << attempt.min(16)).min(self.max_backoff)
    }
}

/// Frames from a live stream (RTSP, RTMP, SRT, MPEG-TS, HLS, MJPEG) or a camera (`/dev/video0`), through ffmpeg.
///
/// The newest frames are given: a reader that is slow misses some, and their numbers are missing then. A stream that
/// breaks off gives one error ([`MediaError::StreamLost`]) and is connected again by itself; times go on. A call that
/// waits too long gives [`MediaError::StreamSilent`], and the next one waits on.
///
/// Start, stride and end of [`VideoOptions`] count the frames that arrive. Colours count as limited range, BT.709 from
/// 720 lines up and BT.601 below.
#[derive(Debug)]
pub struct StreamSource {
    address: String,
    timeout: Duration,
    fps: f64,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    current: Picture,
    id: SourceId,
}

#[derive(Debug, Default)]
struct Picture {
    planes: Planes,
    number: u64,
    time_us: u64,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change; tells whether it came.
    fn wait<'a>(&self, state: MutexGuard<'a, State>, timeout: Duration) -> (MutexGuard<'a, State>, bool) {
        let (state, result) =
            self.changed.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner);
        (state, !result.timed_out())
    }

    fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        if let Some(process) = &state.process {
            process.kill();
        }
        self.changed.notify_all();
    }
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Picture>,
    spares: Vec<Planes>,
    /// What happened and was not said yet.
    event: Option<MediaError>,
    stats: StreamStats,
    /// Known from the first frame on.
    fps: Option<f64>,
    process: Option<Killer>,
    stopped: bool,
    /// No frame will come any more.
    ended: bool,
}

impl StreamSource {
    /// Connects, and waits for the first frame.
    ///
    /// # Errors
    /// [`MediaError::NoFfmpeg`], [`MediaError::Ffmpeg`] where there is no such stream, [`MediaError::StreamSilent`],
    /// [`MediaError::Options`].
    pub fn open(address: &str, options: StreamOptions, video: VideoOptions) -> Result<Self, MediaError> {
        Self::open_by(address, options, video, &VideoDecoder::Auto)
    }

    /// Like [`open`](Self::open), by a decoder of one's choice.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_by(
        address: &str,
        options: StreamOptions,
        video: VideoOptions,
        decoder: &VideoDecoder,
    ) -> Result<Self, MediaError> {
        let tool = Tool::find(address, if scheme_of(address).is_some() { "a stream" } else { "a camera" })?;
        // The frame rate only matters for a duration; what is wrong with the options is said before anything starts.
        let wrong = |source| MediaError::Options { path: address.into(), source };
        video.resolve(u64::MAX, DEFAULT_FPS).map_err(wrong)?;
        let shared = Arc::new(Shared::default());
        let reader = Reader {
            tool,
            address: address.to_owned(),
            options,
            video,
            decoder: decoder.clone(),
            wanted: Wanted { start: 0, end: u64::MAX, stride: 1 },
            shared: Arc::clone(&shared),
            start: Instant::now(),
            last_us: None,
        };
        let thread = thread::Builder::new().name("eyespot-stream".into()).spawn(move || reader.run());
        let thread = thread
            .map_err(|error| MediaError::Ffmpeg { input: address.to_owned(), reason: error.to_string() })?;
        let mut this = Self {
            address: address.to_owned(),
            timeout: options.timeout,
            fps: DEFAULT_FPS,
            shared,
            thread: Some(thread),
            current: Picture::default(),
            id: SourceId::default(),
        };
        let deadline = Instant::now() + options.timeout;
        let mut state = this.shared.lock();
        loop {
            if let Some(fps) = state.fps {
                drop(state);
                this.fps = fps;
                return Ok(this);
            }
            if let Some(error) = state.event.take() {
                return Err(error);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.ended {
                return Err(this.silent());
            }
            state = this.shared.wait(state, left).0;
        }
    }

    fn silent(&self) -> MediaError {
        MediaError::StreamSilent { address: self.address.clone(), timeout: self.timeout }
    }
}

impl Drop for StreamSource {
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(thread) = self.thread.take() {
            // A reader that panicked gives no frames; there is nothing else to do.
            let _ = thread.join();
        }
    }
}

impl ErrorType for StreamSource {
    type Error = MediaError;
}

impl StreamSource {
    /// Waits for the next picture, which is in `current` then.
    fn next_picture(&mut self) -> Result<Option<Tag>, MediaError> {
        let deadline = Instant::now() + self.timeout;
        let mut state = self.shared.lock();
        let picture = loop {
            if state.stopped {
                return Ok(None);
            }
            if let Some(picture) = state.queue.pop_front() {
                break picture;
            }
            if let Some(event) = state.event.take() {
                return Err(event);
            }
            if state.ended {
                return Ok(None);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // It may hang: the reader connects anew.
                if let Some(process) = &state.process {
                    process.kill();
                }
                return Err(self.silent());
            }
            state = self.shared.wait(state, left).0;
        };
        let old = std::mem::replace(&mut self.current, picture);
        state.spares.push(old.planes);
        drop(state);
        let Picture { number, time_us: timestamp_us, ref planes } = self.current;
        Ok(Some(Tag { number, timestamp_us, encoding: encoding_of(None, false, planes.height()) }))
    }
}

impl FrameSource for StreamSource {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, MediaError> {
        let Some(tag) = self.next_picture()? else { return Ok(None) };
        self.current.planes.lend(tag, self.id, &self.address).map(Some)
    }
}

impl MediaSource for StreamSource {
    fn name(&self) -> &str {
        &self.address
    }
    fn frame_count(&self) -> Option<u64> {
        None
    }
    fn fps(&self) -> Option<f64> {
        Some(self.fps)
    }
    fn set_id(&mut self, id: SourceId) {
        self.id = id;
    }
    fn next_frame_into(&mut self, buf: &mut FrameBuf) -> Result<bool, MediaError> {
        let Some(tag) = self.next_picture()? else { return Ok(false) };
        self.current.planes.give(tag, self.id, &self.address, buf).map(|()| true)
    }
    fn stopper(&self) -> Option<Stopper> {
        let shared = Arc::clone(&self.shared);
        Some(Stopper::new(move || shared.stop()))
    }
    fn stream_stats(&self) -> Option<StreamStats> {
        Some(self.shared.lock().stats)
    }
}

/// The thread that reads.
struct Reader {
    tool: Tool,
    address: String,
    options: StreamOptions,
    video: VideoOptions,
    decoder: VideoDecoder,
    wanted: Wanted,
    shared: Arc<Shared>,
    start: Instant,
    /// Time of the last frame.
    last_us: Option<u64>,
}

impl Reader {
    fn run(mut self) {
        let mut failed = 0;
        loop {
            let before = self.shared.lock().stats.received;
            let reason = self.connection();
            let mut state = self.shared.lock();
            state.process = None;
            let Some(reason) = reason.filter(|_| !state.stopped) else { break };
            let came = state.stats.received > before;
            let address = self.address.clone();
            if state.stats.received == 0 {
                state.event = Some(MediaError::Ffmpeg { input: address, reason });
                break;
            }
            if came {
                failed = 0;
            }
            if self.options.max_retries.is_some_and(|limit| failed >= limit) {
                state.event = Some(MediaError::StreamGone { address, attempts: failed, reason });
                break;
            }
            if came {
                state.event = Some(MediaError::StreamLost { address, reason });
            }
            self.shared.changed.notify_all();
            let until = Instant::now() + self.options.wait(failed);
            failed += 1;
            while !state.stopped && Instant::now() < until {
                state = self.shared.wait(state, until.saturating_duration_since(Instant::now())).0;
            }
        }
        self.shared.lock().ended = true;
        self.shared.changed.notify_all();
    }

    /// Reads one connection until it breaks off, and says why; `None` where no more frames are wanted.
    fn connection(&mut self) -> Option<String> {
        let input = &self.address;
        let before = self.options.arguments(input);
        let command = self.tool.command(&before, self.decoder.codec(), input, None, None);
        let mut process = {
            let mut state = self.shared.lock();
            if state.stopped {
                return None;
            }
            let process = match Process::start(command) {
                Ok(process) => process,
                Err(error) => return Some(error.to_string()),
            };
            state.process = Some(process.killer());
            process
        };
        let mut planes = Planes::default();
        // Times of this connection are moved by so much.
        let mut shift = None;
        loop {
            match process.next(&mut planes) {
                Ok(Some(time)) => {
                    let shift = *shift.get_or_insert_with(|| {
                        let now = match self.last_us {
                            None => 0,
                            Some(last) => {
                                self.shared.lock().stats.reconnects += 1;
                                (self.start.elapsed().as_micros() as u64).max(last.saturating_add(1))
                            }
                        };
                        i128::from(now) - i128::from(time)
                    });
                    let time_us = u64::try_from(i128::from(time) + shift).unwrap_or(0);
                    if self.last_us.is_none() {
                        self.first(&process);
                    }
                    let time_us = time_us.max(self.last_us.unwrap_or(0));
                    self.last_us = Some(time_us);
                    if !self.hand_over(&mut planes, time_us) {
                        return None;
                    }
                }
                Ok(None) => return Some(process.end().error.unwrap_or_else(|| "it ended".into())),
                Err(error) => return Some(process.end().error.unwrap_or_else(|| error.to_string())),
            }
        }
    }

    /// With the first frame the frame rate is known.
    fn first(&mut self, process: &Process) {
        let fps = process.fps().unwrap_or(DEFAULT_FPS);
        self.start = Instant::now();
        // It was checked before.
        if let Ok(wanted) = self.video.resolve(u64::MAX, fps) {
            self.wanted = wanted;
        }
        self.shared.lock().fps = Some(fps);
    }

    /// Puts a frame into the queue; tells whether to go on.
    fn hand_over(&self, planes: &mut Planes, time_us: u64) -> bool {
        let mut state = self.shared.lock();
        let number = state.stats.received;
        if state.stopped || number >= self.wanted.end {
            return false;
        }
        state.stats.received += 1;
        if self.wanted.contains(number) {
            if state.queue.len() >= self.options.queue.max(1) {
                state.stats.dropped += 1;
                if let Some(old) = state.queue.pop_front() {
                    state.spares.push(old.planes);
                }
            }
            let spare = state.spares.pop().unwrap_or_default();
            let planes = std::mem::replace(planes, spare);
            state.queue.push_back(Picture { planes, number, time_us });
        }
        self.shared.changed.notify_all();
        true
    }
}
