//! The detections of a frame, checked and sorted for the search.

use core::cmp::Ordering;

use eyespot_core::{BBox, ClassId, Detection};

use crate::storage::Memory;

/// Coordinates beyond this are refused: their squares would leave the range of `f32`.
pub(crate) const MAX_COORDINATE: f32 = 1e6;
/// Sides below this count as this, so that no variance is zero.
pub(crate) const MIN_SIDE: f32 = 1e-4;

/// The smaller of two numbers: one instruction, where `f32::min` also asks whether they are numbers.
#[inline]
pub(crate) const fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// The larger of two numbers.
#[inline]
pub(crate) const fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

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
        let width = larger(smaller(self.x2, other.x2) - larger(self.x1, other.x1), 0.0);
        let height = larger(smaller(self.y2, other.y2) - larger(self.y1, other.y1), 0.0);
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

/// A detection that takes part, beside its box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) score: f32,
    /// The scale of its appearance feature; 0 if it has none.
    pub(crate) feature_scale: f32,
    pub(crate) class: ClassId,
    /// Its place in the caller's slice.
    pub(crate) index: u16,
    pub(crate) level: Level,
}

impl Candidate {
    pub(crate) const ZERO: Self =
        Self { score: 0.0, feature_scale: 0.0, class: ClassId(0), index: 0, level: Level::Out };
}

/// Can a tracker work with this detection?
fn is_sound(detection: &Detection) -> bool {
    let BBox { x1, y1, x2, y2 } = detection.bbox;
    // Comparisons with what is not a number are false. No short cuts: a branch each would cost more.
    let inside =
        (x1 >= -MAX_COORDINATE) & (y1 >= -MAX_COORDINATE) & (x2 <= MAX_COORDINATE) & (y2 <= MAX_COORDINATE);
    inside & (x1 < x2) & (y1 < y2) & (detection.score >= 0.0) & (detection.score <= 1.0)
}

/// Bits that sort as unsigned integers like the numbers do.
pub(crate) fn sortable(number: f32) -> u32 {
    // Adding zero turns a negative zero into a positive one.
    let bits = (number + 0.0).to_bits();
    if bits >> 31 == 0 { bits | 1 << 31 } else { !bits }
}

/// A key that sorts by level and then by left edge, with the detection's place in the low bits.
fn key(level: Level, x1: f32, index: u16) -> u64 {
    u64::from(level == Level::Low) << 48 | u64::from(sortable(x1)) << 16 | u64::from(index)
}

/// The place in a slice from the low bits of a key.
pub(crate) fn place(key: u64) -> u16 {
    (key & 0xffff) as u16
}

impl Memory<'_> {
    /// Takes the sound detections that `level` puts into a stage, the best ones if they are too many, and sorts them
    /// by level and left edge. The order does not depend on that of the caller.
    pub(crate) fn take_candidates(
        &mut self,
        detections: &mut [Detection],
        margin: f32,
        level: impl Fn(f32) -> Level,
    ) {
        let mut count = 0;
        for index in 0..detections.len() {
            let detection = &mut detections[index];
            detection.track = None;
            if !is_sound(detection) {
                self.head.losses.invalid = self.head.losses.invalid.saturating_add(1);
                continue;
            }
            let level = level(detection.score);
            if level == Level::Out {
                continue;
            }
            let new = key(level, detection.bbox.x1, index as u16);
            if let Some(slot) = self.order.get_mut(count).filter(|_| index < usize::from(u16::MAX)) {
                *slot = new;
                count += 1;
                continue;
            }
            self.head.losses.detections = self.head.losses.detections.saturating_add(1);
            let detections = &*detections;
            let worse = |a: u64, b: u64| {
                let [a, b] = [a, b].map(|key| &detections[usize::from(place(key))]);
                a.score.total_cmp(&b.score).then_with(|| by_place(b, a))
            };
            let weakest = self.order[..count].iter_mut().min_by(|a, b| worse(**a, **b));
            if let Some(weakest) =
                weakest.filter(|weakest| index < usize::from(u16::MAX) && worse(**weakest, new).is_lt())
            {
                *weakest = new;
            }
        }
        let order = &mut self.order[..count];
        order.sort_unstable();
        // Equal left edges are rare; the other numbers decide then.
        for run in order.chunk_by_mut(|a, b| *a >> 16 == *b >> 16) {
            run.sort_unstable_by(|&a, &b| {
                by_place(&detections[usize::from(place(a))], &detections[usize::from(place(b))])
            });
        }
        (self.head.high, self.head.candidates, self.head.widest) = (0, count, 0.0);
        for ((key, candidate), bbox) in
            order.iter().zip(self.candidates.iter_mut()).zip(self.boxes.iter_mut())
        {
            let detection = &detections[usize::from(place(*key))];
            let level = if *key >> 48 == 0 { Level::High } else { Level::Low };
            self.head.high += usize::from(level == Level::High);
            self.head.widest = self.head.widest.max(detection.bbox.width() + margin);
            *bbox = detection.bbox;
            *candidate = Candidate {
                score: detection.score,
                feature_scale: 0.0,
                class: detection.class,
                index: place(*key),
                level,
            };
        }
    }
}

/// A total order of detections that does not depend on their places in a slice.
fn by_place(a: &Detection, b: &Detection) -> Ordering {
    let corners = |detection: &Detection| detection.bbox.xyxy();
    let pairs = corners(a).into_iter().zip(corners(b));
    pairs
        .map(|(p, q)| p.total_cmp(&q))
        .find(|order| order.is_ne())
        .unwrap_or_else(|| b.score.total_cmp(&a.score).then(a.class.cmp(&b.class)))
}
