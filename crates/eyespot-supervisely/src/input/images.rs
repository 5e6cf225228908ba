//! Images of the platform as a source of frames.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use eyespot_core::{ErrorType, Frame, FrameSource, SourceId};
use eyespot_media::{Canvas, MediaError, MediaSource, MemoryImage, Stopper};

use super::{Entry, FetchAhead};
use crate::client::{Client, ClientError, Stop};

/// Images of the platform, each fetched shortly before it is asked for. [`PlatformInput`](super::PlatformInput) finds them.
#[derive(Debug)]
pub struct PlatformImages {
    name: String,
    total: u64,
    next: u64,
    files: FetchAhead<(String, Vec<u8>), MediaError>,
    /// Ends the requests that are under way.
    stop: Stop,
    id: SourceId,
    /// Name and pixels of the last one.
    current: (String, Canvas),
}

impl PlatformImages {
    pub(super) fn new(client: &Client, images: Vec<Entry>) -> Self {
        let (name, total) = (format!("{} images of Supervisely", images.len()), images.len());
        let stop = Stop::default();
        let fetcher = Fetcher { client: client.stopped_by(&stop), projects: Mutex::new(HashMap::new()) };
        let files = FetchAhead::new(images, move |image| fetcher.fetch(image), |(_, file)| file.len() as u64);
        let current = (String::new(), Canvas::default());
        Self { name, total: total as u64, next: 0, files, stop, id: SourceId(0), current }
    }
}

impl Drop for PlatformImages {
    fn drop(&mut self) {
        // Before `files` waits for its threads.
        self.stop.stop();
    }
}

/// What the threads that fetch share.
#[derive(Debug)]
struct Fetcher {
    client: Client,
    /// The projects of datasets.
    projects: Mutex<HashMap<u64, Option<u64>>>,
}

impl Fetcher {
    /// The name and the file of an image.
    fn fetch(&self, entry: &Entry) -> Result<(String, Vec<u8>), MediaError> {
        let known = match &entry.file {
            Some(_) => Some(entry.clone()),
            None => self.ask(entry).map_err(|error| entry.unread(&error))?,
        };
        let known = known.ok_or_else(|| entry.missing())?;
        let file = self.client.download_image(known.ids.image.unwrap_or_default());
        Ok((known.name(), file.map_err(|error| known.unread(&error))?))
    }

    /// What the platform knows about an image; `None` if it has none of its number.
    fn ask(&self, entry: &Entry) -> Result<Option<Entry>, ClientError> {
        let Some(image) = self.client.image(entry.ids.image.unwrap_or_default())? else { return Ok(None) };
        let dataset = image.dataset_id;
        // Two threads may ask for the same one: better than one that waits for the other.
        let projects = || self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        let known = projects().get(&dataset).copied();
        let project = match known {
            Some(project) => project,
            None => {
                let project = self.client.dataset(dataset)?.map(|dataset| dataset.project_id);
                projects().insert(dataset, project);
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
        let Some(fetched) = self.files.next() else { return Ok(None) };
        let index = self.next;
        self.next += 1;
        let (name, file) = fetched?;
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
        Some(self.total)
    }

    fn fps(&self) -> Option<f64> {
        None
    }

    fn set_id(&mut self, id: SourceId) {
        self.id = id;
    }

    fn stopper(&self) -> Option<Stopper> {
        let (files, requests) = (self.files.stopper(), self.stop.clone());
        Some(Stopper::new(move || {
            files.stop();
            requests.stop();
        }))
    }
}
