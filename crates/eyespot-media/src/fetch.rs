//! Files over HTTP.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::time::{Duration, Instant};

use crate::MediaError;

/// How addresses (`http`, `https`) are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UrlOptions {
    /// How long connecting may take, and how long a server may send nothing or less than a kilobyte. 30 s by default.
    pub timeout: Duration,
    /// How often a server may point elsewhere. 5 by default. From `https` nothing leads to `http`.
    pub max_redirects: u32,
    /// The largest image accepted, in bytes. 256 MiB by default.
    pub max_image_bytes: u64,
    /// The largest video accepted, in bytes: it is kept in a temporary file. 8 GiB by default.
    pub max_video_bytes: u64,
    /// Use the proxy of the environment (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`).
    pub proxy: bool,
}

impl Default for UrlOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            max_redirects: 5,
            max_image_bytes: 256 << 20,
            max_video_bytes: 8 << 30,
            proxy: true,
        }
    }
}

/// Enough bytes to tell what a file is.
const HEAD: u64 = 512;
/// A connection that brings less within a timeout has stalled.
const MIN_PER_TIMEOUT: u64 = 1 << 10;

/// Fetches files; connections are used again.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    agent: ureq::Agent,
    options: UrlOptions,
}

/// A file whose first bytes are here.
pub(crate) struct Download {
    url: String,
    options: UrlOptions,
    body: Box<dyn Read + Send>,
    pub(crate) head: Vec<u8>,
    pub(crate) length: Option<u64>,
    pub(crate) content_type: String,
}

impl Client {
    pub(crate) fn new(options: UrlOptions) -> Self {
        let timeout = Some(options.timeout);
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(options.max_redirects)
            .user_agent(concat!("eyespot/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_resolve(timeout)
            .timeout_connect(timeout)
            .timeout_per_read(timeout)
            .timeout_per_write(timeout);
        if !options.proxy {
            config = config.proxy(None);
        }
        Self { agent: ureq::Agent::new_with_config(config.build()), options }
    }

    /// An image.
    pub(crate) fn image(&self, url: &str) -> Result<Vec<u8>, MediaError> {
        let mut bytes = Vec::new();
        self.get(url)?.copy_to(&mut bytes, self.options.max_image_bytes, "max_image_bytes")?;
        Ok(bytes)
    }

    /// Asks for a file and reads its start.
    pub(crate) fn get(&self, url: &str) -> Result<Download, MediaError> {
        // What begins in secret must not be redirected into the open.
        let secret = url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
        let request = self.agent.get(url).config().https_only(secret).build();
        let response = request.call().map_err(|error| failure(url, &self.options, error))?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(MediaError::HttpStatus { address: url.to_owned(), status });
        }
        let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_ascii_lowercase();
        let length = response.body().content_length();
        let mut body: Box<dyn Read + Send> = Box::new(response.into_body().into_reader());
        let mut head = Vec::new();
        body.by_ref()
            .take(HEAD)
            .read_to_end(&mut head)
            .map_err(|error| read_failure(url, &self.options, error))?;
        Ok(Download { url: url.to_owned(), options: self.options, body, head, length, content_type })
    }
}

impl Download {
    /// Keeps the file in a temporary one, which is gone when it is closed.
    pub(crate) fn into_file(self) -> Result<File, MediaError> {
        let limit = self.options.max_video_bytes;
        let folder = std::env::temp_dir();
        let failed = |error| MediaError::write(&folder, error);
        let mut file = tempfile::tempfile().map_err(failed)?;
        self.copy_to(&mut file, limit, "max_video_bytes")?;
        file.rewind().map_err(failed)?;
        Ok(file)
    }

    /// The rest as text: a playlist.
    pub(crate) fn into_text(self) -> Result<String, MediaError> {
        let mut bytes = Vec::new();
        self.copy_to(&mut bytes, 1 << 20, "the 1 MiB of a playlist")?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn copy_to(mut self, to: &mut impl Write, limit: u64, option: &'static str) -> Result<(), MediaError> {
        let too_large = || MediaError::TooManyBytes { address: self.url.clone(), limit, option };
        let mut copied = self.head.len() as u64;
        if self.length.unwrap_or(copied).max(copied) > limit {
            return Err(too_large());
        }
        let failed = |error| MediaError::write(&std::env::temp_dir(), error);
        to.write_all(&self.head).map_err(failed)?;
        let mut buffer = vec![0; 1 << 16];
        let (mut since, mut received) = (Instant::now(), 0);
        loop {
            let read = match self.body.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(read_failure(&self.url, &self.options, error)),
            };
            copied += read as u64;
            if copied > limit {
                return Err(too_large());
            }
            to.write_all(buffer.get(..read).unwrap_or_default()).map_err(failed)?;
            // A server that drips single bytes never runs into the timeout of a read.
            received += read as u64;
            if since.elapsed() > self.options.timeout {
                if received < MIN_PER_TIMEOUT {
                    return Err(timed_out(&self.url, &self.options));
                }
                (since, received) = (Instant::now(), 0);
            }
        }
        match self.length {
            Some(length) if length != copied => {
                let reason = format!("the connection was closed after {copied} of {length} bytes");
                Err(MediaError::Http { address: self.url, reason })
            }
            _ => Ok(()),
        }
    }
}

fn timed_out(url: &str, options: &UrlOptions) -> MediaError {
    MediaError::HttpTimeout { address: url.to_owned(), timeout: options.timeout }
}

fn failure(url: &str, options: &UrlOptions, error: ureq::Error) -> MediaError {
    match error {
        ureq::Error::Timeout(_) => timed_out(url, options),
        error => MediaError::Http { address: url.to_owned(), reason: error.to_string() },
    }
}

fn read_failure(url: &str, options: &UrlOptions, error: io::Error) -> MediaError {
    failure(url, options, ureq::Error::from(error))
}

/// The path of an address without what follows it: `/a/b.jpg` of `https://host/a/b.jpg?size=2#top`.
pub(crate) fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default()
}
