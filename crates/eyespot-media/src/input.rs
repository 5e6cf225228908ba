//! What a user names as input.

use std::path::{Path, PathBuf};

/// An input, or several of them: whatever [`open_all`](crate::open_all) takes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Input {
    /// An image, a directory of images, or a video.
    Path(PathBuf),
    /// Several inputs, of any kind.
    List(Vec<Input>),
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
    fn from(path: &str) -> Self {
        Self::Path(path.into())
    }
}

impl From<String> for Input {
    fn from(path: String) -> Self {
        Self::Path(path.into())
    }
}

impl<T: Into<Input>> From<Vec<T>> for Input {
    fn from(list: Vec<T>) -> Self {
        Self::List(list.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Input>, const N: usize> From<[T; N]> for Input {
    fn from(list: [T; N]) -> Self {
        Self::List(list.into_iter().map(Into::into).collect())
    }
}
