//! Any input by its path.

use std::fs::{self, File};
use std::path::Path;

use eyespot_core::{ErrorType, Frame, FrameSource, SourceId};

use crate::sniff::{Kind, kind, refusal};
use crate::{ImageOptions, ImageSource, MediaError, VideoOptions, VideoSource};

/// How an input is read. The part that does not fit the input is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SourceOptions {
    /// For images and directories of them.
    pub images: ImageOptions,
    /// For videos.
    pub video: VideoOptions,
}

/// Frames from images or from a video.
#[derive(Debug)]
#[non_exhaustive]
pub enum Source {
    /// Images.
    Images(ImageSource),
    /// A video.
    Video(Box<VideoSource>),
}

/// Opens an image, a directory of images or a video: by its content, then by its extension.
///
/// # Errors
/// A [`MediaError`] that names the file and says what works instead.
pub fn open(input: impl AsRef<Path>, options: &SourceOptions) -> Result<Source, MediaError> {
    let path = input.as_ref();
    let read = |error| MediaError::read(path, error);
    if fs::metadata(path).map_err(read)?.is_dir() {
        return ImageSource::open(path, options.images).map(Source::Images);
    }
    match kind(path, File::open(path).map_err(read)?).map_err(read)? {
        Kind::Image => ImageSource::open(path, options.images).map(Source::Images),
        Kind::Mp4 => VideoSource::open(path, options.video).map(|video| Source::Video(Box::new(video))),
        other => Err(refusal(path, other)),
    }
}

impl Source {
    /// The same source under another number.
    #[must_use]
    pub fn with_id(self, id: SourceId) -> Self {
        match self {
            Self::Images(images) => Self::Images(images.with_id(id)),
            Self::Video(video) => Self::Video(Box::new(video.with_id(id))),
        }
    }

    /// How many frames will come.
    #[must_use]
    pub fn frame_count(&self) -> u64 {
        match self {
            Self::Images(images) => images.frame_count(),
            Self::Video(video) => video.frame_count(),
        }
    }

    /// Frames per second of a video; `None` for images.
    #[must_use]
    pub fn fps(&self) -> Option<f64> {
        match self {
            Self::Images(_) => None,
            Self::Video(video) => Some(video.fps()),
        }
    }

    /// The file of the last frame: the image, or the video.
    #[must_use]
    pub fn current_path(&self) -> Option<&Path> {
        match self {
            Self::Images(images) => images.current_path(),
            Self::Video(video) => Some(video.path()),
        }
    }

    /// How many frames so far could not be read.
    #[must_use]
    pub fn failed(&self) -> u64 {
        match self {
            Self::Images(images) => images.failed(),
            Self::Video(video) => video.corrupt(),
        }
    }
}

impl ErrorType for Source {
    type Error = MediaError;
}

impl FrameSource for Source {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, MediaError> {
        match self {
            Self::Images(images) => images.next_frame(),
            Self::Video(video) => video.next_frame(),
        }
    }
}
