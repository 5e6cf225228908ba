//! Starts, accepts and stops.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use eyespot_core::{Boxed, ErrorType, Record, Sink};
use eyespot_media::{Input, open_all};
use eyespot_runtime::{Model, RuntimeError, Session, Settings, TimedOut};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::app::App;
use crate::live::Viewer;
use crate::options::ServeOptions;
use crate::{ServeError, connection, running};

/// How often it is looked for requests that nobody asks for.
const SWEEP: Duration = Duration::from_secs(1);

/// A server that runs until it is stopped or dropped.
pub struct Server {
    address: SocketAddr,
    app: Arc<App>,
    stop: watch::Sender<bool>,
    accepting: Option<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Starts to serve a model, on threads of its own. The server listens when this returns.
    ///
    /// # Errors
    /// [`ServeError`] where the address is taken, the certificate is broken or the live input can't be opened.
    pub fn start(model: Model, options: ServeOptions) -> Result<Self, ServeError> {
        let live =
            options.live.clone().map(|(input, settings)| screen(&model, input, &settings)).transpose()?;
        #[cfg(feature = "tls")]
        let tls = options.tls.as_ref().map(crate::tls::acceptor).transpose()?;
        #[cfg(not(feature = "tls"))]
        let tls = None::<connection::Acceptor>;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("eyespot-http")
            .enable_all()
            .build()?;
        let wanted = options.address;
        let bind = |source| ServeError::Bind { address: wanted, source };
        let listener = runtime.block_on(TcpListener::bind(wanted)).map_err(bind)?;
        let address = listener.local_addr()?;
        let places = options.limits.running.max(1);
        let app = Arc::new(App::new(model, options));
        let (stop, stopped) = watch::channel(false);
        let mut workers = Vec::new();
        for _ in 0..places {
            let app = Arc::clone(&app);
            workers.push(thread("eyespot-serve", move || {
                while let Some(job) = app.jobs.next(places) {
                    running::work(&job, &app);
                    app.jobs.release(&job);
                }
            })?);
        }
        if let Some(session) = live {
            let app = Arc::clone(&app);
            workers.push(thread("eyespot-live", move || watch_input(session, &app))?);
        }
        let accepting = {
            let app = Arc::clone(&app);
            thread("eyespot-accept", move || accept(&runtime, listener, tls, &app, stopped))?
        };
        Ok(Self { address, app, stop, accepting: Some(accepting), workers })
    }

    /// Where it listens: the port that it was given where the options say 0.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops: nothing new is accepted, running answers are finished within the grace, requests that clients follow are
    /// ended.
    pub fn stop(&mut self) {
        self.app.stopping.store(true, Ordering::Relaxed);
        // Nobody may be left to hear it.
        let _ = self.stop.send(true);
        self.app.jobs.close();
        for thread in self.accepting.take().into_iter().chain(self.workers.drain(..)) {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run)
}

/// Accepts until it has to stop, then lets running answers end.
fn accept(
    runtime: &Runtime,
    listener: TcpListener,
    tls: Option<connection::Acceptor>,
    app: &Arc<App>,
    stopped: watch::Receiver<bool>,
) {
    let sweeper = Arc::clone(app);
    runtime.spawn(async move {
        let ttl = sweeper.options.limits.ttl;
        loop {
            tokio::time::sleep(SWEEP.min(ttl)).await;
            let app = Arc::clone(&sweeper);
            let swept = tokio::task::spawn_blocking(move || app.jobs.sweep(ttl)).await;
            sweeper.metrics.expired.add(swept.unwrap_or(0) as u64);
        }
    });
    runtime.block_on(connection::accept(listener, tls, app, stopped));
}

/// Opens the input of the live page.
fn screen(model: &Model, input: Input, settings: &Settings) -> Result<(Session, Viewer), RuntimeError> {
    let session = Session::new(model, open_all(input, &settings.source_options()), settings)?;
    Ok((session, Viewer::new(model, settings.tracking.is_some())))
}

/// Shows an input until it ends or the server stops.
fn watch_input((mut session, mut viewer): (Session, Viewer), app: &App) {
    let mut sink = Boxed(Shown { viewer: &mut viewer, app });
    while !app.is_stopping() {
        match session.step_timeout(&mut sink, Duration::from_millis(200)) {
            Ok(Ok(None)) => break,
            Ok(Err(error)) => {
                log::warn!("live: {error}");
                if error.is_fatal() {
                    break;
                }
            }
            Ok(Ok(Some(_))) | Err(TimedOut) => {}
        }
    }
}

/// Shows each frame of the live input.
struct Shown<'a> {
    viewer: &'a mut Viewer,
    app: &'a App,
}

impl ErrorType for Shown<'_> {
    type Error = Infallible;
}

impl Sink for Shown<'_> {
    fn write(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
        self.app.metrics.frames.add(1);
        self.app.metrics.objects.add(record.predictions.len() as u64);
        self.viewer.show(record, &self.app.live);
        Ok(())
    }
}
