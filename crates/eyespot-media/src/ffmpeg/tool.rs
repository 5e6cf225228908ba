//! Where ffmpeg is, and which one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::MediaError;

/// An ffmpeg that runs.
#[derive(Debug, Clone)]
pub(crate) struct Tool {
    ffmpeg: PathBuf,
    /// How this version is told to leave times alone.
    timing: &'static str,
}

impl Tool {
    /// The one of `EYESPOT_FFMPEG`, or of the search path. `what` is what it is needed for, in words.
    pub(crate) fn find(input: &str, what: &str) -> Result<Self, MediaError> {
        Self::find_at(std::env::var_os("EYESPOT_FFMPEG"))
            .ok_or_else(|| MediaError::NoFfmpeg { input: input.to_owned(), what: what.to_owned() })
    }

    pub(crate) fn find_at(path: Option<OsString>) -> Option<Self> {
        let ffmpeg = PathBuf::from(path.filter(|path| !path.is_empty()).unwrap_or_else(|| "ffmpeg".into()));
        let output =
            Command::new(&ffmpeg).arg("-version").stdin(Stdio::null()).stderr(Stdio::null()).output();
        let output = output.ok().filter(|output| output.status.success())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let timing = if is_before_5_1(&text) { "-vsync" } else { "-fps_mode" };
        text.starts_with("ffmpeg").then_some(Self { ffmpeg, timing })
    }

    /// A call that writes the pictures of `input` (and the arguments that belong before it) to its output. `codec` names a
    /// decoder; `None` is its choice.
    pub(crate) fn command(
        &self,
        before: &[OsString],
        codec: Option<&str>,
        input: &str,
        filter: Option<&str>,
        frames: Option<u64>,
    ) -> Command {
        let mut command = Command::new(&self.ffmpeg);
        command.args(["-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info"]).args(before);
        if let Some(codec) = codec {
            command.args(["-c:v", codec]);
        }
        command.args(["-i", input, "-map", "0:v:0", "-an", "-sn", "-dn", self.timing, "passthrough"]);
        if let Some(filter) = filter {
            command.args(["-vf", filter]);
        }
        if let Some(frames) = frames {
            command.args(["-frames:v", &frames.to_string()]);
        }
        command.args(["-enc_time_base", "1:1000000", "-c:v", "rawvideo", "-pix_fmt", "yuv420p"]);
        command.args(["-write_index", "0", "-f", "nut", "pipe:1"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The ffprobe that stands beside it.
    pub(crate) fn ffprobe(&self) -> Command {
        beside(&self.ffmpeg, "ffprobe")
    }
}

/// The ffplay that stands beside the ffmpeg of `EYESPOT_FFMPEG`, or that of the search path. It may not be there.
pub(crate) fn player() -> Command {
    let ffmpeg = std::env::var_os("EYESPOT_FFMPEG").filter(|path| !path.is_empty());
    beside(Path::new(&ffmpeg.unwrap_or_else(|| "ffmpeg".into())), "ffplay")
}

/// A tool that comes with ffmpeg.
fn beside(ffmpeg: &Path, tool: &str) -> Command {
    let name = ffmpeg.file_name().unwrap_or_default().to_string_lossy().replacen("ffmpeg", tool, 1);
    Command::new(ffmpeg.parent().unwrap_or(Path::new("")).join(name))
}

/// A path or address as ffmpeg takes it: a path with a colon is no protocol, one with a dash is no option.
pub(crate) fn input_of(input: &str) -> String {
    if input.contains("://") { input.to_owned() } else { format!("file:{input}") }
}

/// `ffmpeg version 4.4.2-0ubuntu...`; builds from the repository begin with a letter and are new.
fn is_before_5_1(text: &str) -> bool {
    let version = text.split_whitespace().nth(2).unwrap_or_default();
    let mut numbers = version.trim_start_matches('n').split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next().and_then(|number| number.parse::<u32>().ok());
    match (next(), next()) {
        (Some(major), minor) => (major, minor.unwrap_or(0)) < (5, 1),
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        for old in ["4.4.2-0ubuntu0.22.04.1", "5.0.1", "n3.4", "4"] {
            assert!(is_before_5_1(&format!("ffmpeg version {old} Copyright")), "{old}");
        }
        for new in ["5.1.9-0+deb12u1", "6.0", "n7.1", "N-113110-gdd5a2", "2024-01-01-git-abc"] {
            assert!(!is_before_5_1(&format!("ffmpeg version {new} Copyright")), "{new}");
        }
    }

    #[test]
    fn no_ffmpeg_is_said() {
        assert!(Tool::find_at(Some("/nonexistent/ffmpeg".into())).is_none());
        let error = MediaError::NoFfmpeg { input: "a.mkv".into(), what: "HEVC (H.265)".into() }.to_string();
        for part in ["a.mkv", "HEVC", "install", "EYESPOT_FFMPEG", "MP4 with H.264 works"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
