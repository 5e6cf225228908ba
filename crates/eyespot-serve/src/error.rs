//! What goes wrong, for clients and for who starts the server.

use std::net::SocketAddr;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use eyespot_core::{Error, ErrorKind};
use eyespot_runtime::RuntimeError;

/// Why a server can't be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address is taken, or is none of this computer.
    #[error("{address}: can't listen there ({source}): choose another port, or stop what listens")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The system gives no thread or no timer.
    #[error("the server can't start: {0}")]
    Start(#[from] std::io::Error),
    /// The certificate or its key can't be used.
    #[error("{path}: {reason}")]
    Tls {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The input of the live page can't be opened, or its settings are wrong.
    #[error("live: {0}")]
    Live(#[from] RuntimeError),
}

impl Error for ServeError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Bind { .. } => ErrorKind::Io,
            Self::Start(_) => ErrorKind::Other,
            Self::Tls { .. } => ErrorKind::InvalidInput,
            Self::Live(error) => error.kind(),
        }
    }
}

/// An answer that is an error: `{"detail", "message", "success": false}`.
#[derive(Debug)]
pub(crate) struct HttpError {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl HttpError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "show the server's token, as `Authorization: Bearer` or `x-api-key`",
        )
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    pub(crate) fn unknown_request() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no such inference request: it was cleared, or nobody asked for it for too long",
        )
    }

    pub(crate) fn too_large(limit: u64) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("more than {limit} bytes: send less, or raise the server's limit for uploads"),
        )
    }

    pub(crate) fn busy(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// The status that fits an error of a plugin.
    pub(crate) fn of(error: &dyn Error) -> Self {
        let status = match error.kind() {
            ErrorKind::InvalidInput | ErrorKind::Unsupported => StatusCode::BAD_REQUEST,
            ErrorKind::NotFound => StatusCode::BAD_REQUEST,
            ErrorKind::Io => StatusCode::BAD_GATEWAY,
            ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl From<RuntimeError> for HttpError {
    fn from(error: RuntimeError) -> Self {
        Self::of(&error)
    }
}

#[derive(serde::Serialize)]
struct Body<'a> {
    detail: &'a str,
    message: &'a str,
    success: bool,
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let body = Body { detail: &self.message, message: &self.message, success: false };
        let mut response = crate::app::json(&body);
        *response.status_mut() = self.status;
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}
