//! BoT-SORT (Aharon, Orfaig and Bobrovsky, "BoT-SORT: Robust associations multi-pedestrian tracking", 2022).

use core::borrow::{Borrow, BorrowMut};
use core::convert::Infallible;

use eyespot_core::{
    Affine, CameraMotion, Detection, ErrorType, Frame, FrameInfo, NoMotion, TrackId, Tracker,
};

use crate::appearance::Appearance;
use crate::assign::NONE;
use crate::associate::{Looks, Stage};
use crate::candidate::{Candidate, Extent, Level};
use crate::config::{BotSortConfig, BoxFilter, ClassPolicy, ConfigError};
use crate::shape::{Noise, Shape};
use crate::storage::{Memory, TrackLosses, TrackStorage};
use crate::track::{Phase, Track, TrackInfo, Votes};

/// The BoT-SORT tracker: two matching stages by overlap over a Kalman filter, with compensation of camera motion.
///
/// `S` is a [`TrackStorage`], a `&'static mut` to one or a `Box` of one; `M` estimates the camera motion.
#[derive(Debug, Clone)]
pub struct BotSort<S, const TRACKS: usize, const DETS: usize, M = NoMotion, const DIM: usize = 0> {
    config: BotSortConfig,
    storage: S,
    motion: M,
}

impl<S, const TRACKS: usize, const DETS: usize, const DIM: usize> BotSort<S, TRACKS, DETS, NoMotion, DIM>
where
    S: BorrowMut<TrackStorage<TRACKS, DETS, DIM>>,
{
    /// A tracker for a camera that stands still. Whatever the storage held is forgotten.
    ///
    /// # Errors
    /// [`ConfigError`] if an option is outside its range.
    pub fn new(config: BotSortConfig, storage: S) -> Result<Self, ConfigError> {
        Self::with_camera_motion(config, storage, NoMotion)
    }
}

impl<S, const TRACKS: usize, const DETS: usize, M, const DIM: usize> BotSort<S, TRACKS, DETS, M, DIM>
where
    S: BorrowMut<TrackStorage<TRACKS, DETS, DIM>>,
    M: CameraMotion,
{
    /// A tracker that compensates the motion of the camera. Whatever the storage held is forgotten.
    ///
    /// # Errors
    /// [`ConfigError`] if an option is outside its range.
    pub fn with_camera_motion(config: BotSortConfig, mut storage: S, motion: M) -> Result<Self, ConfigError> {
        config.validate()?;
        storage.borrow_mut().clear();
        Ok(Self { config, storage, motion })
    }

    /// Like [`Tracker::update`], with a camera motion that the caller knows: from pixels of the previous frame to
    /// pixels of this one.
    pub fn update_with_motion(&mut self, frame: &FrameInfo, motion: &Affine, detections: &mut [Detection]) {
        step(&self.config, self.storage.borrow_mut().memory(), frame, motion, detections);
    }

    /// Like [`update_with_motion`](Self::update_with_motion), with an appearance feature per detection, in their order:
    /// what a re-identification network makes of the picture in the box. Its length does not matter. A detection
    /// without one, or with one that is zero or not finite, is matched by its box alone.
    pub fn update_with_features(
        &mut self,
        frame: &FrameInfo,
        motion: &Affine,
        detections: &mut [Detection],
        features: &[[f32; DIM]],
    ) {
        let memory = self.storage.borrow_mut().memory();
        let appearance = Appearance { detections: features.as_flattened(), ..memory.appearance };
        step(&self.config, Memory { appearance, ..memory }, frame, motion, detections);
    }
}

impl<S, const TRACKS: usize, const DETS: usize, M, const DIM: usize> BotSort<S, TRACKS, DETS, M, DIM>
where
    S: Borrow<TrackStorage<TRACKS, DETS, DIM>>,
{
    /// The tracks after the latest frame, lost ones included, in the order of their ids.
    pub fn tracks(&self) -> impl Iterator<Item = TrackInfo> + '_ {
        self.storage.borrow().tracks().iter().filter_map(Track::info)
    }

    /// The tracks that are reported in the latest frame: those whose ids detections got.
    pub fn reported(&self) -> impl Iterator<Item = TrackInfo> + '_ {
        let config = &self.config;
        self.storage
            .borrow()
            .tracks()
            .iter()
            .filter(|track| is_reported(config, track))
            .filter_map(Track::info)
    }

    /// What did not fit or was refused.
    #[must_use]
    pub fn losses(&self) -> TrackLosses {
        self.storage.borrow().head().losses
    }

    /// The options.
    #[must_use]
    pub const fn config(&self) -> &BotSortConfig {
        &self.config
    }
}

