//! Frames from images.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use eyespot_core::{ErrorType, Frame, FrameSource, SourceId};

use crate::fetch::Client;
use crate::image_file::{PixelBuffer, has_image_extension};
use crate::natural::compare_paths;
use crate::{MediaError, MediaSource, MemoryImage, UrlOptions};

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

/// One image to read.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    File(PathBuf),
    Url(String),
    /// An image with a name.
    Memory(MemoryImage),
}

impl Item {
    fn name(&self) -> Cow<'_, str> {
        match self {
            Self::File(path) => path.to_string_lossy(),
            Self::Url(url) => url.into(),
            Self::Memory(image) => image.name().unwrap_or_default().into(),
        }
    }
}

/// Frames from image files, addresses and images in memory, one after the other.
///
/// A broken image gives an error for its frame; the next call goes on with the next image. Frame numbers are
/// positions in the list, so they have a gap there. EXIF orientation is applied. Grey, RGB and RGBA of 8 bits are lent
/// as they are, all else becomes RGB. Images of addresses are fetched when their turn comes.
#[derive(Debug)]
pub struct ImageSource {
    items: Vec<Item>,
    next: usize,
    failed: u64,
    options: ImageOptions,
    client: Client,
    id: SourceId,
    pixels: PixelBuffer,
    /// Name of the whole, and of the last image.
    root: String,
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
        let items = files.into_iter().map(Item::File).collect();
        Ok(Self::from_items(items, root, options, UrlOptions::default()))
    }

    /// Without a name of its own, the source is called after its first image.
    pub(crate) fn from_items(
        items: Vec<Item>,
        root: Option<String>,
        options: ImageOptions,
        url: UrlOptions,
    ) -> Self {
        let first = || items.first().map(|item| item.name().into_owned()).unwrap_or_default();
        let root = root.unwrap_or_else(first);
        Self {
            items,
            next: 0,
            failed: 0,
            options,
            client: Client::new(url),
            id: SourceId::default(),
            pixels: PixelBuffer::default(),
            root,
            current: String::new(),
        }
    }

    /// Path, address or name of the last frame or error; empty before the first.
    #[must_use]
    pub fn current(&self) -> &str {
        &self.current
    }

    /// How many of the images so far could not be read.
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
        let Some(item) = self.items.get(self.next) else {
            return Ok(None);
        };
        let index = self.next as u64;
        self.next += 1;
        self.current.clear();
        self.current.push_str(&item.name());
        let max_pixels = self.options.max_pixels;
        let read = match item {
            Item::File(path) => self.pixels.read(path, max_pixels),
            Item::Url(url) => self
                .client
                .image(url)
                .and_then(|bytes| self.pixels.read_bytes(Path::new(url), &bytes, max_pixels)),
            Item::Memory(_) => Ok(()),
        };
        let view = read.and_then(|()| match item {
            Item::Memory(image) => image.view(&mut self.pixels, max_pixels),
            Item::File(_) | Item::Url(_) => self.pixels.view().ok_or_else(|| MediaError::BrokenImage {
                path: self.current.as_str().into(),
                reason: "it has no pixels".into(),
            }),
        });
        let view = view.inspect_err(|_| self.failed += 1)?;
        let seconds = index as f64 / f64::from(self.options.fps.max(f32::MIN_POSITIVE));
        let mut frame = Frame::new(view, index, (seconds * 1e6).round() as u64).named(&self.current);
        frame.info.source = self.id;
        Ok(Some(frame))
    }
}

impl MediaSource for ImageSource {
    fn name(&self) -> &str {
        &self.root
    }
    fn frame_count(&self) -> Option<u64> {
        Some(self.items.len() as u64)
    }
    fn fps(&self) -> Option<f64> {
        None
    }
    fn set_id(&mut self, id: SourceId) {
        self.id = id;
    }
    fn memory_images(&self) -> HashMap<u64, MemoryImage> {
        let images = (0..).zip(&self.items).filter_map(|(index, item)| match item {
            Item::Memory(image) => Some((index, image.clone())),
            Item::File(_) | Item::Url(_) => None,
        });
        images.collect()
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
