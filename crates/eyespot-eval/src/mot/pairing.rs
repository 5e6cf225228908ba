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
    /// The pairs that overlap, sorted.
    pub(super) overlaps: Vec<Overlap>,
}

/// A true box and a tracked one that overlap.
#[derive(Debug, Clone, Copy)]
pub(super) struct Overlap {
    /// Place of the true box in the frame.
    pub(super) truth: usize,
    /// Place of the tracked box in the frame.
    pub(super) track: usize,
    /// Their IoU, above 0.
    pub(super) iou: f64,
}

/// Matches the boxes of frames; keeps its buffers between them.
#[derive(Debug, Default)]
pub(super) struct Matcher {
    solver: Assignment,
    matched: Vec<Overlap>,
}

impl Matcher {
    /// Matches the boxes of a frame one to one so that the sum of the scores is the largest. Overlaps with the score 0
    /// never match.
    pub(super) fn run(&mut self, frame: &PairedFrame, score: impl Fn(&Overlap) -> f64) -> &[Overlap] {
        self.run_on(frame.truths.len(), frame.tracks.len(), &frame.overlaps, score)
    }

    fn run_on(
        &mut self,
        truths: usize,
        tracks: usize,
        overlaps: &[Overlap],
        score: impl Fn(&Overlap) -> f64,
    ) -> &[Overlap] {
        let scores = overlaps.iter().map(|overlap| (overlap.truth, overlap.track, score(overlap)));
        let assigned = self.solver.maximize(truths, tracks, scores);
        let matched = |overlap: &&Overlap| assigned[overlap.truth] == overlap.track && score(overlap) > 0.0;
        self.matched.clear();
        self.matched.extend(overlaps.iter().filter(matched));
        &self.matched
    }
}

impl Pairing {
    /// Tracked boxes that match a distractor are taken out, then all true boxes that do not count.
    pub(super) fn new(truth: &Sequence, tracks: &Sequence, distractors: &[u32]) -> Result<Self, Error> {
        let mut matcher = Matcher::default();
        let (mut truth_ids, mut track_ids) = (HashMap::new(), HashMap::new());
        let (mut truth, mut tracks) = (truth.rows(), tracks.rows());
        let mut frames = Vec::new();
        loop {
            let next = truth.first().into_iter().chain(tracks.first());
            let Some(frame) = next.map(|row| row.frame).min() else { break };
            let (truth, tracks) = (take_frame(&mut truth, frame)?, take_frame(&mut tracks, frame)?);
            let overlaps = overlaps(truth, tracks);
            let dropped = on_distractors(truth, tracks, &overlaps, distractors, &mut matcher);
            let (truth_places, truths) = keep(truth, |at| counts(&truth[at]), &mut truth_ids);
            let (track_places, tracks) = keep(tracks, |at| !dropped[at], &mut track_ids);
            let moved = |overlap: &Overlap| {
                let (truth, track) = (truth_places[overlap.truth]?, track_places[overlap.track]?);
                Some(Overlap { truth, track, ..*overlap })
            };
            frames.push(PairedFrame {
                truths,
                tracks,
                overlaps: overlaps.iter().filter_map(moved).collect(),
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

/// The new places of the rows, `None` for those that are not kept, and the identities of those that are.
fn keep(
    rows: &[Row],
    is_kept: impl Fn(usize) -> bool,
    ids: &mut HashMap<i64, usize>,
) -> (Vec<Option<usize>>, Vec<usize>) {
    let mut kept = Vec::with_capacity(rows.len());
    let place = |(at, row): (usize, &Row)| {
        is_kept(at).then(|| {
            let next = ids.len();
            kept.push(*ids.entry(row.id).or_insert(next));
            kept.len() - 1
        })
    };
    (rows.iter().enumerate().map(place).collect(), kept)
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
    overlaps: &[Overlap],
    distractors: &[u32],
    matcher: &mut Matcher,
) -> Vec<bool> {
    let mut dropped = vec![false; tracks.len()];
    let is_distractor = |row: &Row| row.class.is_some_and(|class| distractors.contains(&class));
    if truth.iter().any(is_distractor) {
        let near = |overlap: &Overlap| if is_match(overlap.iou) { overlap.iou } else { 0.0 };
        for overlap in matcher.run_on(truth.len(), tracks.len(), overlaps, near) {
            dropped[overlap.track] = is_distractor(&truth[overlap.truth]);
        }
    }
    dropped
}

/// May boxes with this IoU match, where 0.5 is needed?
pub(super) fn is_match(iou: f64) -> bool {
    iou >= 0.5 - EPSILON
}

/// All pairs with an IoU above 0.
fn overlaps(truth: &[Row], tracks: &[Row]) -> Vec<Overlap> {
    let mut overlaps = Vec::new();
    for (t, truth) in truth.iter().enumerate() {
        let ious = tracks.iter().map(|track| iou(truth.bbox, track.bbox)).enumerate();
        overlaps.extend(ious.filter(|pair| pair.1 > 0.0).map(|(track, iou)| Overlap {
            truth: t,
            track,
            iou,
        }));
    }
    overlaps
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
