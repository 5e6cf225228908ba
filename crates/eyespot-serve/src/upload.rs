//! Files that a client sends: from the network to a folder, within limits of size and time.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use futures_core::Stream;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, Sleep};

use crate::app::App;
use crate::call::Call;
use crate::error::HttpError;
use crate::options::Limits;

/// Bytes of the part of an upload that says what to do.
const STATE_BYTES: u64 = 1 << 20;
/// Who brings less in a second has stalled.
const BYTES_PER_SECOND: u64 = 1 << 10;

/// What was sent.
pub(crate) struct Upload {
    pub(crate) call: Call,
    pub(crate) files: Vec<File>,
    pub(crate) stored: Stored,
}

/// A file that was sent.
pub(crate) struct File {
    /// Its name, as the client gave it.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: PathBuf,
}

/// The folder of an upload, gone when it is dropped, and its share of the room for all of them.
pub(crate) struct Stored {
    folder: TempDir,
    bytes: u64,
    all: Arc<AtomicU64>,
}

impl Stored {
    pub(crate) fn new(app: &App) -> Result<Self, HttpError> {
        Self::within(&app.options.limits, &app.stored)
    }

    fn within(limits: &Limits, all: &Arc<AtomicU64>) -> Result<Self, HttpError> {
        let builder = tempfile::Builder::new().prefix("eyespot-").to_owned();
        let folder = match &limits.folder {
            Some(parent) => builder.tempdir_in(parent),
            None => builder.tempdir(),
        };
        let folder = folder.map_err(|error| failed(&error))?;
        Ok(Self { folder, bytes: 0, all: Arc::clone(all) })
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Takes more room.
    fn grow(&mut self, bytes: u64, limit: u64) -> Result<(), HttpError> {
        self.bytes += bytes;
        if self.all.fetch_add(bytes, Ordering::Relaxed) + bytes > limit {
            return Err(HttpError::busy("too many uploads wait: try again in a moment"));
        }
        Ok(())
    }

    /// A message in which files have the names that clients know: without the folder and their number.
    pub(crate) fn public(&self, message: &str) -> String {
        let folder = format!("{}{}", self.folder.path().display(), std::path::MAIN_SEPARATOR);
        let mut parts = message.split(&folder);
        let mut public = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let number =
                part.split_once('-').filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()));
            public.push_str(number.map_or(part, |(_, rest)| rest));
        }
        public
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Reads a request with files.
pub(crate) async fn read(app: &App, request: Request) -> Result<Upload, HttpError> {
    let upload = receive(&app.options.limits, &app.stored, request).await?;
    app.metrics.upload_bytes.add(upload.stored.bytes);
    Ok(upload)
}

/// Reads a request with files into a folder; its bytes count to those of all.
pub(crate) async fn receive(
    limits: &Limits,
    all: &Arc<AtomicU64>,
    request: Request,
) -> Result<Upload, HttpError> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = content_type.and_then(|value| multer::parse_boundary(value).ok());
    let boundary = boundary.ok_or_else(|| {
        HttpError::bad("files come as multipart/form-data, with parts named `files` and one named `state`")
    })?;
    let announced = announced(request.headers());
    let (_, body) = request.into_parts();
    if announced.is_some_and(|bytes| bytes > limits.upload_bytes) {
        return Err(HttpError::too_large(limits.upload_bytes));
    }
    let body = Paced::new(body, limits.upload_bytes, limits.stall_timeout);
    let constraints =
        multer::SizeLimit::new().for_field("state", STATE_BYTES).for_field("settings", STATE_BYTES);
    let constraints = multer::Constraints::new().size_limit(constraints);
    let mut parts = multer::Multipart::with_constraints(body, boundary, constraints);
    let mut upload =
        Upload { call: Call::default(), files: Vec::new(), stored: Stored::within(limits, all)? };
    while let Some(part) = parts.next_field().await.map_err(|error| refused(&error))? {
        match (part.name(), part.file_name()) {
            (Some("state" | "settings"), None) => {
                let state = part.bytes().await.map_err(|error| refused(&error))?;
                upload.call = Call::parse_state(&state)?;
            }
            (_, Some(_)) | (Some("files" | "file"), None) => {
                if upload.files.len() >= limits.files {
                    return Err(HttpError::new(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        format!("more than {} files: send them in several requests", limits.files),
                    ));
                }
                let number = upload.files.len();
                let file = store(part, number, &mut upload.stored, limits.stored_bytes).await?;
                upload.files.push(file);
            }
            // What nobody here knows is read over.
            _ => {}
        }
    }
    if upload.files.is_empty() {
        return Err(HttpError::bad("no files: send at least one part named `files`"));
    }
    Ok(upload)
}

