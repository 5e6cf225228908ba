//! Connections: accepted up to a number, with limits of time, and ended gently.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;

use crate::app::{App, router};

/// Makes connections secret.
#[cfg(feature = "tls")]
pub(crate) type Acceptor = tokio_rustls::TlsAcceptor;
/// Without the feature there is none.
#[cfg(not(feature = "tls"))]
#[derive(Clone)]
pub(crate) enum Acceptor {}

/// Accepts until it is told to stop; then waits for answers that are under way.
pub(crate) async fn accept(
    listener: TcpListener,
    tls: Option<Acceptor>,
    app: &Arc<App>,
    mut stopped: watch::Receiver<bool>,
) {
    let limits = &app.options.limits;
    let room = Arc::new(Semaphore::new(limits.connections.max(1)));
    let graceful = GracefulShutdown::new();
    let service = router(app);
    loop {
        let stream = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            accepted = next(&listener, &room) => accepted,
        };
        let Some((stream, place)) = stream else { continue };
        app.metrics.connections.add(1);
        let (service, watcher, tls) = (service.clone(), graceful.watcher(), tls.clone());
        let (header, stall) = (limits.header_timeout, limits.stall_timeout);
        tokio::spawn(async move {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(header);
            if let Some(stream) = encrypted(stream, tls, header, stall).await {
                let stream = TokioIo::new(stream);
                let connection = http.serve_connection(stream, TowerToHyperService::new(service));
                if let Err(error) = watcher.watch(connection).await {
                    // It names no content, only what became of the connection.
                    log::debug!("connection: {error}");
                }
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.grace, graceful.shutdown()).await.is_err() {
        log::warn!("some answers were not finished within {} s", limits.grace.as_secs_f64());
    }
}

type Place = tokio::sync::OwnedSemaphorePermit;

/// The next connection, once there is room for it.
async fn next(listener: &TcpListener, room: &Arc<Semaphore>) -> Option<(TcpStream, Place)> {
    let place = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Answers are small; nothing is gained by waiting for more.
            let _ = stream.set_nodelay(true);
            Some((stream, place))
        }
        Err(error) => {
            // No more file handles, for one: some will come back.
            log::error!("can't accept: {error}");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

/// What HTTP can be spoken over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The stream, which fails where a client takes nothing for too long, and which is secret where there is a certificate.
async fn encrypted(
    stream: TcpStream,
    tls: Option<Acceptor>,
    header: Duration,
    stall: Duration,
) -> Option<Box<dyn Stream>> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(stall));
    let stream = Box::pin(stream);
    match tls {
        None => Some(Box::new(stream)),
        #[cfg(feature = "tls")]
        Some(tls) => match tokio::time::timeout(header, tls.accept(stream)).await {
            Ok(Ok(stream)) => Some(Box::new(stream)),
            Ok(Err(error)) => {
                log::debug!("TLS: {error}");
                None
            }
            Err(_) => None,
        },
        #[cfg(not(feature = "tls"))]
        Some(never) => {
            let _ = header;
            match never {}
        }
    }
}
