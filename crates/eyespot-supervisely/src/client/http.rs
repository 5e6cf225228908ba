//! Requests that are tried again.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::SendBody;
use ureq::http::HeaderMap;

use super::form::{Form, Part, boundary};
use super::{ClientError, Connection, Stop};

/// How requests are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOptions {
    /// How often a request is tried. 10 by default.
    pub tries: u32,
    /// Wait before the second try; doubled for each further one, up to a minute. One second by default.
    pub retry_sleep: Duration,
    /// The longest wait that the platform may ask for; beyond it the request fails. Five minutes by default.
    pub max_wait: Duration,
    /// How long connecting, and each reading or writing, may take. 30 s by default.
    pub timeout: Duration,
    /// How long a request may take in all, and as much longer as a line of 16 KiB per second needs for the files in it. 10
    /// minutes by default.
    pub total_timeout: Duration,
    /// The largest answer in bytes. 8 GiB by default, for videos.
    pub max_answer: u64,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            tries: 10,
            retry_sleep: Duration::from_secs(1),
            max_wait: Duration::from_secs(300),
            timeout: Duration::from_secs(30),
            total_timeout: Duration::from_secs(600),
            max_answer: 8 << 30,
        }
    }
}

/// A connection to the platform. Clones share their sockets.
#[derive(Debug, Clone)]
pub struct Client {
    agent: ureq::Agent,
    connection: Connection,
    options: ClientOptions,
    stop: Stop,
}

/// What is sent, as often as it takes.
enum Body<'a> {
    Json(&'a str),
    Form { parts: &'a [Part<'a>], boundary: &'a str },
}

/// What went wrong in one try.
enum Failure {
    Network(String),
    Status { status: u16, body: Vec<u8>, retry_after: Option<Duration> },
    Store(io::Error),
}

/// Statuses that pass.
pub(super) const fn is_temporary(status: u16) -> bool {
    matches!(status, 408 | 429 | 499 | 500 | 502 | 503 | 504 | 509 | 598 | 599)
}

/// How long a server asks to wait, in seconds; dates are not understood.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get("retry-after")?.to_str().ok()?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

/// Why a request of a stopped client failed.
const STOPPED: &str = "it was stopped";
/// Bytes per second of a line that still counts as one.
const SLOWEST: u64 = 16 << 10;
/// Connections that are kept open: each new one costs a long line several round trips.
const KEPT_CONNECTIONS: usize = 32;

impl Client {
    /// A client of a platform; nothing is sent yet.
    #[must_use]
    pub fn new(connection: Connection, options: ClientOptions) -> Self {
        let timeout = Some(options.timeout);
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A redirect would carry the token elsewhere.
            .max_redirects(0)
            .user_agent(concat!("eyespot/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(options.total_timeout))
            .timeout_resolve(timeout)
            .timeout_connect(timeout)
            .timeout_per_read(timeout)
            .timeout_per_write(timeout)
            .max_idle_connections(KEPT_CONNECTIONS)
            .max_idle_connections_per_host(KEPT_CONNECTIONS)
            .build();
        Self { agent: ureq::Agent::new_with_config(config), connection, options, stop: Stop::default() }
    }

    /// The same client, whose requests fail as soon as `stop` says so: those that are to begin or to be tried again at once,
    /// those that wait for the platform with its next byte, and at the latest after [`ClientOptions::timeout`].
    #[must_use]
    pub fn stopped_by(&self, stop: &Stop) -> Self {
        Self { stop: stop.clone(), ..self.clone() }
    }

    /// Where it asks, and as whom.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Calls a method of the API: JSON there, JSON back.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn call<T: DeserializeOwned>(&self, method: &str, body: &Value) -> Result<T, ClientError> {
        let answer = self.bytes(method, body)?;
        serde_json::from_slice(&answer).map_err(|error| self.answer(method, &error.to_string()))
    }

    /// Calls a method that gives a file.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn bytes(&self, method: &str, body: &Value) -> Result<Vec<u8>, ClientError> {
        let body = body.to_string();
        self.request(method, true, &Body::Json(&body))
    }

