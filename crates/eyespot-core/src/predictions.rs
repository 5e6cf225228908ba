//! Results in lent, fixed memory: detections, an arena of mask bits and an arena of keypoints.

use core::num::NonZeroU16;

use crate::detection::{Detection, Keypoint, Mask, Span};
use crate::mask::MaskView;
use crate::placement::Placement;
use crate::{BBox, ClassId, TrackId};

/// What did not fit or was refused since the storage was last cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Losses {
    /// Detections that were dropped because better ones filled the storage.
    pub detections: u32,
    /// Masks that found no room in the mask arena; their boxes were kept.
    pub masks: u32,
    /// Keypoint sets that found no room in the keypoint arena; their boxes were kept.
    pub keypoints: u32,
    /// Detections that were refused: a non-finite coordinate, an empty box or a score outside `0..=1`.
    pub invalid: u32,
}

impl Losses {
    /// Was nothing lost?
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.detections == 0 && self.masks == 0 && self.keypoints == 0 && self.invalid == 0
    }
}

impl core::ops::AddAssign for Losses {
    fn add_assign(&mut self, other: Self) {
        self.detections = self.detections.saturating_add(other.detections);
        self.masks = self.masks.saturating_add(other.masks);
        self.keypoints = self.keypoints.saturating_add(other.keypoints);
        self.invalid = self.invalid.saturating_add(other.invalid);
    }
}

/// How much of the storage is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Used {
    pub(crate) detections: usize,
    pub(crate) mask_bytes: usize,
    pub(crate) keypoints: usize,
    pub(crate) losses: Losses,
}

/// Anything that holds predictions: [`Predictions`] in static memory, `PredictionsBuf` on the heap.
pub trait PredictionsStorage {
    /// A view to read.
    fn view(&self) -> PredictionsRef<'_>;
    /// A view to write.
    fn view_mut(&mut self) -> PredictionsMut<'_>;
}

impl<T: PredictionsStorage + ?Sized> PredictionsStorage for &mut T {
    fn view(&self) -> PredictionsRef<'_> {
        (**self).view()
    }
    fn view_mut(&mut self) -> PredictionsMut<'_> {
        (**self).view_mut()
    }
}

/// Storage for the predictions of one frame: at most `N` detections, `MASK_BYTES` bytes of mask bits and `KEYPOINTS`
/// keypoints. Arenas of size 0 cost nothing. An empty storage is all zeros, so a static one lies in `.bss`.
#[derive(Debug, Clone)]
pub struct Predictions<const N: usize, const MASK_BYTES: usize = 0, const KEYPOINTS: usize = 0> {
    detections: [Detection; N],
    masks: [u8; MASK_BYTES],
    keypoints: [Keypoint; KEYPOINTS],
    used: Used,
}

impl<const N: usize, const MASK_BYTES: usize, const KEYPOINTS: usize> Predictions<N, MASK_BYTES, KEYPOINTS> {
    /// Bytes of RAM.
    pub const RAM: usize = size_of::<Self>();

    /// Empty storage.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            detections: [Detection::ZERO; N],
            masks: [0; MASK_BYTES],
            keypoints: [Keypoint { x: 0.0, y: 0.0, score: 0.0 }; KEYPOINTS],
            used: Used {
                detections: 0,
                mask_bytes: 0,
                keypoints: 0,
                losses: Losses { detections: 0, masks: 0, keypoints: 0, invalid: 0 },
            },
        }
    }
}

impl<const N: usize, const M: usize, const K: usize> Default for Predictions<N, M, K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize, const M: usize, const K: usize> PredictionsStorage for Predictions<N, M, K> {
    fn view(&self) -> PredictionsRef<'_> {
        PredictionsRef::new(&self.detections, &self.masks, &self.keypoints, &self.used)
    }
    fn view_mut(&mut self) -> PredictionsMut<'_> {
        PredictionsMut::new(&mut self.detections, &mut self.masks, &mut self.keypoints, &mut self.used)
    }
}

