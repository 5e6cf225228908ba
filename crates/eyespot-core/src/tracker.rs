//! The trait of everything that keeps identities.

use core::convert::Infallible;

use crate::{Detection, ErrorType, Frame};

/// Gives the detections of successive frames the identity of the object that they belong to.
///
/// # Contract
/// - `update` is called once per frame in the order of time, also with no detections.
/// - It writes `detection.track` and nothing else; it neither reorders nor removes. What is not (yet) a confirmed
///   track keeps `None`.
/// - The frame's time and number tell how much time went by, so that dropped frames and strides do no harm.
/// - Ids are unique until `reset` and are not reused.
/// - After an error (a re-identification network failed, say) the detections have the tracks that could be told without
///   what failed, and the tracker goes on with the next frame.
pub trait Tracker: ErrorType {
    /// Takes the detections of the next frame and writes their tracks.
    ///
    /// # Errors
    /// Whatever goes wrong in the implementation; see its error type.
    fn update(&mut self, frame: &Frame<'_>, detections: &mut [Detection]) -> Result<(), Self::Error>;

    /// Forgets all objects: another video, a scene cut.
    fn reset(&mut self);
}

impl<T: Tracker + ?Sized> Tracker for &mut T {
    fn update(&mut self, frame: &Frame<'_>, detections: &mut [Detection]) -> Result<(), Self::Error> {
        (**self).update(frame, detections)
    }
    fn reset(&mut self) {
        (**self).reset();
    }
}

impl<T: ErrorType> ErrorType for Option<T> {
    type Error = T::Error;
}

/// `None` tracks nothing.
impl<T: Tracker> Tracker for Option<T> {
    fn update(&mut self, frame: &Frame<'_>, detections: &mut [Detection]) -> Result<(), Self::Error> {
        self.as_mut().map_or(Ok(()), |tracker| tracker.update(frame, detections))
    }
    fn reset(&mut self) {
        if let Some(tracker) = self {
            tracker.reset();
        }
    }
}

/// Tracks nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoTracker;

impl ErrorType for NoTracker {
    type Error = Infallible;
}

impl Tracker for NoTracker {
    fn update(&mut self, _: &Frame<'_>, _: &mut [Detection]) -> Result<(), Infallible> {
        Ok(())
    }
    fn reset(&mut self) {}
}
