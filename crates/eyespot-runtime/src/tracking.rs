//! Which tracker a session uses, and its settings by name.

use std::str::FromStr;

use eyespot_core::{AnyError, Boxed, Tracker};
use eyespot_flow::{FlowStorage, OrbFlow, OrbStorage, SparseFlow};
use eyespot_track::{
    BotSort, BotSortConfig, ByteTrack, ByteTrackConfig, ConfigError, OcSort, OcSortConfig, OcSortStorage,
    Sort, SortConfig, TrackStorage,
};

use crate::RuntimeError;

/// Tracks, and detections per frame, that a session's tracker has room for.
const TRACKS: usize = 512;
const DETECTIONS: usize = 1024;
/// Working size and corners of camera motion: what `eyespot-flow` recommends for hosts.
const PIXELS: usize = 640 * 360;
const CORNERS: usize = 960;

/// A tracker of any kind.
pub(crate) type BoxedTracker = Box<dyn Tracker<Error = AnyError> + Send>;

/// The trackers that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TrackerKind {
    /// BoT-SORT.
    #[default]
    BotSort,
    /// ByteTrack.
    ByteTrack,
    /// OC-SORT.
    OcSort,
    /// SORT.
    Sort,
}

/// How BoT-SORT learns of the motion of the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CameraMotionMethod {
    /// The camera stands still.
    #[default]
    None,
    /// Sparse optical flow.
    SparseOptFlow,
    /// Recognised keypoints (ORB).
    Orb,
}

/// How objects are given an identity over time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tracking {
    /// The tracker.
    pub tracker: TrackerKind,
    /// Camera motion, for BoT-SORT.
    pub cmc_method: CameraMotionMethod,
    /// Settings of BoT-SORT. The frame rate is that of the source, if it has one.
    pub config: BotSortConfig,
}

/// Names of the settings, for messages.
const SETTINGS: &str = "tracker, cmc_method, track_high_thresh, track_low_thresh, new_track_thresh, track_buffer, \
                        match_thresh, fuse_score, min_box_area and fps";

impl Tracking {
    /// Changes one setting, for example `track_buffer=60`.
    ///
    /// # Errors
    /// [`RuntimeError::Tracking`] for an unknown name, with all that there are; for a value that can't be read or is
    /// outside its range; and for a setting that the chosen tracker does not have.
    pub fn set(&mut self, setting: &str) -> Result<(), RuntimeError> {
        let wrong = |reason: String| RuntimeError::Tracking { setting: setting.to_owned(), reason };
        let (name, value) = setting
            .split_once('=')
            .ok_or_else(|| wrong("write NAME=VALUE, for example track_buffer=60".into()))?;
        let (name, value, config) = (name.trim(), value.trim(), &mut self.config);
        match name {
            "tracker" => {
                self.tracker = match value.to_ascii_lowercase().as_str() {
                    "botsort" => TrackerKind::BotSort,
                    "bytetrack" => TrackerKind::ByteTrack,
                    "ocsort" => TrackerKind::OcSort,
                    "sort" => TrackerKind::Sort,
                    _ => return Err(wrong("there are botsort, bytetrack, ocsort and sort".into())),
                };
                return Ok(());
            }
            "cmc_method" => {
                self.cmc_method = match value.to_ascii_lowercase().as_str() {
                    "none" => CameraMotionMethod::None,
                    "sparseoptflow" => CameraMotionMethod::SparseOptFlow,
                    "orb" => CameraMotionMethod::Orb,
                    _ => return Err(wrong("there are none, sparseOptFlow and orb".into())),
                };
            }
            "track_high_thresh" => config.track_high_thresh = read(value).map_err(wrong)?,
            "track_low_thresh" => config.track_low_thresh = read(value).map_err(wrong)?,
            "new_track_thresh" => config.new_track_thresh = read(value).map_err(wrong)?,
            "track_buffer" => config.track_buffer = read(value).map_err(wrong)?,
            "match_thresh" => config.match_thresh = read(value).map_err(wrong)?,
            "fuse_score" => config.fuse_score = read(value).map_err(wrong)?,
            "min_box_area" => config.min_box_area = read(value).map_err(wrong)?,
            "fps" => config.fps = read(value).map_err(wrong)?,
            _ => return Err(wrong(format!("no such setting; there are {SETTINGS}"))),
        }
        config.validate().map_err(|error| wrong(error.to_string()))
    }