impl<S, const TRACKS: usize, const DETS: usize, M, const DIM: usize> ErrorType
    for BotSort<S, TRACKS, DETS, M, DIM>
{
    type Error = Infallible;
}

impl<S, const TRACKS: usize, const DETS: usize, M, const DIM: usize> Tracker
    for BotSort<S, TRACKS, DETS, M, DIM>
where
    S: BorrowMut<TrackStorage<TRACKS, DETS, DIM>>,
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

pub(crate) fn is_reported(config: &BotSortConfig, track: &Track) -> bool {
    let seen = match track.phase {
        Phase::Tracked => true,
        Phase::Unconfirmed => config.report_unconfirmed,
        Phase::Lost | Phase::Gone => false,
    };
    seen && track.bbox().area() > config.min_box_area
}

/// One frame.
pub(crate) fn step(
    config: &BotSortConfig,
    mut memory: Memory<'_>,
    frame: &FrameInfo,
    motion: &Affine,
    detections: &mut [Detection],
) {
    let margin = config.margin();
    let same_class = config.class_policy != ClassPolicy::Vote;
    let noise = Noise { position: config.std_weight_position, velocity: config.std_weight_velocity };
    let first_frame = memory.head.frames == 0;
    let dt = memory.elapsed(frame, config.clock, config.fps, config.max_time_lost());
    memory.take_candidates(detections, margin, |score| level(config, score));
    memory.predict(dt, noise);
    memory.follow_camera(motion, config.original_oddities);
    memory.outline(margin);

    let first = Stage {
        level: Level::High,
        min_iou: 1.0 - config.match_thresh,
        limit: config.match_thresh,
        fuse_score: config.fuse_score,
        height_iou: config.height_iou,
        score_change: config.score_change_weight,
        looks: Some(Looks { min_iou: 1.0 - config.proximity_thresh, limit: config.appearance_thresh }),
        direction: 0.0,
        delta_t: 1,
        same_class,
    };
    memory.associate(&first, |track| matches!(track.phase, Phase::Tracked | Phase::Lost));
    memory.take_matches(detections, noise);
    let second = Stage {
        level: Level::Low,
        min_iou: 1.0 - config.second_match_thresh,
        limit: config.second_match_thresh,
        fuse_score: false,
        score_change: 0.0,
        looks: None,
        ..first
    };
    let longest = config.second_match_lost as f32 + dt;
    memory.associate(&second, |track| match track.phase {
        Phase::Tracked => track.unseen > 0.0,
        Phase::Lost => track.unseen <= longest,
        Phase::Unconfirmed | Phase::Gone => false,
    });
    memory.take_matches(detections, noise);
    let third = Stage {
        min_iou: 1.0 - config.unconfirmed_match_thresh,
        limit: config.unconfirmed_match_thresh,
        ..first
    };
    memory.associate(&third, |track| track.phase == Phase::Unconfirmed);
    memory.take_matches(detections, noise);

    let max_time_lost = config.max_time_lost();
    for track in memory.live() {
        if track.unseen > 0.0 {
            track.miss(max_time_lost, config.original_oddities);
        }
    }
    memory.compact();
    memory.start_tracks(config, first_frame, detections, noise);
    memory.mark_duplicates(config.duplicate_iou, margin, config.class_policy == ClassPolicy::Isolated);
    memory.compact();

    for track in memory.live() {
        if is_reported(config, track)
            && let Some(detection) = detections.get_mut(usize::from(track.detection))
        {
            detection.track = TrackId::new(track.id);
        }
    }
}

fn level(config: &BotSortConfig, score: f32) -> Level {
    if score > config.track_high_thresh || (score == config.track_high_thresh && !config.original_oddities) {
        Level::High
    } else if score > config.track_low_thresh && score != config.track_high_thresh {
        Level::Low
    } else {
        Level::Out
    }
}

