//! What goes wrong in the store.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use eyespot_core::{Error, ErrorKind};

/// A model could not be found, checked or pulled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The platform names no cache directory.
    #[error("there is no cache directory for models: set EYESPOT_HOME to a folder")]
    NoHome,
    /// The model is not in the store and may not be pulled.
    #[error(
        "the model `{model}` is not in the store and pulling is off: run `models pull {model}` where there is a \
         network, or put the file from {url} at {}", path.display()
    )]
    Offline {
        /// Name of the model.
        model: String,
        /// Where the file comes from.
        url: String,
        /// Where the file belongs.
        path: PathBuf,
    },
    /// The file is not in the store.
    #[error("there is no file {}: pull the model first", .0.display())]
    Missing(PathBuf),
    /// The file has a wrong digest. A download of this kind is not kept.
    #[error(
        "{} has the wrong content: expected sha256 {expected}, got {got}. It is damaged, or its publisher \
         replaced it", path.display()
    )]
    Checksum {
        /// The file in the store.
        path: PathBuf,
        /// The digest of the manifest, or the one recorded at the first pull.
        expected: String,
        /// The digest of the file.
        got: String,
    },
    /// The file has a wrong size. A download of this kind is not kept.
    #[error("{} has the wrong size: expected {expected} bytes, got {got}", path.display())]
    Size {
        /// The file in the store.
        path: PathBuf,
        /// The size in the manifest.
        expected: u64,
        /// The size of the file, or the size that the server announced.
        got: u64,
    },
    /// The file is larger than a model may be.
    #[error("{url} is larger than {limit} bytes: raise the limit if that is meant")]
    TooLarge {
        /// The address.
        url: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The server does not have the file.
    #[error(
        "{url} does not exist (HTTP {status}): update eyespot, name a mirror in EYESPOT_MODEL_MIRROR, or put the \
         file at {}", path.display()
    )]
    Gone {
        /// The address.
        url: String,
        /// 404 or 410.
        status: u16,
        /// Where the file belongs.
        path: PathBuf,
    },
    /// The server refuses, or is out of order even after the retries.
    #[error("{url} answers with HTTP {status}")]
    Status {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The server redirects in circles.
    #[error("{url} redirects too often")]
    Redirects {
        /// The address.
        url: String,
    },
    /// The server answers, but not with a file of weights.
    #[error("{url} does not serve a file: {reason}")]
    BadResponse {
        /// The address.
        url: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The server cannot be reached, or the connection was lost and the retries are used up.
    #[error("cannot pull {url}: {reason}. What was received is kept: pull again to resume")]
    Network {
        /// The address.
        url: String,
        /// What the network said.
        reason: String,
    },
    /// The server sent nothing, or next to nothing, for a whole timeout, and the retries are used up.
    #[error("{url} stalled for {timeout:?}. What was received is kept: pull again to resume")]
    Timeout {
        /// The address.
        url: String,
        /// The timeout of the [`PullOptions`](crate::PullOptions).
        timeout: Duration,
    },
    /// There is no room for the file.
    #[error("the disk is full: make room for {}, then pull again to resume", .0.display())]
    DiskFull(PathBuf),
    /// A file operation failed.
    #[error("cannot use {}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        error: io::Error,
    },
}

impl StoreError {
    /// Turns an I/O error into one that names the path.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(path.into()),
            _ => Self::Io { path: path.into(), error },
        }
    }
}

impl Error for StoreError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoHome | Self::Offline { .. } | Self::Missing(_) | Self::Gone { .. } => ErrorKind::NotFound,
            Self::Checksum { .. } | Self::Size { .. } | Self::BadResponse { .. } => ErrorKind::InvalidInput,
            Self::TooLarge { .. } => ErrorKind::Capacity,
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::Status { .. }
            | Self::Redirects { .. }
            | Self::Network { .. }
            | Self::DiskFull(_)
            | Self::Io { .. } => ErrorKind::Io,
        }
    }
}