/// Writes a file into the folder. Its number keeps files of one name apart.
async fn store(
    mut part: multer::Field<'_>,
    number: usize,
    stored: &mut Stored,
    limit: u64,
) -> Result<File, HttpError> {
    let name = part.file_name().map_or_else(|| format!("image_{number}"), str::to_owned);
    let path = stored.folder().join(format!("{number}-{}", safe(&name)));
    let mut file = tokio::fs::File::create_new(&path).await.map_err(|error| failed(&error))?;
    while let Some(bytes) = part.chunk().await.map_err(|error| refused(&error))? {
        stored.grow(bytes.len() as u64, limit)?;
        file.write_all(&bytes).await.map_err(|error| failed(&error))?;
    }
    file.flush().await.map_err(|error| failed(&error))?;
    Ok(File { name, path })
}

/// A name that is one on every file system, with its extension.
fn safe(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ') { c } else { '_' };
    let name: Vec<char> = name.chars().map(kept).collect();
    // File systems take 255 bytes; the end has the extension.
    name.get(name.len().saturating_sub(50)..).unwrap_or_default().iter().collect()
}

/// The body of a request without files.
pub(crate) async fn json(app: &App, request: Request) -> Result<Call, HttpError> {
    let limits = &app.options.limits;
    let limit = limits.json_bytes as u64;
    let announced = announced(request.headers());
    let body = request.into_body();
    if announced.is_some_and(|bytes| bytes > limit) {
        return Err(HttpError::too_large(limit));
    }
    let mut body = Paced::new(body, limit, limits.stall_timeout);
    let mut bytes = Vec::new();
    while let Some(chunk) = std::future::poll_fn(|context| Pin::new(&mut body).poll_next(context)).await {
        bytes.extend_from_slice(&chunk.map_err(|error| error.answer())?);
    }
    Call::parse(&bytes)
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn failed(error: &io::Error) -> HttpError {
    if error.kind() == io::ErrorKind::StorageFull {
        return HttpError::new(StatusCode::INSUFFICIENT_STORAGE, "the server's disk is full");
    }
    log::error!("an upload can't be stored: {error}");
    HttpError::internal("the upload can't be stored")
}

fn refused(error: &multer::Error) -> HttpError {
    if let multer::Error::StreamReadFailed(error) = error
        && let Some(error) = error.downcast_ref::<BodyError>()
    {
        return error.answer();
    }
    match error {
        multer::Error::FieldSizeExceeded { limit, .. } => HttpError::too_large(*limit),
        // Its text tells of the format, not of what was sent.
        error => HttpError::bad(format!("the upload is broken: {error}")),
    }
}

/// Why a body is not read to its end.
#[derive(Debug, thiserror::Error)]
enum BodyError {
    #[error("more than {0} bytes")]
    TooLarge(u64),
    #[error("it came too slowly")]
    Slow,
    #[error("the connection broke off")]
    Broken,
}

impl BodyError {
    fn answer(&self) -> HttpError {
        match self {
            Self::TooLarge(limit) => HttpError::too_large(*limit),
            Self::Slow => HttpError::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly"),
            Self::Broken => HttpError::bad("the connection broke off within the body"),
        }
    }
}

/// A body with a limit of bytes, that has to keep up a pace.
struct Paced {
    body: BodyDataStream,
    left: u64,
    limit: u64,
    window: Duration,
    /// Bytes that came in this window of time.
    came: u64,
    end: Pin<Box<Sleep>>,
}

impl Paced {
    fn new(body: Body, limit: u64, window: Duration) -> Self {
        let end = Box::pin(tokio::time::sleep(window));
        Self { body: body.into_data_stream(), left: limit, limit, window, came: 0, end }
    }
}

impl Stream for Paced {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match Pin::new(&mut self.body).poll_next(context) {
            Poll::Ready(Some(Ok(bytes))) => {
                let len = bytes.len() as u64;
                self.came += len;
                match self.left.checked_sub(len) {
                    Some(left) => {
                        self.left = left;
                        Poll::Ready(Some(Ok(bytes)))
                    }
                    None => Poll::Ready(Some(Err(BodyError::TooLarge(self.limit)))),
                }
            }
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(BodyError::Broken))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                while self.end.as_mut().poll(context).is_ready() {
                    if self.came < BYTES_PER_SECOND * self.window.as_secs().max(1) {
                        return Poll::Ready(Some(Err(BodyError::Slow)));
                    }
                    self.came = 0;
                    let next = Instant::now() + self.window;
                    self.end.as_mut().reset(next);
                }
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_files_stay_in_their_folder() {
        assert_eq!(safe("../../etc/passwd"), "passwd");
        assert_eq!(safe("a\\b\\photo 1.jpg"), "photo 1.jpg");
        assert_eq!(safe("a\0b:c*.png"), "a_b_c_.png");
        assert!(safe(&"ü".repeat(500)).len() <= 200);
    }

    proptest! {
        #[test]
        fn every_name_makes_a_file(name in ".{0,300}") {
            let folder = TempDir::new().unwrap();
            let path = folder.path().join(format!("0-{}", safe(&name)));
            prop_assert_eq!(path.parent(), Some(folder.path()));
            prop_assert!(std::fs::File::create_new(path).is_ok());
        }
    }
}
