//! A video of the platform as a source of frames.

use eyespot_core::{ErrorType, Frame, FrameSource, SourceId};
use eyespot_media::{MediaError, MediaSource, SourceOptions, Stopper, open};
use tempfile::NamedTempFile;

use super::Entry;
use crate::client::Client;

/// A video of the platform. [`PlatformInput`](super::PlatformInput) finds it.
#[allow(missing_debug_implementations)]
pub struct PlatformVideo {
    /// The name of its frames.
    name: String,
    source: Box<dyn MediaSource>,
    /// Its copy here, which is gone with the source.
    _file: NamedTempFile,
}

impl PlatformVideo {
    /// Fetches a video and opens it.
    pub(super) fn fetch(client: &Client, entry: Entry, options: &SourceOptions) -> Result<Self, MediaError> {
        let id = entry.ids.video.unwrap_or_default();
        let mut entry = entry;
        if entry.file.is_none() {
            let video = client.video(id).map_err(|error| entry.unread(&error))?;
            let video = video.ok_or_else(|| entry.missing())?;
            let ids = entry.ids.within(Some(video.project_id), video.dataset_id);
            entry = Entry { ids, file: Some(video.name) };
        }
        let unwritten = |source| MediaError::Write { path: std::env::temp_dir(), source };
        let mut file = NamedTempFile::new().map_err(unwritten)?;
        client.download_video_to(id, file.as_file_mut()).map_err(|error| entry.unread(&error))?;
        let source = open(file.path(), options)?;
        Ok(Self { name: entry.name(), source, _file: file })
    }
}

impl ErrorType for PlatformVideo {
    type Error = MediaError;
}

impl FrameSource for PlatformVideo {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, MediaError> {
        Ok(self.source.next_frame()?.map(|frame| frame.named(&self.name)))
    }
}

impl MediaSource for PlatformVideo {
    fn name(&self) -> &str {
        &self.name
    }

    fn frame_count(&self) -> Option<u64> {
        self.source.frame_count()
    }

    fn fps(&self) -> Option<f64> {
        self.source.fps()
    }

    fn set_id(&mut self, id: SourceId) {
        self.source.set_id(id);
    }

    fn stopper(&self) -> Option<Stopper> {
        self.source.stopper()
    }
}
