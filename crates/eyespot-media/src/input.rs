//! What a user names as input.

use std::path::{Path, PathBuf};

use crate::{MediaError, MemoryImage};

/// An input, or several of them: whatever [`open_all`](crate::open_all) takes.
///
/// Text is read as people mean it: `https://...` and `rtsp://...` are addresses, text with `*`, `?` or `[` that is no
/// existing path is a pattern, all else is a path. A [`Path`] is always a path.
///
/// ```
/// use eyespot_media::{Input, MemoryImage};
///
/// let jpeg = vec![0xff, 0xd8];
/// let mixed = Input::from([
///     Input::from("photos/*.jpg"),
///     Input::from("https://example.com/a.png"),
///     MemoryImage::encoded(jpeg).named("camera 1").into(),
/// ]);
/// assert!(matches!(mixed, Input::List(list) if matches!(list[0], Input::Glob(_))));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Input {
    /// An image, a directory of images, a video, or a camera (`/dev/video0`).
    Path(PathBuf),
    /// An image, a video or a stream in a network.
    Url(String),
    /// The images and videos whose paths match: `*`, `?`, `[a-z]`, and `**` for directories within directories.
    Glob(String),
    /// An image in memory.
    Image(MemoryImage),
    /// Several inputs, of any kind.
    List(Vec<Self>),
}

impl Input {
    /// Is there anything to open? Only looks whether paths exist and patterns match: what a file or an address holds is
    /// seen when its turn comes. Of a list, one that is there is enough.
    ///
    /// # Errors
    /// [`MediaError::NotFound`], [`MediaError::Read`], [`MediaError::NoMatch`], [`MediaError::Pattern`]; of a list the
    /// first of them.
    pub fn check(&self) -> Result<(), MediaError> {
        crate::open::check(self)
    }

    fn parse(text: &str) -> Self {
        if scheme_of(text).is_some() {
            Self::Url(text.to_owned())
        } else if text.contains(['*', '?', '[']) && !Path::new(text).exists() {
            Self::Glob(text.to_owned())
        } else {
            Self::Path(text.into())
        }
    }
}

/// `https` of `https://...`, in lower case.
pub(crate) fn scheme_of(text: &str) -> Option<String> {
    let (scheme, _) = text.split_once("://")?;
    let letter = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let rest = scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    (letter && rest).then(|| scheme.to_ascii_lowercase())
}

impl From<&Path> for Input {
    fn from(path: &Path) -> Self {
        Self::Path(path.to_path_buf())
    }
}

impl From<PathBuf> for Input {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<&PathBuf> for Input {
    fn from(path: &PathBuf) -> Self {
        Self::Path(path.clone())
    }
}

impl From<&str> for Input {
    fn from(text: &str) -> Self {
        Self::parse(text)
    }
}

impl From<String> for Input {
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

impl From<&String> for Input {
    fn from(text: &String) -> Self {
        Self::parse(text)
    }
}

impl From<MemoryImage> for Input {
    fn from(image: MemoryImage) -> Self {
        Self::Image(image)
    }
}

impl From<image::DynamicImage> for Input {
    fn from(image: image::DynamicImage) -> Self {
        Self::Image(image.into())
    }
}

impl From<crate::Canvas> for Input {
    fn from(canvas: crate::Canvas) -> Self {
        Self::Image(canvas.into())
    }
}

/// The axes are height, width, channels (`HWC`), RGB.
#[cfg(feature = "ndarray")]
impl From<ndarray::Array3<u8>> for Input {
    fn from(array: ndarray::Array3<u8>) -> Self {
        Self::Image(array.into())
    }
}

/// The axes are height, width, channels (`HWC`), RGB.
#[cfg(feature = "ndarray")]
impl From<ndarray::ArrayView3<'_, u8>> for Input {
    fn from(array: ndarray::ArrayView3<'_, u8>) -> Self {
        Self::Image(array.into())
    }
}

impl<T: Into<Self>> From<Vec<T>> for Input {
    fn from(list: Vec<T>) -> Self {
        Self::List(list.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Self>, const N: usize> From<[T; N]> for Input {
    fn from(list: [T; N]) -> Self {
        Self::List(list.into_iter().map(Into::into).collect())
    }
}
