//! Images of the platform as input of a model.

use eyespot_core::{ErrorType, Frame, FrameSource, SourceId};
use eyespot_media::{Canvas, MediaError, MediaSource, MemoryImage};

use crate::client::{Client, ClientError};
use crate::item::Source;

/// What an image of the platform is called as the name of a frame.
const IMAGE: &str = "supervisely://image/";
/// What a video of the platform is called.
const VIDEO: &str = "supervisely://video/";

/// The name of an image of the platform, as frames carry it.
#[must_use]
pub fn image_name(id: u64) -> String {
    format!("{IMAGE}{id}")
}

/// The image or frame of the platform that a frame's name means; `None` where it is something else.
///
/// ```
/// use eyespot_supervisely::{Source, image_name, platform_source};
///
/// assert_eq!(platform_source(&image_name(5), 0), Some(Source::Image { id: 5 }));
/// assert_eq!(platform_source("supervisely://video/7", 3), Some(Source::Video { id: 7, frame: 3 }));
/// assert_eq!(platform_source("photos/5.jpg", 0), None);
/// ```
#[must_use]
pub fn platform_source(name: &str, frame: u64) -> Option<Source> {
    if let Some(id) = name.strip_prefix(IMAGE) {
        return Some(Source::Image { id: id.parse().ok()? });
    }
    Some(Source::Video { id: name.strip_prefix(VIDEO)?.parse().ok()?, frame })
}

/// Images of the platform, fetched one after the other as they are asked for.
#[derive(Debug)]
pub struct PlatformImages {
    client: Client,
    name: String,
    ids: Vec<u64>,
    next: usize,
    id: SourceId,
    /// Name and pixels of the last one.
    current: (String, Canvas),
}

impl PlatformImages {
    /// These images, in this order.
    #[must_use]
    pub fn of_images(client: Client, ids: Vec<u64>) -> Self {
        let name = format!("{} images of Supervisely", ids.len());
        let current = (String::new(), Canvas::default());
        Self { client, name, ids, next: 0, id: SourceId(0), current }
    }

    /// All images of these datasets, without those of datasets within them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn of_datasets(client: Client, datasets: &[u64]) -> Result<Self, ClientError> {
        let mut ids = Vec::new();
        for &dataset in datasets {
            ids.extend(client.images(dataset)?.iter().map(|image| image.id));
        }
        Ok(Self::of_images(client, ids))
    }

    /// All images of a project.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn of_project(client: Client, project: u64) -> Result<Self, ClientError> {
        let datasets: Vec<u64> = client.datasets(project)?.iter().map(|dataset| dataset.id).collect();
        Self::of_datasets(client, &datasets)
    }
}

impl ErrorType for PlatformImages {
    type Error = MediaError;
}

impl FrameSource for PlatformImages {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, MediaError> {
        let Some(&id) = self.ids.get(self.next) else { return Ok(None) };
        let index = self.next as u64;
        self.next += 1;
        let name = image_name(id);
        let failed =
            |error: ClientError| MediaError::Http { address: image_name(id), reason: error.to_string() };
        let file = self.client.download_image(id).map_err(failed)?;
        self.current = (name.clone(), MemoryImage::encoded(file).named(name).load()?);
        let (name, canvas) = &self.current;
        Ok(canvas.view().map(|view| {
            let mut frame = Frame::new(view, index, 0).named(name);
            frame.info.source = self.id;
            frame
        }))
    }
}

impl MediaSource for PlatformImages {
    fn name(&self) -> &str {
        &self.name
    }

    fn frame_count(&self) -> Option<u64> {
        Some(self.ids.len() as u64)
    }

    fn fps(&self) -> Option<f64> {
        None
    }

    fn set_id(&mut self, id: SourceId) {
        self.id = id;
    }
}
