//! OC-SORT (Cao et al., "Observation-centric SORT: Rethinking SORT for robust multi-object tracking", 2023).

use core::borrow::{Borrow, BorrowMut};
use core::convert::Infallible;

use eyespot_core::{
    Affine, BBox, CameraMotion, Detection, ErrorType, Frame, FrameInfo, NoMotion, TrackId, Tracker,
};

use crate::assign::NONE;
use crate::associate::{Stage, Who};
use crate::candidate::{Extent, Level};
use crate::config::within;
use crate::history::{History, MAX_DELTA_T};
use crate::lifecycle::Boxes;
use crate::shape::{Noise, Shape};
use crate::sort::SortConfig;
use crate::storage::Memory;
use crate::track::{Phase, Track, Votes};
use crate::{Clock, ConfigError, TrackInfo, TrackLosses, TrackStorage};

/// The filter's noise is fixed and needs no weights.
const NOISE: Noise = Noise { position: 0.0, velocity: 0.0 };

/// Options of [`OcSort`], by the names and with the values of the original.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OcSortConfig {
    /// The options that it shares with SORT.
    pub sort: SortConfig,
    /// The direction of motion is that between observations this many frames apart, `1..=3`.
    pub delta_t: u8,
    /// The weight of the direction of motion in the matching.
    pub inertia: f32,
}

impl Default for OcSortConfig {
    fn default() -> Self {
        Self { sort: SortConfig { max_age: 30, ..SortConfig::default() }, delta_t: 3, inertia: 0.2 }
    }
}

impl OcSortConfig {
    /// Checks every option.
    ///
    /// # Errors
    /// [`ConfigError`] names the first option that is outside its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.sort.validate()?;
        within("delta_t", f32::from(self.delta_t), 1.0, f32::from(MAX_DELTA_T))?;
        within("inertia", self.inertia, 0.0, 1.0)
    }
}

/// Memory for [`OcSort`]: a [`TrackStorage`] and the latest observations of each track.
#[derive(Debug, Clone)]
pub struct OcSortStorage<const TRACKS: usize, const DETS: usize> {
    tracks: TrackStorage<TRACKS, DETS>,
    histories: [History; TRACKS],
}

impl<const TRACKS: usize, const DETS: usize> OcSortStorage<TRACKS, DETS> {
    /// Bytes of RAM.
    pub const RAM: usize = size_of::<Self>();

    /// Empty storage.
    #[must_use]
    pub const fn new() -> Self {
        Self { tracks: TrackStorage::new(), histories: [History::ZERO; TRACKS] }
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory { histories: &mut self.histories, ..self.tracks.memory() }
    }
}

impl<const TRACKS: usize, const DETS: usize> Default for OcSortStorage<TRACKS, DETS> {
    fn default() -> Self {
        Self::new()
    }
}

/// The OC-SORT tracker: SORT that also uses the direction of motion, looks for lost objects where they were last
/// seen, and repairs the filter when they come back. `S` is an [`OcSortStorage`], a `&'static mut` to one or a `Box`
/// of one; `M` estimates the camera motion, which the original does not compensate.
#[derive(Debug, Clone)]
pub struct OcSort<S, const TRACKS: usize, const DETS: usize, M = NoMotion> {
    config: OcSortConfig,
    storage: S,
    motion: M,
}

impl<S, const TRACKS: usize, const DETS: usize> OcSort<S, TRACKS, DETS>
where
    S: BorrowMut<OcSortStorage<TRACKS, DETS>>,
{
    /// A tracker for a camera that stands still, as the original. Whatever the storage held is forgotten.
    ///
    /// # Errors
    /// [`ConfigError`] if an option is outside its range.
    pub fn new(config: OcSortConfig, storage: S) -> Result<Self, ConfigError> {
        Self::with_camera_motion(config, storage, NoMotion)
    }
}

