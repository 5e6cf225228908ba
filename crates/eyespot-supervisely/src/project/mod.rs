//! Projects on disk, in the layout of the SDK.
//!
//! ```text
//! meta.json                            classes and tags
//! day/img/a.jpg                        images of the dataset `day`; of a project of videos `video/`
//! day/ann/a.jpg.json                   the annotation of each; its name keeps the extension
//! day/datasets/noon/{img,ann,datasets} the dataset `noon` within `day`, to any depth
//! key_id_map.json                      of a project of videos: the platform's numbers of its keys
//! ```
//!
//! Coordinates in files are pixels.

mod read;
mod sink;
mod write;

pub use read::{Project, ProjectItem};
pub use sink::ProjectSink;
pub use write::ProjectWriter;

use std::path::{Path, PathBuf};

use crate::format::MergeError;

const META: &str = "meta.json";
const KEYS: &str = "key_id_map.json";
const ANNOTATIONS: &str = "ann";
const NESTED: &str = "datasets";
const IMAGES: &str = "img";
const VIDEOS: &str = "video";

/// A project on disk that can't be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// The folder is no project.
    #[error("{}: no project: it has no meta.json", folder.display())]
    NoProject {
        /// The folder.
        folder: PathBuf,
    },
    /// A file or folder can't be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is no meta or annotation.
    #[error("{}: {source}: it must be in the format of Supervisely", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A name that would lead out of the project, or that a file can't have.
    #[error("`{name}` can't be the name of a file or dataset: rename it")]
    Name {
        /// The name.
        name: String,
    },
    /// Images and videos in one project.
    #[error("{}: a project holds either images or videos: use another folder", folder.display())]
    Mixed {
        /// The folder.
        folder: PathBuf,
    },
    /// Results would go over the annotations of their input.
    #[error("{}: results can't go into the project that they come from: use another folder", folder.display())]
    Same {
        /// The folder.
        folder: PathBuf,
    },
    /// An image that can't be stored.
    #[error("{name}: can't be stored in the project: {reason}")]
    Pixels {
        /// The image.
        name: String,
        /// Why.
        reason: String,
    },
    /// Classes or tags that don't fit.
    #[error(transparent)]
    Meta(#[from] MergeError),
}

impl ProjectError {
    fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File { path: path.to_path_buf(), source }
    }
}

impl eyespot_core::Error for ProjectError {
    fn kind(&self) -> eyespot_core::ErrorKind {
        use eyespot_core::ErrorKind;
        match self {
            Self::NoProject { .. } => ErrorKind::NotFound,
            Self::File { .. } => ErrorKind::Io,
            Self::Format { .. }
            | Self::Name { .. }
            | Self::Mixed { .. }
            | Self::Same { .. }
            | Self::Pixels { .. }
            | Self::Meta(_) => ErrorKind::InvalidInput,
        }
    }
}
