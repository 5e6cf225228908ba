//! Results as they are read.

use super::{Losses, Used};
use crate::detection::{Detection, Keypoint};
use crate::mask::MaskView;
use crate::{BBox, ClassId, TrackId};

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
