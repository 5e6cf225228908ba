//! Images of the platform as a source of frames.

use std::collections::HashMap;

use eyespot_core::{ErrorType, Frame, FrameSource, SourceId};
use eyespot_media::{Canvas, MediaError, MediaSource, MemoryImage};

use super::Entry;
use crate::client::{Client, ClientError};

/// Images of the platform, fetched one after the other as they are asked for. [`PlatformInput`](super::PlatformInput) finds them.
#[derive(Debug)]
pub struct PlatformImages {
    client: Client,
    name: String,
    images: Vec<Entry>,
    next: usize,
    /// The projects of datasets.
    projects: HashMap<u64, Option<u64>>,
    id: SourceId,
    /// Name and pixels of the last one.
    current: (String, Canvas),
}

impl PlatformImages {
    pub(super) fn new(client: Client, images: Vec<Entry>) -> Self {
        let name = format!("{} images of Supervisely", images.len());
        let current = (String::new(), Canvas::default());
        Self { client, name, images, next: 0, projects: HashMap::new(), id: SourceId(0), current }
    }

    /// What the platform knows about an image; `None` if it has none of its number.
    fn ask(&mut self, entry: &Entry) -> Result<Option<Entry>, ClientError> {
        let Some(image) = self.client.image(entry.ids.image.unwrap_or_default())? else { return Ok(None) };
        let dataset = image.dataset_id;
        let project = match self.projects.get(&dataset) {
            Some(&project) => project,
            None => {
                let project = self.client.dataset(dataset)?.map(|dataset| dataset.project_id);
                self.projects.insert(dataset, project);
                project
            }
        };
        Ok(Some(Entry { ids: entry.ids.within(project, dataset), file: Some(image.name) }))
    }
}

impl ErrorType for PlatformImages {
    type Error = MediaError;
}

impl FrameSource for PlatformImages {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, MediaError> {
        let Some(entry) = self.images.get(self.next).cloned() else { return Ok(None) };
        let index = self.next as u64;
        self.next += 1;
        let known = match &entry.file {
            Some(_) => Some(entry.clone()),
            None => self.ask(&entry).map_err(|error| entry.unread(&error))?,
        };
        let known = known.ok_or_else(|| entry.missing())?;
        let file = self.client.download_image(known.ids.image.unwrap_or_default());
        let file = file.map_err(|error| known.unread(&error))?;
        let name = known.name();
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
        Some(self.images.len() as u64)
    }

    fn fps(&self) -> Option<f64> {
        None
    }

    fn set_id(&mut self, id: SourceId) {
        self.id = id;
    }
}
