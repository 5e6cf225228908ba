//! Frames in a window.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use eyespot_core::{ErrorType, Record, Sink};

use crate::ffmpeg::player;
use crate::{Annotator, Canvas, MediaError};

/// Shows annotated frames in a window, which is that of an `ffplay` found at run time: it comes with ffmpeg.
///
/// A window never holds a run up: a frame that comes while the one before is still on its way is not shown. Who closes the
/// window ends the view, not the run. It closes with this value.
#[derive(Debug)]
pub struct WindowView {
    annotator: Annotator,
    frames: Option<SyncSender<Vec<u8>>>,
    writer: Option<JoinHandle<()>>,
    window: Child,
}

impl WindowView {
    /// Opens a window with this title.
    ///
    /// # Errors
    /// [`MediaError::NoWindow`] where there is no screen or no ffplay: a [`TerminalView`](crate::TerminalView) needs neither.
    pub fn open(title: &str, annotator: Annotator) -> Result<Self, MediaError> {
        if !has_screen() {
            return Err(MediaError::NoWindow { reason: "there is no screen".into() });
        }
        let mut view = Self::with_player(player(), title, annotator)?;
        // A screen that can't be used is found out by the player.
        for _ in 0..15 {
            thread::sleep(Duration::from_millis(20));
            if !view.is_open() {
                return Err(MediaError::NoWindow { reason: "ffplay can't open one".into() });
            }
        }
        Ok(view)
    }

    /// Opens the window of this player.
    pub(crate) fn with_player(
        mut player: Command,
        title: &str,
        annotator: Annotator,
    ) -> Result<Self, MediaError> {
        // Each frame has its size, and is shown as soon as it comes.
        player.args([
            "-hide_banner",
            "-loglevel",
            "quiet",
            "-nostats",
            "-f",
            "ppm_pipe",
            "-framerate",
            "1000",
        ]);
        player.args(["-window_title", title, "-i", "pipe:0"]);
        player.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let failed = |reason: String| MediaError::NoWindow { reason };
        let mut window = player.spawn().map_err(|error| failed(format!("ffplay: {error}")))?;
        let mut stdin = window.stdin.take();
        let (frames, waiting) = sync_channel::<Vec<u8>>(1);
        let write = move || {
            while let (Ok(frame), Some(stdin)) = (waiting.recv(), &mut stdin) {
                // Somebody closed the window.
                if stdin.write_all(&frame).and_then(|()| stdin.flush()).is_err() {
                    return;
                }
            }
        };
        let writer = thread::Builder::new().name("eyespot-window".into()).spawn(write);
        let writer = writer.map_err(|error| failed(error.to_string()))?;
        Ok(Self { annotator, frames: Some(frames), writer: Some(writer), window })
    }

    /// Is it still there?
    pub fn is_open(&mut self) -> bool {
        matches!(self.window.try_wait(), Ok(None))
    }

    /// Leaves the last frame in the window until somebody closes it.
    pub fn wait(mut self) {
        self.end_frames();
        // What can't be waited for is not there.
        let _ = self.window.wait();
    }

    fn end_frames(&mut self) {
        self.frames = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl ErrorType for WindowView {
    type Error = MediaError;
}

impl Sink for WindowView {
    fn write(&mut self, record: &Record<'_>) -> Result<(), MediaError> {
        let canvas = self.annotator.annotate(record);
        if let Some(frames) = &self.frames
            && let Err(TrySendError::Disconnected(_)) = frames.try_send(ppm(canvas))
        {
            self.frames = None;
        }
        Ok(())
    }
}

impl Drop for WindowView {
    fn drop(&mut self) {
        // First, so that a writer that waits for it goes on.
        let _ = self.window.kill();
        self.end_frames();
        let _ = self.window.wait();
    }
}

/// Would a window be seen? macOS and Windows always have a screen.
fn has_screen() -> bool {
    let has = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(target_os = "macos", windows))
        || ["DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"].into_iter().any(has)
}

/// A frame as a portable pixmap.
fn ppm(canvas: &Canvas) -> Vec<u8> {
    let mut bytes = format!("P6\n{} {}\n255\n", canvas.width(), canvas.height()).into_bytes();
    bytes.extend(canvas.pixels().as_flattened());
    bytes
}
