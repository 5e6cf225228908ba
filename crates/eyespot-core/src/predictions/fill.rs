//! Results as they are written.

use core::num::NonZeroU16;

use super::{Losses, PredictionsRef, Used};
use crate::detection::{Detection, Keypoint, Mask, Span};
use crate::placement::Placement;

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
