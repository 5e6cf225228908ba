//! What can go wrong with an outbox.

use std::path::{Path, PathBuf};

use eyespot_core::ErrorKind;

/// An operation of an outbox that failed. What was committed before stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxError {
    /// The file can't be opened or created.
    #[error("{}: {reason}: check the path and its rights", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file is a database of something else.
    #[error("{}: this is no outbox: give the path of another file", path.display())]
    NotAnOutbox {
        /// The file.
        path: PathBuf,
    },
    /// The outbox was written by a newer Eyespot.
    #[error("{}: the outbox has format {found}, this program knows up to {known}: use a newer one", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// The disk is full: nothing was committed. It may work again once results were delivered.
    #[error("{}: the disk is full: make room, the results that wait are safe", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// Another worker delivers this outbox.
    #[error("{}: another process delivers this outbox: one is enough, results can be added by all", path.display())]
    Delivering {
        /// The file.
        path: PathBuf,
    },
    /// The outbox belongs to other uploads.
    #[error("{}: this outbox holds results for {there}: use another file for {wanted}", path.display())]
    OtherTarget {
        /// The file.
        path: PathBuf,
        /// Where its results go.
        there: String,
        /// Where these would go.
        wanted: String,
    },
    /// The database failed.
    #[error("{}: {reason}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A result can't be written as JSON.
    #[error("the result `{key}` can't be written: {reason}")]
    Item {
        /// Its key.
        key: String,
        /// Why.
        reason: String,
    },
    /// The thread that commits has ended.
    #[error("{}: the outbox is closed", path.display())]
    Closed {
        /// The file.
        path: PathBuf,
    },
}

impl OutboxError {
    pub(crate) fn database(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull { path },
            Some(rusqlite::ErrorCode::NotADatabase) => Self::NotAnOutbox { path },
            _ => Self::Database { path, reason: error.to_string() },
        }
    }
}

impl eyespot_core::Error for OutboxError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Open { .. } | Self::Database { .. } | Self::DiskFull { .. } | Self::Closed { .. } => {
                ErrorKind::Io
            }
            Self::NotAnOutbox { .. } | Self::Item { .. } | Self::OtherTarget { .. } => {
                ErrorKind::InvalidInput
            }
            Self::Version { .. } => ErrorKind::Unsupported,
            Self::Delivering { .. } => ErrorKind::Other,
        }
    }
}
