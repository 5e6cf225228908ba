//! How objects are given an identity over time, by settings with names.

use eyespot_core::{AnyError, Boxed, Tracker};
use eyespot_track::{BotSort, ByteTrack, ConfigError, OcSort, OcSortStorage, Sort, TrackStorage};

use crate::heap::on_heap;
use crate::shared_embedder::SharedEmbedder;
use crate::tracker_config::Value;
use crate::{CameraMotionMethod, RuntimeError, TrackerConfig};

/// Tracks, and detections per frame, that a session's tracker has room for.
const TRACKS: usize = 512;
const DETECTIONS: usize = 1024;

/// How appearances are kept: 512 numbers, as all networks of the OSNet family give, in a byte each.
type Feature = [i8; 512];

/// A tracker of any kind.
pub(crate) type BoxedTracker = Box<dyn Tracker<Error = AnyError> + Send>;

/// How objects are given an identity over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracking {
    /// The tracker and its settings. Where it has a frame rate and a switch for re-identification, the fields below
    /// are put in.
    pub tracker: TrackerConfig,
    /// How it learns of the motion of the camera.
    pub cmc_method: CameraMotionMethod,
    /// Look at how objects look (re-identification); for BoT-SORT. Off by default: it takes longer than the tracking
    /// itself, and needs a second model.
    pub with_reid: bool,
    /// The model that describes how objects look: a name or a file of weights.
    pub reid_model: String,
    /// Frames per second. `None` takes the frame rate of the source, or 30 where it has none.
    pub fps: Option<f32>,
}

impl Default for Tracking {
    fn default() -> Self {
        Self {
            tracker: TrackerConfig::default(),
            cmc_method: CameraMotionMethod::default(),
            with_reid: false,
            reid_model: "osnet/osnet-x0-25".to_owned(),
            fps: None,
        }
    }
}

impl Tracking {
    /// Reads settings such as `track_buffer=60`, in any order. `tracker` picks the tracker (`botsort`, `bytetrack`,
    /// `ocsort` or `sort`), whose options are settings by their names. Every tracker has `cmc_method` (`none`,
    /// `sparseOptFlow`, `orb` or `file:PATH`); `fps` is there for those that count in time, `with_reid` and
    /// `reid_model` for BoT-SORT.
    ///
    /// # Errors
    /// [`RuntimeError::Tracking`] for a name that the chosen tracker does not have, with all that it has, and for a
    /// value that can't be read or is outside its range.
    pub fn parse<S: AsRef<str>>(settings: &[S]) -> Result<Self, RuntimeError> {
        let mut tracking = Self::default();
        let pairs: Vec<(&str, &str, &str)> = settings
            .iter()
            .map(|setting| {
                let text = setting.as_ref();
                let wrong = || Self::wrong(text, "write NAME=VALUE, for example track_buffer=60");
                let (name, value) = text.split_once('=').ok_or_else(wrong)?;
                Ok((text, name.trim(), value.trim()))
            })
            .collect::<Result<_, RuntimeError>>()?;
        for (text, _, value) in pairs.iter().filter(|(_, name, _)| *name == "tracker") {
            tracking.tracker = TrackerConfig::parse(value).map_err(|reason| Self::wrong(text, reason))?;
        }
        for (text, name, value) in pairs.iter().filter(|(_, name, _)| *name != "tracker") {
            tracking.set(name, value).map_err(|reason| Self::wrong(text, reason))?;
        }
        // Ranges come last, for one setting may limit another.
        tracking.config(None).validate().map_err(|error| {
            let text = pairs.iter().rev().find(|(_, name, _)| *name == error.option);
            Self::wrong(text.map_or(error.option, |(text, ..)| text), error)
        })?;
        Ok(tracking)
    }

    fn wrong(setting: &str, reason: impl ToString) -> RuntimeError {
        RuntimeError::Tracking { setting: setting.to_owned(), reason: reason.to_string() }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let reid = matches!(self.tracker, TrackerConfig::BotSort(_));
        let timed = self.tracker.fps().is_some();
        match name {
            "cmc_method" => self.cmc_method = CameraMotionMethod::parse(value)?,
            "fps" if timed => self.fps = Some(Value::read(value)?),
            "with_reid" if reid => self.with_reid = Value::read(value)?,
            "reid_model" if reid => value.clone_into(&mut self.reid_model),
            _ => {
                if !self.tracker.set(name, value)? {
                    let (tracker, names) = self.tracker.names();
                    let timed = if timed { ", fps" } else { "" };
                    let reid = if reid { ", with_reid, reid_model" } else { "" };
                    let names = names.join(", ");
                    return Err(format!(
                        "{tracker} has no such setting; it has {names}, cmc_method{timed}{reid}"
                    ));
                }
            }
        }
        Ok(())
    }

