//! Options of BoT-SORT.

use eyespot_core::{Error, ErrorKind};

/// How the classes of detections and tracks restrict one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClassPolicy {
    /// Classes do not matter for matching. A track's class is the one with the largest sum of scores so far, so a
    /// flickering class does not break an identity.
    #[default]
    Vote,
    /// A detection only continues a track of its own class. Boxes of different classes still count as duplicates of
    /// one another.
    Gated,
    /// As if each class had its own tracker. Ids are unique over all classes.
    Isolated,
}

/// What the Kalman filter knows about a box besides its centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BoxFilter {
    /// Width and height, each with noise in proportion to itself, as in BoT-SORT.
    #[default]
    Sides,
    /// Width over height, and height, with noise in proportion to the height, as in ByteTrack.
    Aspect,
}

/// What tells how much time went by between two frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// The frame's number: a step of 3 means that two frames were left out. A number that does not grow counts as
    /// one step.
    #[default]
    Index,
    /// The frame's time: a step is `1 / fps` seconds, fractions included. A time that does not grow counts as one
    /// step.
    Timestamp,
}

/// Options of [`BotSort`](crate::BotSort), by the names of the original and of Supervisely's tracker.
///
/// [`default`](Self::default) is what to use; [`reference`](Self::reference) makes the choices of the original
/// implementation, for comparisons.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BotSortConfig {
    /// Detections with a score above this are matched first and may start tracks.
    pub track_high_thresh: f32,
    /// Detections with a score above this, but not above `track_high_thresh`, may continue tracks that found no
    /// better one. The others are ignored.
    pub track_low_thresh: f32,
    /// The score that an unmatched detection needs to start a track.
    pub new_track_thresh: f32,
    /// How long a lost track is remembered, in frames at 30 frames per second. Counted in real time: at `fps` 15 the
    /// track is remembered for half as many frames.
    pub track_buffer: u32,
    /// A pair is matched in the first stage only if it costs less. The cost is `1 - IoU`, changed by `fuse_score`,
    /// `height_iou` and `score_change_weight`.
    pub match_thresh: f32,
    /// The limit of the cost in the second stage, between unmatched tracks and low-score detections.
    pub second_match_thresh: f32,
    /// The limit of the cost in the third stage, between unconfirmed tracks and detections that are left over.
    pub unconfirmed_match_thresh: f32,
    /// Look at appearances, where the tracker has an embedder ([`BotSort::with_embedder`](crate::BotSort::with_embedder))
    /// or is given features. `false` neither calls the embedder nor compares features.
    pub with_reid: bool,
    /// Appearance counts only between boxes that overlap and have a `1 - IoU` up to this. Without `with_reid` it has no
    /// effect.
    pub proximity_thresh: f32,
    /// Appearance counts only up to this half of the cosine distance: 0 for equal, 1 for opposite ones. The cost of a
    /// pair is then the smaller one of that by boxes and this distance.
    pub appearance_thresh: f32,
    /// Multiply the IoU by the score of the detection, so that better detections win. Not in the second stage.
    pub fuse_score: bool,
    /// Multiply the IoU by the overlap of the vertical extents (intersection over union in one dimension), in all
    /// stages. People who pass one another seldom have the same height in the picture ("height-modulated IoU": Yang
    /// et al., "Hybrid-SORT", 2024).
    pub height_iou: bool,
    /// What a change of the score costs: this times the difference of the scores of detection and track, in the first
    /// and third stage. A person who gets covered loses score slowly (Yang et al., "Hybrid-SORT", 2024).
    pub score_change_weight: f32,
    /// A track may be continued by a low-score detection while it has been lost for at most this many frames; 0 lets
    /// only tracks of the previous frame take part in the second stage, as the original does.
    pub second_match_lost: u32,
    /// A detection that overlaps a track seen in this frame by more than this IoU does not start a track; 1 allows
    /// all.
    pub new_track_iou: f32,
    /// What the filter knows about a box besides its centre.
    pub box_filter: BoxFilter,
    /// Compare detections with the box where a track was last seen, not with where the filter foresees it. The camera's
    /// motion does not move such a box. ByteTrack-cpp does so; `false` is better wherever objects move.
    pub match_last_seen: bool,
    /// Standard deviation of a box coordinate, as a part of the box's width or height: of a measurement, and of the
    /// change from frame to frame that the motion model does not explain.
    pub std_weight_position: f32,
    /// Standard deviation of the change of a velocity, as a part of the box's width or height per frame.
    pub std_weight_velocity: f32,
    /// Of a tracked and a lost track with a larger IoU than this, the younger is removed.
    pub duplicate_iou: f32,
    /// Tracks whose box has at most this area in square pixels are not reported.
    pub min_box_area: f32,
    /// Tracks whose box is wider than this times its height are not reported. For standing people alone the original
    /// writes its result files with 1.6; here the default is infinite.
    pub aspect_ratio_thresh: f32,
    /// Frames per second of the source. Scales `track_buffer` and, with [`Clock::Timestamp`], the time step.
    pub fps: f32,
    /// What tells the time between frames.
    pub clock: Clock,
    /// What classes mean for matching.
    pub class_policy: ClassPolicy,
    /// Report tracks already on their first detection, before a second one has confirmed them.
    pub report_unconfirmed: bool,
    /// Measure boxes in whole pixels that include both edges, so that a box from 0 to 10 is 11 wide: the convention
    /// of the original. Wrong for normalised coordinates.
    pub inclusive_pixels: bool,
    /// A score equal to `track_high_thresh` belongs to neither stage, and width and height turn with the camera like
    /// a vector: two oddities of the original. Otherwise such a score is high, and sizes follow the zoom only.
    pub original_oddities: bool,
}

