//! The trait of everything that delivers frames.

use crate::{ErrorType, Frame};

/// Delivers frames.
///
/// # Contract
/// - The source owns the pixels; a frame is valid until the next call.
/// - Frames come in the order of time. `Ok(None)` is the end; after it every call gives `Ok(None)`.
/// - After an error the next call tries the next frame, so that one broken image does not end a run.
pub trait FrameSource: ErrorType {
    /// The next frame.
    ///
    /// # Errors
    /// Whatever goes wrong in the implementation; see its error type.
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Self::Error>;
}

impl<S: FrameSource + ?Sized> FrameSource for &mut S {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Self::Error> {
        (**self).next_frame()
    }
}
