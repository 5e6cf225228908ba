//! Any input by its path.

use std::fs::{self, File};
use std::path::Path;

use eyespot_core::{FrameSource, SourceId};

use crate::sniff::{Kind, kind, refusal};
use crate::{Canvas, ImageOptions, ImageSource, Input, MediaError, VideoOptions, VideoSource};

/// How an input is read. The part that does not fit the input is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SourceOptions {
    /// For images and directories of them.
    pub images: ImageOptions,
    /// For videos.
    pub video: VideoOptions,
}

/// A source of frames from files, networks and cameras.
///
/// # Contract
/// - Frames carry their name: the path or the address of the image or video.
/// - An error costs one frame; the next call goes on with the next one.
pub trait MediaSource: FrameSource<Error = MediaError> + Send {
    /// Path or address of the whole: the image, the directory, the video.
    fn name(&self) -> &str;

    /// How many frames will come, where that is known beforehand.
    fn frame_count(&self) -> Option<u64>;

    /// Frames per second of a video or stream; `None` for single images.
    fn fps(&self) -> Option<f64>;

    /// Sets the number that tells the frames of this source from those of others.
    fn set_id(&mut self, id: SourceId);
}

/// Opens an image, a directory of images or a video: by its content, then by its extension.
///
/// # Errors
/// A [`MediaError`] that names the file and says what works instead.
pub fn open(input: impl AsRef<Path>, options: &SourceOptions) -> Result<Box<dyn MediaSource>, MediaError> {
    let path = input.as_ref();
    let read = |error| MediaError::read(path, error);
    if fs::metadata(path).map_err(read)?.is_dir() {
        return Ok(Box::new(ImageSource::open(path, options.images)?));
    }
    match kind(path, File::open(path).map_err(read)?).map_err(read)? {
        Kind::Image => Ok(Box::new(ImageSource::open(path, options.images)?)),
        Kind::Mp4 => Ok(Box::new(VideoSource::open(path, options.video)?)),
        other => Err(refusal(path, other)),
    }
}

/// Opens all inputs. One that can't be opened is an error in its place.
#[must_use]
pub fn open_all(
    input: impl Into<Input>,
    options: &SourceOptions,
) -> Vec<Result<Box<dyn MediaSource>, MediaError>> {
    match input.into() {
        Input::Path(path) => vec![open(path, options)],
        Input::List(list) => list.into_iter().flat_map(|input| open_all(input, options)).collect(),
    }
}

/// Reads one image again: the image of that path, or frame `index` of that video.
///
/// # Errors
/// As [`open`]; [`MediaError::NoImages`] where the video has no such frame.
pub fn read_frame(path: impl AsRef<Path>, index: u64) -> Result<Canvas, MediaError> {
    let path = path.as_ref();
    let video = VideoOptions { start_frame: index, num_frames: Some(1), ..VideoOptions::default() };
    let mut source = open(path, &SourceOptions { video, ..SourceOptions::default() })?;
    let frame = source.next_frame()?;
    frame
        .map(|frame| Canvas::from_view(&frame.image))
        .ok_or_else(|| MediaError::NoImages { path: path.to_path_buf() })
}
