//! A running emulator.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::oneshot;

use crate::fault::Faults;
use crate::server;
use crate::store::Store;

/// How an emulator runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The port on the loopback interface; 0 takes a free one, as by default.
    pub port: u16,
    /// The token that requests have to carry. `emulator` by default.
    pub token: String,
    /// Entries of a page of a list. 3 by default, so that small tests have pages.
    pub page_size: usize,
    /// The line to it. `None`, as by default, is the loopback interface as it is.
    pub line: Option<Line>,
}

/// A long line, such as a mobile network, that all connections share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// What a new connection waits before its first request, and each request before its answer.
    pub round_trip: Duration,
    /// How many bytes of requests go through each second. Bodies alone count, not their heads.
    pub bytes_per_second: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { port: 0, token: "emulator".to_owned(), page_size: 3, line: None }
    }
}

/// A request that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The method.
    pub method: String,
    /// The status of the answer; 0 where the connection was closed instead.
    pub status: u16,
}

/// What the handlers of all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) token: String,
    pub(crate) store: Mutex<Store>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) calls: Mutex<Vec<Call>>,
    pub(crate) overlap: Mutex<HashMap<String, Overlap>>,
    pub(crate) traffic: Traffic,
}

/// Requests of a method that are under way.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Overlap {
    pub(crate) now: usize,
    pub(crate) most: usize,
}

/// What went over the line.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) line: Option<Line>,
    pub(crate) connections: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// When the last byte of all bodies so far is through.
    free: Mutex<Option<Instant>>,
}

impl Traffic {
    /// As long as a question and its answer are under way.
    pub(crate) async fn round_trip(&self) {
        if let Some(line) = self.line {
            tokio::time::sleep(line.round_trip).await;
        }
    }

    /// Takes bytes from the line, and tells when they are through.
    pub(crate) fn take(&self, bytes: usize) -> Option<Instant> {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let line = self.line?;
        let mut free = lock(&self.free);
        let now = Instant::now();
        let time = Duration::from_secs_f64(bytes as f64 / line.bytes_per_second.max(1) as f64);
        let through = free.unwrap_or(now).max(now) + time;
        *free = Some(through);
        Some(through)
    }
}

/// A poisoned lock holds what the panicking test left: good enough to look at.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running emulator. It stops when this is dropped.
#[derive(Debug)]
pub struct Platform {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Platform {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// No port can be opened.
    pub fn start() -> std::io::Result<Self> {
        Self::start_with(Options::default())
    }

    /// Starts one.
    ///
    /// # Errors
    /// The port can't be opened.
    pub fn start_with(options: Options) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            token: options.token,
            store: Mutex::new(Store::new(options.page_size)),
            faults: Mutex::default(),
            calls: Mutex::default(),
            overlap: Mutex::default(),
            traffic: Traffic { line: options.line, ..Traffic::default() },
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("platform".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = server::serve(listener, served) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// `SERVER_ADDRESS` for clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `API_TOKEN` for clients.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.shared.token
    }

    /// What is stored. Requests wait as long as this is held.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.shared.store)
    }

    /// The faults that are switched on.
    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.shared.faults)
    }

    /// The requests so far, in the order of their answers.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.shared.calls).clone()
    }

    /// How many requests of a method were under way at the same time, at most so far.
    #[must_use]
    pub fn most_at_once(&self, method: &str) -> usize {
        lock(&self.shared.overlap).get(method).map_or(0, |overlap| overlap.most)
    }

    /// How many connections were made.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.traffic.connections.load(Ordering::Relaxed)
    }

    /// Bytes of the bodies of all requests.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.shared.traffic.bytes.load(Ordering::Relaxed)
    }

    /// All that is stored, without numbers and dates: two clients that did the same have left the same.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        self.store().snapshot()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
