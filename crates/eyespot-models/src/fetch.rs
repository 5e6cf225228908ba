//! Downloading over HTTP, with resume and retries.

use std::hash::{BuildHasher, Hasher};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ureq::http::HeaderMap;

use crate::StoreError;
use crate::part::{Part, is_strong};

/// How to pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullOptions {
    /// Use the network not at all: a model that is not in the store is an error.
    pub offline: bool,
    /// Base address to pull from instead of the publishers': `<mirror>/<family>/<file>`, the layout of the
    /// `models` folder of a store.
    pub mirror: Option<String>,
    /// How long connecting may take, and how long a server may send nothing or less than a kilobyte.
    pub timeout: Duration,
    /// How often to try again after a lost connection, a timeout or the HTTP statuses 408, 429 and 5xx. Counted
    /// anew whenever another megabyte has arrived.
    pub retries: u32,
    /// Wait before the first retry; doubled for each further one, up to a minute. A server that asks for a
    /// longer wait gets it, up to a minute too.
    pub backoff: Duration,
    /// The largest file accepted where the manifest declares no size, in bytes.
    pub max_bytes: u64,
    /// Use the proxy of the environment (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`).
    pub proxy: bool,
}

impl Default for PullOptions {
    fn default() -> Self {
        Self {
            offline: false,
            mirror: None,
            timeout: Duration::from_secs(30),
            retries: 4,
            backoff: Duration::from_millis(500),
            max_bytes: 2 << 30,
            proxy: true,
        }
    }
}

impl PullOptions {
    /// The defaults, with the mirror of the environment variable `EYESPOT_MODEL_MIRROR`.
    #[must_use]
    pub fn from_env() -> Self {
        let mirror = std::env::var("EYESPOT_MODEL_MIRROR").ok().filter(|mirror| !mirror.is_empty());
        Self { mirror, ..Self::default() }
    }
}

/// Is told how a pull goes on.
pub trait Progress {
    /// Bytes begin to arrive. `total` is the size of the file where known, `resumed` what is there already.
    /// Called again after each retry.
    fn start(&mut self, total: Option<u64>, resumed: u64);
    /// `bytes` more have arrived.
    fn advance(&mut self, bytes: u64);
    /// The file is complete and checked.
    fn finish(&mut self);
    /// Another process is pulling the same model, and this one waits for it.
    fn waiting(&mut self) {}
}

/// A [`Progress`] that shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn start(&mut self, _total: Option<u64>, _resumed: u64) {}
    fn advance(&mut self, _bytes: u64) {}
    fn finish(&mut self) {}
}

/// What to download.
pub(crate) struct Download<'a> {
    pub(crate) url: String,
    /// Where the file belongs, for messages.
    pub(crate) path: &'a Path,
    /// The declared size.
    pub(crate) bytes: Option<u64>,
    /// Is the digest known beforehand, so that a wrong file is noticed at the end in any case?
    pub(crate) pinned: bool,
    pub(crate) options: &'a PullOptions,
}

const MAX_WAIT: Duration = Duration::from_secs(60);
const MAX_REDIRECTS: u32 = 5;
/// A connection that brings less within a timeout has stalled.
const MIN_PER_TIMEOUT: u64 = 1 << 10;
/// So many new bytes show that trying again is worth it.
const PROGRESS: u64 = 1 << 20;

enum Failure {
    /// Trying again may help, after a wait of at least this long.
    Retry(StoreError, Duration),
    Fatal(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Fatal(error)
    }
}

