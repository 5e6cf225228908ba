//! Bodies that are not read to their end.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

/// A client that sends in vain is listened to for so long, so that it hears the answer.
const LONGEST: Duration = Duration::from_secs(10);
/// One that falls silent is not waited for.
const SILENCE: Duration = Duration::from_millis(500);
/// Nor one that drips single bytes.
const BYTES_PER_SECOND: u64 = 64 << 10;

/// A body that is read over in the background when it is dropped before its end. A server that closes a connection while
/// its client still sends makes the client lose the answer, and with it the reason.
pub(crate) struct Linger(Option<Body>);

impl Linger {
    pub(crate) const fn new(body: Body) -> Self {
        Self(Some(body))
    }
}

impl HttpBody for Linger {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.0 = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Linger {
    fn drop(&mut self) {
        let Some(body) = self.0.take().filter(|body| !body.is_end_stream()) else { return };
        // Outside of a runtime nobody listens any more.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(read_over(body));
        }
    }
}

async fn read_over(mut body: Body) {
    let (start, mut read) = (Instant::now(), 0);
    while start.elapsed() < LONGEST && start.elapsed().as_secs() * BYTES_PER_SECOND <= read {
        let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        match timeout(SILENCE, frame).await {
            Ok(Some(Ok(frame))) => read += frame.data_ref().map_or(0, |bytes| bytes.len() as u64),
            _ => return,
        }
    }
}
