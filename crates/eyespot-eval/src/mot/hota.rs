//! Higher order tracking accuracy: Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking",
//! IJCV 129, 2021.

use serde::Serialize;

use super::pairing::{EPSILON, Matcher, Overlap, Pairing};

/// How many localization thresholds there are: 0.05, 0.1, ..., 0.95.
const ALPHAS: usize = 19;

/// HOTA and its parts, `0..=1`: means over the thresholds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hota {
    /// The geometric mean of detection and association accuracy.
    #[serde(rename = "HOTA")]
    pub hota: f64,
    /// Detection accuracy.
    #[serde(rename = "DetA")]
    pub det_a: f64,
    /// Association accuracy.
    #[serde(rename = "AssA")]
    pub ass_a: f64,
    /// Localization accuracy: mean IoU of matched boxes.
    #[serde(rename = "LocA")]
    pub loc_a: f64,
    /// Detection recall.
    #[serde(rename = "DetRe")]
    pub det_re: f64,
    /// Detection precision.
    #[serde(rename = "DetPr")]
    pub det_pr: f64,
    /// Association recall.
    #[serde(rename = "AssRe")]
    pub ass_re: f64,
    /// Association precision.
    #[serde(rename = "AssPr")]
    pub ass_pr: f64,
    /// The same at each threshold: 0.05, 0.1, ..., 0.95.
    #[serde(skip)]
    pub alphas: Vec<HotaAt>,
}

/// HOTA at one localization threshold.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HotaAt {
    /// The IoU from which boxes match.
    pub alpha: f64,
    /// Matched boxes.
    pub tp: u64,
    /// Tracked boxes without match.
    pub fp: u64,
    /// True boxes without match.
    pub fn_: u64,
    /// Association accuracy.
    pub ass_a: f64,
    /// Association recall.
    pub ass_re: f64,
    /// Association precision.
    pub ass_pr: f64,
    /// Mean IoU of matched boxes, 1 without any.
    pub loc_a: f64,
}

impl HotaAt {
    /// Detection accuracy.
    #[must_use]
    pub fn det_a(&self) -> f64 {
        ratio(self.tp, self.tp + self.fp + self.fn_)
    }

