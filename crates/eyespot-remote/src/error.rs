//! What goes wrong between here and another side.

use std::path::PathBuf;

use eyespot_core::{Error, ErrorKind};
use eyespot_supervisely::client::ClientError;

/// A model elsewhere did not do what was asked. No token is in any of the messages.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// An address that makes no sense.
    #[error("{0}: write an address like http://host:8000, or task:1234")]
    Address(&'static str),
    /// The certificate to trust can't be read.
    #[error("{}: {reason}: give a PEM file with a certificate", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The other side can't be reached, or does not answer in time.
    #[error("{remote}: no answer ({reason}): check the address, the network and that the server runs")]
    Unreachable {
        /// Where it is.
        remote: String,
        /// What the network says.
        reason: String,
        /// Did it take too long?
        late: bool,
    },
    /// The other side's certificate is none that is trusted, or it speaks no TLS.
    #[error(
        "{remote}: no trust ({reason}): give the certificate of a server that signed its own, and check the address"
    )]
    Untrusted {
        /// Where it is.
        remote: String,
        /// What TLS says.
        reason: String,
    },
    /// The other side refuses.
    #[error("{remote}: status {status}: {message}")]
    Status {
        /// Where it is.
        remote: String,
        /// The HTTP status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// The other side wants a token, or another one.
    #[error("{remote}: it wants a token: give the right one in EYESPOT_TOKEN, or in the address")]
    Unauthorized {
        /// Where it is.
        remote: String,
    },
    /// An answer of another form than expected.
    #[error("{remote}: the answer can't be understood ({reason}): is a model served there?")]
    Answer {
        /// Where it is.
        remote: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The other side could not do this frame.
    #[error("{remote}: {message}")]
    Frame {
        /// Where it is.
        remote: String,
        /// What it says.
        message: String,
    },
    /// A frame can't be sent.
    #[error("the frame can't be encoded: {0}")]
    Encode(#[from] image::ImageError),
    /// The task is unknown, or not running.
    #[error("{remote}: {reason}: start it on the platform, or name another one")]
    Task {
        /// Where it is.
        remote: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The platform that knows the task.
    #[error(transparent)]
    Platform(#[from] ClientError),
    /// The local model of a [fallback](crate::WithFallback).
    #[error(transparent)]
    Local(#[from] eyespot_core::AnyError),
}

impl RemoteError {
    /// Is the other side away, so that it may be back later? A wrong token or a wrong wish does not pass.
    #[must_use]
    pub fn is_away(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Task { .. } => true,
            // 404: behind a proxy whose server is gone, or a session that ended.
            Self::Status { status, .. } => matches!(status, 404 | 408 | 429 | 499 | 500..),
            Self::Platform(error) => error.is_temporary(),
            _ => false,
        }
    }
}

impl Error for RemoteError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreachable { late: true, .. } => ErrorKind::Timeout,
            Self::Unreachable { .. } => ErrorKind::Io,
            Self::Status { status: 404, .. } | Self::Task { .. } => ErrorKind::NotFound,
            Self::Status { status: 400..500, .. } => ErrorKind::InvalidInput,
            Self::Status { .. } => ErrorKind::Io,
            Self::Address(_)
            | Self::Certificate { .. }
            | Self::Untrusted { .. }
            | Self::Unauthorized { .. }
            | Self::Answer { .. } => ErrorKind::InvalidInput,
            Self::Encode(_) | Self::Frame { .. } => ErrorKind::InvalidInput,
            Self::Platform(error) => error.kind(),
            Self::Local(error) => error.kind(),
        }
    }
}
