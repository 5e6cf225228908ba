//! HTTP, with faults.

use std::future::poll_fn;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;

use crate::fault::Fault;
use crate::fields::Refusal;
use crate::methods::{self, Content, Input};
use crate::platform::{Call, Overlap, Shared, lock};

/// The connection is to be closed without a word.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed by a fault")
    }
}

impl std::error::Error for Closed {}

pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        shared.traffic.connections.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            shared.traffic.round_trip().await;
            let service = service_fn(|request| answer(request, Arc::clone(&shared)));
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // Clients that go away are none of its business.
            let _ = connection.await;
        });
    }
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Reply>, Closed> {
    let method = request.uri().path().strip_prefix("/public/api/v3/").unwrap_or_default().to_owned();
    let fault = lock(&shared.faults).next(&method);
    let under_way = UnderWay::new(&method, &shared);
    let outcome = answer_with(request, &method, fault, &shared).await;
    drop(under_way);
    let status = outcome.as_ref().map_or(0, |response| response.status().as_u16());
    lock(&shared.calls).push(Call { method, status });
    outcome
}

/// Counts a request as long as it is under way, also one whose client goes away.
struct UnderWay<'a>(&'a str, &'a Shared);

impl<'a> UnderWay<'a> {
    fn new(method: &'a str, shared: &'a Shared) -> Self {
        let this = Self(method, shared);
        this.count(|overlap| {
            overlap.now += 1;
            overlap.most = overlap.most.max(overlap.now);
        });
        this
    }

    fn count(&self, change: impl FnOnce(&mut Overlap)) {
        change(lock(&self.1.overlap).entry(self.0.to_owned()).or_default());
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.count(|overlap| overlap.now -= 1);
    }
}

async fn answer_with(
    mut request: Request<Incoming>,
    method: &str,
    fault: Option<Fault>,
    shared: &Shared,
) -> Result<Response<Reply>, Closed> {
    match fault {
        Some(Fault::Drop) => return Err(Closed),
        Some(Fault::CutBody) => {
            poll_fn(|context| Pin::new(request.body_mut()).poll_frame(context)).await;
            return Err(Closed);
        }
        Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
        _ => {}
    }
    shared.traffic.round_trip().await;
    let mut body = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(request.body_mut()).poll_frame(context)).await {
        let frame = frame.map_err(|_| Closed)?;
        let data = frame.data_ref().map_or(&[][..], |data| &data[..]);
        if let Some(through) = shared.traffic.take(data.len()) {
            tokio::time::sleep_until(through.into()).await;
        }
        body.extend_from_slice(data);
    }
    match fault {
        Some(Fault::Busy { retry_after }) => {
            let mut response = refuse(&Refusal::new(429, "too many requests"));
            response.headers_mut().insert(RETRY_AFTER, retry_after.into());
            return Ok(response);
        }
        Some(Fault::Status(status)) => return Ok(refuse(&Refusal::new(status, "a fault"))),
        _ => {}
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if header("x-api-key") != Some(&shared.token) {
        return Ok(refuse(&Refusal::new(401, "wrong token")));
    }
    let content_type = header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let query = request.uri().query().unwrap_or_default();
    let input = match Input::read(content_type, query, &body).await {
        Ok(input) => input,
        Err(refusal) => return Ok(refuse(&refusal)),
    };
    if fault == Some(Fault::Twice) {
        let _ = methods::call(&mut lock(&shared.store), method, input.clone());
    }
    let done = methods::call(&mut lock(&shared.store), method, input);
    match (fault, done) {
        (Some(Fault::LoseAnswer), _) => Err(Closed),
        (Some(Fault::LateStatus(status)), _) => Ok(refuse(&Refusal::new(status, "a fault"))),
        (fault, Ok(content)) => Ok(respond(200, content, fault == Some(Fault::Truncate))),
        (_, Err(refusal)) => Ok(refuse(&refusal)),
    }
}

fn refuse(refusal: &Refusal) -> Response<Reply> {
    let body = json!({"error": refusal.error, "details": refusal.details});
    respond(refusal.status, Content::json(&body), false)
}

fn respond(status: u16, content: Content, truncate: bool) -> Response<Reply> {
    let length = content.bytes.len();
    let mut bytes = Bytes::from(content.bytes);
    if truncate {
        bytes.truncate(length / 2);
    }
    let mut response = Response::new(Reply { bytes: Some(bytes), rest: truncate.then(Box::default) });
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    if let Ok(content_type) = content.content_type.parse() {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response
}

/// The body of an answer.
struct Reply {
    bytes: Option<Bytes>,
    /// Set where the rest is missing.
    rest: Option<Box<Missing>>,
}

/// Waits until what was sent has gone out, before the connection closes.
#[derive(Default)]
struct Missing(Option<Pin<Box<tokio::time::Sleep>>>);

impl Body for Reply {
    type Data = Bytes;
    type Error = Closed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Closed>>> {
        if let Some(bytes) = self.bytes.take().filter(|bytes| !bytes.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        let Some(missing) = &mut self.rest else { return Poll::Ready(None) };
        let wait = missing.0.get_or_insert_with(|| Box::pin(tokio::time::sleep(Duration::from_millis(5))));
        wait.as_mut().poll(context).map(|()| Some(Err(Closed)))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
