//! What is known about one object.

use eyespot_core::{BBox, ClassId, TrackId};

use crate::kalman::Pair;
use crate::shape::Shape;

/// Where a track stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackState {
    /// Seen once; the next frame confirms it or removes it.
    Unconfirmed,
    /// Seen in the current frame.
    Tracked,
    /// Not seen in the current frame, but remembered.
    Lost,
}

/// A track as the tracker sees it after the current frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackInfo {
    /// Its identity.
    pub id: TrackId,
    /// The filtered box in pixels: detection and prediction weighed by their uncertainty. For a lost track, the
    /// predicted box.
    pub bbox: BBox,
    /// How the centre moves, in pixels per frame.
    pub velocity: [f32; 2],
    /// Score of its latest detection.
    pub score: f32,
    /// Its class.
    pub class: ClassId,
    /// Where it stands.
    pub state: TrackState,
    /// Frames from its first to its latest detection.
    pub age: f32,
    /// Frames since its latest detection.
    pub unseen: f32,
}

/// Scores of up to four classes. A class with more than a fifth of all score that a track got always has a slot
/// (Misra and Gries, "Finding repeated elements", 1982); with up to four classes the sums are exact.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Votes {
    weights: [f32; 4],
    classes: [ClassId; 4],
}

impl Votes {
    pub(crate) const ZERO: Self = Self { weights: [0.0; 4], classes: [ClassId(0); 4] };

    pub(crate) fn new(class: ClassId, score: f32) -> Self {
        let mut votes = Self::ZERO;
        votes.add(class, score);
        votes
    }

    /// Adds a vote.
    pub(crate) fn add(&mut self, class: ClassId, score: f32) {
        let mut weakest = 0;
        for slot in 0..4 {
            if self.classes[slot] == class && self.weights[slot] > 0.0 {
                self.weights[slot] += score;
                return;
            }
            if self.weights[slot] < self.weights[weakest] {
                weakest = slot;
            }
        }
        let cut = self.weights[weakest].min(score);
        self.weights = self.weights.map(|weight| weight - cut);
        if score > cut {
            self.weights[weakest] = score - cut;
            self.classes[weakest] = class;
        }
    }

    /// The class to show, which changes only when another one has more than the `current` one.
    pub(crate) fn winner(&self, current: ClassId) -> ClassId {
        let weight_of = |class| {
            (0..4)
                .filter(|&slot| self.classes[slot] == class)
                .map(|slot| self.weights[slot])
                .fold(0.0, f32::max)
        };
        let mut best = (weight_of(current), current);
        for slot in 0..4 {
            if self.weights[slot] > best.0 {
                best = (self.weights[slot], self.classes[slot]);
            }
        }
        best.1
    }
}

/// One object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Track {
    /// Centre of the box.
    pub(crate) center: Pair,
    /// Size of the box, as `shape` says.
    pub(crate) size: Pair,
    pub(crate) votes: Votes,
    pub(crate) id: u32,
    pub(crate) score: f32,
    /// Frames from the first to the latest detection.
    pub(crate) age: f32,
    /// Frames since the latest detection.
    pub(crate) unseen: f32,
    pub(crate) class: ClassId,
    /// The detection of this frame, if the track is unconfirmed or tracked.
    pub(crate) detection: u16,
    /// Frames in a row with a detection, after the first: only counted by SORT and OC-SORT.
    pub(crate) streak: u16,
    pub(crate) phase: Phase,
    /// What `size` is.
    pub(crate) shape: Shape,
    /// The scale of its appearance feature; 0 if it has none.
    pub(crate) feature_scale: f32,
    /// A duplicate of another track: removed with the end of the frame.
    pub(crate) duplicate: bool,
    /// Was lost for too long, but lives on for a frame: only under the oddities of the original.
    pub(crate) expired: bool,
}

/// The state of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing; removed with the end of the frame.
    Gone,
    Unconfirmed,
    Tracked,
    Lost,
}

impl Track {
    pub(crate) const ZERO: Self = Self {
        center: Pair::ZERO,
        size: Pair::ZERO,
        votes: Votes::ZERO,
        id: 0,
        score: 0.0,
        age: 0.0,
        unseen: 0.0,
        class: ClassId(0),
        detection: 0,
        streak: 0,
        phase: Phase::Gone,
        shape: Shape::Sides,
        feature_scale: 0.0,
        duplicate: false,
        expired: false,
    };

    pub(crate) fn info(&self) -> Option<TrackInfo> {
        let state = match self.phase {
            Phase::Gone => return None,
            Phase::Unconfirmed => TrackState::Unconfirmed,
            Phase::Tracked => TrackState::Tracked,
            Phase::Lost => TrackState::Lost,
        };
        Some(TrackInfo {
            id: TrackId::new(self.id)?,
            bbox: self.bbox(),
            velocity: self.center.velocity,
            score: self.score,
            class: self.class,
            state,
            age: self.age,
            unseen: self.unseen,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_sum_of_scores_wins_and_ties_keep() {
        let mut votes = Votes::new(ClassId(3), 0.5);
        votes.add(ClassId(7), 0.5);
        assert_eq!(votes.winner(ClassId(3)), ClassId(3));
        votes.add(ClassId(7), 0.1);
        assert_eq!(votes.winner(ClassId(3)), ClassId(7));
    }

    #[test]
    fn a_frequent_class_survives_many_rare_ones() {
        let mut votes = Votes::new(ClassId(1), 0.9);
        for rare in 0..200 {
            votes.add(ClassId(1000 + rare), 0.9);
            if rare % 3 == 0 {
                votes.add(ClassId(1), 0.9);
            }
        }
        assert_eq!(votes.winner(ClassId(1000)), ClassId(1));
    }
}
