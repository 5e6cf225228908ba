//! The platform's API.

mod api;
mod config;
mod form;
mod http;
mod parallel;
mod stop;
mod videos;

pub(crate) use api::{BATCH, BATCH_BYTES};
pub use api::{DatasetInfo, ImageContent, ImageInfo, ProjectInfo, hash_of};
pub use config::{Connection, Token};
pub use http::{Client, ClientOptions, retry_after};
pub(crate) use parallel::{SIDE_BY_SIDE, ended, parts_of};
pub use stop::Stop;
pub use videos::{NewFigure, VideoInfo, hash_of_file};

use std::path::{Path, PathBuf};
use std::time::Duration;

/// A request that failed. The token is in none of the messages.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// A setting is missing.
    #[error("{name} is not set: set it in the environment or in ~/supervisely.env")]
    Missing {
        /// The variable.
        name: &'static str,
    },
    /// A setting makes no sense.
    #[error("{name}: {reason}: correct it in the environment or in ~/supervisely.env")]
    Setting {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file of settings can't be read.
    #[error("{}: {source}: make it readable, or set SERVER_ADDRESS and API_TOKEN", path.display())]
    EnvFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The platform could not be reached, or did not answer in time.
    #[error("{method}: no answer after {tries} tries ({reason}): check SERVER_ADDRESS and the network")]
    Network {
        /// The API method.
        method: String,
        /// How often it was tried.
        tries: u32,
        /// What went wrong the last time.
        reason: String,
    },
    /// The platform refuses, or was busy every time.
    #[error("{method}: the platform answers with status {status}: {message}")]
    Status {
        /// The API method.
        method: String,
        /// The HTTP status.
        status: u16,
        /// What it says.
        message: String,
        /// What it says in detail.
        details: serde_json::Value,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// A file that is downloaded can't be written.
    #[error("{method}: the file can't be written ({source}): make room in the folder of temporary files")]
    Store {
        /// The API method.
        method: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is to be uploaded can't be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An answer of another form than expected.
    #[error("{method}: the answer can't be understood ({reason}): the platform may be of another version")]
    Answer {
        /// The API method.
        method: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ClientError {
    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_path_buf(), source }
    }

    /// Can the same request succeed later?
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Network { .. } => true,
            Self::Status { status, .. } => http::is_temporary(*status),
            _ => false,
        }
    }

    /// Will every request fail until a person mends something: the settings, the token, its rights, a bill?
    #[must_use]
    pub const fn is_lasting(&self) -> bool {
        matches!(
            self,
            Self::Missing { .. }
                | Self::Setting { .. }
                | Self::EnvFile { .. }
                | Self::Status { status: 401..=403, .. }
        )
    }
}

impl eyespot_core::Error for ClientError {
    fn kind(&self) -> eyespot_core::ErrorKind {
        use eyespot_core::ErrorKind;
        match self {
            Self::Missing { .. } | Self::Status { status: 404, .. } => ErrorKind::NotFound,
            Self::Setting { .. } | Self::Answer { .. } => ErrorKind::InvalidInput,
            Self::EnvFile { .. }
            | Self::File { .. }
            | Self::Network { .. }
            | Self::Status { .. }
            | Self::Store { .. } => ErrorKind::Io,
        }
    }
}
