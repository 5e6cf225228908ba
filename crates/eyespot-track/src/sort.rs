//! SORT (Bewley et al., "Simple online and realtime tracking", 2016).

use core::borrow::{Borrow, BorrowMut};
use core::convert::Infallible;

use eyespot_core::{Affine, CameraMotion, Detection, ErrorType, Frame, FrameInfo, NoMotion, Tracker};

use crate::config::within;
use crate::ocsort::{OcSortConfig, step};
use crate::track::Track;
use crate::{ConfigError, TrackInfo, TrackLosses, TrackStorage};

/// Options of [`Sort`], by the names and with the values of the original.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SortConfig {
    /// Detections with a score above this take part.
    pub det_thresh: f32,
    /// A track and a detection are the same object only if their IoU is at least this.
    pub iou_threshold: f32,
    /// Frames for which a track is remembered without a detection.
    pub max_age: u32,
    /// Detections in a row, after the first, that a track needs before it is reported. In the first `min_hits` frames
    /// all are.
    pub min_hits: u16,
}

impl Default for SortConfig {
    fn default() -> Self {
        Self { det_thresh: 0.6, iou_threshold: 0.3, max_age: 1, min_hits: 3 }
    }
}

impl SortConfig {
    /// Checks every option.
    ///
    /// # Errors
    /// [`ConfigError`] names the first option that is outside its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        within("det_thresh", self.det_thresh, 0.0, 1.0)?;
        within("iou_threshold", self.iou_threshold, 0.0, 1.0)?;
        within("max_age", self.max_age as f32, 0.0, 1e6)
    }
}

/// The SORT tracker: matching by overlap over a Kalman filter, nothing else. `S` is a [`TrackStorage`], a
/// `&'static mut` to one or a `Box` of one; `M` estimates the camera motion, which the original does not compensate.
#[derive(Debug, Clone)]
pub struct Sort<S, const TRACKS: usize, const DETS: usize, M = NoMotion> {
    config: SortConfig,
    storage: S,
    motion: M,
}

impl<S, const TRACKS: usize, const DETS: usize> Sort<S, TRACKS, DETS>
where
    S: BorrowMut<TrackStorage<TRACKS, DETS>>,
{
    /// A tracker for a camera that stands still, as the original. Whatever the storage held is forgotten.
    ///
    /// # Errors
    /// [`ConfigError`] if an option is outside its range.
    pub fn new(config: SortConfig, storage: S) -> Result<Self, ConfigError> {
        Self::with_camera_motion(config, storage, NoMotion)
    }
}

impl<S, const TRACKS: usize, const DETS: usize, M> Sort<S, TRACKS, DETS, M>
where
    S: BorrowMut<TrackStorage<TRACKS, DETS>>,
{
    /// A tracker that compensates the motion of the camera. Whatever the storage held is forgotten.
    ///
    /// # Errors
    /// [`ConfigError`] if an option is outside its range.
    pub fn with_camera_motion(config: SortConfig, mut storage: S, motion: M) -> Result<Self, ConfigError> {
        config.validate()?;
        storage.borrow_mut().clear();
        Ok(Self { config, storage, motion })
    }

    /// Like [`Tracker::update`], for a frame without pixels and with a known camera motion.
    pub fn update_with_motion(&mut self, frame: &FrameInfo, motion: &Affine, detections: &mut [Detection]) {
        let config = OcSortConfig { sort: self.config, delta_t: 1, inertia: 0.0 };
        step(&config, self.storage.borrow_mut().memory(), frame, motion, detections);
    }
}

impl<S, const TRACKS: usize, const DETS: usize, M> Sort<S, TRACKS, DETS, M>
where
    S: Borrow<TrackStorage<TRACKS, DETS>>,
{
    /// The tracks after the latest frame, lost ones included, in the order of their ids.
    pub fn tracks(&self) -> impl Iterator<Item = TrackInfo> + '_ {
        self.storage.borrow().tracks().iter().filter_map(Track::info)
    }

    /// What did not fit or was refused.
    #[must_use]
    pub fn losses(&self) -> TrackLosses {
        self.storage.borrow().head().losses
    }
}

impl<S, const TRACKS: usize, const DETS: usize, M> ErrorType for Sort<S, TRACKS, DETS, M> {
    type Error = Infallible;
}

impl<S, const TRACKS: usize, const DETS: usize, M> Tracker for Sort<S, TRACKS, DETS, M>
where
    S: BorrowMut<TrackStorage<TRACKS, DETS>>,
    M: CameraMotion,
{
    fn update(&mut self, frame: &Frame<'_>, detections: &mut [Detection]) -> Result<(), Infallible> {
        let motion = self.motion.estimate(frame, detections);
        self.update_with_motion(&frame.info, &motion, detections);
        Ok(())
    }

    fn reset(&mut self) {
        self.storage.borrow_mut().clear();
        self.motion.reset();
    }
}
