//! Frames from images of a platform.

use std::sync::Arc;

use eyespot_core::{ErrorType, Frame, FrameSource, SourceId};
use eyespot_media::{Input, MediaError, MediaSource, MemoryImage, SourceOptions, open};

use crate::platform::{Credentials, Platform, PlatformImage};

/// Images of a platform, each fetched when its turn comes.
pub(crate) struct PlatformSource {
    platform: Arc<dyn Platform>,
    who: Credentials,
    images: Vec<PlatformImage>,
    next: usize,
    options: SourceOptions,
    id: SourceId,
    /// The image of now.
    current: Option<Box<dyn MediaSource>>,
}

impl PlatformSource {
    pub(crate) fn new(
        platform: Arc<dyn Platform>,
        who: Credentials,
        images: Vec<PlatformImage>,
        options: SourceOptions,
    ) -> Self {
        Self { platform, who, images, next: 0, options, id: SourceId::default(), current: None }
    }
}

impl ErrorType for PlatformSource {
    type Error = MediaError;
}

impl FrameSource for PlatformSource {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, MediaError> {
        let Some(image) = self.images.get(self.next) else { return Ok(None) };
        let index = self.next as u64;
        self.next += 1;
        let failed = |error: eyespot_core::AnyError| MediaError::Http {
            address: image.name.clone(),
            reason: error.to_string(),
        };
        let bytes = self.platform.download(&self.who, image).map_err(failed)?;
        let memory = MemoryImage::encoded(bytes).named(image.name.clone());
        let source = self.current.insert(open(Input::Image(memory), &self.options)?);
        source.set_id(self.id);
        let frame = source.next_frame()?;
        Ok(frame.map(|mut frame| {
            frame.info.index = index;
            frame
        }))
    }
}

impl MediaSource for PlatformSource {
    fn name(&self) -> &str {
        "platform"
    }

    fn frame_count(&self) -> Option<u64> {
        Some(self.images.len() as u64)
    }

    fn fps(&self) -> Option<f64> {
        None
    }

    fn set_id(&mut self, id: SourceId) {
        self.id = id;
    }
}
