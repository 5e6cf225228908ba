//! BoT-SORT (Aharon, Orfaig and Bobrovsky, "BoT-SORT: Robust associations multi-pedestrian tracking", 2022).

use core::borrow::{Borrow, BorrowMut};
use core::marker::PhantomData;

use eyespot_core::{
    Affine, CameraMotion, Detection, Embedder, ErrorType, Frame, FrameInfo, NoEmbedder, NoMotion, TrackId,
    Tracker,
};

use crate::appearance::{Feature, Look};
use crate::assign::NONE;
use crate::associate::{Looks, Stage, Who};
use crate::candidate::{Candidate, Extent, Level};
use crate::config::{BotSortConfig, BoxFilter, ClassPolicy, ConfigError, within};
use crate::lifecycle::Boxes;
use crate::shape::{Noise, Shape};
use crate::storage::{Memory, TrackLosses, TrackStorage};
use crate::track::{Phase, Track, TrackInfo, Votes};

/// The BoT-SORT tracker: two matching stages by overlap over a Kalman filter, with compensation of camera motion and,
/// where there is an embedder, appearance.
///
/// `S` is a [`TrackStorage`], a `&'static mut` to one or a `Box` of one; `M` estimates the camera motion; `E` describes
/// how objects look, and `F` is how the storage keeps that.
#[derive(Debug, Clone)]
pub struct BotSort<S, const TRACKS: usize, const DETS: usize, M = NoMotion, E = NoEmbedder, F = [f32; 0]> {
    config: BotSortConfig,
    storage: S,
    motion: M,
    embedder: E,
    feature: PhantomData<F>,
}

impl<S, const TRACKS: usize, const DETS: usize, F> BotSort<S, TRACKS, DETS, NoMotion, NoEmbedder, F>
where
    S: BorrowMut<TrackStorage<TRACKS, DETS, F>>,
    F: Feature,
{
    /// A tracker for a camera that stands still. Whatever the storage held is forgotten.
    ///
    /// # Errors
    /// [`ConfigError`] if an option is outside its range.
    pub fn new(config: BotSortConfig, storage: S) -> Result<Self, ConfigError> {
        Self::with_camera_motion(config, storage, NoMotion)
    }
}

impl<S, const TRACKS: usize, const DETS: usize, M, F> BotSort<S, TRACKS, DETS, M, NoEmbedder, F>
where
    S: BorrowMut<TrackStorage<TRACKS, DETS, F>>,
    F: Feature,
{
    /// A tracker that compensates the motion of the camera. Whatever the storage held is forgotten.
    ///
    /// # Errors
    /// [`ConfigError`] if an option is outside its range.
    pub fn with_camera_motion(config: BotSortConfig, mut storage: S, motion: M) -> Result<Self, ConfigError> {
        config.validate()?;
        storage.borrow_mut().clear();
        Ok(Self { config, storage, motion, embedder: NoEmbedder, feature: PhantomData })
    }
}

