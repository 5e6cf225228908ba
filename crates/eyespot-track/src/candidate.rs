//! The detections of a frame, checked and sorted for the search.

use eyespot_core::{BBox, ClassId, Detection};

use crate::storage::Memory;

/// Coordinates beyond this are refused: their squares would leave the range of `f32`.
pub(crate) const MAX_COORDINATE: f32 = 1e6;
/// Sides below this count as this, so that no variance is zero.
pub(crate) const MIN_SIDE: f32 = 1e-4;

/// A box with its area, ready for overlaps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Extent {
    pub(crate) x1: f32,
    pub(crate) y1: f32,
    pub(crate) x2: f32,
    pub(crate) y2: f32,
    pub(crate) area: f32,
}

impl Extent {
    pub(crate) const ZERO: Self = Self { x1: 0.0, y1: 0.0, x2: 0.0, y2: 0.0, area: 0.0 };

    /// The extent of a box whose right and bottom edges are moved out by `margin`.
    #[inline]
    pub(crate) fn new(bbox: &BBox, margin: f32) -> Self {
        let (x2, y2) = (bbox.x2 + margin, bbox.y2 + margin);
        Self { x1: bbox.x1, y1: bbox.y1, x2, y2, area: (x2 - bbox.x1) * (y2 - bbox.y1) }
    }

    /// Intersection and union.
    #[inline]
    pub(crate) fn overlap(&self, other: &Self) -> (f32, f32) {
        let width = (self.x2.min(other.x2) - self.x1.max(other.x1)).max(0.0);
        let height = (self.y2.min(other.y2) - self.y1.max(other.y1)).max(0.0);
        let intersection = width * height;
        (intersection, self.area + other.area - intersection)
    }
}

/// Which stage a detection takes part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// None, or not any more.
    Out,
    High,
    Low,
}

/// A detection that takes part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) extent: Extent,
    pub(crate) score: f32,
    pub(crate) class: ClassId,
    /// Its place in the caller's slice.
    pub(crate) index: u16,
    pub(crate) level: Level,
}

impl Candidate {
    pub(crate) const ZERO: Self =
        Self { extent: Extent::ZERO, score: 0.0, class: ClassId(0), index: 0, level: Level::Out };
}

/// Can a tracker work with this detection?
fn is_sound(detection: &Detection) -> bool {
    detection.is_valid() && detection.bbox.xyxy().iter().all(|value| value.abs() <= MAX_COORDINATE)
}

impl Memory<'_> {
    /// Takes the sound detections that `level` puts into a stage, the best ones if they are too many, and sorts them
    /// by their left edges. The order does not depend on that of the caller.
    pub(crate) fn take_candidates(
        &mut self,
        detections: &mut [Detection],
        margin: f32,
        level: impl Fn(f32) -> Level,
    ) {
        let mut count = 0;
        for (index, detection) in detections.iter_mut().enumerate() {
            detection.track = None;
            if !is_sound(detection) {
                self.head.losses.invalid = self.head.losses.invalid.saturating_add(1);
                continue;
            }
            let level = level(detection.score);
            if level == Level::Out {
                continue;
            }
            let Ok(index) = u16::try_from(index) else {
                self.head.losses.detections = self.head.losses.detections.saturating_add(1);
                continue;
            };
            let candidate = Candidate {
                extent: Extent::new(&detection.bbox, margin),
                score: detection.score,
                class: detection.class,
                index,
                level,
            };
            if let Some(slot) = self.candidates.get_mut(count) {
                *slot = candidate;
                count += 1;
                continue;
            }
            self.head.losses.detections = self.head.losses.detections.saturating_add(1);
            let weakest = self.candidates.iter_mut().min_by(|a, b| rank(a, b));
            if let Some(weakest) = weakest.filter(|weakest| rank(weakest, &candidate).is_lt()) {
                *weakest = candidate;
            }
        }
        self.head.candidates = count;
        self.candidates[..count].sort_unstable_by(|a, b| {
            let (p, q) = (&a.extent, &b.extent);
            p.x1.total_cmp(&q.x1)
                .then_with(|| p.y1.total_cmp(&q.y1))
                .then_with(|| p.x2.total_cmp(&q.x2))
                .then_with(|| p.y2.total_cmp(&q.y2))
                .then_with(|| rank(b, a))
        });
    }
}

/// A lower rank makes room first.
fn rank(a: &Candidate, b: &Candidate) -> core::cmp::Ordering {
    let (p, q) = (&a.extent, &b.extent);
    a.score
        .total_cmp(&b.score)
        .then_with(|| b.class.cmp(&a.class))
        .then_with(|| q.x1.total_cmp(&p.x1))
        .then_with(|| q.y1.total_cmp(&p.y1))
        .then_with(|| q.x2.total_cmp(&p.x2))
        .then_with(|| q.y2.total_cmp(&p.y2))
}
