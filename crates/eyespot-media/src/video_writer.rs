//! Video files: H.264 in MP4.

use std::fs::File;
use std::path::{Path, PathBuf};

use openh264::encoder::{
    Complexity, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, RateControlMode, VuiConfig,
};
use openh264::{OpenH264API, Timestamp};

use crate::h264::{NAL_PPS, NAL_SPS};
use crate::i420::{I420, coded_size};
use crate::mp4::{Muxer, Stream};
use crate::save::protect;
use crate::{Canvas, MediaError};

/// Writes frames as an H.264 video in MP4.
///
/// While it writes, the file has a fragment for each second, so that a crash costs no more than that. Finishing
/// (also by dropping) makes it an ordinary MP4. Frames may come at any distance in time. A size that is odd or below
/// 16 pixels is filled up by repeating the last column and row.
pub struct VideoWriter {
    path: PathBuf,
    fps: f32,
    /// Taken by the muxer with the first frame.
    file: Option<File>,
    open: Option<Open>,
    yuv: I420,
    frames: u64,
}

/// What exists from the first frame on.
struct Open {
    size: (u16, u16),
    encoder: Encoder,
    muxer: Option<Muxer<File>>,
    /// Time of the last frame, microseconds.
    time: u64,
}

impl core::fmt::Debug for VideoWriter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("VideoWriter")
            .field("path", &self.path)
            .field("fps", &self.fps)
            .field("frames", &self.frames)
            .finish_non_exhaustive()
    }
}

/// The longest time that a fragment collects, microseconds.
const FRAGMENT_US: u64 = 1_000_000;

impl VideoWriter {
    /// Creates the file. `input` is the file that the frames come from; it is never overwritten. `fps` is the rate of
    /// frames that is to be expected; how long each frame is really shown follows from the times.
    ///
    /// # Errors
    /// [`MediaError::WouldOverwrite`], [`MediaError::Write`], [`MediaError::DiskFull`].
    pub fn create(path: impl AsRef<Path>, input: Option<&Path>, fps: f32) -> Result<Self, MediaError> {
        let path = path.as_ref();
        protect(path, input)?;
        let file = File::create(path).map_err(|error| MediaError::write(path, error))?;
        let fps = if fps.is_finite() { fps.clamp(1.0, 240.0) } else { 30.0 };
        let (open, yuv) = (None, I420::default());
        Ok(Self { path: path.to_path_buf(), fps, file: Some(file), open, yuv, frames: 0 })
    }