impl BotSortConfig {
    /// The choices of the original implementation with its settings for MOT17, including its quirks.
    #[must_use]
    pub const fn reference() -> Self {
        Self {
            track_high_thresh: 0.6,
            track_low_thresh: 0.1,
            new_track_thresh: 0.7,
            track_buffer: 30,
            match_thresh: 0.8,
            second_match_thresh: 0.5,
            unconfirmed_match_thresh: 0.7,
            with_reid: true,
            proximity_thresh: 0.5,
            appearance_thresh: 0.25,
            fuse_score: true,
            height_iou: false,
            score_change_weight: 0.0,
            second_match_lost: 0,
            new_track_iou: 1.0,
            box_filter: BoxFilter::Sides,
            match_last_seen: false,
            std_weight_position: 1.0 / 20.0,
            std_weight_velocity: 1.0 / 160.0,
            duplicate_iou: 0.85,
            min_box_area: 10.0,
            aspect_ratio_thresh: f32::INFINITY,
            fps: 30.0,
            clock: Clock::Index,
            class_policy: ClassPolicy::Vote,
            report_unconfirmed: true,
            inclusive_pixels: true,
            original_oddities: true,
        }
    }

    /// Frames for which a lost track is remembered.
    #[must_use]
    pub fn max_time_lost(&self) -> f32 {
        libm::floorf(self.fps / 30.0 * self.track_buffer as f32)
    }

    /// By how much the right and bottom edges lie further out than given.
    pub(crate) const fn margin(&self) -> f32 {
        if self.inclusive_pixels { 1.0 } else { 0.0 }
    }

    /// Checks every option.
    ///
    /// # Errors
    /// [`ConfigError`] names the first option that is outside its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let unit = [
            ("track_high_thresh", self.track_high_thresh),
            ("track_low_thresh", self.track_low_thresh),
            ("new_track_thresh", self.new_track_thresh),
            ("match_thresh", self.match_thresh),
            ("second_match_thresh", self.second_match_thresh),
            ("unconfirmed_match_thresh", self.unconfirmed_match_thresh),
            ("proximity_thresh", self.proximity_thresh),
            ("appearance_thresh", self.appearance_thresh),
            ("score_change_weight", self.score_change_weight),
            ("new_track_iou", self.new_track_iou),
            ("duplicate_iou", self.duplicate_iou),
        ];
        for (option, value) in unit {
            within(option, value, 0.0, 1.0)?;
        }
        within("track_low_thresh", self.track_low_thresh, 0.0, self.track_high_thresh)?;
        within("std_weight_position", self.std_weight_position, 1e-3, 1.0)?;
        within("std_weight_velocity", self.std_weight_velocity, 0.0, 1.0)?;
        within("min_box_area", self.min_box_area, 0.0, 1e12)?;
        within("aspect_ratio_thresh", self.aspect_ratio_thresh, 1e-6, f32::INFINITY)?;
        within("fps", self.fps, 0.001, 100_000.0)?;
        within("track_buffer", self.track_buffer as f32, 0.0, 1e6)
    }
}

impl Default for BotSortConfig {
    fn default() -> Self {
        Self {
            new_track_thresh: 0.65,
            match_thresh: 0.9,
            height_iou: true,
            score_change_weight: 0.1,
            second_match_lost: 1,
            new_track_iou: 0.5,
            std_weight_velocity: 1.0 / 250.0,
            min_box_area: 0.0,
            report_unconfirmed: false,
            inclusive_pixels: false,
            original_oddities: false,
            ..Self::reference()
        }
    }
}

/// An option is outside its range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConfigError {
    /// Name of the option.
    pub option: &'static str,
    /// The value that was given.
    pub value: f32,
    /// The smallest value allowed.
    pub min: f32,
    /// The largest value allowed.
    pub max: f32,
}

impl core::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { option, value, min, max } = self;
        if min == max {
            return write!(f, "{option} must be {min}, but is {value}");
        }
        write!(f, "{option} must lie between {min} and {max}, but is {value}")
    }
}

impl core::error::Error for ConfigError {}

impl Error for ConfigError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }
}

pub(crate) fn within(option: &'static str, value: f32, min: f32, max: f32) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(ConfigError { option, value, min, max }) }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn presets_are_valid_and_bad_options_are_named() {
        BotSortConfig::default().validate().unwrap();
        BotSortConfig::reference().validate().unwrap();
        let bad = BotSortConfig { match_thresh: f32::NAN, ..BotSortConfig::default() };
        assert_eq!(bad.validate().unwrap_err().option, "match_thresh");
        let bad = BotSortConfig { track_low_thresh: 0.9, ..BotSortConfig::reference() };
        let error = bad.validate().unwrap_err();
        assert_eq!(error.to_string(), "track_low_thresh must lie between 0 and 0.6, but is 0.9");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let bad = BotSortConfig { fps: 0.0, ..BotSortConfig::default() };
        assert_eq!(bad.validate().unwrap_err().option, "fps");
    }

    #[test]
    fn the_buffer_is_a_time() {
        let at = |fps| BotSortConfig { fps, ..BotSortConfig::reference() }.max_time_lost();
        assert_eq!((at(30.0), at(15.0), at(14.0)), (30.0, 15.0, 14.0));
    }
}
