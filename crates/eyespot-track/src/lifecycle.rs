//! Births and deaths of tracks in a table of fixed size.

use eyespot_core::{Affine, FrameInfo};

use crate::Clock;
use crate::candidate::{Extent, MAX_COORDINATE, place, sortable};
use crate::storage::Memory;
use crate::track::{Phase, Track};

/// Which boxes of the tracks are compared with those of the detections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Boxes {
    /// Where the tracks should be now.
    Foreseen,
    /// Where they were last seen. The extent of a lost track stays what it was.
    LastSeen,
}

impl Boxes {
    /// Whether the filter holds the box of the track.
    fn are_known_of(self, track: &Track) -> bool {
        self == Self::Foreseen || track.phase != Phase::Lost
    }
}

impl Memory<'_> {
    /// The tracks in use, oldest first.
    pub(crate) fn live(&mut self) -> &mut [Track] {
        &mut self.tracks[..self.head.tracks]
    }

    /// Frames since the latest update. Forgets all tracks after a gap that none of them can outlive.
    pub(crate) fn elapsed(&mut self, frame: &FrameInfo, clock: Clock, fps: f32, max_time_lost: f32) -> f32 {
        let steps = match clock {
            Clock::Index => frame.index.saturating_sub(self.head.index) as f32,
            Clock::Timestamp => frame.timestamp_us.saturating_sub(self.head.timestamp_us) as f32 * 1e-6 * fps,
        };
        let dt = if steps > 0.0 { steps } else { 1.0 };
        if dt - 1.0 > max_time_lost {
            self.head.tracks = 0;
        }
        self.head.frames = self.head.frames.saturating_add(1);
        self.head.index = frame.index;
        self.head.timestamp_us = frame.timestamp_us;
        dt
    }

    /// Carries tracks along with the picture.
    pub(crate) fn follow_camera(&mut self, motion: &Affine, turn_sizes: bool) {
        if *motion == Affine::IDENTITY {
            return;
        }
        if !motion.is_usable() {
            self.head.losses.motions = self.head.losses.motions.saturating_add(1);
            return;
        }
        let scale = motion.scale();
        let count = self.head.tracks;
        for track in &mut self.tracks[..count] {
            track.shape.transform(&mut track.center, &mut track.size, motion, scale, turn_sizes);
        }
        for history in self.histories.iter_mut().take(count) {
            history.transform(motion, scale);
        }
    }

    /// Drops tracks that left the range of numbers.
    pub(crate) fn drop_diverged(&mut self) {
        let mut diverged = 0;
        for track in self.live() {
            if !track.bbox().xyxy().iter().all(|value| value.abs() <= 4.0 * MAX_COORDINATE) {
                track.phase = Phase::Gone;
                diverged += 1;
            }
        }
        if diverged > 0 {
            self.head.losses.diverged = self.head.losses.diverged.saturating_add(diverged);
            self.compact();
        }
    }

    /// Computes the extents of the tracks' boxes.
    pub(crate) fn outline(&mut self, boxes: Boxes, margin: f32) {
        let count = self.head.tracks;
        for (track, extent) in self.tracks[..count].iter().zip(self.extents.iter_mut()) {
            if boxes.are_known_of(track) {
                *extent = Extent::new(&track.bbox(), margin);
            }
        }
    }

    /// Starts a track. In a full table it takes the place of the track that was lost for the longest time, else that
    /// of a worse one that started in the same frame, of which `born` is the first. Returns its place.
    pub(crate) fn start(&mut self, mut track: Track, born: &mut usize) -> Option<usize> {
        if self.head.tracks == self.tracks.len() && !self.make_room(&track, born) {
            self.head.losses.untracked = self.head.losses.untracked.saturating_add(1);
            return None;
        }
        // After four billion tracks there are no new ids: a reused one would be a lie.
        let id = self.head.last_id.checked_add(1)?;
        let place = self.head.tracks;
        let slot = self.tracks.get_mut(place)?;
        self.head.last_id = id;
        track.id = id;
        *slot = track;
        self.head.tracks += 1;
        Some(place)
    }

    #[cold]
    fn make_room(&mut self, track: &Track, born: &mut usize) -> bool {
        let lost = self.live().iter().enumerate().filter(|(_, track)| track.phase == Phase::Lost);
        if let Some((place, _)) = lost.max_by(|a, b| a.1.unseen.total_cmp(&b.1.unseen)) {
            self.remove(place);
            *born -= 1;
            self.head.losses.evicted = self.head.losses.evicted.saturating_add(1);
            return true;
        }
        let newborn = self.live().iter().enumerate().skip(*born);
        match newborn.min_by(|a, b| a.1.score.total_cmp(&b.1.score)) {
            Some((place, weakest)) if weakest.score < track.score => {
                self.remove(place);
                self.head.losses.untracked = self.head.losses.untracked.saturating_add(1);
                true
            }
            _ => false,
        }
    }

    fn remove(&mut self, place: usize) {
        self.tracks.copy_within(place + 1..self.head.tracks, place);
        if place < self.histories.len() {
            self.histories.copy_within(place + 1..self.head.tracks, place);
        }
        self.extents.copy_within(place + 1..self.head.tracks, place);
        self.appearance.copy(place + 1..self.head.tracks, place);
        self.head.tracks -= 1;
    }

    /// Of a tracked and a lost track that overlap by more than `limit`, the younger goes; of equally old ones the
    /// tracked one, as in the original. All pairs are judged before any track is removed.
    pub(crate) fn mark_duplicates(&mut self, limit: f32, boxes: Boxes, margin: f32, same_class: bool) {
        let count = self.head.tracks;
        let (tracks, extents) = (&mut self.tracks[..count], &mut self.extents[..count]);
        if tracks.iter().all(|track| track.phase != Phase::Lost) {
            return;
        }
        // The tracks seen in this frame by their left edges. There are no more of them than detections.
        let mut seen = 0;
        for (place, (track, extent)) in tracks.iter().zip(extents.iter_mut()).enumerate() {
            if boxes.are_known_of(track) {
                *extent = Extent::new(&track.bbox(), margin);
            }
            if track.phase != Phase::Lost
                && let Some(slot) = self.order.get_mut(seen)
            {
                *slot = u64::from(sortable(extent.x1)) << 16 | place as u64;
                seen += 1;
            }
        }
        let order = &mut self.order[..seen];
        order.sort_unstable();
        let reach = 1.0 / limit.max(1e-3) - 1.0;
        for lost in 0..count {
            if tracks[lost].phase != Phase::Lost {
                continue;
            }
            let extent = extents[lost];
            // Left edges further apart than this rule so much overlap out.
            let slack = (extent.x2 - extent.x1) * reach;
            let leftmost = u64::from(sortable(extent.x1 - slack)) << 16;
            let first = order.partition_point(|&key| key < leftmost);
            for &key in &order[first..] {
                let other = usize::from(place(key));
                if extents[other].x1 > extent.x1 + slack {
                    break;
                }
                let (intersection, union) = extent.overlap(&extents[other]);
                if intersection > limit * union && !(same_class && tracks[other].class != tracks[lost].class)
                {
                    let younger = if tracks[other].age > tracks[lost].age { lost } else { other };
                    tracks[younger].duplicate = true;
                }
            }
        }
    }

    /// Closes the gaps that removed tracks left.
    pub(crate) fn compact(&mut self) {
        let mut kept = 0;
        for place in 0..self.head.tracks {
            let track = &self.tracks[place];
            if track.phase != Phase::Gone && !track.duplicate {
                if kept != place {
                    self.tracks[kept] = *track;
                    self.extents[kept] = self.extents[place];
                    if place < self.histories.len() {
                        self.histories[kept] = self.histories[place];
                    }
                    self.appearance.copy(place..place + 1, kept);
                }
                kept += 1;
            }
        }
        self.head.tracks = kept;
    }
}
