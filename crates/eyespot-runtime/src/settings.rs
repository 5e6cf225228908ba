//! The arguments of a prediction, by the names of the Prediction API.

use std::num::NonZeroUsize;

use eyespot_core::{InputSize, PredictOptions};
use eyespot_decode::{Merge, Overlap};
use eyespot_media::{ImageOptions, SourceOptions, VideoDecoder, VideoOptions};
use eyespot_window::Tiles;

use crate::{RuntimeError, Tracking};

/// What a caller may ask of a session. What is `None` is the model's default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// Keep detections with at least this score, `0..=1`.
    pub conf: Option<f32>,
    /// Suppress a detection that overlaps a better one of its class by more than this IoU, `0..=1`.
    pub iou: Option<f32>,
    /// How many frames, or windows of a frame, the model gets at once.
    pub batch_size: Option<NonZeroUsize>,
    /// Size of the model's input. With a sliding window: the size to which each frame is resized before it is cut.
    pub img_size: Option<InputSize>,
    /// Keep only these classes.
    pub classes: Option<Vec<String>>,
    /// Search directories inside directories too.
    pub recursive: bool,
    /// Which frames of a video.
    pub video: VideoOptions,
    /// What decodes videos and streams.
    pub decoder: VideoDecoder,
    /// Look at large frames window by window.
    pub sliding_window: Option<WindowSettings>,
    /// Give objects an identity over time.
    pub tracking: Option<Tracking>,
}

impl Settings {
    /// How inputs are to be opened.
    #[must_use]
    pub fn source_options(&self) -> SourceOptions {
        let images = ImageOptions { recursive: self.recursive, ..ImageOptions::default() };
        SourceOptions { images, video: self.video, decoder: self.decoder.clone(), ..SourceOptions::default() }
    }

    /// How many frames the model gets at once.
    pub(crate) fn batch(&self) -> usize {
        self.batch_size.map_or(1, NonZeroUsize::get)
    }

    /// The options of each prediction, without the classes.
    pub(crate) fn options(&self) -> Result<PredictOptions<'static>, RuntimeError> {
        let mut options = PredictOptions::new();
        if let Some(conf) = self.conf {
            options = options.with_conf(conf)?;
        }
        if let Some(iou) = self.iou {
            options = options.with_iou(iou)?;
        }
        Ok(options)
    }
}

/// How a frame is cut into windows and put together again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowSettings {
    /// Size and overlap of the windows.
    pub tiles: Tiles,
    /// How detections of neighbouring windows become one.
    pub merge: Merge,
    /// Look at the whole frame once as well, for objects larger than a window.
    pub whole_frame: bool,
}

impl Default for WindowSettings {
    /// Windows of the model's input size, side by side; detections that share half of their union are merged. (By the
    /// smaller area more cut objects become whole, but neighbours in crowds become one: on a mosaic of photos AP50
    /// falls from .46 to .39.)
    fn default() -> Self {
        let merge = Merge::nmm(0.5).with_overlap(Overlap::Iou);
        Self { tiles: Tiles::of_model(), merge, whole_frame: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_outside_their_range_are_refused() {
        let settings = |conf| Settings { conf: Some(conf), ..Settings::default() };
        assert!(settings(0.4).options().is_ok());
        assert!(settings(f32::NAN).options().is_err());
    }
}
