//! Frames from image files.

use std::fs;
use std::path::{Path, PathBuf};

use eyespot_core::{ErrorType, Frame, FrameSource, SourceId};

use crate::image_file::{PixelBuffer, has_image_extension};
use crate::natural::compare_paths;
use crate::{MediaError, MediaSource};

/// How image files are read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageOptions {
    /// Look for images in sub-directories too.
    pub recursive: bool,
    /// Images with more pixels than this are refused, so that a small file can't ask for all the memory.
    /// 2^30 by default: 3 GiB as RGB.
    pub max_pixels: u64,
    /// Images carry no time; frame `n` gets the time `n / fps` seconds. 30 by default.
    pub fps: f32,
}

impl Default for ImageOptions {
    fn default() -> Self {
        Self { recursive: false, max_pixels: 1 << 30, fps: 30.0 }
    }
}

/// Frames from a file, a list, a directory, or any mix of them.
///
/// A broken image gives an error for its frame; the next call goes on with the next image. Frame numbers are
/// positions in [`paths`](Self::paths), so they have a gap there. EXIF orientation is applied. Grey, RGB and RGBA
/// of 8 bits are lent as they are, all else becomes RGB.
#[derive(Debug)]
pub struct ImageSource {
    paths: Vec<PathBuf>,
    next: usize,
    failed: u64,
    options: ImageOptions,
    id: SourceId,
    pixels: PixelBuffer,
    /// Path of the whole, and of the last image.
    whole: String,
    current: String,
}

impl ImageSource {
    /// The images of one path: a file, or a directory in natural order (`img2` before `img10`).
    ///
    /// # Errors
    /// [`MediaError::NotFound`], [`MediaError::NoImages`] for a directory without images, [`MediaError::Read`].
    pub fn open(path: impl AsRef<Path>, options: ImageOptions) -> Result<Self, MediaError> {
        let path = path.as_ref();
        fs::metadata(path).map_err(|error| MediaError::read(path, error))?;
        Self::from_paths([path], options)
    }

    /// The images of several paths in the order given; directories among them in natural order. A file that is
    /// missing gives an error when its turn comes.
    ///
    /// # Errors
    /// [`MediaError::NoImages`] where there is nothing to read, [`MediaError::Read`] for an unreadable directory.
    pub fn from_paths(
        paths: impl IntoIterator<Item = impl AsRef<Path>>,
        options: ImageOptions,
    ) -> Result<Self, MediaError> {
        let mut files = Vec::new();
        let mut last = PathBuf::new();
        let mut root = None;
        for path in paths {
            let path = path.as_ref();
            root.get_or_insert_with(|| path.to_string_lossy().into_owned());
            if path.is_dir() {
                let start = files.len();
                list_directory(path, options.recursive, &mut files)?;
                files[start..].sort_by(|a, b| compare_paths(a, b));
            } else {
                files.push(path.to_path_buf());
            }
            last = path.to_path_buf();
        }
        if files.is_empty() {
            return Err(MediaError::NoImages { path: last });
        }
        Ok(Self {
            paths: files,
            next: 0,
            failed: 0,
            options,
            id: SourceId::default(),
            pixels: PixelBuffer::default(),
            whole: root.unwrap_or_default(),
            current: String::new(),
        })
    }

    /// The files; `FrameInfo::index` is a position here.
    #[must_use]
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// The file of the last frame or error; `None` before the first.
    #[must_use]
    pub fn current_path(&self) -> Option<&Path> {
        self.paths.get(self.next.checked_sub(1)?).map(PathBuf::as_path)
    }

    /// How many of the files so far could not be read.
    #[must_use]
    pub const fn failed(&self) -> u64 {
        self.failed
    }
}

impl ErrorType for ImageSource {
    type Error = MediaError;
}

impl FrameSource for ImageSource {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, MediaError> {
        let Some(path) = self.paths.get(self.next) else {
            return Ok(None);
        };
        let index = self.next as u64;
        self.next += 1;
        if let Err(error) = self.pixels.read(path, self.options.max_pixels) {
            self.failed += 1;
            return Err(error);
        }
        let Some(view) = self.pixels.view() else {
            self.failed += 1;
            return Err(MediaError::BrokenImage { path: path.clone(), reason: "it has no pixels".into() });
        };
        let seconds = index as f64 / f64::from(self.options.fps.max(f32::MIN_POSITIVE));
        self.current = path.to_string_lossy().into_owned();
        let mut frame = Frame::new(view, index, (seconds * 1e6).round() as u64).named(&self.current);
        frame.info.source = self.id;
        Ok(Some(frame))
    }
}

impl MediaSource for ImageSource {
    fn name(&self) -> &str {
        &self.whole
    }
    fn frame_count(&self) -> Option<u64> {
        Some(self.paths.len() as u64)
    }
    fn fps(&self) -> Option<f64> {
        None
    }
    fn set_id(&mut self, id: SourceId) {
        self.id = id;
    }
}

/// Adds the images of a directory. Hidden files are left out; links to directories are not followed, so that a
/// loop of links ends.
fn list_directory(directory: &Path, recursive: bool, files: &mut Vec<PathBuf>) -> Result<(), MediaError> {
    let failed = |error| MediaError::read(directory, error);
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        if entry.file_type().map_err(failed)?.is_dir() {
            if recursive {
                list_directory(&path, recursive, files)?;
            }
        } else if has_image_extension(&path) && path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}