impl<S, const TRACKS: usize, const DETS: usize, M> OcSort<S, TRACKS, DETS, M>
where
    S: BorrowMut<OcSortStorage<TRACKS, DETS>>,
{
    /// A tracker that compensates the motion of the camera. Whatever the storage held is forgotten.
    ///
    /// # Errors
    /// [`ConfigError`] if an option is outside its range.
    pub fn with_camera_motion(config: OcSortConfig, mut storage: S, motion: M) -> Result<Self, ConfigError> {
        config.validate()?;
        storage.borrow_mut().tracks.clear();
        Ok(Self { config, storage, motion })
    }

    /// Like [`Tracker::update`], for a frame without pixels and with a known camera motion.
    pub fn update_with_motion(&mut self, frame: &FrameInfo, motion: &Affine, detections: &mut [Detection]) {
        step(&self.config, self.storage.borrow_mut().memory(), frame, motion, detections);
    }
}

impl<S, const TRACKS: usize, const DETS: usize, M> OcSort<S, TRACKS, DETS, M>
where
    S: Borrow<OcSortStorage<TRACKS, DETS>>,
{
    /// The tracks after the latest frame, lost ones included, in the order of their ids.
    pub fn tracks(&self) -> impl Iterator<Item = TrackInfo> + '_ {
        self.storage.borrow().tracks.tracks().iter().filter_map(Track::info)
    }

    /// What did not fit or was refused.
    #[must_use]
    pub fn losses(&self) -> TrackLosses {
        self.storage.borrow().tracks.head().losses
    }
}

impl<S, const TRACKS: usize, const DETS: usize, M> ErrorType for OcSort<S, TRACKS, DETS, M> {
    type Error = Infallible;
}

impl<S, const TRACKS: usize, const DETS: usize, M> Tracker for OcSort<S, TRACKS, DETS, M>
where
    S: BorrowMut<OcSortStorage<TRACKS, DETS>>,
    M: CameraMotion,
{
    fn update(&mut self, frame: &Frame<'_>, detections: &mut [Detection]) -> Result<(), Infallible> {
        let motion = self.motion.estimate(frame, detections);
        self.update_with_motion(&frame.info, &motion, detections);
        Ok(())
    }

    fn reset(&mut self) {
        self.storage.borrow_mut().tracks.clear();
        self.motion.reset();
    }
}

/// One frame. What only OC-SORT does is done where there are histories.
pub(crate) fn step(
    config: &OcSortConfig,
    mut memory: Memory<'_>,
    frame: &FrameInfo,
    motion: &Affine,
    detections: &mut [Detection],
) {
    let sort = &config.sort;
    let dt = memory.elapsed(frame, Clock::Index, 1.0, sort.max_age as f32);
    memory.take_candidates(
        detections,
        0.0,
        |score| {
            if score > sort.det_thresh { Level::High } else { Level::Out }
        },
    );
    memory.foresee(dt);
    memory.follow_camera(motion, false);
    memory.drop_diverged();
    memory.outline(Boxes::Foreseen, 0.0);

    // As in the original all pairs enter the assignment, and those that overlap too little are dropped afterwards. A pair
    // that does not overlap at all is worth as little as none, so that it is left out.
    let stage = Stage {
        level: Level::High,
        who: Who::All,
        margin: 0.0,
        min_iou: 0.0,
        limit: 1.0,
        fuse_score: false,
        height_iou: false,
        score_change: 0.0,
        looks: None,
        direction: config.inertia,
        delta_t: config.delta_t,
        same_class: false,
    };
    memory.associate(&stage);
    memory.accept(detections, config);
    if !memory.histories.is_empty() {
        memory.return_to_latest();
        memory.associate(&Stage { who: Who::Unseen, direction: 0.0, ..stage });
        memory.accept(detections, config);
    }
    memory.retire(sort.max_age);
    memory.begin(detections);

    let starting = memory.head.frames <= u32::from(sort.min_hits);
    for track in memory.live() {
        if track.unseen > 0.0 {
            continue;
        }
        track.phase =
            if track.streak >= sort.min_hits || starting { Phase::Tracked } else { Phase::Unconfirmed };
        if track.phase == Phase::Tracked
            && let Some(detection) = detections.get_mut(usize::from(track.detection))
        {
            detection.track = TrackId::new(track.id);
        }
    }
}

