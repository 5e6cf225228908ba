//! Results to a web server.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use eyespot_core::{ErrorType, Record, Sink};

use crate::{JsonLines, MediaError, Zones};

/// How results are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookOptions {
    /// The most lines of a request. 100 by default.
    pub batch: usize,
    /// How long a line waits for others. One second by default.
    pub interval: Duration,
    /// How many lines wait while the server does not answer; beyond that the oldest are lost. 10,000 by default.
    pub queue: usize,
    /// How often a request is tried again. 5 by default.
    pub retries: u32,
    /// Wait before trying again; doubled for each further attempt, up to a minute. Half a second by default.
    pub backoff: Duration,
    /// How long a request may take. 30 s by default.
    pub timeout: Duration,
    /// Further headers of each request, such as `Authorization`.
    pub headers: Vec<(String, String)>,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self {
            batch: 100,
            interval: Duration::from_secs(1),
            queue: 10_000,
            retries: 5,
            backoff: Duration::from_millis(500),
            timeout: Duration::from_secs(30),
            headers: Vec::new(),
        }
    }
}

/// Sends the lines of [`JsonLines`] to a web server, as `POST` requests of `application/x-ndjson`.
///
/// Writing never waits for the network. A request that fails (no connection, or status 408, 429 or 5xx) is tried again;
/// lines that could not be sent are counted. Flushing waits until all is sent; dropping does not.
#[derive(Debug)]
pub struct WebhookSink {
    lines: JsonLines<Vec<u8>>,
    shared: Arc<Shared>,
    options: WebhookOptions,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Vec<u8>>,
    /// Lines of the request that is under way.
    sending: usize,
    flushing: bool,
    stopped: bool,
    lost: u64,
    error: Option<MediaError>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn wait<'a>(&self, state: MutexGuard<'a, State>, timeout: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl WebhookSink {
    /// Sends to an address (`http`, `https`). `labels` are the class names; the index is the class.
    ///
    /// # Errors
    /// [`MediaError::Http`] where no thread can be started.
    pub fn new(url: &str, labels: &[impl AsRef<str>], options: WebhookOptions) -> Result<Self, MediaError> {
        let shared = Arc::new(Shared::default());
        let worker = Worker { url: url.to_owned(), options: options.clone(), shared: Arc::clone(&shared) };
        let thread = thread::Builder::new().name("eyespot-webhook".into()).spawn(move || worker.run());
        let thread = thread
            .map_err(|error| MediaError::Http { address: url.to_owned(), reason: error.to_string() })?;
        Ok(Self { lines: JsonLines::new(Vec::new(), labels), shared, options, thread: Some(thread) })
    }

    /// Tells what tracks do in zones and at lines too.
    #[must_use]
    pub fn with_zones(mut self, zones: Zones) -> Self {
        self.lines.set_zones(zones);
        self
    }

    /// Lines that were lost so far, because the queue was full or the server refused them.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.shared.lock().lost
    }
}

impl ErrorType for WebhookSink {
    type Error = MediaError;
}

impl Sink for WebhookSink {
    /// Loses no line because of the network right away; what was lost for good is counted, see
    /// [`lost`](WebhookSink::lost), and told by `flush`.
    fn write(&mut self, record: &Record<'_>) -> Result<(), MediaError> {
        self.lines.write(record)?;
        let line = self.lines.take();
        let mut state = self.shared.lock();
        if state.queue.len() >= self.options.queue.max(1) {
            state.queue.pop_front();
            state.lost += 1;
        }
        state.queue.push_back(line);
        self.shared.changed.notify_all();
        Ok(())
    }

    fn flush(&mut self) -> Result<(), MediaError> {
        let mut state = self.shared.lock();
        state.flushing = true;
        self.shared.changed.notify_all();
        while !state.queue.is_empty() || state.sending > 0 {
            state = self.shared.wait(state, Duration::from_secs(1));
        }
        state.flushing = false;
        state.error.take().map_or(Ok(()), Err)
    }
}

impl Drop for WebhookSink {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopped = true;
        self.shared.changed.notify_all();
        drop(state);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Worker {
    url: String,
    options: WebhookOptions,
    shared: Arc<Shared>,
}

impl Worker {
    fn run(self) {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("eyespot/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(self.options.timeout));
        let agent = ureq::Agent::new_with_config(config.build());
        while let Some(lines) = self.take() {
            let sent = self.send(&agent, &lines.concat());
            let mut state = self.shared.lock();
            state.sending = 0;
            if let Err(error) = sent {
                state.lost += lines.len() as u64;
                state.error = Some(error);
            }
            self.shared.changed.notify_all();
        }
    }

    /// The lines of the next request; `None` at the end.
    fn take(&self) -> Option<Vec<Vec<u8>>> {
        let batch = self.options.batch.max(1);
        let mut state = self.shared.lock();
        let mut since = None;
        loop {
            if state.stopped {
                return None;
            }
            let waited = match state.queue.is_empty() {
                true => Duration::ZERO,
                false => since.get_or_insert_with(Instant::now).elapsed(),
            };
            if state.queue.len() >= batch
                || !state.queue.is_empty() && (state.flushing || waited >= self.options.interval)
            {
                let count = state.queue.len().min(batch);
                state.sending = count;
                return Some(state.queue.drain(..count).collect());
            }
            let left = self.options.interval.saturating_sub(waited).max(Duration::from_millis(1));
            state = self.shared.wait(state, left);
        }
    }

    fn send(&self, agent: &ureq::Agent, body: &[u8]) -> Result<(), MediaError> {
        let address = || self.url.clone();
        for attempt in 0.. {
            let mut request = agent.post(&self.url).header("content-type", "application/x-ndjson");
            for (name, value) in &self.options.headers {
                request = request.header(name, value);
            }
            let error = match request.send(body).map(|response| response.status().as_u16()) {
                Ok(200..=299) => return Ok(()),
                Ok(status @ (408 | 429 | 500..=599)) => MediaError::HttpStatus { address: address(), status },
                Ok(status) => return Err(MediaError::HttpStatus { address: address(), status }),
                Err(error) => MediaError::Http { address: address(), reason: error.to_string() },
            };
            let mut state = self.shared.lock();
            if attempt >= self.options.retries || state.stopped {
                return Err(error);
            }
            let wait = self.options.backoff.saturating_mul(1 << attempt.min(16)).min(Duration::from_secs(60));
            let until = Instant::now() + wait;
            while !state.stopped && Instant::now() < until {
                state = self.shared.wait(state, until.saturating_duration_since(Instant::now()));
            }
        }
        Ok(())
    }
}
