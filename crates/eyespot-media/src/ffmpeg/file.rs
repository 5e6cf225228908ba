//! Video files that need ffmpeg.

use std::sync::{Arc, Mutex, PoisonError};

use eyespot_core::{ErrorType, Frame, FrameBuf, FrameSource, SourceId};

use super::probe::{Probe, probe};
use super::process::{Killer, Process};
use super::tool::{Tool, input_of};
use crate::planes::{Planes, Tag, encoding_of};
use crate::video_options::Wanted;
use crate::{MediaError, MediaSource, Stopper, VideoDecoder, VideoOptionError, VideoOptions};

/// Frames from a video of any container and codec that an installed ffmpeg reads: AVI, MKV, `WebM`, HEVC, VP9 and so on.
///
/// Numbers and times are those of [`VideoSource`](crate::VideoSource): in display order, from the file. The file is
/// turned upright where it says so. All frames before the first wanted one are decoded by ffmpeg.
///
/// The environment variable `EYESPOT_FFMPEG` names another ffmpeg than that of the search path.
#[derive(Debug)]
pub struct FfmpegSource {
    input: String,
    tool: Tool,
    probe: Probe,
    wanted: Wanted,
    decoder: VideoDecoder,
    state: State,
    stop: Arc<Mutex<Stop>>,
    given: u64,
    planes: Planes,
    id: SourceId,
}

#[derive(Debug)]
enum State {
    /// ffmpeg is started with the first frame: a list of a thousand videos needs one of them at a time.
    Waiting,
    Running(Box<Process>),
    Ended,
}

/// What a stopper needs.
#[derive(Debug, Default)]
struct Stop {
    stopped: bool,
    process: Option<Killer>,
}

impl FfmpegSource {
    /// Opens a path or an address. `what` says in words what it is, for the message where there is no ffmpeg.
    ///
    /// # Errors
    /// [`MediaError::NoFfmpeg`], [`MediaError::Ffmpeg`] where it can't be read, [`MediaError::Options`].
    pub fn open(input: &str, what: &str, options: VideoOptions) -> Result<Self, MediaError> {
        Self::open_with(Tool::find(input, what)?, input, options)
    }

    pub(crate) fn open_with(tool: Tool, input: &str, options: VideoOptions) -> Result<Self, MediaError> {
        let probe = probe(&tool, input)?;
        let fps = probe.fps.unwrap_or(DEFAULT_FPS);
        // Containers count frames only roughly, so that the end is where ffmpeg ends.
        let wanted = options
            .resolve(u64::MAX, fps)
            .and_then(|wanted| match probe.frames {
                Some(frames) if frames <= wanted.start => {
                    Err(VideoOptionError::StartBeyondEnd { start_frame: wanted.start, frames })
                }
                _ => Ok(wanted),
            })
            .map_err(|source| MediaError::Options { path: input.into(), source })?;
        Ok(Self {
            input: input.to_owned(),
            tool,
            probe,
            wanted,
            decoder: VideoDecoder::Auto,
            state: State::Waiting,
            stop: Arc::default(),
            given: 0,
            planes: Planes::default(),
            id: SourceId::default(),
        })
    }

    /// By another decoder than the one that ffmpeg chooses.
    #[must_use]
    pub fn decoded_by(mut self, decoder: &VideoDecoder) -> Self {
        self.decoder = decoder.clone();
        self
    }

    #[cfg(test)]
    pub(crate) const fn planes(&self) -> &Planes {
        &self.planes
    }

    fn start(&mut self) -> Result<Option<Process>, MediaError> {
        let Wanted { start, end, stride } = self.wanted;
        // Commas are part of the expression, not the end of the filter.
        let mut filter = Vec::new();
        if start > 0 {
            filter.push(format!("gte(n\\,{start})"));
        }
        if stride > 1 {
            filter.push(format!("not(mod(n-{start}\\,{stride}))"));
        }
        let filter = (!filter.is_empty()).then(|| format!("select={}", filter.join("*")));
        let frames = (end < u64::MAX).then(|| self.wanted.count());
        let input = input_of(&self.input);
        let command = self.tool.command(&[], self.decoder.codec(), &input, filter.as_deref(), frames);
        let mut stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        if stop.stopped {
            return Ok(None);
        }
        let process = Process::start(command).map_err(|error| self.failed(error.to_string()))?;
        stop.process = Some(process.killer());
        Ok(Some(process))
    }

