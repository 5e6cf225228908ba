//! Ground truth and tracks of the same frames side by side, as the MOT Challenge prepares them.

use std::collections::HashMap;

use super::{Row, Sequence};
use crate::Error;
use crate::assignment::Assignment;

/// Classes of MOT16 and MOT17 that a tracker may follow or not: person on vehicle, static person, distractor,
/// reflection.
pub const MOT17_DISTRACTORS: &[u32] = &[2, 7, 8, 12];

/// Classes of MOT20 that a tracker may follow or not: those of MOT17 and non-motorized vehicle.
pub const MOT20_DISTRACTORS: &[u32] = &[2, 6, 7, 8, 12];

/// Room for rounding at IoU thresholds.
pub(super) const EPSILON: f64 = f64::EPSILON;

/// A sequence with identities as indices.
#[derive(Debug)]
pub(super) struct Pairing {
    /// How many identities the ground truth has.
    pub(super) truth_ids: usize,
    /// How many identities the tracks have.
    pub(super) track_ids: usize,
    pub(super) frames: Vec<PairedFrame>,
}

/// The boxes of a frame.
#[derive(Debug)]
pub(super) struct PairedFrame {
    /// Identity of every true box.
    pub(super) truths: Vec<usize>,
    /// Identity of every tracked box.
    pub(super) tracks: Vec<usize>,
    /// IoU of every true box (row) with every tracked one.
    pub(super) overlaps: Vec<f64>,
}

impl PairedFrame {
    /// IoU of a true box and a tracked one, by their place in the frame.
    pub(super) fn overlap(&self, truth: usize, track: usize) -> f64 {
        self.overlaps[truth * self.tracks.len() + track]
    }

    /// (identity of the truth, identity of the track, IoU) of all pairs.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (usize, usize, f64)> {
        let ids = self.truths.iter().flat_map(|&truth| self.tracks.iter().map(move |&track| (truth, track)));
        ids.zip(&self.overlaps).map(|((truth, track), &overlap)| (truth, track, overlap))
    }
}

impl Pairing {
    /// Tracked boxes that match a distractor are taken out, then all true boxes that do not count.
    pub(super) fn new(truth: &Sequence, tracks: &Sequence, distractors: &[u32]) -> Result<Self, Error> {
        let mut solver = Assignment::default();
        let (mut truth_ids, mut track_ids) = (HashMap::new(), HashMap::new());
        let (mut truth, mut tracks) = (truth.rows(), tracks.rows());
        let mut frames = Vec::new();
        loop {
            let next = truth.first().into_iter().chain(tracks.first());
            let Some(frame) = next.map(|row| row.frame).min() else { break };
            let truth = take_frame(&mut truth, frame)?;
            let tracks = take_frame(&mut tracks, frame)?;
            let mut overlaps: Vec<f64> =
                truth.iter().flat_map(|t| tracks.iter().map(|d| iou(t.bbox, d.bbox))).collect();
            let drop = on_distractors(truth, tracks, &overlaps, distractors, &mut solver);
            let kept = truth.iter().flat_map(|t| drop.iter().map(move |dropped| counts(t) && !dropped));
            let mut kept = kept.collect::<Vec<_>>().into_iter();
            overlaps.retain(|_| kept.next() == Some(true));
            let truth = truth.iter().filter(|row| counts(row));
            let tracks = tracks.iter().zip(&drop).filter(|(_, dropped)| !**dropped).map(|(row, _)| row);
            frames.push(PairedFrame {
                truths: truth.map(|row| index(&mut truth_ids, row.id)).collect(),
                tracks: tracks.map(|row| index(&mut track_ids, row.id)).collect(),
                overlaps,
            });
        }
        Ok(Self { truth_ids: truth_ids.len(), track_ids: track_ids.len(), frames })
    }

    /// In how many frames every true identity occurs.
    pub(super) fn truth_lengths(&self) -> Vec<u32> {
        lengths(self.truth_ids, self.frames.iter().map(|frame| &frame.truths))
    }

    /// In how many frames every track occurs.
    pub(super) fn track_lengths(&self) -> Vec<u32> {
        lengths(self.track_ids, self.frames.iter().map(|frame| &frame.tracks))
    }
}

fn lengths<'a>(ids: usize, frames: impl Iterator<Item = &'a Vec<usize>>) -> Vec<u32> {
    let mut lengths = vec![0; ids];
    frames.flatten().for_each(|&id| lengths[id] += 1);
    lengths
}

fn index(ids: &mut HashMap<i64, usize>, id: i64) -> usize {
    let next = ids.len();
    *ids.entry(id).or_insert(next)
}

/// True boxes that are evaluated: pedestrians, or all where there are no classes, with the consider flag.
fn counts(row: &Row) -> bool {
    row.score != 0.0 && matches!(row.class, None | Some(1))
}

/// Cuts off the leading rows of `frame`.
fn take_frame<'a>(rows: &mut &'a [Row], frame: u32) -> Result<&'a [Row], Error> {
    let (taken, rest) = rows.split_at(rows.iter().position(|row| row.frame != frame).unwrap_or(rows.len()));
    *rows = rest;
    for (at, row) in taken.iter().enumerate() {
        if row.id < 0 {
            return Err(Error::NoId { frame });
        }
        if taken[..at].iter().any(|other| other.id == row.id) {
            return Err(Error::DuplicateId { frame, id: row.id });
        }
    }
    Ok(taken)
}

/// Which tracked boxes match a distractor, when all true boxes compete for them at an IoU of 0.5.
fn on_distractors(
    truth: &[Row],
    tracks: &[Row],
    overlaps: &[f64],
    distractors: &[u32],
    solver: &mut Assignment,
) -> Vec<bool> {
    let mut drop = vec![false; tracks.len()];
    let is_distractor = |row: &Row| row.class.is_some_and(|class| distractors.contains(&class));
    if truth.iter().any(is_distractor) {
        let near: Vec<f64> = overlaps.iter().map(|&o| if o < 0.5 - EPSILON { 0.0 } else { o }).collect();
        for &(t, d) in solver.maximize(truth.len(), tracks.len(), &near) {
            drop[d] = near[t * tracks.len() + d] > EPSILON && is_distractor(&truth[t]);
        }
    }
    drop
}

/// Intersection over union of two boxes (left, top, width, height); 0 with an empty one.
fn iou([ax, ay, aw, ah]: [f64; 4], [bx, by, bw, bh]: [f64; 4]) -> f64 {
    let ([ax2, ay2], [bx2, by2]) = ([ax + aw, ay + ah], [bx + bw, by + bh]);
    let width = ax2.min(bx2) - ax.max(bx);
    let height = ay2.min(by2) - ay.max(by);
    if width <= 0.0 || height <= 0.0 {
        return 0.0;
    }
    let intersection = width * height;
    let union = (ax2 - ax) * (ay2 - ay) + (bx2 - bx) * (by2 - by) - intersection;
    // Boxes so small or far out that rounding eats them have no overlap.
    if union > EPSILON { (intersection / union).min(1.0) } else { 0.0 }
}
