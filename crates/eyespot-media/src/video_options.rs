//! Which frames of a video are wanted.

/// Which frames of a video to give. All by default; where several bounds are set, the tightest wins.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct VideoOptions {
    /// Step between frames: 1 gives every frame, 2 every second one. `None` means 1.
    pub stride: Option<u32>,
    /// First frame, from 0.
    pub start_frame: u64,
    /// Where to end: this frame is not given any more.
    pub end_frame: Option<u64>,
    /// At most so many frames, counted after the stride.
    pub num_frames: Option<u64>,
    /// At most so many seconds of video from the start frame, turned into frames with the frame rate.
    pub duration_s: Option<f64>,
}

/// Video settings that contradict each other or the video.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VideoOptionError {
    /// A stride of 0 goes nowhere.
    #[error("stride is 0: use 1 for every frame")]
    ZeroStride,
    /// No frames are asked for.
    #[error("num_frames is 0: leave it out for all frames")]
    ZeroFrames,
    /// The duration is not a positive number.
    #[error("duration is {duration_s} seconds: it must be a positive number")]
    Duration {
        /// The duration in seconds.
        duration_s: f64,
    },
    /// The end is not after the start.
    #[error("end_frame {end_frame} is not after start_frame {start_frame}: the end is exclusive, raise it")]
    EmptyRange {
        /// First frame.
        start_frame: u64,
        /// Exclusive end.
        end_frame: u64,
    },
    /// The start lies behind the last frame.
    #[error("start_frame {start_frame} is behind the last of {frames} frames: lower it")]
    StartBeyondEnd {
        /// First frame.
        start_frame: u64,
        /// Frames of the video.
        frames: u64,
    },
}

/// The wanted frames: every `stride`-th of `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) stride: u64,
}

impl Wanted {
    pub(crate) const fn contains(&self, frame: u64) -> bool {
        frame >= self.start && frame < self.end && (frame - self.start).is_multiple_of(self.stride)
    }

    pub(crate) const fn count(&self) -> u64 {
        (self.end - self.start).div_ceil(self.stride)
    }
}

impl VideoOptions {
    /// Do the settings contradict each other? What depends on the video is seen when it is opened.
    ///
    /// # Errors
    /// [`VideoOptionError`].
    pub fn check(&self) -> Result<(), VideoOptionError> {
        self.resolve(u64::MAX, 1.0).map(drop)
    }

    /// The wanted frames of a video of `frames` frames at `fps` frames a second.
    pub(crate) fn resolve(&self, frames: u64, fps: f64) -> Result<Wanted, VideoOptionError> {
        let stride = match self.stride {
            Some(0) => return Err(VideoOptionError::ZeroStride),
            stride => u64::from(stride.unwrap_or(1)),
        };
        let start = self.start_frame;
        if let Some(end_frame) = self.end_frame.filter(|&end| end <= start) {
            return Err(VideoOptionError::EmptyRange { start_frame: start, end_frame });
        }
        if self.num_frames == Some(0) {
            return Err(VideoOptionError::ZeroFrames);
        }
        if start >= frames {
            return Err(VideoOptionError::StartBeyondEnd { start_frame: start, frames });
        }
        let mut end = self.end_frame.unwrap_or(frames).min(frames);
        if let Some(count) = self.num_frames {
            end = end.min(start.saturating_add((count - 1).saturating_mul(stride)).saturating_add(1));
        }
        if let Some(duration_s) = self.duration_s {
            if !(duration_s.is_finite() && duration_s > 0.0) {
                return Err(VideoOptionError::Duration { duration_s });
            }
            // At least one frame; rounding keeps a binary fraction from losing the last one.
            let span = ((duration_s * fps).round() as u64).max(1);
            end = end.min(start.saturating_add(span));
        }
        Ok(Wanted { start, end, stride })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn resolve(options: VideoOptions) -> Result<Vec<u64>, VideoOptionError> {
        let wanted = options.resolve(100, 25.0)?;
        Ok((0..100).filter(|&frame| wanted.contains(frame)).collect())
    }

    #[test]
    fn the_tightest_bound_wins() {
        let base = VideoOptions { stride: Some(10), start_frame: 5, ..VideoOptions::default() };
        assert_eq!(resolve(base).unwrap(), [5, 15, 25, 35, 45, 55, 65, 75, 85, 95]);
        assert_eq!(resolve(VideoOptions { end_frame: Some(45), ..base }).unwrap(), [5, 15, 25, 35]);
        let count = VideoOptions { end_frame: Some(45), num_frames: Some(2), ..base };
        assert_eq!(resolve(count).unwrap(), [5, 15]);
        assert_eq!(resolve(VideoOptions { duration_s: Some(1.0), ..base }).unwrap(), [5, 15, 25]);
        assert_eq!(resolve(VideoOptions { duration_s: Some(1.0), ..count }).unwrap(), [5, 15]);
        assert_eq!(resolve(VideoOptions { end_frame: Some(1000), ..base }).unwrap().len(), 10);
    }

    #[test]
    fn contradictions_are_named() {
        let error = |options: VideoOptions| resolve(options).unwrap_err();
        let all = VideoOptions::default();
        assert_eq!(error(VideoOptions { stride: Some(0), ..all }), VideoOptionError::ZeroStride);
        assert_eq!(error(VideoOptions { num_frames: Some(0), ..all }), VideoOptionError::ZeroFrames);
        let range = error(VideoOptions { start_frame: 9, end_frame: Some(9), ..all });
        assert_eq!(range, VideoOptionError::EmptyRange { start_frame: 9, end_frame: 9 });
        assert!(range.to_string().contains("end_frame 9") && range.to_string().contains("start_frame 9"));
        let beyond = error(VideoOptions { start_frame: 100, ..all });
        assert_eq!(beyond, VideoOptionError::StartBeyondEnd { start_frame: 100, frames: 100 });
        for duration_s in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = error(VideoOptions { duration_s: Some(duration_s), ..all });
            assert!(matches!(error, VideoOptionError::Duration { .. }));
        }
    }

    proptest! {
        #[test]
        fn the_count_is_right(
            stride in 1u32..20, start in 0u64..120, end in proptest::option::of(0u64..150),
            count in proptest::option::of(1u64..50), seconds in proptest::option::of(0.01f64..6.0),
        ) {
            let options = VideoOptions {
                stride: Some(stride), start_frame: start, end_frame: end, num_frames: count, duration_s: seconds,
            };
            if let Ok(wanted) = options.resolve(100, 25.0) {
                let frames = (0..200).filter(|&frame| wanted.contains(frame)).count() as u64;
                prop_assert_eq!(frames, wanted.count());
                prop_assert!(frames >= 1 && wanted.end <= 100);
            }
        }
    }
}
