//! A scene as a source of frames.

use eyespot_core::{ErrorType, Frame, FrameSource, ImageView};

use crate::{Scene, SceneError};

/// Delivers the frames of a scene, rendered into a lent buffer of at least
/// [`SceneConfig::frame_bytes`](crate::SceneConfig::frame_bytes): an array, a `&mut [u8]` or a `Vec<u8>`.
#[derive(Debug)]
pub struct SceneSource<B> {
    scene: Scene,
    buffer: B,
    next: u64,
    end: u64,
}

impl<B: AsMut<[u8]>> SceneSource<B> {
    /// A source without an end.
    pub const fn new(scene: Scene, buffer: B) -> Self {
        Self { scene, buffer, next: 0, end: u64::MAX }
    }

    /// Ends after so many frames.
    #[must_use]
    pub fn with_frames(mut self, frames: u64) -> Self {
        self.end = frames;
        self
    }

    /// The scene, for its truth.
    #[must_use]
    pub const fn scene(&self) -> &Scene {
        &self.scene
    }
}

impl<B> ErrorType for SceneSource<B> {
    type Error = SceneError;
}

impl<B: AsMut<[u8]>> FrameSource for SceneSource<B> {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SceneError> {
        if self.next >= self.end {
            return Ok(None);
        }
        let index = self.next;
        self.next += 1;
        let buffer = self.buffer.as_mut();
        self.scene.render(index, buffer)?;
        let config = self.scene.config();
        let (len, needed) = (buffer.len(), config.frame_bytes());
        let image = ImageView::packed(buffer, config.width, config.height, config.format.pixel_format())
            .map_err(|_| SceneError::Buffer { len, needed })?;
        Ok(Some(Frame::new(image, index, self.scene.timestamp_us(index)).named("scene")))
    }
}