    /// Adds a frame that is shown from `timestamp_us` (microseconds, as in `FrameInfo`) until the next one. A time
    /// that does not go on counts as one frame after the last.
    ///
    /// # Errors
    /// [`MediaError::FrameSize`], [`MediaError::VideoSize`], [`MediaError::Coder`], [`MediaError::DiskFull`],
    /// [`MediaError::Write`]. What was written before stays valid, and the next frame may be written.
    pub fn write(&mut self, canvas: &Canvas, timestamp_us: u64) -> Result<(), MediaError> {
        let size = (canvas.width(), canvas.height());
        if self.open.is_none() {
            self.open = Some(self.start(size, timestamp_us)?);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        if open.size != size {
            return Err(MediaError::FrameSize { path: self.path.clone(), expected: open.size, got: size });
        }
        let step = nominal_step(self.fps);
        let time = if self.frames == 0 || timestamp_us > open.time { timestamp_us } else { open.time + step };
        if let Some(muxer) = &mut open.muxer
            && muxer.collected_since().is_some_and(|since| time - since >= FRAGMENT_US)
            && let Err(error) = muxer.end_fragment(time)
        {
            // The fragment is lost, so that no frame after it may depend on it.
            open.encoder.force_intra_frame();
            return Err(MediaError::write(&self.path, error));
        }
        self.yuv.convert(canvas);
        let failed = |reason| MediaError::Coder { path: self.path.clone(), role: "encoder", reason };
        let stream = open
            .encoder
            .encode_at(&self.yuv, Timestamp::from_millis(time / 1000))
            .map_err(|error| failed(error.to_string()))?;
        let sync = stream.frame_type() == FrameType::IDR;
        let (mut bytes, mut sps, mut pps) = (Vec::new(), None, None);
        for layer in (0..stream.num_layers()).filter_map(|index| stream.layer(index)) {
            for unit in (0..layer.nal_count()).filter_map(|index| layer.nal_unit(index)) {
                let unit = without_start_code(unit);
                match unit.first().map(|header| header & 0x1f) {
                    Some(NAL_SPS) => sps = Some(unit.to_vec()),
                    Some(NAL_PPS) => pps = Some(unit.to_vec()),
                    Some(_) => {
                        bytes.extend_from_slice(&(unit.len() as u32).to_be_bytes());
                        bytes.extend_from_slice(unit);
                    }
                    None => {}
                }
            }
        }
        if bytes.is_empty() {
            return Err(failed("it left the frame out".into()));
        }
        if open.muxer.is_none() {
            let (Some(sps), Some(pps), Some(file)) = (sps, pps, self.file.take()) else {
                return Err(failed("the first frame has no parameter sets".into()));
            };
            let (width, height) = coded_size(size.0, size.1);
            let muxer = Muxer::new(file, Stream { width, height, sps, pps });
            open.muxer = Some(muxer.map_err(|error| MediaError::write(&self.path, error))?);
        }
        if let Some(muxer) = &mut open.muxer {
            muxer.add(&bytes, time, sync);
        }
        open.time = time;
        self.frames += 1;
        Ok(())
    }

    fn start(&self, size: (u16, u16), time: u64) -> Result<Open, MediaError> {
        let (width, height) = coded_size(size.0, size.1);
        let (long, short) = (width.max(height), width.min(height));
        if long > 3840 || short > 2160 {
            return Err(MediaError::VideoSize { path: self.path.clone(), width: size.0, height: size.1 });
        }
        // Without rate control every frame has the same good quality (quantizer 26): there is no channel to fit, and
        // no frame may be left out. A start every two seconds makes seeking quick.
        let config = EncoderConfig::new()
            .max_frame_rate(FrameRate::from_hz(self.fps))
            .rate_control_mode(RateControlMode::Off)
            .skip_frames(false)
            .complexity(Complexity::Medium)
            .intra_frame_period(IntraFramePeriod::from_num_frames((self.fps * 2.0).round() as u32))
            .vui(VuiConfig::bt709());
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config).map_err(|error| {
            MediaError::Coder { path: self.path.clone(), role: "encoder", reason: error.to_string() }
        })?;
        Ok(Open { size, encoder, muxer: None, time })
    }

    /// How many frames were written.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// Puts all frames so far into the file.
    ///
    /// # Errors
    /// [`MediaError::DiskFull`], [`MediaError::Write`].
    pub fn flush(&mut self) -> Result<(), MediaError> {
        let Some(Open { muxer: Some(muxer), encoder, time, .. }) = &mut self.open else { return Ok(()) };
        muxer.end_fragment(*time + nominal_step(self.fps)).map_err(|error| {
            encoder.force_intra_frame();
            MediaError::write(&self.path, error)
        })
    }

    /// Writes the last frames and the index. Dropping does the same but can't report an error.
    ///
    /// # Errors
    /// [`MediaError::DiskFull`], [`MediaError::Write`]: the file plays, up to the last whole fragment.
    pub fn finish(mut self) -> Result<(), MediaError> {
        self.close()
    }

    fn close(&mut self) -> Result<(), MediaError> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let Some(mut muxer) = open.muxer.take() else { return Ok(()) };
        let end = open.time + nominal_step(self.fps);
        muxer.finish(end).map_err(|error| MediaError::write(&self.path, error))
    }
}

impl Drop for VideoWriter {
    fn drop(&mut self) {
        // Nobody is left to tell; `finish` reports.
        let _ = self.close();
    }
}

/// Microseconds from one frame to the next at a steady rate.
fn nominal_step(fps: f32) -> u64 {
    (1e6 / fps).round() as u64
}

fn without_start_code(unit: &[u8]) -> &[u8] {
    unit.strip_prefix(&[0, 0, 0, 1]).or_else(|| unit.strip_prefix(&[0, 0, 1])).unwrap_or(unit)
}
