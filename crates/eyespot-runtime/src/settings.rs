//! The arguments of a prediction, by the names of the Prediction API.

use std::str::FromStr;

use eyespot_core::PredictOptions;
use eyespot_decode::Merge;
use eyespot_media::VideoOptions;
use eyespot_track::BotSortConfig;
use eyespot_window::Tiles;

use crate::RuntimeError;

/// What a caller may ask of a session. What is `None` is the model's default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// Keep detections with at least this score, `0..=1`.
    pub conf: Option<f32>,
    /// Suppress a detection that overlaps a better one of its class by more than this IoU, `0..=1`.
    pub iou: Option<f32>,
    /// Keep only these classes.
    pub classes: Option<Vec<String>>,
    /// Search directories inside directories too.
    pub recursive: bool,
    /// Which frames of a video.
    pub video: VideoOptions,
    /// Look at large frames window by window.
    pub sliding_window: Option<WindowSettings>,
    /// Give objects an identity over time.
    pub tracking: Option<BotSortConfig>,
}

impl Settings {
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
    /// Windows of the model's input size, side by side.
    fn default() -> Self {
        Self { tiles: Tiles::of_model(), merge: Merge::default(), whole_frame: false }
    }
}

/// Changes one setting of the tracker, for example `track_buffer=60`.
///
/// # Errors
/// [`RuntimeError::Tracking`] for an unknown name, with all that there are, or a value that can't be read or is
/// outside its range.
pub fn set_tracking(config: &mut BotSortConfig, setting: &str) -> Result<(), RuntimeError> {
    let wrong = |reason: String| RuntimeError::Tracking { setting: setting.to_owned(), reason };
    let (name, value) = setting
        .split_once('=')
        .ok_or_else(|| wrong("write NAME=VALUE, for example track_buffer=60".into()))?;
    let (name, value) = (name.trim(), value.trim());
    match name {
        "tracker" if value.eq_ignore_ascii_case("botsort") => {}
        "tracker" => return Err(wrong("the only tracker is botsort".into())),
        "track_high_thresh" => config.track_high_thresh = read(value).map_err(wrong)?,
        "track_low_thresh" => config.track_low_thresh = read(value).map_err(wrong)?,
        "new_track_thresh" => config.new_track_thresh = read(value).map_err(wrong)?,
        "track_buffer" => config.track_buffer = read(value).map_err(wrong)?,
        "match_thresh" => config.match_thresh = read(value).map_err(wrong)?,
        "fuse_score" => config.fuse_score = read(value).map_err(wrong)?,
        "min_box_area" => config.min_box_area = read(value).map_err(wrong)?,
        "fps" => config.fps = read(value).map_err(wrong)?,
        _ => {
            return Err(wrong(
                "no such setting; there are tracker, track_high_thresh, track_low_thresh, new_track_thresh, \
                 track_buffer, match_thresh, fuse_score, min_box_area and fps"
                    .into(),
            ));
        }
    }
    config.validate().map_err(|error| wrong(error.to_string()))
}

fn read<T: FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("`{value}` is no value for it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracking_settings_are_read_and_wrong_ones_explained() {
        let mut config = BotSortConfig::default();
        set_tracking(&mut config, "track_buffer=60").unwrap();
        set_tracking(&mut config, "fuse_score = false").unwrap();
        set_tracking(&mut config, "tracker=botsort").unwrap();
        assert_eq!((config.track_buffer, config.fuse_score), (60, false));
        for wrong in ["track_buffer", "track_bufer=3", "match_thresh=x", "match_thresh=nan", "tracker=sort"] {
            let error = set_tracking(&mut config, wrong).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn thresholds_outside_their_range_are_refused() {
        let settings = |conf| Settings { conf: Some(conf), ..Settings::default() };
        assert!(settings(0.4).options().is_ok());
        assert!(settings(f32::NAN).options().is_err());
    }
}
