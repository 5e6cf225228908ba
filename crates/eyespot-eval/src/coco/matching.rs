//! Which detections of an image are true: greedy matching in the order of scores.

use super::evaluate::{Detected, Truth};

/// What a detection counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    True,
    False,
    /// In a crowd, or of a size that is not evaluated.
    Ignored,
}

/// Sizes of objects in square pixels, both ends included.
pub(super) type AreaRange = [f64; 2];

/// The matcher of one image and category; keeps its buffers between images.
#[derive(Debug, Default)]
pub(super) struct Matcher {
    /// Overlap of every detection (row) with every truth.
    overlaps: Vec<f64>,
    /// Truths with those that count first, then those that are ignored.
    order: Vec<usize>,
    ignored: Vec<bool>,
    taken: Vec<bool>,
}

impl Matcher {
    /// Sets the image: computes the overlaps.
    pub(super) fn begin(&mut self, truths: &[Truth], detections: &[Detected]) {
        self.overlaps.clear();
        for detection in detections {
            self.overlaps.extend(truths.iter().map(|truth| overlap(detection, truth)));
        }
    }

    /// Prepares a range of sizes and returns how many truths count in it.
    pub(super) fn begin_area(&mut self, truths: &[Truth], area: AreaRange) -> usize {
        self.ignored.clear();
        self.ignored.extend(truths.iter().map(|truth| truth.crowd || outside(truth.area, area)));
        self.order.clear();
        self.order.extend(0..truths.len());
        self.order.sort_by_key(|&truth| self.ignored[truth]);
        self.ignored.iter().filter(|&&ignored| !ignored).count()
    }

    /// Matches the detections, which come in the order of falling scores, at one IoU threshold and appends what they
    /// count as.
    pub(super) fn run(
        &mut self,
        truths: &[Truth],
        detections: &[Detected],
        area: AreaRange,
        threshold: f64,
        outcomes: &mut Vec<Outcome>,
    ) {
        self.taken.clear();
        self.taken.resize(truths.len(), false);
        for (at, detection) in detections.iter().enumerate() {
            let overlaps = &self.overlaps[at * truths.len()..][..truths.len()];
            outcomes.push(match self.pick(truths, overlaps, threshold) {
                Some(truth) => {
                    self.taken[truth] = true;
                    if self.ignored[truth] { Outcome::Ignored } else { Outcome::True }
                }
                None if outside(detection.area, area) => Outcome::Ignored,
                None => Outcome::False,
            });
        }
    }

    /// The free truth with the largest overlap, the last of equal ones; an ignored one only if none counts.
    fn pick(&self, truths: &[Truth], overlaps: &[f64], threshold: f64) -> Option<usize> {
        let mut least = threshold.min(1.0 - 1e-10);
        let mut picked = None;
        for &truth in &self.order {
            if self.taken[truth] && !truths[truth].crowd {
                continue;
            }
            if self.ignored[truth] && picked.is_some_and(|picked: usize| !self.ignored[picked]) {
                break;
            }
            if overlaps[truth] >= least {
                least = overlaps[truth];
                picked = Some(truth);
            }
        }
        picked
    }
}

fn outside(area: f64, [min, max]: AreaRange) -> bool {
    area < min || area > max
}

/// Intersection over union; over the detection alone if the truth is a crowd.
fn overlap(detection: &Detected, truth: &Truth) -> f64 {
    let ([dx, dy, dw, dh], [tx, ty, tw, th]) = (detection.bbox, truth.bbox);
    let width = (dx + dw).min(tx + tw) - dx.max(tx);
    let height = (dy + dh).min(ty + th) - dy.max(ty);
    if width <= 0.0 || height <= 0.0 {
        return 0.0;
    }
    let intersection = width * height;
    let union = if truth.crowd { dw * dh } else { dw * dh + tw * th - intersection };
    intersection / union
}