impl Memory<'_> {
    /// Moves tracks on by `dt` frames. The unconfirmed ones stay where they were seen, for they have no velocity yet;
    /// the size of the lost ones stays.
    fn predict(&mut self, dt: f32, noise: Noise) {
        for track in self.live() {
            track.unseen += dt;
            if track.phase == Phase::Lost {
                track.hold_size();
            }
            if track.phase != Phase::Unconfirmed {
                track.predict(dt, noise);
            }
        }
    }

    /// Carries tracks along with the picture.
    fn follow_camera(&mut self, motion: &Affine, turn_sizes: bool) {
        if *motion == Affine::IDENTITY {
            return;
        }
        if !motion.is_usable() {
            self.head.losses.motions = self.head.losses.motions.saturating_add(1);
            return;
        }
        let scale = motion.scale();
        for track in self.live() {
            track.transform(motion, scale, turn_sizes);
        }
    }

    /// Continues the matched tracks with their detections.
    fn take_matches(&mut self, detections: &[Detection], noise: Noise) {
        let count = self.head.tracks;
        for (place, (track, row)) in self.tracks[..count].iter_mut().zip(self.rows.iter()).enumerate() {
            if row.column == NONE {
                continue;
            }
            let candidate = &mut self.candidates[usize::from(row.column)];
            if candidate.level == Level::High && candidate.feature_scale > 0.0 {
                self.appearance.learn(place, candidate, track.has_feature);
                track.has_feature = true;
            }
            candidate.level = Level::Out;
            if let Some(detection) = detections.get(usize::from(candidate.index)) {
                track.correct(&detection.bbox, noise);
                track.see(candidate);
            }
        }
    }

    /// Starts tracks from the good detections that are left over.
    fn start_tracks(
        &mut self,
        config: &BotSortConfig,
        confirmed: bool,
        detections: &[Detection],
        noise: Noise,
    ) {
        let margin = config.margin();
        let mut born = self.head.tracks;
        let known = born;
        for place in 0..self.head.high {
            let candidate = self.candidates[place];
            if candidate.level == Level::Out || candidate.score < config.new_track_thresh {
                continue;
            }
            let covers = |track: &Track| {
                let (intersection, union) = candidate.extent.overlap(&Extent::new(&track.bbox(), margin));
                track.phase == Phase::Tracked && intersection > config.new_track_iou * union
            };
            if config.new_track_iou < 1.0 && self.tracks[..known.min(born)].iter().any(covers) {
                continue;
            }
            if let Some(detection) = detections.get(usize::from(candidate.index)) {
                let mut track = Track {
                    score: candidate.score,
                    class: candidate.class,
                    votes: Votes::new(candidate.class, candidate.score),
                    detection: candidate.index,
                    shape: match config.box_filter {
                        BoxFilter::Sides => Shape::Sides,
                        BoxFilter::Aspect => Shape::Aspect,
                    },
                    phase: if confirmed { Phase::Tracked } else { Phase::Unconfirmed },
                    ..Track::ZERO
                };
                track.initiate(&detection.bbox, noise);
                track.has_feature = candidate.feature_scale > 0.0;
                if let Some(place) = self.start(track, &mut born)
                    && track.has_feature
                {
                    self.appearance.learn(place, &candidate, false);
                }
            }
        }
    }
}

impl Track {
    /// Notes that there was no detection in this frame.
    fn miss(&mut self, max_time_lost: f32, one_frame_longer: bool) {
        let expired = self.expired;
        self.phase = match self.phase {
            // The original forgets a track one frame after it has expired; seen again in this frame, it lives, but
            // can't be lost a second time.
            Phase::Lost if self.unseen > max_time_lost && one_frame_longer && !expired => {
                self.expired = true;
                Phase::Lost
            }
            Phase::Lost if self.unseen <= max_time_lost => Phase::Lost,
            Phase::Tracked if !expired => Phase::Lost,
            _ => Phase::Gone,
        };
    }

    /// Notes a detection in this frame.
    pub(crate) fn see(&mut self, candidate: &Candidate) {
        self.age += self.unseen;
        self.unseen = 0.0;
        self.score = candidate.score;
        self.votes.add(candidate.class, candidate.score);
        self.class = self.votes.winner(self.class);
        self.detection = candidate.index;
        self.phase = Phase::Tracked;
    }
}