/// A view of predictions to read.
#[derive(Debug, Clone, Copy)]
pub struct PredictionsRef<'a> {
    detections: &'a [Detection],
    masks: &'a [u8],
    keypoints: &'a [Keypoint],
    losses: Losses,
}

impl<'a> PredictionsRef<'a> {
    pub(crate) fn new(
        detections: &'a [Detection],
        masks: &'a [u8],
        keypoints: &'a [Keypoint],
        used: &Used,
    ) -> Self {
        Self {
            detections: detections.get(..used.detections).unwrap_or(detections),
            masks,
            keypoints,
            losses: used.losses,
        }
    }

    /// Number of detections.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.detections.len()
    }

    /// Is there no detection?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.detections.is_empty()
    }

    /// The detections.
    #[must_use]
    pub const fn detections(&self) -> &'a [Detection] {
        self.detections
    }

    /// Boxes, `x1, y1, x2, y2` in pixels.
    pub fn boxes(&self) -> impl ExactSizeIterator<Item = BBox> + use<'a> {
        self.detections.iter().map(|detection| detection.bbox)
    }

    /// Scores, `0..=1`.
    pub fn scores(&self) -> impl ExactSizeIterator<Item = f32> + use<'a> {
        self.detections.iter().map(|detection| detection.score)
    }

    /// Class indices.
    pub fn class_idxs(&self) -> impl ExactSizeIterator<Item = ClassId> + use<'a> {
        self.detections.iter().map(|detection| detection.class)
    }

    /// Track ids; `None` for what no tracker has confirmed.
    pub fn track_ids(&self) -> impl ExactSizeIterator<Item = Option<TrackId>> + use<'a> {
        self.detections.iter().map(|detection| detection.track)
    }

    /// The mask of each detection, if it has one.
    pub fn masks(&self) -> impl ExactSizeIterator<Item = Option<MaskView<'a>>> + use<'a> {
        let this = *self;
        self.detections.iter().map(move |detection| this.mask(detection))
    }

    /// The keypoints of each detection, empty if it has none.
    pub fn keypoints(&self) -> impl ExactSizeIterator<Item = &'a [Keypoint]> + use<'a> {
        let this = *self;
        self.detections.iter().map(move |detection| this.keypoints_of(detection))
    }

    /// The mask of a detection of this view.
    #[must_use]
    pub fn mask(&self, detection: &Detection) -> Option<MaskView<'a>> {
        MaskView::new(detection.mask?, self.masks)
    }

    /// The keypoints of a detection of this view, empty if it has none.
    #[must_use]
    pub fn keypoints_of(&self, detection: &Detection) -> &'a [Keypoint] {
        detection
            .keypoints
            .and_then(|span| self.keypoints.get(span.start()..span.start() + span.len()))
            .unwrap_or(&[])
    }

    /// What did not fit.
    #[must_use]
    pub const fn losses(&self) -> Losses {
        self.losses
    }
}

/// The rectangle of a mask in the pixels of the view that the predictor was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MaskRect {
    /// Left edge, pixels.
    pub x: u16,
    /// Top edge, pixels.
    pub y: u16,
    /// Width, pixels.
    pub width: u16,
    /// Height, pixels.
    pub height: u16,
}

/// A view of predictions to write, with its place in the frame: what is pushed in the pixels of a part of the frame, or
/// of a resized copy, lands in the pixels of the whole frame.
#[derive(Debug)]
pub struct PredictionsMut<'a> {
    detections: &'a mut [Detection],
    masks: &'a mut [u8],
    keypoints: &'a mut [Keypoint],
    used: &'a mut Used,
    placement: Placement,
}

impl<'a> PredictionsMut<'a> {
    pub(crate) fn new(
        detections: &'a mut [Detection],
        masks: &'a mut [u8],
        keypoints: &'a mut [Keypoint],
        used: &'a mut Used,
    ) -> Self {
        Self { detections, masks, keypoints, used, placement: Placement::WHOLE }
    }

