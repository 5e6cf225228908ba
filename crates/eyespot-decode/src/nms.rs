//! Greedy non-maximum suppression.

use crate::{Candidate, Candidates};

/// Greedy non-maximum suppression: a candidate goes if a better one that stays overlaps it by more than the IoU
/// threshold (strictly more, as in torchvision).
///
/// `O(n log n)` to sort and `O(n * kept)` to compare, in place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nms {
    iou: f32,
    agnostic: bool,
}

impl Nms {
    /// Each class for itself. An IoU of 1 or more suppresses nothing.
    #[must_use]
    pub const fn new(iou: f32) -> Self {
        Self { iou, agnostic: false }
    }

    /// All classes together: one object, one class.
    #[must_use]
    pub const fn agnostic(mut self) -> Self {
        self.agnostic = true;
        self
    }

    /// Leaves the survivors, best first.
    pub fn suppress(&self, candidates: &mut Candidates<'_>) {
        self.suppress_by(candidates, |better, candidate| {
            // Most boxes don't touch: find that out before anything costly.
            if better.bbox.x1 < candidate.bbox.x2
                && candidate.bbox.x1 < better.bbox.x2
                && better.bbox.y1 < candidate.bbox.y2
                && candidate.bbox.y1 < better.bbox.y2
            {
                better.bbox.iou(&candidate.bbox)
            } else {
                0.0
            }
        });
    }

    /// As [`suppress`](Self::suppress) with another measure of overlap, `0..=1`, for example of
    /// [oriented boxes](crate::oriented).
    pub fn suppress_by(
        &self,
        candidates: &mut Candidates<'_>,
        overlap: impl Fn(&Candidate, &Candidate) -> f32,
    ) {
        let live = candidates.sort();
        let mut kept = 0;
        for index in 0..live.len() {
            let candidate = live[index];
            let suppressed = live[..kept].iter().any(|better| {
                (self.agnostic || better.class == candidate.class) && overlap(better, &candidate) > self.iou
            });
            if !suppressed {
                live[kept] = candidate;
                kept += 1;
            }
        }
        candidates.truncate(kept);
    }
}