    /// The geometric mean of detection and association accuracy.
    #[must_use]
    pub fn hota(&self) -> f64 {
        (self.det_a() * self.ass_a).sqrt()
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

impl Hota {
    pub(super) fn new(pairing: &Pairing) -> Self {
        let matches = Matches::new(pairing);
        let (truth, tracks) = (pairing.truth_lengths(), pairing.track_lengths());
        let boxes = |lengths: &[u32]| lengths.iter().map(|&length| u64::from(length)).sum::<u64>();
        let (truth_boxes, track_boxes) = (boxes(&truth), boxes(&tracks));

        let mut alphas: Vec<HotaAt> = (0..ALPHAS)
            .map(|a| {
                let tp = matches.count[a];
                HotaAt {
                    alpha: alpha(a),
                    tp,
                    fp: track_boxes - tp,
                    fn_: truth_boxes - tp,
                    loc_a: matches.overlap[a].max(1e-10) / (tp as f64).max(1e-10),
                    ..HotaAt::default()
                }
            })
            .collect();
        for (truth_id, track_id, counts) in matches.by_pair() {
            let lengths = (f64::from(truth[truth_id]), f64::from(tracks[track_id]));
            for (at, count) in alphas.iter_mut().zip(counts) {
                let count = f64::from(count);
                // Every matched box of the pair has the association of the pair.
                at.ass_a += count * count / (lengths.0 + lengths.1 - count).max(1.0);
                at.ass_re += count * count / lengths.0;
                at.ass_pr += count * count / lengths.1;
            }
        }
        for at in &mut alphas {
            let matched = at.tp.max(1) as f64;
            at.ass_a /= matched;
            at.ass_re /= matched;
            at.ass_pr /= matched;
        }
        Self::from_alphas(alphas)
    }

    /// Pools sequences: counts are added, the other figures averaged over matched boxes.
    pub(super) fn combine<'a>(all: impl Iterator<Item = &'a Self> + Clone) -> Self {
        Self::from_alphas(
            (0..ALPHAS)
                .map(|a| {
                    let parts = all.clone().map(|one| &one.alphas[a]);
                    let tp = parts.clone().map(|at| at.tp).sum();
                    let weighted = |figure: fn(&HotaAt) -> f64| -> f64 {
                        parts.clone().map(|at| figure(at) * at.tp as f64).sum()
                    };
                    let mean = |figure| weighted(figure) / (tp as f64).max(1.0);
                    HotaAt {
                        alpha: alpha(a),
                        tp,
                        fp: parts.clone().map(|at| at.fp).sum(),
                        fn_: parts.clone().map(|at| at.fn_).sum(),
                        ass_a: mean(|at| at.ass_a),
                        ass_re: mean(|at| at.ass_re),
                        ass_pr: mean(|at| at.ass_pr),
                        loc_a: weighted(|at| at.loc_a).max(1e-10) / (tp as f64).max(1e-10),
                    }
                })
                .collect(),
        )
    }

    fn from_alphas(alphas: Vec<HotaAt>) -> Self {
        let mean = |figure: fn(&HotaAt) -> f64| alphas.iter().map(figure).sum::<f64>() / ALPHAS as f64;
        Self {
            hota: mean(HotaAt::hota),
            det_a: mean(HotaAt::det_a),
            ass_a: mean(|at| at.ass_a),
            loc_a: mean(|at| at.loc_a),
            det_re: mean(|at| ratio(at.tp, at.tp + at.fn_)),
            det_pr: mean(|at| ratio(at.tp, at.tp + at.fp)),
            ass_re: mean(|at| at.ass_re),
            ass_pr: mean(|at| at.ass_pr),
            alphas,
        }
    }
}

fn alpha(index: usize) -> f64 {
    0.05 + 0.05 * index as f64
}

/// Matched boxes of all frames.
struct Matches {
    /// How many, at each threshold.
    count: [u64; ALPHAS],
    /// Sum of their overlaps, at each threshold.
    overlap: [f64; ALPHAS],
    /// (truth, track, number of thresholds that the overlap reaches), sorted.
    list: Vec<(usize, usize, usize)>,
}

impl Matches {
    /// Matches every frame so that the identities that go together over the whole sequence are preferred.
    fn new(pairing: &Pairing) -> Self {
        let alignment = alignment(pairing);
        let columns = pairing.track_ids;
        let mut matcher = Matcher::default();
        let mut matches = Self { count: [0; ALPHAS], overlap: [0.0; ALPHAS], list: Vec::new() };
        for frame in &pairing.frames {
            let ids = |overlap: &Overlap| (frame.truths[overlap.truth], frame.tracks[overlap.track]);
            let matched = matcher.run(frame, |overlap| {
                let (truth, track) = ids(overlap);
                alignment[truth * columns + track] * overlap.iou
            });
            for overlap in matched {
                let reached = (0..ALPHAS).take_while(|&a| overlap.iou >= alpha(a) - EPSILON).count();
                for a in 0..reached {
                    matches.count[a] += 1;
                    matches.overlap[a] += overlap.iou;
                }
                if reached > 0 {
                    let (truth, track) = ids(overlap);
                    matches.list.push((truth, track, reached));
                }
            }
        }
        matches.list.sort_unstable();
        matches
    }

    /// (truth, track, matched boxes at each threshold).
    fn by_pair(&self) -> impl Iterator<Item = (usize, usize, [u32; ALPHAS])> {
        self.list.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).map(|pair| {
            let mut counts = [0; ALPHAS];
            for &(.., reached) in pair {
                counts[..reached].iter_mut().for_each(|count| *count += 1);
            }
            (pair[0].0, pair[0].1, counts)
        })
    }
}

/// How well every true identity (row) and track go together over the sequence, `0..=1`: the soft Jaccard index of
/// their boxes.
fn alignment(pairing: &Pairing) -> Vec<f64> {
    let columns = pairing.track_ids;
    let mut shared = vec![0.0; pairing.truth_ids * columns];
    let (mut of_truth, mut of_track) = (Vec::new(), Vec::new());
    for frame in &pairing.frames {
        of_truth.clear();
        of_truth.resize(frame.truths.len(), 0.0);
        of_track.clear();
        of_track.resize(frame.tracks.len(), 0.0);
        for &Overlap { truth, track, iou } in &frame.overlaps {
            of_truth[truth] += iou;
            of_track[track] += iou;
        }
        for &Overlap { truth, track, iou } in &frame.overlaps {
            let either = of_truth[truth] + of_track[track] - iou;
            if either > EPSILON {
                shared[frame.truths[truth] * columns + frame.tracks[track]] += iou / either;
            }
        }
    }
    let (truth, tracks) = (pairing.truth_lengths(), pairing.track_lengths());
    for (at, shared) in shared.iter_mut().enumerate() {
        let (truth, track) = (truth[at / columns], tracks[at % columns]);
        *shared /= f64::from(truth) + f64::from(track) - *shared;
    }
    shared
}