    /// Builds the tracker for a source of so many frames per second.
    pub(crate) fn build(&self, fps: Option<f64>) -> Result<BoxedTracker, RuntimeError> {
        let plain = Self { tracker: self.tracker, ..Self::default() };
        if self.tracker != TrackerKind::BotSort && *self != plain {
            return Err(RuntimeError::Tracking {
                setting: format!("{:?}", self.tracker).to_lowercase(),
                reason: "the other settings are those of botsort: leave them out, or take botsort".to_owned(),
            });
        }
        self.try_build(fps).map_err(|error| RuntimeError::Tracking {
            setting: error.option.to_owned(),
            reason: error.to_string(),
        })
    }

    fn try_build(&self, fps: Option<f64>) -> Result<BoxedTracker, ConfigError> {
        let mut config = self.config;
        if let Some(fps) = fps {
            config.fps = fps as f32;
        }
        let storage = || Box::new(TrackStorage::<TRACKS, DETECTIONS>::new());
        let observed = || Box::new(OcSortStorage::<TRACKS, DETECTIONS>::new());
        Ok(match (self.tracker, self.cmc_method) {
            (TrackerKind::BotSort, CameraMotionMethod::None) => {
                Box::new(Boxed(BotSort::new(config, storage())?))
            }
            (TrackerKind::BotSort, CameraMotionMethod::SparseOptFlow) => {
                let motion = SparseFlow::new(Box::new(FlowStorage::<PIXELS, CORNERS>::new()));
                Box::new(Boxed(BotSort::with_camera_motion(config, storage(), motion)?))
            }
            (TrackerKind::BotSort, CameraMotionMethod::Orb) => {
                let motion = OrbFlow::new(Box::new(OrbStorage::<PIXELS, CORNERS>::new()));
                Box::new(Boxed(BotSort::with_camera_motion(config, storage(), motion)?))
            }
            (TrackerKind::ByteTrack, _) => {
                let config = ByteTrackConfig { fps: config.fps, ..ByteTrackConfig::default() };
                Box::new(Boxed(ByteTrack::new(config, storage())?))
            }
            (TrackerKind::OcSort, _) => Box::new(Boxed(OcSort::new(OcSortConfig::default(), observed())?)),
            (TrackerKind::Sort, _) => Box::new(Boxed(Sort::new(SortConfig::default(), storage())?)),
        })
    }
}

fn read<T: FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("`{value}` is no value for it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_wrong_ones_explained() {
        let mut tracking = Tracking::default();
        for setting in
            ["track_buffer=60", "fuse_score = false", "tracker=botsort", "cmc_method=sparseOptFlow"]
        {
            tracking.set(setting).unwrap();
        }
        assert_eq!((tracking.config.track_buffer, tracking.config.fuse_score), (60, false));
        assert_eq!(tracking.cmc_method, CameraMotionMethod::SparseOptFlow);
        for wrong in ["track_buffer", "track_bufer=3", "match_thresh=x", "match_thresh=nan", "tracker=deep"] {
            let error = tracking.set(wrong).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn every_tracker_and_method_can_be_built() {
        let build = |settings: &[&str]| {
            let mut tracking = Tracking::default();
            settings.iter().for_each(|setting| tracking.set(setting).unwrap());
            tracking.build(Some(25.0)).map(|_| ())
        };
        for tracker in ["botsort", "bytetrack", "ocsort", "sort"] {
            build(&[&format!("tracker={tracker}")]).unwrap();
        }
        for method in ["none", "sparseOptFlow", "orb"] {
            build(&[&format!("cmc_method={method}")]).unwrap();
        }
        // A setting that would have no effect is refused.
        assert!(build(&["tracker=sort", "cmc_method=orb"]).is_err());
        assert!(build(&["tracker=bytetrack", "track_buffer=3"]).is_err());
    }
}
