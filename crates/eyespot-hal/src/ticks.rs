//! Frames without pixels.

use core::convert::Infallible;

use eyespot_core::{ErrorType, Frame, FrameInfo, FrameSource, ImageError, ImageView, PixelFormat, SourceId};

/// Gives frames of one black pixel that carry a number, a time and the size of the picture that a smart camera looks
/// at. Only for predictors that look at no pixels.
#[derive(Debug, Clone)]
pub struct Ticks<C> {
    image: ImageView<'static>,
    info: FrameInfo,
    clock: C,
}

impl<C: FnMut() -> u64> Ticks<C> {
    /// Frames of this size in pixels; `clock` gives the time in microseconds.
    ///
    /// # Errors
    /// [`ImageError::Empty`] where the width or height is 0.
    pub fn new(width: u16, height: u16, clock: C) -> Result<Self, ImageError> {
        if width == 0 || height == 0 {
            return Err(ImageError::Empty);
        }
        let image = ImageView::packed(&[0], 1, 1, PixelFormat::Gray8)?;
        let info = FrameInfo { index: 0, timestamp_us: 0, source: SourceId(0), width, height };
        Ok(Self { image, info, clock })
    }
}

impl<C> ErrorType for Ticks<C> {
    type Error = Infallible;
}

impl<C: FnMut() -> u64> FrameSource for Ticks<C> {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Infallible> {
        let info = FrameInfo { timestamp_us: (self.clock)(), ..self.info };
        self.info.index = self.info.index.wrapping_add(1);
        Ok(Some(Frame { image: self.image, info, name: None }))
    }
}
