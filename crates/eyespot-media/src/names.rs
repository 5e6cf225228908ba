//! Names of sources, kept beside the frames.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use eyespot_core::{FrameInfo, SourceId};

use crate::Source;

/// Which file a frame comes from, by its source and, for images, by its number.
#[derive(Debug, Clone, Default)]
pub struct SourceNames {
    sources: HashMap<SourceId, Files>,
}

#[derive(Debug, Clone)]
enum Files {
    /// One name for all frames: a video, a camera.
    One(PathBuf),
    /// One file per frame.
    PerFrame(Vec<PathBuf>),
}

impl SourceNames {
    /// No names.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The names of one source, number 0.
    #[must_use]
    pub fn of(source: &Source) -> Self {
        let mut names = Self::new();
        names.add_source(SourceId(0), source);
        names
    }

    /// Adds the names of a source.
    pub fn add_source(&mut self, id: SourceId, source: &Source) {
        match source {
            Source::Images(images) => self.add_images(id, images.paths().to_vec()),
            Source::Video(video) => self.add(id, video.path()),
        }
    }

    /// Names a source: a video file, a camera.
    pub fn add(&mut self, id: SourceId, name: impl Into<PathBuf>) {
        self.sources.insert(id, Files::One(name.into()));
    }

    /// Names each frame of a source; the position is the frame number.
    pub fn add_images(&mut self, id: SourceId, paths: Vec<PathBuf>) {
        self.sources.insert(id, Files::PerFrame(paths));
    }

    /// The name for a frame.
    #[must_use]
    pub fn get(&self, info: &FrameInfo) -> Option<&Path> {
        match self.sources.get(&info.source)? {
            Files::One(name) => Some(name),
            Files::PerFrame(paths) => paths.get(usize::try_from(info.index).ok()?).map(PathBuf::as_path),
        }
    }
}
