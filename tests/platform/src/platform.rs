//! A running emulator.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

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
}

impl Default for Options {
    fn default() -> Self {
        Self { port: 0, token: "emulator".to_owned(), page_size: 3 }
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
