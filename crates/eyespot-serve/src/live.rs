//! The live page: what the server sees, with boxes and tracks.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use eyespot_core::Record;
use eyespot_media::{Annotator, Canvas, ColorBy, DrawOptions};
use eyespot_runtime::Model;
use futures_core::Stream;
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use tokio::sync::watch;

/// The page itself.
pub(crate) const PAGE: &str = include_str!("live.html");
/// Positions that the trail of a track shows.
const TRAIL: usize = 30;
/// No more pictures than this are shown.
const PER_SECOND: u32 = 15;
const JPEG_QUALITY: u8 = 80;
const BOUNDARY: &str = "eyespot-frame";

/// The picture that viewers see.
pub(crate) struct Live {
    picture: watch::Sender<Option<Bytes>>,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self { picture: watch::Sender::new(None) }
    }

    /// Clients that watch.
    pub(crate) fn viewers(&self) -> usize {
        self.picture.receiver_count()
    }

    /// Pictures without an end, as browsers show them: `multipart/x-mixed-replace`.
    pub(crate) fn stream(&self) -> Response {
        let mut response = Response::new(Body::from_stream(Pictures::new(self.picture.subscribe())));
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("multipart/x-mixed-replace; boundary=eyespot-frame");
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// Draws what a request finds, while somebody watches.
pub(crate) struct Viewer {
    annotator: Annotator,
    last: Option<Instant>,
}

impl Viewer {
    pub(crate) fn new(model: &Model, tracking: bool) -> Self {
        let color_by = if tracking { ColorBy::Track } else { ColorBy::Class };
        let options = DrawOptions { draw_tags: true, color_by, ..DrawOptions::default() };
        let annotator = Annotator::new(model.labels(), options).with_skeleton(model.skeleton());
        Self { annotator: if tracking { annotator.with_trails(TRAIL) } else { annotator }, last: None }
    }

    /// Shows a frame, unless nobody watches or the last one was just now.
    pub(crate) fn show(&mut self, record: &Record<'_>, live: &Live) {
        let just_now = self.last.is_some_and(|last| last.elapsed() < Duration::from_secs(1) / PER_SECOND);
        if live.viewers() == 0 || just_now {
            return;
        }
        self.last = Some(Instant::now());
        if let Some(jpeg) = jpeg(self.annotator.annotate(record)) {
            live.picture.send_replace(Some(jpeg.into()));
        }
    }
}

fn jpeg(canvas: &Canvas) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
    let (width, height) = (u32::from(canvas.width()), u32::from(canvas.height()));
    encoder.encode(canvas.pixels().as_flattened(), width, height, ExtendedColorType::Rgb8).ok()?;
    Some(bytes)
}

type Wait = Pin<Box<dyn Future<Output = (watch::Receiver<Option<Bytes>>, bool)> + Send>>;

/// The pictures as a stream of parts. A slow viewer misses some.
struct Pictures {
    wait: Wait,
}

impl Pictures {
    fn new(mut picture: watch::Receiver<Option<Bytes>>) -> Self {
        // The last picture is shown at once.
        picture.mark_changed();
        Self { wait: Self::next(picture) }
    }

    fn next(mut picture: watch::Receiver<Option<Bytes>>) -> Wait {
        Box::pin(async move {
            let goes_on = picture.changed().await.is_ok();
            (picture, goes_on)
        })
    }
}

impl Stream for Pictures {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Poll::Ready((mut picture, goes_on)) = self.wait.as_mut().poll(context) else {
                return Poll::Pending;
            };
            if !goes_on {
                return Poll::Ready(None);
            }
            let jpeg = picture.borrow_and_update().clone();
            self.wait = Self::next(picture);
            if let Some(jpeg) = jpeg {
                let mut part = format!(
                    "--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
                    jpeg.len()
                )
                .into_bytes();
                part.extend_from_slice(&jpeg);
                part.extend_from_slice(b"\r\n");
                return Poll::Ready(Some(Ok(part.into())));
            }
        }
    }
}
