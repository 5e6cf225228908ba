//! Results in lent, fixed memory: detections, an arena of mask bits and an arena of keypoints.

mod fill;
#[cfg(test)]
mod tests;
mod view;

use crate::detection::{Detection, Keypoint};

pub use fill::{MaskRect, PredictionsMut};
pub use view::PredictionsRef;

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