impl Download<'_> {
    /// Completes the part.
    pub(crate) fn run(&self, part: &mut Part, progress: &mut dyn Progress) -> Result<(), StoreError> {
        let timeout = Some(self.options.timeout);
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A pull that begins in secret must not be redirected into the open.
            .https_only(self.url.starts_with("https://"))
            .max_redirects(MAX_REDIRECTS)
            .user_agent(concat!("eyespot/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_resolve(timeout)
            .timeout_connect(timeout)
            .timeout_per_read(timeout)
            .timeout_per_write(timeout);
        if !self.options.proxy {
            config = config.proxy(None);
        }
        let agent = ureq::Agent::new_with_config(config.build());
        let (mut failed, mut best) = (0, part.len());
        loop {
            let (error, wait) = match self.attempt(&agent, part, progress) {
                Ok(()) => return Ok(()),
                Err(Failure::Fatal(error)) => return Err(error),
                Err(Failure::Retry(error, wait)) => (error, wait),
            };
            if part.len() >= best.saturating_add(PROGRESS) {
                (failed, best) = (0, part.len());
            }
            if failed >= self.options.retries {
                return Err(error);
            }
            thread::sleep(wait.max(backoff(self.options.backoff, failed)).min(MAX_WAIT));
            failed += 1;
        }
    }

    fn attempt(
        &self,
        agent: &ureq::Agent,
        part: &mut Part,
        progress: &mut dyn Progress,
    ) -> Result<(), Failure> {
        let limit = self.bytes.unwrap_or(self.options.max_bytes);
        // Without a tag or a known digest nothing would tell that the rest is of another version.
        let can_resume = part.etag().is_some() || self.pinned;
        if part.len() > 0 && (part.len() > limit || !can_resume) {
            part.restart(None)?;
        }
        if self.bytes == Some(part.len()) {
            return Ok(());
        }
        let mut request = agent.get(&self.url);
        if part.len() > 0 {
            request = request.header("Range", format!("bytes={}-", part.len()));
            if let Some(etag) = part.etag() {
                request = request.header("If-Range", etag);
            }
        }
        let response = request.call().map_err(|error| self.failure(error))?;
        let headers = response.headers();
        let etag = header(headers, "etag").filter(|etag| is_strong(etag));
        match response.status().as_u16() {
            200 => {
                self.refuse_pages(headers)?;
                part.restart(etag)?;
            }
            206 if continues(headers, etag, part) => self.refuse_pages(headers)?,
            416 if part.len() > 0 && content_range(headers).1 == Some(part.len()) => return Ok(()),
            206 | 416 => {
                part.restart(None)?;
                return Err(Failure::Retry(self.bad("the range is not of the same file"), Duration::ZERO));
            }
            status @ (404 | 410) => {
                return Err(StoreError::Gone { url: self.url.clone(), status, path: self.path.into() }.into());
            }
            status => {
                let error = StoreError::Status { url: self.url.clone(), status };
                return Err(match status {
                    408 | 429 | 500..=599 => Failure::Retry(error, retry_after(headers)),
                    _ => error.into(),
                });
            }
        }
        let total = response.body().content_length().map(|rest| part.len().saturating_add(rest));
        match (total, self.bytes) {
            (Some(got), Some(expected)) if got != expected => {
                return Err(StoreError::Size { path: self.path.into(), expected, got }.into());
            }
            (Some(total), _) if total > limit => return Err(self.too_large(limit).into()),
            // The end of such a body looks like a lost connection.
            (None, None) if !self.pinned && header(headers, "transfer-encoding").is_none() => {
                return Err(self.bad("it has no length, and neither size nor digest are known").into());
            }
            _ => {}
        }
        progress.start(total.or(self.bytes), part.len());
        self.receive(response.into_body().into_reader(), limit, part, progress)?;
        if total.is_some_and(|total| total != part.len()) {
            return Err(Failure::Retry(self.network("the connection was closed early"), Duration::ZERO));
        }
        Ok(())
    }

    fn receive(
        &self,
        mut body: impl Read,
        limit: u64,
        part: &mut Part,
        progress: &mut dyn Progress,
    ) -> Result<(), Failure> {
        let mut buffer = vec![0; 1 << 16];
        let (mut since, mut received) = (Instant::now(), 0);
        loop {
            let read = match body.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.failure(error.into())),
            };
            if part.len() + read as u64 > limit {
                part.restart(None)?;
                return Err(self.too_large(limit).into());
            }
            part.append(&buffer[..read])?;
            progress.advance(read as u64);
            received += read as u64;
            // A server that drips single bytes never runs into the timeout of a read.
            if since.elapsed() > self.options.timeout {
                if received < MIN_PER_TIMEOUT {
                    return Err(self.failure(ureq::Error::Timeout(ureq::Timeout::PerRead)));
                }
                (since, received) = (Instant::now(), 0);
            }
        }
    }

    fn failure(&self, error: ureq::Error) -> Failure {
        use ureq::Error::{
            BodyStalled, ConnectProxyFailed, ConnectionFailed, HostNotFound, Io, Protocol, Timeout,
            TooManyRedirects,
        };
        match error {
            TooManyRedirects => StoreError::Redirects { url: self.url.clone() }.into(),
            Timeout(_) => Failure::Retry(
                StoreError::Timeout { url: self.url.clone(), timeout: self.options.timeout },
                Duration::ZERO,
            ),
            // A certificate that is not trusted, in the words of `std::io`.
            Io(ref cause) if cause.kind() == ErrorKind::InvalidData => self.network(error).into(),
            Io(_) | HostNotFound | ConnectionFailed | ConnectProxyFailed(_) | Protocol(_) | BodyStalled => {
                Failure::Retry(self.network(error), Duration::ZERO)
            }
            _ => self.network(error).into(),
        }
    }

    /// Refuses what a network that wants a login, or a publisher's error page, sends in place of the file.
    fn refuse_pages(&self, headers: &HeaderMap) -> Result<(), StoreError> {
        if header(headers, "content-type").is_some_and(|kind| kind.starts_with("text/html")) {
            return Err(self.bad("it is a web page; does this network want a login?"));
        }
        if header(headers, "content-encoding").is_some_and(|encoding| encoding != "identity") {
            return Err(self.bad("it is compressed, which was not asked for"));
        }
        Ok(())
    }

    fn too_large(&self, limit: u64) -> StoreError {
        StoreError::TooLarge { url: self.url.clone(), limit }
    }

    fn bad(&self, reason: &'static str) -> StoreError {
        StoreError::BadResponse { url: self.url.clone(), reason }
    }

    fn network(&self, reason: impl ToString) -> StoreError {
        StoreError::Network { url: self.url.clone(), reason: reason.to_string() }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Is this the rest of the part? Some servers ignore `If-Range`.
fn continues(headers: &HeaderMap, etag: Option<&str>, part: &Part) -> bool {
    let same_version = match (etag, part.etag()) {
        (Some(now), Some(then)) => now == then,
        _ => true,
    };
    same_version && part.len() > 0 && content_range(headers).0 == Some(part.len())
}

/// First byte and total of `Content-Range: bytes 5-9/10` (RFC 9110, section 14.4), where known.
fn content_range(headers: &HeaderMap) -> (Option<u64>, Option<u64>) {
    let Some((range, total)) = header(headers, "content-range")
        .and_then(|value| value.strip_prefix("bytes "))
        .and_then(|value| value.split_once('/'))
    else {
        return (None, None);
    };
    let first = range.split_once('-').and_then(|(first, _)| first.trim().parse().ok());
    (first, total.trim().parse().ok())
}

/// `Retry-After` in seconds. The form with a date is not worth a calendar: the backoff serves instead.
fn retry_after(headers: &HeaderMap) -> Duration {
    let seconds = header(headers, "retry-after").and_then(|value| value.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

/// Doubles with each failure; up to half as much again is added by chance, so that the devices of a fleet do not
/// come back in step.
fn backoff(first: Duration, failed: u32) -> Duration {
    let wait = first.saturating_mul(1 << failed.min(16)).min(MAX_WAIT);
    let chance = std::collections::hash_map::RandomState::new().build_hasher().finish() % 128;
    wait.saturating_add(wait / 256 * u32::try_from(chance).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn waits_double_up_to_a_minute_and_servers_name_their_own() {
        let first = Duration::from_millis(500);
        for (failed, least) in [(0, 500), (1, 1000), (3, 4000), (20, 60_000), (u32::MAX, 60_000)] {
            let (wait, least) = (backoff(first, failed), Duration::from_millis(least));
            assert!(wait >= least && wait < least.mul_f32(1.5), "{failed}: {wait:?}");
        }
        assert_eq!(retry_after(&headers("retry-after", "7")), Duration::from_secs(7));
        for value in ["Wed, 21 Oct 2026 07:28:00 GMT", "-1", ""] {
            assert_eq!(retry_after(&headers("retry-after", value)), Duration::ZERO);
        }
    }

    #[test]
    fn content_ranges() {
        let parse = |value| content_range(&headers("content-range", value));
        assert_eq!(parse("bytes 5-9/10"), (Some(5), Some(10)));
        assert_eq!(parse("bytes 5-9/*"), (Some(5), None));
        assert_eq!(parse("bytes */10"), (None, Some(10)));
        for value in ["items 5-9/10", "bytes 5", "bytes -/-", "", "bytes 99999999999999999999-1/2"] {
            assert_eq!(parse(value).0, None, "{value}");
        }
    }
}