    /// The next picture is in `planes` then.
    fn next_picture(&mut self) -> Result<Option<Tag>, MediaError> {
        let mut process = match std::mem::replace(&mut self.state, State::Ended) {
            State::Waiting => match self.start()? {
                Some(process) => Box::new(process),
                None => return Ok(None),
            },
            State::Running(process) => process,
            State::Ended => return Ok(None),
        };
        let time = match process.next(&mut self.planes) {
            Ok(Some(time)) => time,
            Ok(None) => return self.end(*process, None).map_or(Ok(None), Err),
            Err(error) => return self.end(*process, Some(error)).map_or(Ok(None), Err),
        };
        self.state = State::Running(process);
        let number = self.wanted.start.saturating_add(self.given.saturating_mul(self.wanted.stride));
        self.given += 1;
        let encoding = encoding_of(self.probe.matrix, self.probe.full_range, self.planes.height());
        Ok(Some(Tag { number, timestamp_us: time.max(0) as u64, encoding }))
    }

    fn failed(&self, reason: String) -> MediaError {
        MediaError::Ffmpeg { input: self.input.clone(), reason }
    }

    /// Is there something to say at the end?
    fn end(&mut self, process: Process, broken: Option<std::io::Error>) -> Option<MediaError> {
        let end = process.end();
        let mut stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        stop.process = None;
        if stop.stopped {
            return None;
        }
        drop(stop);
        let expected = self.frame_count();
        match (end.error, broken) {
            // What containers say of their length is only believed where something else is wrong too.
            (Some(_), None) if end.success && self.given > 0 => {
                let missing = expected?.checked_sub(self.given).filter(|&missing| missing > 0)?;
                let frames = self.given + missing;
                Some(MediaError::TruncatedVideo { path: self.input.as_str().into(), frames, missing })
            }
            (Some(reason), _) => Some(self.failed(reason)),
            (None, Some(broken)) => Some(self.failed(broken.to_string())),
            (None, None) if !end.success => Some(self.failed("it ended early".into())),
            (None, None) if self.given == 0 => {
                Some(self.failed(format!("it has no frame {}", self.wanted.start)))
            }
            (None, None) => None,
        }
    }
}

/// Where nobody knows the rate.
pub(super) const DEFAULT_FPS: f64 = 25.0;

impl ErrorType for FfmpegSource {
    type Error = MediaError;
}

impl FrameSource for FfmpegSource {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, MediaError> {
        let Some(tag) = self.next_picture()? else { return Ok(None) };
        self.planes.lend(tag, self.id, &self.input).map(Some)
    }
}

impl MediaSource for FfmpegSource {
    fn name(&self) -> &str {
        &self.input
    }
    /// How many the options ask for, where the container says how many there are.
    fn frame_count(&self) -> Option<u64> {
        let frames = self.probe.frames?;
        Some(Wanted { end: self.wanted.end.min(frames), ..self.wanted }.count())
    }
    fn fps(&self) -> Option<f64> {
        Some(self.probe.fps.unwrap_or(DEFAULT_FPS))
    }
    fn set_id(&mut self, id: SourceId) {
        self.id = id;
    }
    fn next_frame_into(&mut self, buf: &mut FrameBuf) -> Result<bool, MediaError> {
        let Some(tag) = self.next_picture()? else { return Ok(false) };
        self.planes.give(tag, self.id, &self.input, buf).map(|()| true)
    }
    fn stopper(&self) -> Option<Stopper> {
        let stop = Arc::clone(&self.stop);
        Some(Stopper::new(move || {
            let mut stop = stop.lock().unwrap_or_else(PoisonError::into_inner);
            stop.stopped = true;
            if let Some(process) = &stop.process {
                process.kill();
            }
        }))
    }
}