    /// The tracker's settings for a source of so many frames per second.
    fn config(&self, fps: Option<f64>) -> TrackerConfig {
        let mut config = self.tracker;
        if let (Some(slot), Some(fps)) = (config.fps(), self.fps.or(fps.map(|fps| fps as f32))) {
            *slot = fps;
        }
        config
    }

    /// Are the settings in their ranges for a source of so many frames per second?
    pub(crate) fn validate(&self, fps: Option<f64>) -> Result<(), RuntimeError> {
        self.config(fps).validate().map_err(|error| Self::wrong(error.option, error))
    }

    /// Builds the tracker for a source of so many frames per second. The embedder counts if the settings ask for one.
    pub(crate) fn build(
        &self,
        fps: Option<f64>,
        embedder: Option<SharedEmbedder>,
    ) -> Result<BoxedTracker, RuntimeError> {
        let motion = self.cmc_method.build().map_err(|reason| Self::wrong("cmc_method", reason))?;
        let out_of_range = |error: ConfigError| Self::wrong(error.option, error);
        let storage = || on_heap(TrackStorage::<TRACKS, DETECTIONS>::new);
        Ok(match (self.config(fps), embedder) {
            (TrackerConfig::BotSort(mut config), Some(embedder)) if self.with_reid => {
                config.with_reid = true;
                let storage = on_heap(TrackStorage::<TRACKS, DETECTIONS, Feature>::with_features);
                let tracker = BotSort::with_camera_motion(config, storage, motion)
                    .and_then(|tracker| tracker.with_embedder(embedder))
                    .map_err(out_of_range)?;
                Box::new(tracker)
            }
            (_, None) if self.with_reid => {
                return Err(Self::wrong("with_reid", "there is no model that describes how objects look"));
            }
            (TrackerConfig::BotSort(config), _) => {
                let tracker = BotSort::with_camera_motion(config, storage(), motion).map_err(out_of_range)?;
                Box::new(Boxed(tracker))
            }
            (config, _) if self.with_reid => {
                let reason = format!("{} does not look at objects: take botsort", config.names().0);
                return Err(Self::wrong("with_reid", reason));
            }
            (TrackerConfig::ByteTrack(config), _) => {
                let tracker =
                    ByteTrack::with_camera_motion(config, storage(), motion).map_err(out_of_range)?;
                Box::new(Boxed(tracker))
            }
            (TrackerConfig::OcSort(config), _) => {
                let storage = on_heap(OcSortStorage::<TRACKS, DETECTIONS>::new);
                let tracker = OcSort::with_camera_motion(config, storage, motion).map_err(out_of_range)?;
                Box::new(Boxed(tracker))
            }
            (TrackerConfig::Sort(config), _) => {
                let tracker = Sort::with_camera_motion(config, storage(), motion).map_err(out_of_range)?;
                Box::new(Boxed(tracker))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use eyespot_core::{BBox, Embedder, ErrorType, Frame};
    use eyespot_track::{BotSortConfig, BoxFilter, ByteTrackConfig};

    use super::*;

    #[test]
    fn settings_are_read_in_any_order() {
        let tracking = Tracking::parse(&[
            "track_high_thresh=0.05",
            "fuse_score = false",
            "cmc_method=sparseOptFlow",
            "track_low_thresh=0.02",
            "box_filter=aspect",
            "with_reid=true",
            "reid_model=my.onnx",
            "fps=12.5",
            "tracker=BotSort",
        ])
        .unwrap();
        let config = BotSortConfig {
            track_high_thresh: 0.05,
            track_low_thresh: 0.02,
            fuse_score: false,
            box_filter: BoxFilter::Aspect,
            ..BotSortConfig::default()
        };
        assert_eq!(tracking.tracker, TrackerConfig::BotSort(config));
        assert_eq!(tracking.cmc_method, CameraMotionMethod::SparseOptFlow);
        assert_eq!((tracking.with_reid, tracking.reid_model.as_str()), (true, "my.onnx"));
        // A frame rate that is given goes before that of the source.
        let TrackerConfig::BotSort(config) = tracking.config(Some(25.0)) else { panic!() };
        assert_eq!(config.fps, 12.5);

        let tracking = Tracking::parse(&["track_buffer=60", "tracker=bytetrack"]).unwrap();
        let config = ByteTrackConfig { track_buffer: 60, fps: 25.0, ..ByteTrackConfig::default() };
        assert_eq!(tracking.config(Some(25.0)), TrackerConfig::ByteTrack(config));
    }

    #[test]
    fn every_name_of_every_tracker_is_a_setting() {
        for tracker in ["botsort", "bytetrack", "ocsort", "sort"] {
            let config = TrackerConfig::parse(tracker).unwrap();
            for name in config.names().1 {
                // No setting takes this text.
                let error =
                    Tracking::parse(&[&format!("tracker={tracker}"), &format!("{name}=?")]).unwrap_err();
                assert!(error.to_string().contains("no value"), "{error}");
            }
        }
    }

    #[test]
    fn settings_are_written_as_they_are_read() {
        for tracker in ["botsort", "bytetrack", "ocsort", "sort"] {
            let config = TrackerConfig::parse(tracker).unwrap();
            let mut settings = vec![format!("tracker={}", config.name())];
            settings.extend(config.settings().iter().map(|(name, value)| format!("{name}={value}")));
            assert_eq!(Tracking::parse(&settings).unwrap().tracker, config);
        }
        let aspect = Tracking::parse(&["box_filter=aspect", "track_buffer=7"]).unwrap().tracker.settings();
        assert!(aspect.contains(&("box_filter", "aspect".into())), "{aspect:?}");
        assert!(aspect.contains(&("track_buffer", "7".into())), "{aspect:?}");
    }

    #[test]
    fn wrong_settings_are_named() {
        for (settings, reason) in [
            (&["track_buffer"][..], "NAME=VALUE"),
            (&["track_bufer=3"], "track_buffer"),
            (&["match_thresh=x"], "a number"),
            (&["match_thresh=nan"], "between 0 and 1"),
            (&["tracker=deep"], "ocsort"),
            (&["cmc_method=ecc"], "file:PATH"),
            (&["clock=sun"], "timestamp"),
            (&["fps=0"], "fps"),
            (&["tracker=bytetrack", "appearance_thresh=0.2"], "track_thresh"),
            (&["tracker=bytetrack", "with_reid=true"], "no such setting"),
            (&["tracker=sort", "fps=20"], "max_age"),
        ] {
            let error = Tracking::parse(settings).unwrap_err().to_string();
            assert!(error.contains(settings[settings.len() - 1]) && error.contains(reason), "{error}");
        }
    }

    /// Finds all objects alike.
    struct Alike(usize);

    impl ErrorType for Alike {
        type Error = AnyError;
    }

    impl Embedder for Alike {
        fn dim(&self) -> usize {
            self.0
        }
        fn embed(
            &mut self,
            _: &Frame<'_>,
            boxes: &[BBox],
            out: &mut dyn FnMut(usize, &[f32]),
        ) -> Result<(), AnyError> {
            (0..boxes.len()).for_each(|index| out(index, &vec![1.0; self.0]));
            Ok(())
        }
    }

    #[test]
    fn every_tracker_and_method_can_be_built() {
        for tracker in ["botsort", "bytetrack", "ocsort", "sort"] {
            for method in ["none", "sparseOptFlow", "orb"] {
                let settings = [format!("tracker={tracker}"), format!("cmc_method={method}")];
                assert!(Tracking::parse(&settings).unwrap().build(Some(25.0), None).is_ok());
            }
        }
        let missing = Tracking::parse(&["cmc_method=file:no/such/file"]).unwrap();
        assert!(missing.build(None, None).err().unwrap().to_string().contains("no/such/file"));
    }

    #[test]
    fn an_embedder_is_needed_and_has_to_fit() {
        let build = |tracking: &Tracking, dim: Option<usize>| {
            let embedder = dim.map(|dim| SharedEmbedder::new(Box::new(Alike(dim))));
            tracking.build(None, embedder).map(|_| ()).map_err(|error| error.to_string())
        };
        let mut reid = Tracking { with_reid: true, ..Tracking::default() };
        assert_eq!(build(&reid, Some(512)), Ok(()));
        assert!(build(&reid, Some(128)).unwrap_err().contains("must be 512"));
        assert!(build(&reid, None).unwrap_err().contains("with_reid"));
        reid.tracker = TrackerConfig::parse("sort").unwrap();
        assert!(build(&reid, Some(512)).unwrap_err().contains("take botsort"));
    }
}
