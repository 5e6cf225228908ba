//! Frames from images of a platform.

use std::sync::Arc;

use eyespot_core::{ErrorType, Frame, FrameSource, SourceId};
use eyespot_media::{Input, MediaError, MediaSource, MemoryImage, SourceOptions, Stopper, open};
use eyespot_supervisely::FetchAhead;

use crate::platform::{Credentials, Platform, PlatformImage};

/// Images of a platform, each fetched shortly before its turn comes.
pub(crate) struct PlatformSource {
    /// Names and files.
    files: FetchAhead<(String, Vec<u8>), MediaError>,
    total: u64,
    next: u64,
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
        let total = images.len() as u64;
        let fetch = move |image: &PlatformImage| {
            let failed = |error: eyespot_core::AnyError| MediaError::Http {
                address: image.name.clone(),
                reason: error.to_string(),
            };
            Ok((image.name.clone(), platform.download(&who, image).map_err(failed)?))
        };
        let files = FetchAhead::new(images, fetch, |(_, file)| file.len() as u64);
        Self { files, total, next: 0, options, id: SourceId::default(), current: None }
    }
}

impl ErrorType for PlatformSource {
    type Error = MediaError;
}

impl FrameSource for PlatformSource {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, MediaError> {
        let Some(fetched) = self.files.next() else { return Ok(None) };
        let index = self.next;
        self.next += 1;
        let (name, file) = fetched?;
        let image = MemoryImage::encoded(file).named(name);
        let source = self.current.insert(open(Input::Image(image), &self.options)?);
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
        Some(self.total)
    }

    fn fps(&self) -> Option<f64> {
        None
    }

    fn set_id(&mut self, id: SourceId) {
        self.id = id;
    }

    fn stopper(&self) -> Option<Stopper> {
        Some(self.files.stopper())
    }
}