impl<S, const TRACKS: usize, const DETS: usize, M, E, F> BotSort<S, TRACKS, DETS, M, E, F>
where
    S: BorrowMut<TrackStorage<TRACKS, DETS, F>>,
    F: Feature,
{
    /// The same tracker, which also looks at how objects look: in each frame the embedder describes all high-score
    /// detections in one call (re-identification). [`BotSortConfig::with_reid`] turns it off.
    ///
    /// # Errors
    /// [`ConfigError`] unless the embedder's features have the dimension of the storage's.
    pub fn with_embedder<N: Embedder>(
        self,
        embedder: N,
    ) -> Result<BotSort<S, TRACKS, DETS, M, N, F>, ConfigError> {
        let (dim, ours) = (embedder.dim() as f32, F::DIM as f32);
        within("dimension of the embedder", dim, ours, ours)?;
        let Self { config, storage, motion, feature, .. } = self;
        Ok(BotSort { config, storage, motion, embedder, feature })
    }

    /// Like [`Tracker::update`], for a frame without pixels: with a camera motion that the caller knows, from pixels
    /// of the previous frame to pixels of this one, and without appearance.
    pub fn update_with_motion(&mut self, frame: &FrameInfo, motion: &Affine, detections: &mut [Detection]) {
        let none: [[f32; 0]; 0] = [];
        self.update_with_features(frame, motion, detections, &none);
    }

    /// Like [`update_with_motion`](Self::update_with_motion), with an appearance feature per detection, in their order:
    /// what a re-identification network makes of the picture in the box, as numbers as many as the storage's feature
    /// has. A detection without one, or with an empty one, is matched by its box alone.
    pub fn update_with_features(
        &mut self,
        frame: &FrameInfo,
        motion: &Affine,
        detections: &mut [Detection],
        features: &[impl AsRef<[f32]>],
    ) {
        let mut memory = self.storage.borrow_mut().memory();
        let dt = take(&self.config, &mut memory, frame, detections);
        if self.config.with_reid {
            for place in 0..memory.head.high {
                if let Some(feature) = features.get(usize::from(memory.candidates[place].index)) {
                    memory.observe(place, feature.as_ref());
                }
            }
        }
        track(&self.config, memory, dt, motion, detections);
    }
}

impl<S, const TRACKS: usize, const DETS: usize, M, E, F> BotSort<S, TRACKS, DETS, M, E, F>
where
    S: Borrow<TrackStorage<TRACKS, DETS, F>>,
    F: Feature,
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

impl<S, const TRACKS: usize, const DETS: usize, M, E: Embedder, F> ErrorType
    for BotSort<S, TRACKS, DETS, M, E, F>
{
    type Error = E::Error;
}

