//! The reader of uploads by itself, for its fuzz target.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::vec::IntoIter;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use futures_core::Stream;

use crate::{Limits, upload};

/// Names and bytes of the files of an upload that comes in these pieces, or the status of the answer. Afterwards nothing may
/// be left on disk: the second number is how many bytes still count.
pub async fn multipart(
    limits: &Limits,
    content_type: &str,
    pieces: Vec<Vec<u8>>,
) -> (Result<Vec<(String, Vec<u8>)>, u16>, u64) {
    let all = Arc::new(AtomicU64::new(0));
    let mut request = Request::new(Body::from_stream(Pieces(pieces.into_iter())));
    if let Ok(value) = content_type.parse() {
        request.headers_mut().insert(CONTENT_TYPE, value);
    }
    let read = match upload::receive(limits, &all, request).await {
        Ok(upload) => upload
            .files
            .iter()
            .map(|file| Ok((file.name.clone(), std::fs::read(&file.path).map_err(|_| 500_u16)?)))
            .collect(),
        Err(error) => Err(error.status.as_u16()),
    };
    (read, all.load(Ordering::Relaxed))
}

struct Pieces(IntoIter<Vec<u8>>);

impl Stream for Pieces {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.next().map(|piece| Ok(piece.into())))
    }
}