impl Memory<'_> {
    /// Moves all tracks on by `dt` frames.
    fn foresee(&mut self, dt: f32) {
        for track in self.live() {
            if track.unseen > 0.0 {
                track.streak = 0;
            }
            track.unseen += dt;
            if track.size.at[0] + dt * track.size.velocity[0] <= 0.0 {
                track.hold_size();
            }
            track.predict(dt, NOISE);
        }
        for history in self.histories.iter_mut().take(self.head.tracks) {
            history.advance(dt as u32);
        }
    }

    /// Puts the unmatched tracks where they were last seen.
    fn return_to_latest(&mut self) {
        let count = self.head.tracks;
        for ((track, history), extent) in
            self.tracks[..count].iter().zip(self.histories.iter()).zip(self.extents.iter_mut())
        {
            if track.unseen > 0.0 && history.is_known() {
                *extent = Extent::new(&history.latest(), 0.0);
            } else if track.unseen > 0.0 {
                *extent = Extent::ZERO;
            }
        }
    }

    /// Continues the matched tracks whose overlap is large enough.
    fn accept(&mut self, detections: &[Detection], config: &OcSortConfig) {
        for row in &self.rows[..self.head.rows] {
            let (place, column) = (usize::from(row.track), row.column);
            if column == NONE {
                continue;
            }
            let bbox = Extent::new(&self.boxes[usize::from(column)], 0.0);
            let (intersection, union) = self.extents[place].overlap(&bbox);
            if intersection < config.sort.iou_threshold * union {
                continue;
            }
            let candidate = &mut self.candidates[usize::from(column)];
            candidate.level = Level::Out;
            let Some(detection) = detections.get(usize::from(candidate.index)) else { continue };
            let track = &mut self.tracks[place];
            if let Some(history) = self.histories.get_mut(place) {
                if history.is_known() && history.gap() > 1 {
                    track.relive(history, &detection.bbox);
                }
                history.observe(&detection.bbox, config.delta_t);
            }
            track.correct(&detection.bbox, NOISE);
            track.streak = track.streak.saturating_add(1);
            track.see(candidate);
        }
    }

    /// Lets go of what was not seen for too long.
    fn retire(&mut self, max_age: u32) {
        for place in 0..self.head.tracks {
            let track = &mut self.tracks[place];
            if track.unseen > 0.0 {
                if let Some(history) = self.histories.get_mut(place).filter(|_| track.phase != Phase::Lost) {
                    history.freeze(track.center, track.size);
                }
                track.phase = if track.unseen > max_age as f32 { Phase::Gone } else { Phase::Lost };
            }
        }
        self.compact();
    }

    /// Starts a track from every detection that is left over.
    fn begin(&mut self, detections: &[Detection]) {
        let mut born = self.head.tracks;
        for place in 0..self.head.high {
            let candidate = self.candidates[place];
            let Some(detection) = detections.get(usize::from(candidate.index)) else { continue };
            if candidate.level == Level::Out {
                continue;
            }
            let mut track = Track {
                score: candidate.score,
                class: candidate.class,
                votes: Votes::new(candidate.class, candidate.score),
                detection: candidate.index,
                phase: Phase::Unconfirmed,
                shape: Shape::Area,
                ..Track::ZERO
            };
            track.initiate(&detection.bbox, NOISE);
            if let Some(place) = self.start(track, &mut born)
                && let Some(history) = self.histories.get_mut(place)
            {
                *history = History::new();
            }
        }
    }
}

impl Track {
    /// Repairs the filter of an object that comes back: from the state in the first frame without it, along a straight
    /// line from where it was last seen to where it is now.
    fn relive(&mut self, history: &History, now: &BBox) {
        let (from, gap) = (history.latest(), history.gap());
        (self.center, self.size) = history.frozen();
        let between = |part: f32| {
            let mix = |a: f32, b: f32| a + part * (b - a);
            let ((x0, y0), (x1, y1)) = (from.center(), now.center());
            BBox::from_cxcywh(
                mix(x0, x1),
                mix(y0, y1),
                mix(from.width(), now.width()),
                mix(from.height(), now.height()),
            )
        };
        for frame in 1..=gap {
            self.correct(&between(frame as f32 / gap as f32), NOISE);
            if frame < gap {
                self.predict(1.0, NOISE);
            }
        }
    }
}
