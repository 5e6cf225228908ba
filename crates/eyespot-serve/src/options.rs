//! How a server is to behave.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use eyespot_media::Input;
use eyespot_runtime::{Model, RuntimeError, Settings};

use crate::{Platform, Token};

/// How a server is to behave. The default is right for a device that serves a few clients.
#[derive(Clone)]
pub struct ServeOptions {
    /// Where it listens. `127.0.0.1:8000` by default: nobody but this computer can reach it. Give a
    /// [`token`](Self::token) with any other address.
    pub address: SocketAddr,
    /// What clients must show; `None` lets everyone in.
    pub token: Option<Token>,
    /// What it refuses.
    pub limits: Limits,
    /// A certificate and its key make it HTTPS.
    #[cfg(feature = "tls")]
    pub tls: Option<crate::TlsFiles>,
    /// How to load the models that `deploy_from_api` may ask for; `None` keeps the one it was started with.
    pub models: Option<Arc<dyn Models>>,
    /// Fetches items that clients name by their ids; `None` answers such requests with 501.
    pub platform: Option<Arc<dyn Platform>>,
    /// What the live page shows, and how it is looked at. Without it the page shows what clients ask for.
    pub live: Option<(Input, Settings)>,
    /// Fetch the images whose addresses clients name. On by default; a client can then make this computer ask any other
    /// one that it can reach.
    pub fetch_urls: bool,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8000),
            token: None,
            limits: Limits::default(),
            #[cfg(feature = "tls")]
            tls: None,
            models: None,
            platform: None,
            live: None,
            fetch_urls: true,
        }
    }
}

impl std::fmt::Debug for ServeOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServeOptions")
            .field("address", &self.address)
            .field("token", &self.token)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The models that a client may ask for by name.
pub trait Models: Send + Sync {
    /// Their names.
    fn names(&self) -> Vec<String>;

    /// Loads one of them. `device` is `auto`, `cpu`, `wgpu` or `wgpu:N`; `None` leaves the choice to the server.
    ///
    /// # Errors
    /// [`RuntimeError`] where there is no such model or it can't be loaded.
    fn load(&self, name: &str, device: Option<&str>) -> Result<Model, RuntimeError>;
}

/// What a server refuses, so that no client can take it away from the others.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of an upload. 512 MiB by default; more is answered with 413.
    pub upload_bytes: u64,
    /// Bytes of all uploads together that wait on disk. 2 GiB by default; more is answered with 503.
    pub stored_bytes: u64,
    /// Files of an upload. 10,000 by default.
    pub files: usize,
    /// Bytes of a request without files. 4 MiB by default.
    pub json_bytes: usize,
    /// Requests that wait or run at a time. 256 by default; more are answered with 503.
    pub requests: usize,
    /// Requests that run at a time; the others wait for their turn. 8 by default. Videos and other long ones take at
    /// most half of them, so that a photo does not wait for a video to end.
    pub running: usize,
    /// Results of a request that wait for their client, after which the request pauses. 500 by default.
    pub pending: usize,
    /// How long a request is kept that nobody asks for. One hour by default.
    pub ttl: Duration,
    /// Connections at a time. 512 by default; further ones wait.
    pub connections: usize,
    /// How long the head of a request may take. 10 s by default.
    pub header_timeout: Duration,
    /// How long a client may send, or take, next to nothing: less than a kilobyte a second. 15 s by default.
    pub stall_timeout: Duration,
    /// How long asking for results waits for the first one. 20 s by default.
    pub poll: Duration,
    /// How long running answers may take when the server is stopped. 10 s by default.
    pub grace: Duration,
    /// Where uploads are kept until they are done with; `None` is the system's folder for temporary files.
    pub folder: Option<PathBuf>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            upload_bytes: 512 << 20,
            stored_bytes: 2 << 30,
            files: 10_000,
            json_bytes: 4 << 20,
            requests: 256,
            running: 8,
            pending: 500,
            ttl: Duration::from_secs(3600),
            connections: 512,
            header_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(15),
            poll: Duration::from_secs(20),
            grace: Duration::from_secs(10),
            folder: None,
        }
    }
}
