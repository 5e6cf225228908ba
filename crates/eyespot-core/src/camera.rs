//! The trait of everything that tells how the camera moved.

use crate::{Affine, Detection, Frame};

/// Estimates how the picture moved since the previous frame.
pub trait CameraMotion {
    /// The motion from the previous frame to this one; the identity where it is not known. The detections tell where
    /// moving objects are. Called once per frame.
    fn estimate(&mut self, frame: &Frame<'_>, detections: &[Detection]) -> Affine;

    /// Forgets the previous frame: another video, a scene cut.
    fn reset(&mut self);
}

impl<M: CameraMotion + ?Sized> CameraMotion for &mut M {
    fn estimate(&mut self, frame: &Frame<'_>, detections: &[Detection]) -> Affine {
        (**self).estimate(frame, detections)
    }
    fn reset(&mut self) {
        (**self).reset();
    }
}

/// The camera stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoMotion;

impl CameraMotion for NoMotion {
    fn estimate(&mut self, _: &Frame<'_>, _: &[Detection]) -> Affine {
        Affine::IDENTITY
    }
    fn reset(&mut self) {}
}
