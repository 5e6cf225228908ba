//! Joining what several tiles saw of one object.

use eyespot_core::{BBox, Detection, PredictionsMut};

/// How the overlap of two boxes is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overlap {
    /// Intersection over union: for boxes of one size.
    Iou,
    /// Intersection over the smaller area: also finds the part of an object that a tile cut off.
    #[default]
    Ios,
}

impl Overlap {
    /// The overlap, `0..=1`.
    #[must_use]
    pub const fn of(self, a: &BBox, b: &BBox) -> f32 {
        match self {
            Self::Iou => a.iou(b),
            Self::Ios => a.ios(b),
        }
    }
}

/// What becomes of overlapping detections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MergeMethod {
    /// Non-maximum suppression: the best stays as it is.
    Nms,
    /// Greedy non-maximum merging: the best grows to the smallest box around all that overlap it. What SAHI calls
    /// GREEDYNMM (Akyon et al., "Slicing Aided Hyper Inference", arXiv:2202.06934).
    #[default]
    Nmm,
}

/// Joins overlapping detections in place.
///
/// The detections are sorted by score, equal ones by area; each one that is left takes all of its class that overlap its own
/// box by more than the threshold. So of a whole object and a piece of it with the same score the whole is left.
/// `O(n log n + n * kept)`.
///
/// A detection that takes others keeps its score, class, track, mask and keypoints. With [`MergeMethod::Nmm`] the box
/// grows but the mask does not: [`Merged::masks_cut`] counts how often a mask was left out. Oriented boxes are
/// compared by the upright boxes around them and never grow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Merge {
    threshold: f32,
    method: MergeMethod,
    overlap: Overlap,
    agnostic: bool,
}

/// What a merge did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Merged {
    /// Detections that went into better ones.
    pub joined: usize,
    /// Those of them whose mask was left out although their box was joined.
    pub masks_cut: usize,
}

impl Default for Merge {
    /// Greedy non-maximum merging of boxes of a class with an intersection over the smaller of more than 0.5.
    fn default() -> Self {
        Self::nmm(0.5)
    }
}

impl Merge {
    /// Suppression by IoU.
    #[must_use]
    pub const fn nms(threshold: f32) -> Self {
        Self { threshold, method: MergeMethod::Nms, overlap: Overlap::Iou, agnostic: false }
    }

    /// Merging by IoS.
    #[must_use]
    pub const fn nmm(threshold: f32) -> Self {
        Self { threshold, method: MergeMethod::Nmm, overlap: Overlap::Ios, agnostic: false }
    }

    /// The same with another measure of overlap.
    #[must_use]
    pub const fn with_overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = overlap;
        self
    }

    /// All classes together.
    #[must_use]
    pub const fn agnostic(mut self) -> Self {
        self.agnostic = true;
        self
    }

    /// Joins what overlaps. The detections are sorted by score afterwards, the larger first of equal ones.
    pub fn apply(&self, predictions: &mut PredictionsMut<'_>) -> Merged {
        let area = |detection: &Detection| extent(detection).area();
        predictions.detections_mut().sort_unstable_by(|a, b| {
            (b.score.total_cmp(&a.score))
                .then_with(|| area(b).total_cmp(&area(a)))
                .then_with(|| a.by_score(b))
        });
        let mut merged = Merged::default();
        let mut rest = predictions.detections_mut();
        while let Some((best, others)) = rest.split_first_mut() {
            if best.score != TAKEN {
                self.take(best, others, &mut merged);
            }
            rest = others;
        }
        predictions.retain(|detection| detection.score != TAKEN);
        merged
    }

    fn take(&self, best: &mut Detection, others: &mut [Detection], merged: &mut Merged) {
        let own = extent(best);
        for other in others {
            if other.score == TAKEN || !(self.agnostic || other.class == best.class) {
                continue;
            }
            let theirs = extent(other);
            if self.overlap.of(&own, &theirs) <= self.threshold {
                continue;
            }
            other.score = TAKEN;
            merged.joined += 1;
            if self.method == MergeMethod::Nmm && best.angle.is_none() {
                best.bbox = best.bbox.union_box(&theirs);
                merged.masks_cut += usize::from(other.has_mask());
            }
        }
    }
}

/// Marks a detection that went into another. No detection in a storage has a negative score.
const TAKEN: f32 = -1.0;

/// The upright box around a detection.
fn extent(detection: &Detection) -> BBox {
    let Some(angle) = detection.angle else { return detection.bbox };
    let (sin, cos) = libm::sincosf(angle.radians());
    let (width, height) = (detection.bbox.width(), detection.bbox.height());
    let (cx, cy) = detection.bbox.center();
    let (sin, cos) = (sin.abs(), cos.abs());
    BBox::from_cxcywh(cx, cy, width * cos + height * sin, width * sin + height * cos)
}
