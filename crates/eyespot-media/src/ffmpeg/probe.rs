//! What ffprobe knows of a video.

use std::process::Stdio;

use serde::Deserialize;

use super::tool::{Tool, input_of};
use crate::MediaError;

/// What is known of a video before it is decoded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Probe {
    pub(crate) fps: Option<f64>,
    /// How many frames the container names.
    pub(crate) frames: Option<u64>,
    /// The matrix, as a number of ISO/IEC 23091-2.
    pub(crate) matrix: Option<u8>,
    pub(crate) full_range: bool,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    streams: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    avg_frame_rate: Option<String>,
    r_frame_rate: Option<String>,
    nb_frames: Option<String>,
    color_space: Option<String>,
    color_range: Option<String>,
    pix_fmt: Option<String>,
}

const ENTRIES: &str = "stream=avg_frame_rate,r_frame_rate,nb_frames,color_space,color_range,pix_fmt";

/// Asks ffprobe; without one nothing is known.
pub(crate) fn probe(tool: &Tool, input: &str) -> Result<Probe, MediaError> {
    let mut command = tool.ffprobe();
    command.args(["-v", "error", "-select_streams", "v:0", "-show_entries", ENTRIES, "-of", "json"]);
    command.arg(input_of(input)).stdin(Stdio::null());
    let Ok(output) = command.output() else { return Ok(Probe::default()) };
    let failed = |reason: &str| MediaError::Ffmpeg { input: input.to_owned(), reason: reason.to_owned() };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(failed(said.lines().last().unwrap_or("it is no video that it knows")));
    }
    let answer =
        serde_json::from_slice::<Answer>(&output.stdout).map_err(|error| failed(&error.to_string()))?;
    let stream = answer.streams.into_iter().next().ok_or_else(|| failed("it has no video"))?;
    Ok(Probe::from(stream))
}

impl From<Stream> for Probe {
    fn from(stream: Stream) -> Self {
        let rate = |text: Option<&str>| {
            let (numerator, denominator) = text?.split_once('/')?;
            let rate = numerator.parse::<f64>().ok()? / denominator.parse::<f64>().ok()?;
            (rate.is_finite() && rate > 0.0).then_some(rate)
        };
        // A format whose name says "full range" is converted to limited range on the way here.
        let converted = stream.pix_fmt.is_some_and(|format| format.starts_with("yuvj"));
        Self {
            fps: rate(stream.avg_frame_rate.as_deref()).or_else(|| rate(stream.r_frame_rate.as_deref())),
            frames: stream.nb_frames.and_then(|frames| frames.parse().ok()).filter(|&frames| frames > 0),
            matrix: match stream.color_space.as_deref() {
                Some("bt709") => Some(1),
                Some("fcc") => Some(4),
                Some("bt470bg") => Some(5),
                Some("smpte170m") => Some(6),
                Some("bt2020nc" | "bt2020c") => Some(9),
                _ => None,
            },
            full_range: !converted && stream.color_range.as_deref() == Some("pc"),
        }
    }
}
