//! A running ffmpeg.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::nut::Nut;
use crate::planes::Planes;

/// Ends what a source is waiting for, from another thread.
#[derive(Clone)]
pub struct Stopper(Arc<dyn Fn() + Send + Sync>);

impl Stopper {
    /// `stop` may be called from any thread, and more than once.
    pub fn new(stop: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(stop))
    }

    /// The source gives no more frames.
    pub fn stop(&self) {
        (self.0)();
    }
}

impl core::fmt::Debug for Stopper {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Stopper")
    }
}

/// The process, to be ended from any thread.
#[derive(Debug, Clone)]
pub(crate) struct Killer(Arc<Mutex<Child>>);

impl Killer {
    pub(crate) fn kill(&self) {
        // It may have ended by itself.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }

    /// Waits for the end, but not for long; then it is made.
    fn reap(&self) -> bool {
        for _ in 0..40 {
            if let Ok(Some(status)) = self.0.lock().unwrap_or_else(PoisonError::into_inner).try_wait() {
                return status.success();
            }
            thread::sleep(Duration::from_millis(25));
        }
        self.kill();
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).wait();
        false
    }
}

/// A running ffmpeg. It ends with this value and leaves no zombie.
#[derive(Debug)]
pub(crate) struct Process {
    killer: Killer,
    pictures: Nut<BufReader<ChildStdout>>,
    fps: Receiver<f64>,
    /// Gives the last error that was said.
    log: Option<JoinHandle<Option<String>>>,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct End {
    /// It said so itself.
    pub(crate) success: bool,
    /// The last error that it said.
    pub(crate) error: Option<String>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command.spawn()?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let killer = Killer(Arc::new(Mutex::new(child)));
        let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
            killer.kill();
            return Err(io::Error::other("no pipes"));
        };
        let (found, fps) = sync_channel(1);
        widen(&stdout);
        let log = thread::Builder::new().name("eyespot-ffmpeg".into()).spawn(move || listen(stderr, &found));
        let log = log.inspect_err(|_| killer.kill())?;
        let pictures = Nut::new(BufReader::with_capacity(1 << 16, stdout));
        Ok(Self { killer, pictures, fps, log: Some(log) })
    }

    pub(crate) fn killer(&self) -> Killer {
        self.killer.clone()
    }

    /// The next picture and its time in microseconds; `None` at the end.
    pub(crate) fn next(&mut self, planes: &mut Planes) -> io::Result<Option<i64>> {
        self.pictures.next(planes)
    }

    /// Frames per second, where ffmpeg knows; known before the first picture.
    pub(crate) fn fps(&self) -> Option<f64> {
        self.fps.recv_timeout(Duration::from_secs(1)).ok()
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> End {
        let success = self.killer.reap();
        let error = self.log.take().and_then(|log| log.join().ok()).flatten();
        End { success, error }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(log) = self.log.take() {
            self.killer.kill();
            self.killer.reap();
            let _ = log.join();
        }
    }
}

/// A picture takes fifty pipes of the usual 64 KiB, and each time one is full the processes take turns.
fn widen(pipe: &ChildStdout) {
    // Where it can't be, all works as before.
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, 1 << 20);
    #[cfg(not(target_os = "linux"))]
    let _ = pipe;
}

/// Keeps the last error, and finds the frame rate.
fn listen(stderr: impl Read, fps: &SyncSender<f64>) -> Option<String> {
    let mut error = None;
    let mut line = Vec::new();
    let mut stderr = BufReader::new(stderr);
    // Lines are text in whatever encoding the file had.
    loop {
        line.clear();
        if !stderr.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            return error;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if let Some(said) = text.split_once("[error] ").or_else(|| text.split_once("[fatal] ")) {
            error = Some(said.1.to_owned());
        } else if let Some(rate) = frame_rate(text) {
            // The first line is the input's; nobody may be interested in any.
            let _ = fps.try_send(rate);
        }
    }
}

/// `25 fps` or, without an average, the `25 tbr` of `Stream #0:0: Video: h264 ..., 640x360, 25 fps, 25 tbr, 90k tbn`.
fn frame_rate(line: &str) -> Option<f64> {
    let video = line.split_once("Video: ")?.1;
    let rate = |unit| {
        let number = video.split(", ").find_map(|part| part.strip_suffix(unit))?;
        let (number, factor) = number.strip_suffix('k').map_or((number, 1.0), |number| (number, 1000.0));
        number.parse::<f64>().ok().map(|number| number * factor)
    };
    let tidy = |rate: &f64| rate.is_finite() && *rate > 0.0 && *rate <= 1000.0;
    rate(" fps").filter(tidy).or_else(|| rate(" tbr").filter(tidy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_found() {
        let line = "[info]   Stream #0:0: Video: h264 (High), yuv420p(progressive), 640x360 [SAR 1:1 DAR 16:9], 29.97 fps, 30 tbr, 90k tbn";
        assert_eq!(frame_rate(line), Some(29.97));
        assert_eq!(frame_rate("[info] Stream #0:0: Video: mjpeg, yuvj422p, 25 tbr, 1200k tbn"), Some(25.0));
        assert_eq!(frame_rate("[info] Stream #0:0: Video: h264, 90k tbr"), None);
        assert_eq!(frame_rate("[info] Stream #0:1: Audio: aac, 48000 Hz"), None);
    }

    #[test]
    fn the_last_error_is_kept() {
        let (found, fps) = sync_channel(1);
        let log = b"[info] Input\n[info] Stream #0:0: Video: a, 5 fps\n[error] first\n[h264 @ 0x1] [error] sec\xffond\n[info] bye\n";
        let error = listen(log.as_slice(), &found).unwrap();
        assert!(error.starts_with("sec") && error.ends_with("ond"), "{error}");
        assert_eq!(fps.try_recv(), Ok(5.0));
    }
}
