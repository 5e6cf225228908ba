//! ByteTrack (Zhang et al., "ByteTrack: Multi-object tracking by associating every detection box", 2022).

use core::borrow::{Borrow, BorrowMut};
use core::convert::Infallible;

use eyespot_core::{Affine, CameraMotion, Detection, ErrorType, Frame, FrameInfo, NoMotion, Tracker};

use crate::config::within;
use crate::{
    BotSort, BotSortConfig, BoxFilter, ClassPolicy, Clock, ConfigError, TrackInfo, TrackLosses, TrackStorage,
};

/// Options of [`ByteTrack`], by the names and with the values of the original.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ByteTrackConfig {
    /// Detections with a score above this are matched first.
    pub track_thresh: f32,
    /// The score that an unmatched detection needs to start a track.
    pub high_thresh: f32,
    /// A pair is matched in the first stage only if `1 - IoU * score` is less.
    pub match_thresh: f32,
    /// How long a lost track is remembered, in frames at 30 frames per second.
    pub track_buffer: u32,
    /// Multiply the IoU by the score of the detection; the original does so except on MOT20.
    pub fuse_score: bool,
    /// Compare detections with the box where a track was last seen, not with where the filter foresees it, as the
    /// implementation in C++ does. `false` is the original.
    pub match_last_seen: bool,
    /// Tracks whose box has at most this area in square pixels are not reported.
    pub min_box_area: f32,
    /// Frames per second of the source. Scales `track_buffer`.
    pub fps: f32,
    /// What tells the time between frames.
    pub clock: Clock,
    /// What classes mean for matching.
    pub class_policy: ClassPolicy,
}

impl Default for ByteTrackConfig {
    fn default() -> Self {
        Self {
            track_thresh: 0.6,
            high_thresh: 0.7,
            match_thresh: 0.9,
            track_buffer: 30,
            fuse_score: true,
            match_last_seen: false,
            min_box_area: 0.0,
            fps: 30.0,
            clock: Clock::Index,
            class_policy: ClassPolicy::Vote,
        }
    }
}

impl ByteTrackConfig {
    /// Checks every option.
    ///
    /// # Errors
    /// [`ConfigError`] names the first option that is outside its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        within("track_thresh", self.track_thresh, 0.0, 1.0)?;
        within("high_thresh", self.high_thresh, 0.0, 1.0)?;
        BotSortConfig::from(*self).validate()
    }
}

impl From<ByteTrackConfig> for BotSortConfig {
    /// ByteTrack is BoT-SORT with another filter state.
    fn from(config: ByteTrackConfig) -> Self {
        Self {
            track_high_thresh: config.track_thresh,
            track_low_thresh: 0.1f32.min(config.track_thresh),
            new_track_thresh: config.high_thresh,
            match_thresh: config.match_thresh,
            track_buffer: config.track_buffer,
            fuse_score: config.fuse_score,
            match_last_seen: config.match_last_seen,
            min_box_area: config.min_box_area,
            fps: config.fps,
            clock: config.clock,
            class_policy: config.class_policy,
            box_filter: BoxFilter::Aspect,
            report_unconfirmed: false,
            ..Self::reference()
        }
    }
}

/// The ByteTrack tracker. `S` is a [`TrackStorage`], a `&'static mut` to one or a `Box` of one; `M` estimates the camera
/// motion, which the original does not compensate.
#[derive(Debug, Clone)]
pub struct ByteTrack<S, const TRACKS: usize, const DETS: usize, M = NoMotion>(BotSort<S, TRACKS, DETS, M>);

impl<S, const TRACKS: usize, const DETS: usize> ByteTrack<S, TRACKS, DETS>
where
    S: BorrowMut<TrackStorage<TRACKS, DETS>>,
{
    /// A tracker for a camera that stands still, as the original. Whatever the storage held is forgotten.
    ///
    /// # Errors
    /// [`ConfigError`] if an option is outside its range.
    pub fn new(config: ByteTrackConfig, storage: S) -> Result<Self, ConfigError> {
        Self::with_camera_motion(config, storage, NoMotion)
    }
}

impl<S, const TRACKS: usize, const DETS: usize, M> ByteTrack<S, TRACKS, DETS, M>
where
    S: BorrowMut<TrackStorage<TRACKS, DETS>>,
{
    /// A tracker that compensates the motion of the camera. Whatever the storage held is forgotten.
    ///
    /// # Errors
    /// [`ConfigError`] if an option is outside its range.
    pub fn with_camera_motion(config: ByteTrackConfig, storage: S, motion: M) -> Result<Self, ConfigError> {
        config.validate()?;
        BotSort::with_camera_motion(config.into(), storage, motion).map(Self)
    }

    /// Like [`Tracker::update`], for a frame without pixels and with a known camera motion.
    pub fn update_with_motion(&mut self, frame: &FrameInfo, motion: &Affine, detections: &mut [Detection]) {
        self.0.update_with_motion(frame, motion, detections);
    }
}

impl<S, const TRACKS: usize, const DETS: usize, M> ByteTrack<S, TRACKS, DETS, M>
where
    S: Borrow<TrackStorage<TRACKS, DETS>>,
{
    /// The tracks after the latest frame, lost ones included, in the order of their ids.
    pub fn tracks(&self) -> impl Iterator<Item = TrackInfo> + '_ {
        self.0.tracks()
    }

    /// The tracks whose ids detections got in the latest frame.
    pub fn reported(&self) -> impl Iterator<Item = TrackInfo> + '_ {
        self.0.reported()
    }

    /// What did not fit or was refused.
    #[must_use]
    pub fn losses(&self) -> TrackLosses {
        self.0.losses()
    }
}

impl<S, const TRACKS: usize, const DETS: usize, M> ErrorType for ByteTrack<S, TRACKS, DETS, M> {
    type Error = Infallible;
}

impl<S, const TRACKS: usize, const DETS: usize, M> Tracker for ByteTrack<S, TRACKS, DETS, M>
where
    S: BorrowMut<TrackStorage<TRACKS, DETS>>,
    M: CameraMotion,
{
    fn update(&mut self, frame: &Frame<'_>, detections: &mut [Detection]) -> Result<(), Infallible> {
        self.0.update(frame, detections)
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}