    /// Calls a method that adds something each time. It is tried again only where the platform has said that it was too
    /// busy to do it; after any other trouble it may have been done, and the caller has to look first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn add<T: DeserializeOwned>(&self, method: &str, body: &Value) -> Result<T, ClientError> {
        let body = body.to_string();
        let answer = self.request(method, false, &Body::Json(&body))?;
        serde_json::from_slice(&answer).map_err(|error| self.answer(method, &error.to_string()))
    }

    /// Sends files, whose hashes are known, and gives what the platform says of them.
    pub(super) fn multipart<'a, T: DeserializeOwned>(
        &self,
        method: &str,
        parts: &[Part<'_>],
        hashes: impl Iterator<Item = &'a str>,
    ) -> Result<T, ClientError> {
        let boundary = boundary(hashes);
        let answer = self.request(method, true, &Body::Form { parts, boundary: &boundary })?;
        serde_json::from_slice(&answer).map_err(|error| self.answer(method, &error.to_string()))
    }

    /// All entries of a list that comes in pages.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Answer`] where not as many entries came as the platform said.
    pub fn pages<T: DeserializeOwned>(&self, method: &str, body: &Value) -> Result<Vec<T>, ClientError> {
        #[derive(serde::Deserialize)]
        struct Page<T> {
            total: u64,
            #[serde(rename = "perPage")]
            per_page: Option<u64>,
            #[serde(rename = "pagesCount", default)]
            pages: u64,
            entities: Vec<T>,
        }
        let mut body = body.clone();
        let mut set = |key: &str, value: Value| {
            if let Value::Object(fields) = &mut body {
                fields.insert(key.to_owned(), value);
            }
            body.clone()
        };
        set("sort", json!("id"));
        let first: Page<T> = self.call(method, &set("sort_order", json!("asc")))?;
        let mut entities = first.entities;
        for page in 2..=first.pages {
            set("per_page", json!(first.per_page));
            let next: Page<T> = self.call(method, &set("page", json!(page)))?;
            entities.extend(next.entities);
        }
        if entities.len() as u64 != first.total {
            let reason =
                format!("{} of {} entries came, the list changed meanwhile", entities.len(), first.total);
            return Err(self.answer(method, &reason));
        }
        Ok(entities)
    }

    fn request(&self, method: &str, repeatable: bool, body: &Body<'_>) -> Result<Vec<u8>, ClientError> {
        self.tried(method, repeatable, || {
            let mut answer = Vec::new();
            self.read(&mut self.once(method, body)?, |bytes| {
                answer.extend_from_slice(bytes);
                Ok(())
            })?;
            Ok(answer)
        })
    }

    /// Hands on an answer, piece by piece.
    fn read(
        &self,
        response: &mut ureq::http::Response<ureq::Body>,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let mut reader = response.body_mut().with_config().limit(self.options.max_answer).reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            if self.stop.is_stopped() {
                return Err(Failure::Network(STOPPED.to_owned()));
            }
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => take(buffer.get(..read).unwrap_or_default()).map_err(Failure::Store)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::Network(error.to_string())),
            }
        }
    }

    /// Calls a method that gives a file, into a file: what that held before is gone.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn download(&self, method: &str, body: &Value, file: &mut File) -> Result<(), ClientError> {
        let body = body.to_string();
        self.tried(method, true, || {
            file.set_len(0).and_then(|()| file.rewind()).map_err(Failure::Store)?;
            self.read(&mut self.once(method, &Body::Json(&body))?, |bytes| file.write_all(bytes))
        })
    }

    /// Tries a request as often as the options and its failures allow.
    fn tried<T>(
        &self,
        method: &str,
        repeatable: bool,
        mut once: impl FnMut() -> Result<T, Failure>,
    ) -> Result<T, ClientError> {
        let tries = self.options.tries.max(1);
        let mut number = 0;
        if self.stop.is_stopped() {
            return Err(self.failed(method, number, Failure::Network(STOPPED.to_owned())));
        }
        loop {
            let failure = match once() {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            number += 1;
            let backoff = self.options.retry_sleep.saturating_mul(1 << (number - 1).min(16));
            let mut wait = backoff.min(Duration::from_secs(60));
            let refused = matches!(failure, Failure::Status { status: 429, .. });
            let mut last =
                number >= tries || !(repeatable || refused) || matches!(failure, Failure::Store(_));
            if let Failure::Status { status, retry_after, .. } = &failure {
                wait = wait.max(retry_after.unwrap_or_default());
                last |= !is_temporary(*status) || wait > self.options.max_wait;
            }
            if last || self.stop.wait(wait) {
                return Err(self.failed(method, number, failure));
            }
        }
    }

    /// One request; an answer that is none is a failure.
    fn once(&self, method: &str, body: &Body<'_>) -> Result<ureq::http::Response<ureq::Body>, Failure> {
        let url = format!("{}/public/api/v3/{method}", self.connection.address);
        let network = |error: ureq::Error| Failure::Network(error.to_string());
        let request = self.agent.post(&url).header("x-api-key", self.connection.token.secret());
        let sent = match body {
            Body::Json(text) => request.content_type("application/json").send(*text),
            Body::Form { parts, boundary } => {
                let mut form = Form::new(parts, boundary).map_err(|error| network(error.into()))?;
                let total = self.options.total_timeout + Duration::from_secs(form.len() / SLOWEST);
                let request = request
                    .content_type(format!("multipart/form-data; boundary={boundary}"))
                    .header("content-length", form.len())
                    .config()
                    .timeout_global(Some(total))
                    .build();
                request.send(SendBody::from_reader(&mut form))
            }
        };
        let mut response = sent.map_err(network)?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        if status == 200 {
            return Ok(response);
        }
        let body = response.body_mut().with_config().limit(1 << 20).read_to_vec().unwrap_or_default();
        Err(Failure::Status { status, body, retry_after })
    }

    fn failed(&self, method: &str, tries: u32, failure: Failure) -> ClientError {
        let method = method.to_owned();
        match failure {
            Failure::Store(source) => ClientError::Store { method, source },
            Failure::Network(reason) => ClientError::Network { method, tries, reason: self.clean(&reason) },
            Failure::Status { status, body, retry_after } => {
                let answer: Value =
                    serde_json::from_str(&self.clean(&String::from_utf8_lossy(&body))).unwrap_or_default();
                let text = |key: &str| answer.get(key).and_then(Value::as_str).map(str::to_owned);
                let reason = if matches!(status, 401 | 403) { "check API_TOKEN" } else { "no reason given" };
                let message = text("error").or_else(|| text("message")).unwrap_or_else(|| reason.to_owned());
                let details = answer.get("details").cloned().unwrap_or_default();
                ClientError::Status { method, status, message, details, retry_after }
            }
        }
    }

    pub(super) fn answer(&self, method: &str, reason: &str) -> ClientError {
        ClientError::Answer { method: method.to_owned(), reason: self.clean(reason) }
    }

    /// A platform may repeat what it was sent.
    fn clean(&self, text: &str) -> String {
        text.replace(self.connection.token.secret(), "***")
    }
}