    /// The same view, borrowed for a shorter time.
    pub fn reborrow(&mut self) -> PredictionsMut<'_> {
        self.placed(self.placement)
    }

    /// A view for a part of the frame that starts `x, y` pixels into this view's part.
    pub fn offset(&mut self, x: u16, y: u16) -> PredictionsMut<'_> {
        self.placed(self.placement.offset(x, y))
    }

    /// A view for a resized copy of this view's part: a pixel of the copy is `x` by `y` pixels of this part. Masks are
    /// resampled, the nearest pixel for each. A factor that is not finite and positive is taken as 1.
    pub fn scaled(&mut self, x: f32, y: f32) -> PredictionsMut<'_> {
        self.placed(self.placement.scaled(x, y))
    }

    fn placed(&mut self, placement: Placement) -> PredictionsMut<'_> {
        PredictionsMut {
            detections: self.detections,
            masks: self.masks,
            keypoints: self.keypoints,
            used: self.used,
            placement,
        }
    }

    /// The predictions to read, in the pixels of the whole frame.
    #[must_use]
    pub fn as_view(&self) -> PredictionsRef<'_> {
        PredictionsRef::new(self.detections, self.masks, self.keypoints, self.used)
    }

    /// Number of detections.
    #[must_use]
    pub fn len(&self) -> usize {
        self.used.detections
    }

    /// Is there no detection?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used.detections == 0
    }

    /// How many detections there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.detections.len()
    }

    /// The detections, in the pixels of the whole frame.
    #[must_use]
    pub fn detections(&self) -> &[Detection] {
        &self.detections[..self.used.detections]
    }

    /// The detections to change, in the pixels of the whole frame.
    pub fn detections_mut(&mut self) -> &mut [Detection] {
        &mut self.detections[..self.used.detections]
    }

    /// What did not fit.
    #[must_use]
    pub fn losses(&self) -> Losses {
        self.used.losses
    }

    /// Counts detections that a predictor had to leave out before it could push them, for example because its
    /// candidate buffer was full.
    pub fn count_lost(&mut self, detections: u32) {
        let lost = &mut self.used.losses.detections;
        *lost = lost.saturating_add(detections);
    }

    /// Counts detections that a predictor refused before it could push them, as [`push`](Self::push) would have.
    pub fn count_invalid(&mut self, detections: u32) {
        let invalid = &mut self.used.losses.invalid;
        *invalid = invalid.saturating_add(detections);
    }

    /// Counts what was lost on the way here, for example on the sender's side of a wire.
    pub fn count_losses(&mut self, losses: Losses) {
        self.used.losses += losses;
    }

    /// Removes everything and sets the losses to zero.
    pub fn clear(&mut self) {
        *self.used = Used::default();
    }

    /// Adds a detection, given in the pixels of this view's part of the frame, and returns its index.
    ///
    /// Where the storage is full, the detection with the lowest score makes room, or, if that is the new one, it is
    /// not taken: `None`. Either way the loss is counted. A detection with a non-finite or empty box or a score
    /// outside `0..=1` is refused and counted as invalid. Its track is kept; a mask or keypoints are added with
    /// [`set_mask`](Self::set_mask) and [`set_keypoints`](Self::set_keypoints).
    pub fn push(&mut self, detection: Detection) -> Option<usize> {
        let (bbox, angle) = self.placement.bbox(detection.bbox, detection.angle);
        let placed = Detection { bbox, angle, mask: None, keypoints: None, ..detection };
        if !placed.is_valid() {
            self.count_invalid(1);
            return None;
        }
        let index = self.used.detections;
        if let Some(slot) = self.detections.get_mut(index) {
            *slot = placed;
            self.used.detections += 1;
            return Some(index);
        }
        self.count_lost(1);
        let weakest = self
            .detections
            .iter()
            .enumerate()
            .min_by(|(_, a), (_, b)| a.score.total_cmp(&b.score))
            .filter(|(_, weakest)| weakest.score < placed.score)
            .map(|(index, _)| index)?;
        self.detections[weakest] = placed;
        Some(weakest)
    }

    /// Gives a detection its mask: a rectangle in the pixels of this view's part, and its bits (rows from top to
    /// bottom, each padded to a byte, the leftmost pixel in the most significant bit; bytes beyond
    /// [`Mask::bytes`] are ignored).
    ///
    /// Returns whether there was room; if not, the detection keeps its box and the loss is counted.
    pub fn set_mask(&mut self, index: usize, rect: MaskRect, bits: &[u8]) -> bool {
        if bits.len() < Mask::bytes(rect.width, rect.height) {
            return false;
        }
        let placement = self.placement;
        let Some((target, arena)) = self.mask_room(index, rect) else { return false };
        if placement.keeps_size() {
            arena.copy_from_slice(bits.get(..arena.len()).unwrap_or(bits));
        } else {
            let row_bytes = Mask::bytes(rect.width, 1);
            let set = |x: u16, y: u16| {
                let byte = bits.get(usize::from(y) * row_bytes + usize::from(x / 8));
                byte.is_some_and(|byte| byte << (x % 8) & 0x80 != 0)
            };
            placement.mask(rect, set, target, arena);
        }
        true
    }

    /// As [`set_mask`](Self::set_mask), for a mask that lies in no memory: `set` tells of a pixel of the rectangle, by
    /// its column and row from the rectangle's corner, whether it belongs to the object.
    pub fn set_mask_with(&mut self, index: usize, rect: MaskRect, set: impl FnMut(u16, u16) -> bool) -> bool {
        let placement = self.placement;
        let Some((target, arena)) = self.mask_room(index, rect) else { return false };
        placement.mask(rect, set, target, arena);
        true
    }

    /// Gives a detection room for the mask of a rectangle of this view's part: where that lies in the frame, and the
    /// bytes of its bits. A lack of room is counted.
    fn mask_room(&mut self, index: usize, rect: MaskRect) -> Option<(MaskRect, &mut [u8])> {
        let target = self.placement.rect(rect)?;
        let (width, height) = (NonZeroU16::new(target.width)?, NonZeroU16::new(target.height)?);
        self.detections_mut().get_mut(index)?.mask = None;
        let len = Mask::bytes(target.width, target.height);
        if self.masks.len() - self.used.mask_bytes < len {
            self.compact_masks();
        }
        let start = self.used.mask_bytes;
        let (Some(arena), Ok(offset)) = (self.masks.get_mut(start..start + len), u32::try_from(start)) else {
            self.used.losses.masks = self.used.losses.masks.saturating_add(1);
            return None;
        };
        self.used.mask_bytes += len;
        self.detections[index].mask = Some(Mask { x: target.x, y: target.y, width, height, offset });
        Some((target, arena))
    }

    /// Gives a detection its keypoints, in the pixels of this view's part.
    ///
    /// Returns whether there was room; if not, the detection keeps its box and the loss is counted. A non-finite
    /// keypoint is stored with a score of 0 at the view's origin, so that the order of a skeleton stays.
    pub fn set_keypoints(&mut self, index: usize, keypoints: &[Keypoint]) -> bool {
        self.set_keypoints_from(index, keypoints.iter().copied())
    }

    /// As [`set_keypoints`](Self::set_keypoints), for keypoints that lie in no slice. Those beyond the iterator's
    /// length are ignored, missing ones have a score of 0.
    pub fn set_keypoints_from(
        &mut self,
        index: usize,
        keypoints: impl ExactSizeIterator<Item = Keypoint>,
    ) -> bool {
        let len = keypoints.len();
        let Some(detection) = self.detections_mut().get_mut(index) else {
            return false;
        };
        detection.keypoints = None;
        if len == 0 {
            return true;
        }
        if self.keypoints.len() - self.used.keypoints < len {
            self.compact_keypoints();
        }
        let start = self.used.keypoints;
        let span = u16::try_from(start)
            .ok()
            .zip(u16::try_from(len).ok().and_then(NonZeroU16::new))
            .map(|(start, len)| Span { start, len });
        let (Some(arena), Some(span)) = (self.keypoints.get_mut(start..start + len), span) else {
            self.used.losses.keypoints = self.used.losses.keypoints.saturating_add(1);
            return false;
        };
        arena.fill(Keypoint::default());
        for (slot, keypoint) in arena.iter_mut().zip(keypoints) {
            let finite = keypoint.x.is_finite() && keypoint.y.is_finite() && keypoint.score.is_finite();
            let keypoint = if finite { keypoint } else { Keypoint::default() };
            *slot = self.placement.keypoint(&keypoint);
        }
        self.used.keypoints += len;
        self.detections[index].keypoints = Some(span);
        true
    }

    /// Keeps the detections for which `keep` is true, in their order. Masks and keypoints of the others make room
    /// for new ones.
    pub fn retain(&mut self, mut keep: impl FnMut(&Detection) -> bool) {
        let mut kept = 0;
        for index in 0..self.used.detections {
            if keep(&self.detections[index]) {
                self.detections.swap(kept, index);
                kept += 1;
            }
        }
        self.used.detections = kept;
    }

    /// Best score first; equal scores keep an order that depends on nothing but the detections.
    pub fn sort_by_score(&mut self) {
        self.detections_mut().sort_unstable_by(Detection::by_score);
    }

    /// Closes the holes that replaced and removed detections left in the mask arena.
    fn compact_masks(&mut self) {
        let live = self.used.detections;
        let offset = |detection: &Detection| detection.mask.map(|mask| (mask.start(), mask.len()));
        self.used.mask_bytes =
            compact(&mut self.detections[..live], self.masks, offset, |detection, start| {
                if let Some(mask) = &mut detection.mask {
                    mask.offset = start as u32;
                }
            });
    }

    /// Closes the holes that replaced and removed detections left in the keypoint arena.
    fn compact_keypoints(&mut self) {
        let live = self.used.detections;
        let offset = |detection: &Detection| detection.keypoints.map(|span| (span.start(), span.len()));
        self.used.keypoints =
            compact(&mut self.detections[..live], self.keypoints, offset, |detection, start| {
                if let Some(span) = &mut detection.keypoints {
                    span.start = start as u16;
                }
            });
    }
}

