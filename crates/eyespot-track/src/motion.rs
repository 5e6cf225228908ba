//! Camera motion that is known beforehand.

use eyespot_core::{Affine, CameraMotion, Detection, Frame};

/// Known motions: entry `i` leads from frame `i - 1` to frame `i`. Where frames were left out, the motions on the way
/// are composed; beyond the table the camera stands still.
#[derive(Debug, Clone)]
pub struct KnownMotion<T> {
    motions: T,
    previous: Option<u64>,
}

impl<T: AsRef<[Affine]>> KnownMotion<T> {
    /// From a table: an array, a slice, a `Vec`.
    #[must_use]
    pub const fn new(motions: T) -> Self {
        Self { motions, previous: None }
    }
}

impl<T: AsRef<[Affine]>> CameraMotion for KnownMotion<T> {
    fn estimate(&mut self, frame: &Frame<'_>, _: &[Detection]) -> Affine {
        let index = frame.info.index;
        let first = self.previous.replace(index).map_or(index, |previous| previous.saturating_add(1));
        let motions = self.motions.as_ref();
        let end =
            usize::try_from(index).map_or(motions.len(), |last| motions.len().min(last.saturating_add(1)));
        let start = usize::try_from(first).map_or(end, |first| end.min(first));
        motions[start..end].iter().fold(Affine::IDENTITY, |all, next| all.then(next))
    }
    fn reset(&mut self) {
        self.previous = None;
    }
}

#[cfg(test)]
mod tests {
    use eyespot_core::{ImageView, PixelFormat};

    use super::*;

    #[test]
    fn known_motions_are_composed_over_gaps() {
        let step = |tx| Affine::from_rows([1.0, 0.0, tx], [0.0, 1.0, 0.0]);
        let mut motion = KnownMotion::new([step(1.0), step(2.0), step(4.0), step(8.0)]);
        let image = ImageView::packed(&[0], 1, 1, PixelFormat::Gray8).unwrap();
        let mut shift = |index| motion.estimate(&Frame::new(image, index, 0), &[]).shift[0];
        assert_eq!((shift(0), shift(1), shift(3), shift(9)), (1.0, 2.0, 12.0, 0.0));
        assert_eq!(shift(u64::MAX), 0.0);
    }
}
