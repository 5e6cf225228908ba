//! A light that is on while something is there.

use core::convert::Infallible;

use eyespot_core::{ErrorType, Record, Sink};

/// Tells a pin, or whatever else, for each frame whether it shows an object that is tracked.
#[derive(Debug)]
pub struct Presence<F>(F);

impl<F: FnMut(bool)> Presence<F> {
    /// A sink that calls `tell`.
    pub const fn new(tell: F) -> Self {
        Self(tell)
    }
}

impl<F> ErrorType for Presence<F> {
    type Error = Infallible;
}

impl<F: FnMut(bool)> Sink for Presence<F> {
    fn write(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
        (self.0)(record.predictions.track_ids().any(|track| track.is_some()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use eyespot_core::{BBox, ClassId, Detection, FrameInfo, Predictions, PredictionsStorage, TrackId};

    use super::*;

    #[test]
    fn the_light_follows_tracked_objects() {
        let mut results = Predictions::<4>::new();
        let mut shown = None;
        for track in [None, TrackId::new(3)] {
            let mut found = Detection::new(BBox::new(1.0, 1.0, 5.0, 5.0), 0.9, ClassId(0));
            found.track = track;
            results.view_mut().push(found);
            let record = Record { info: FrameInfo::default(), image: None, predictions: results.view() };
            assert_eq!(Presence::new(|present| shown = Some(present)).write(&record), Ok(()));
            assert_eq!(shown, Some(track.is_some()));
        }
    }
}