/// Moves the live runs of an arena to its front, in place and in the order of their offsets; returns where they end.
///
/// Quadratic in the number of detections, since there is no memory for an order; it runs only when an arena is full.
fn compact<T: Copy>(
    detections: &mut [Detection],
    arena: &mut [T],
    run: impl Fn(&Detection) -> Option<(usize, usize)>,
    mut moved: impl FnMut(&mut Detection, usize),
) -> usize {
    let mut end = 0;
    let mut seen = 0;
    // Moved runs end at `end`, and a run never moves up: the next one is the lowest that starts at `seen` or later.
    while let Some((start, len, index)) = detections
        .iter()
        .enumerate()
        .filter_map(|(index, detection)| run(detection).map(|(start, len)| (start, len, index)))
        .filter(|&(start, ..)| start >= seen)
        .min()
    {
        arena.copy_within(start..start + len, end);
        moved(&mut detections[index], end);
        seen = start + len;
        end += len;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn detection(score: f32) -> Detection {
        Detection::new(BBox::new(0.0, 0.0, 4.0, 4.0), score, ClassId(1))
    }

    #[test]
    fn a_full_storage_keeps_the_best_and_counts_the_rest() {
        let mut storage = Predictions::<2>::new();
        let mut out = storage.view_mut();
        assert_eq!(out.push(detection(0.5)), Some(0));
        assert_eq!(out.push(detection(0.2)), Some(1));
        assert_eq!(out.push(detection(0.1)), None);
        assert_eq!(out.push(detection(0.9)), Some(1));
        assert_eq!(out.losses().detections, 2);
        assert_eq!(storage.view().scores().collect::<Vec<_>>(), [0.5, 0.9]);
    }

    #[test]
    fn non_finite_numbers_are_stopped_at_the_door() {
        let mut storage = Predictions::<4, 0, 4>::new();
        let mut out = storage.view_mut();
        for score in [f32::NAN, -0.1, 1.1, f32::INFINITY] {
            assert_eq!(out.push(detection(score)), None);
        }
        let mut broken = detection(0.5);
        broken.bbox.y2 = f32::NAN;
        assert_eq!(out.push(broken), None);
        assert_eq!(out.losses().invalid, 5);
        assert!(out.is_empty());

        let index = out.push(detection(0.5)).unwrap();
        assert!(out.set_keypoints(index, &[Keypoint { x: f32::NAN, y: 1.0, score: 1.0 }]));
        assert_eq!(storage.view().keypoints().next().unwrap(), [Keypoint::default()]);
    }

    /// Four tiles into a storage of two: a replaced detection lies in an old slot, but in its own tile's pixels.
    #[test]
    fn what_is_pushed_in_a_tile_lands_in_the_frame() {
        let mut storage = Predictions::<2, 8, 2>::new();
        let mut out = storage.view_mut();
        for (tile, score) in [(0u16, 0.3), (100, 0.2), (200, 0.8), (300, 0.7)] {
            let mut tile = out.offset(tile, tile / 2);
            let Some(index) = tile.push(detection(score)) else { continue };
            tile.set_keypoints(index, &[Keypoint { x: 1.0, y: 1.0, score: 1.0 }]);
            tile.set_mask(index, MaskRect { x: 1, y: 2, width: 3, height: 1 }, &[0b1010_0000]);
        }
        let view = storage.view();
        let corners: Vec<_> = view.boxes().map(|b| (b.x1, b.y1)).collect();
        assert_eq!(corners, [(300.0, 150.0), (200.0, 100.0)]);
        assert_eq!(view.keypoints().next().unwrap()[0].x, 301.0);
        let mask = view.masks().next().unwrap().unwrap();
        assert_eq!((mask.x(), mask.y(), mask.area()), (301, 152, 2));
        assert!(mask.contains(301, 152) && !mask.contains(302, 152) && mask.contains(303, 152));
    }

    #[test]
    fn a_mask_from_a_rule_is_that_of_its_bits() {
        let mut storage = Predictions::<2, 128>::new();
        let mut out = storage.view_mut();
        let rect = MaskRect { x: 1, y: 2, width: 11, height: 3 };
        let rule = |x: u16, y: u16| (x + 2 * y).is_multiple_of(3);
        let mut bits = [0u8; 6];
        for (y, x) in (0..3u16).flat_map(|y| (0..11u16).map(move |x| (y, x))) {
            bits[usize::from(y * 2 + x / 8)] |= u8::from(rule(x, y)) << (7 - x % 8);
        }
        for (x, y) in [(1.0, 1.0), (2.0, 0.5)] {
            out.clear();
            let mut part = out.scaled(x, y);
            let mut part = part.offset(3, 4);
            for _ in 0..2 {
                part.push(detection(0.5));
            }
            assert!(part.set_mask(0, rect, &bits) && part.set_mask_with(1, rect, rule));
            let masks: Vec<_> = out.as_view().masks().flatten().collect();
            assert!(masks[0].area() > 0);
            assert_eq!((masks[0].x(), masks[0].bits()), (masks[1].x(), masks[1].bits()));
        }
    }

    #[test]
    fn a_mask_without_room_leaves_the_box() {
        let mut storage = Predictions::<2, 4>::new();
        let mut out = storage.view_mut();
        let index = out.push(detection(0.5)).unwrap();
        assert!(!out.set_mask(index, MaskRect { x: 0, y: 0, width: 8, height: 5 }, &[0xff; 5]));
        assert_eq!(out.losses().masks, 1);
        assert_eq!(out.len(), 1);
        assert!(out.set_mask(index, MaskRect { x: 0, y: 0, width: 8, height: 4 }, &[0xff; 4]));
        // Replacing a mask needs no second room.
        assert!(out.set_mask(index, MaskRect { x: 0, y: 0, width: 4, height: 4 }, &[0xf0; 4]));
        assert_eq!(storage.view().masks().next().unwrap().unwrap().area(), 16);
    }

    #[test]
    fn losses_of_the_sender_add_up_with_our_own() {
        let mut storage = Predictions::<1, 0, 1>::new();
        let mut out = storage.view_mut();
        let index = out.push(detection(0.5)).unwrap();
        assert!(!out.set_keypoints_from(index, [Keypoint::default(); 2].into_iter()));
        out.count_losses(Losses { detections: 3, masks: 2, keypoints: 1, invalid: u32::MAX });
        out.count_invalid(1);
        assert_eq!(out.losses(), Losses { detections: 3, masks: 2, keypoints: 2, invalid: u32::MAX });
    }

    #[test]
    fn mask_iou_of_known_shapes() {
        let mut storage = Predictions::<2, 64>::new();
        let mut out = storage.view_mut();
        for x in [0u16, 4] {
            let index = out.push(detection(0.5)).unwrap();
            // Padding bits are set on purpose: they must not count.
            assert!(out.set_mask(index, MaskRect { x, y: 0, width: 10, height: 2 }, &[0xff; 4]));
        }
        let masks: Vec<_> = storage.view().masks().flatten().collect();
        assert_eq!((masks[0].area(), masks[0].intersection(&masks[1])), (20, 12));
        assert!((masks[0].iou(&masks[1]) - 12.0 / 28.0).abs() < 1e-6);
    }

    proptest! {
        /// Whatever is pushed, replaced, removed and compacted: every surviving detection keeps its own mask and
        /// keypoints, and the storage holds the best scores.
        #[test]
        fn arenas_never_mix_up_detections(
            steps in prop::collection::vec((0.0f32..=1.0, 1u16..12, 1u16..4, 0u8..8), 1..120),
        ) {
            let mut storage = Predictions::<6, 40, 24>::new();
            let mut out = storage.view_mut();
            for (number, (score, width, height, action)) in steps.into_iter().enumerate() {
                let tag = (number % 251) as u8;
                let class = ClassId(u16::from(tag));
                let fresh = Detection { class, ..detection(score) };
                if let Some(index) = out.push(fresh) {
                    let rect = MaskRect { x: 0, y: 0, width, height };
                    out.set_mask(index, rect, &[tag; 16]);
                    let keypoint = Keypoint { x: f32::from(tag), y: 0.0, score: 1.0 };
                    out.set_keypoints(index, &[keypoint; 5][..usize::from(width.min(5))]);
                }
                if action == 0 {
                    out.retain(|kept| kept.score > 0.3);
                }
                if action == 1 {
                    out.sort_by_score();
                }
                let view = out.as_view();
                for kept in view.detections() {
                    let tag = kept.class.0 as u8;
                    if let Some(mask) = view.mask(kept) {
                        prop_assert!(mask.bits().iter().all(|&byte| byte == tag));
                    }
                    prop_assert!(view.keypoints_of(kept).iter().all(|k| k.x == f32::from(tag)));
                }
            }
        }

        #[test]
        fn the_best_n_survive(scores in prop::collection::vec(0.0f32..=1.0, 0..60)) {
            let mut storage = Predictions::<8>::new();
            let mut out = storage.view_mut();
            for &score in &scores {
                out.push(detection(score));
            }
            let mut best = scores.clone();
            best.sort_by(|a, b| b.total_cmp(a));
            best.truncate(8);
            out.sort_by_score();
            prop_assert_eq!(out.losses().detections as usize, scores.len().saturating_sub(8));
            prop_assert_eq!(storage.view().scores().collect::<Vec<_>>(), best);
        }
    }
}
