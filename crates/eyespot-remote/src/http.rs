//! Requests to a server of models.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use eyespot_supervisely::client::retry_after;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::endpoint::{Endpoint, Place};
use crate::{RemoteError, RemoteOptions};

/// The largest answer: masks of a full batch.
const MAX_ANSWER: u64 = 256 << 20;
/// No server is waited for longer before the next try.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A connection to a server of models.
pub(crate) struct Http {
    agent: ureq::Agent,
    endpoint: Endpoint,
    tries: u32,
    /// Where the model of a task is; looked up anew when it is away.
    found: RwLock<Option<String>>,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Http").field(&self.endpoint).finish()
    }
}

/// What went wrong in one try.
enum Failure {
    Network(ureq::Error),
    Status { status: u16, body: Vec<u8>, retry_after: Option<Duration> },
}

impl Http {
    pub(crate) fn new(endpoint: &Endpoint, options: &RemoteOptions) -> Result<Self, RemoteError> {
        let tls = match &options.certificate {
            None => TlsConfig::default(),
            Some(path) => {
                let failed = |reason: String| RemoteError::Certificate { path: path.clone(), reason };
                let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
                let certificates: Vec<Certificate<'static>> = parse_pem(&pem)
                    .filter_map(|item| match item {
                        Ok(PemItem::Certificate(certificate)) => Some(certificate),
                        _ => None,
                    })
                    .collect();
                if certificates.is_empty() {
                    return Err(failed("no certificate in it".to_owned()));
                }
                TlsConfig::builder().root_certs(RootCerts::new_with_certs(&certificates)).build()
            }
        };
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A redirect would carry the token and the frames elsewhere.
            .max_redirects(0)
            .user_agent(concat!("eyespot/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(options.connect_timeout))
            .timeout_global(Some(options.timeout))
            .tls_config(tls)
            .build();
        Ok(Self {
            agent: ureq::Agent::new_with_config(config),
            endpoint: endpoint.clone(),
            tries: options.tries.max(1),
            found: RwLock::new(None),
        })
    }

    /// Where it is, for a person.
    pub(crate) fn name(&self) -> String {
        self.endpoint.to_string()
    }

    /// Asks with plain JSON.
    pub(crate) fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, RemoteError> {
        let body = json!({"state": {}, "context": {}}).to_string();
        self.post(path, "application/json", body.as_bytes())
    }

    /// Is a model there, ready to be asked?
    pub(crate) fn probe(&self) -> Result<(), RemoteError> {
        self.forget();
        self.ask::<Value>("is_ready").map(|_| ())
    }

    /// The address of a task may be another one when it is back.
    pub(crate) fn forget(&self) {
        *self.found.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Sends a body; a request for predictions can be repeated, it changes nothing.
    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<T, RemoteError> {
        let mut number = 0;
        let failure = loop {
            number += 1;
            let failure = match self.once(&format!("{}/{path}", self.address()?), content_type, body) {
                Ok(answer) => {
                    return serde_json::from_slice(&answer).map_err(|error| RemoteError::Answer {
                        remote: self.name(),
                        reason: error.to_string(),
                    });
                }
                Err(failure) => failure,
            };
            let wait = match &failure {
                // Such as a connection that was kept and that the server has closed meanwhile.
                Failure::Network(ureq::Error::Timeout(_)) => None,
                Failure::Network(_) => Some(Duration::ZERO),
                Failure::Status { status: 429 | 502..=504, retry_after, .. } => {
                    Some(retry_after.unwrap_or(Duration::from_millis(250)))
                }
                // A task that was started again is somewhere else.
                Failure::Status { status: 404, .. } if matches!(self.endpoint.place, Place::Task { .. }) => {
                    self.forget();
                    Some(Duration::ZERO)
                }
                Failure::Status { .. } => None,
            };
            match wait.filter(|wait| number < self.tries && *wait <= LONGEST_WAIT) {
                Some(wait) => std::thread::sleep(wait),
                None => break failure,
            }
        };
        Err(self.failed(failure))
    }

    /// Where the server is.
    fn address(&self) -> Result<String, RemoteError> {
        let (client, id) = match &self.endpoint.place {
            Place::Address(address) => return Ok(address.clone()),
            Place::Task { client, id } => (client, id),
        };
        if let Some(found) = &*self.found.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(found.clone());
        }
        let failed = |reason| RemoteError::Task { remote: self.name(), reason };
        let task: Value = match client.call("tasks.info", &json!({"id": id})) {
            Err(eyespot_supervisely::client::ClientError::Status { status: 404, .. }) => {
                return Err(failed("there is no such task"));
            }
            task => task?,
        };
        let session = task.pointer("/meta/sessionToken").and_then(Value::as_str);
        let session = session.ok_or_else(|| failed("the task serves no model"))?;
        if matches!(
            task.get("status").and_then(Value::as_str),
            Some("error" | "finished" | "stopped" | "terminating")
        ) {
            return Err(failed("the task has ended"));
        }
        let address = format!("{}/net/{session}", client.connection().address);
        *self.found.write().unwrap_or_else(PoisonError::into_inner) = Some(address.clone());
        Ok(address)
    }

    fn once(&self, url: &str, content_type: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut request = self.agent.post(url).content_type(content_type);
        if let Some(token) = self.token() {
            request = request.header("x-api-key", token);
        }
        let mut response = request.send(body).map_err(Failure::Network)?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let limit = if status == 200 { MAX_ANSWER } else { 64 << 10 };
        let read = response.body_mut().with_config().limit(limit).read_to_vec();
        match (status, read) {
            (200, read) => read.map_err(Failure::Network),
            (_, read) => Err(Failure::Status { status, body: read.unwrap_or_default(), retry_after }),
        }
    }

    fn token(&self) -> Option<&str> {
        match (&self.endpoint.token, &self.endpoint.place) {
            (Some(token), _) => Some(token),
            (None, Place::Task { client, .. }) => Some(client.connection().token.secret()),
            (None, Place::Address(_)) => None,
        }
    }

    fn failed(&self, failure: Failure) -> RemoteError {
        let remote = self.name();
        match failure {
            Failure::Network(error) if is_distrust(&error) => {
                RemoteError::Untrusted { reason: error.to_string(), remote }
            }
            Failure::Network(error) => RemoteError::Unreachable {
                late: matches!(error, ureq::Error::Timeout(_)),
                reason: self.clean(&error.to_string()),
                remote,
            },
            Failure::Status { status: 401 | 403, .. } => RemoteError::Unauthorized { remote },
            Failure::Status { status, body, .. } => {
                let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
                let text = |key: &str| answer.get(key).and_then(Value::as_str).map(|text| self.clean(text));
                let message = text("message").or_else(|| text("detail")).or_else(|| text("error"));
                RemoteError::Status {
                    remote,
                    status,
                    message: message.unwrap_or_else(|| "it does not say why".into()),
                }
            }
        }
    }

    /// Others may repeat what they were sent.
    fn clean(&self, text: &str) -> String {
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        let session = found.as_deref().and_then(|address| address.rsplit('/').next());
        [self.token(), session]
            .into_iter()
            .flatten()
            .fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }
}

/// Is it TLS that failed? Within a handshake it comes as an I/O error about invalid data.
fn is_distrust(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => true,
        ureq::Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    }
}