/// An error is that of the embedder. It comes after the frame has been tracked, by boxes where features are missing:
/// the ids are written, no identity is lost, and the caller may go on.
impl<S, const TRACKS: usize, const DETS: usize, M, E, F> Tracker for BotSort<S, TRACKS, DETS, M, E, F>
where
    S: BorrowMut<TrackStorage<TRACKS, DETS, F>>,
    M: CameraMotion,
    E: Embedder,
    F: Feature,
{
    fn update(&mut self, frame: &Frame<'_>, detections: &mut [Detection]) -> Result<(), E::Error> {
        let motion = self.motion.estimate(frame, detections);
        let mut memory = self.storage.borrow_mut().memory();
        let dt = take(&self.config, &mut memory, &frame.info, detections);
        let embedded = if self.config.with_reid { memory.embed(frame, &mut self.embedder) } else { Ok(()) };
        track(&self.config, memory, dt, &motion, detections);
        embedded
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
    let bbox = track.bbox();
    seen && bbox.area() > config.min_box_area && bbox.width() <= config.aspect_ratio_thresh * bbox.height()
}

/// The first half of a frame: takes the detections. Returns how many frames went by.
fn take(
    config: &BotSortConfig,
    memory: &mut Memory<'_>,
    frame: &FrameInfo,
    detections: &mut [Detection],
) -> f32 {
    let dt = memory.elapsed(frame, config.clock, config.fps, config.max_time_lost());
    memory.take_candidates(detections, config.margin(), |score| level(config, score));
    dt
}

/// The second half: matches and writes the ids.
fn track(
    config: &BotSortConfig,
    mut memory: Memory<'_>,
    dt: f32,
    motion: &Affine,
    detections: &mut [Detection],
) {
    let margin = config.margin();
    let same_class = config.class_policy != ClassPolicy::Vote;
    let noise = Noise { position: config.std_weight_position, velocity: config.std_weight_velocity };
    let first_frame = memory.head.frames == 1;
    let boxes = if config.match_last_seen { Boxes::LastSeen } else { Boxes::Foreseen };
    if boxes == Boxes::LastSeen {
        memory.outline(boxes, margin);
    }
    memory.predict(dt, noise);
    memory.follow_camera(motion, config.original_oddities);
    memory.drop_diverged();
    if boxes == Boxes::Foreseen {
        memory.outline(boxes, margin);
    }

    let looks = (config.with_reid && memory.appearance.dim > 0)
        .then_some(Looks { min_iou: 1.0 - config.proximity_thresh, limit: config.appearance_thresh });
    // Appearance may match what overlaps too little to be matched by boxes.
    let min_iou = |thresh: f32| looks.map_or(1.0 - thresh, |looks| looks.min_iou.min(1.0 - thresh));
    let first = Stage {
        level: Level::High,
        who: Who::Confirmed,
        margin,
        min_iou: min_iou(config.match_thresh),
        limit: config.match_thresh,
        fuse_score: config.fuse_score,
        height_iou: config.height_iou,
        score_change: config.score_change_weight,
        looks,
        direction: 0.0,
        delta_t: 1,
        same_class,
    };
    memory.associate(&first);
    memory.take_matches(detections, noise);
    let second = Stage {
        level: Level::Low,
        who: Who::Missed(config.second_match_lost as f32 + dt),
        min_iou: 1.0 - config.second_match_thresh,
        limit: config.second_match_thresh,
        fuse_score: false,
        score_change: 0.0,
        looks: None,
        ..first
    };
    memory.associate(&second);
    memory.take_matches(detections, noise);
    let third = Stage {
        who: Who::Unconfirmed,
        min_iou: min_iou(config.unconfirmed_match_thresh),
        limit: config.unconfirmed_match_thresh,
        ..first
    };
    memory.associate(&third);
    memory.take_matches(detections, noise);

    let max_time_lost = config.max_time_lost();
    for track in memory.live() {
        if track.unseen > 0.0 {
            track.miss(max_time_lost, config.original_oddities);
        }
    }
    memory.compact();
    memory.start_tracks(config, first_frame, detections, noise);
    memory.mark_duplicates(config.duplicate_iou, boxes, margin, config.class_policy == ClassPolicy::Isolated);
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

    /// Keeps the appearance feature of a high-score candidate.
    fn observe(&mut self, place: usize, feature: &[f32]) {
        if feature.is_empty() {
            return;
        }
        let Some(candidate) = self.candidates[..self.head.high].get_mut(place) else { return };
        candidate.feature_scale = self.appearance.observe(place, feature);
        if candidate.feature_scale == 0.0 {
            self.head.losses.features = self.head.losses.features.saturating_add(1);
        }
    }

    /// Lets the embedder describe all high-score candidates in one call.
    fn embed<E: Embedder>(&mut self, frame: &Frame<'_>, embedder: &mut E) -> Result<(), E::Error> {
        let high = self.head.high;
        if high == 0 || self.appearance.dim == 0 {
            return Ok(());
        }
        let boxes = core::mem::take(&mut self.boxes);
        let embedded =
            embedder.embed(frame, &boxes[..high], &mut |place, feature| self.observe(place, feature));
        self.boxes = boxes;
        embedded
    }

    /// Continues the matched tracks with their detections.
    fn take_matches(&mut self, detections: &[Detection], noise: Noise) {
        for row in &self.rows[..self.head.rows] {
            if row.column == NONE {
                continue;
            }
            let (place, column) = (usize::from(row.track), usize::from(row.column));
            let (track, candidate) = (&mut self.tracks[place], &mut self.candidates[column]);
            if candidate.feature_scale > 0.0 {
                let own = Look { place, scale: track.feature_scale };
                let seen = Look { place: column, scale: candidate.feature_scale };
                track.feature_scale = self.appearance.learn(own, seen);
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
            let extent = Extent::new(&self.boxes[place], margin);
            let covers = |track: &Track| {
                let (intersection, union) = extent.overlap(&Extent::new(&track.bbox(), margin));
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
                if let Some(new) = self.start(track, &mut born)
                    && candidate.feature_scale > 0.0
                {
                    let seen = Look { place, scale: candidate.feature_scale };
                    self.tracks[new].feature_scale =
                        self.appearance.learn(Look { place: new, scale: 0.0 }, seen);
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
