//! Where a model is.

use std::fmt;
use std::str::FromStr;

use eyespot_supervisely::client::{Client, ClientOptions, Connection};

use crate::RemoteError;

/// The token of a server, where its address has none.
const TOKEN: &str = "EYESPOT_TOKEN";

/// Where a model is: the address of a server, or the number of a task on a Supervisely platform.
#[derive(Clone)]
pub struct Endpoint {
    pub(crate) place: Place,
    pub(crate) token: Option<String>,
}

#[derive(Clone)]
pub(crate) enum Place {
    /// Scheme, host and path, without a `/` at the end.
    Address(String),
    /// A task of a platform, which knows the address.
    Task { client: Client, id: u64 },
}

impl Endpoint {
    /// A model that is deployed as this task on the platform.
    ///
    /// # Errors
    /// [`RemoteError::Platform`] where the token of the platform can't be used.
    pub fn task(connection: &Connection, id: u64) -> Result<Self, RemoteError> {
        let options = ClientOptions { tries: 2, ..ClientOptions::default() };
        let client = Client::new(connection.clone(), options);
        Ok(Self { place: Place::Task { client, id }, token: None })
    }

    /// With this token instead of the one of the address or the environment.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }
}

impl FromStr for Endpoint {
    type Err = RemoteError;

    /// `http://host:8000`, `https://any:TOKEN@host`, or `task:1234`. Without a token in the address that of
    /// `EYESPOT_TOKEN` is shown, if there is one; a task is looked up with `SERVER_ADDRESS` and `API_TOKEN`.
    fn from_str(text: &str) -> Result<Self, RemoteError> {
        if let Some(id) = text.strip_prefix("task:") {
            let id = id.parse().map_err(|_| RemoteError::Address("task: and a number are wanted"))?;
            return Self::task(&Connection::from_env()?, id);
        }
        let (scheme, rest) = text.split_once("://").ok_or(RemoteError::Address("http:// is missing"))?;
        if !matches!(scheme, "http" | "https") {
            return Err(RemoteError::Address("http:// or https:// is wanted"));
        }
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host) = host.rsplit_once('@').map_or((None, host), |(user, host)| (Some(user), host));
        if host.is_empty() || rest.contains(char::is_whitespace) {
            return Err(RemoteError::Address("the host is missing"));
        }
        let shown = user.map(|user| user.split_once(':').map_or(user, |(_, token)| token).to_owned());
        let token = shown.or_else(|| std::env::var(TOKEN).ok()).map(|token| token.trim().to_owned());
        let path = path.trim_end_matches('/');
        let slash = if path.is_empty() { "" } else { "/" };
        Ok(Self {
            place: Place::Address(format!("{scheme}://{host}{slash}{path}")),
            token: token.filter(|token| !token.is_empty()),
        })
    }
}

/// The address of a task is a secret of its session; its number is none.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Address(address) => f.write_str(address),
            Place::Task { client, id } => write!(f, "task {id} of {}", client.connection().address),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_scheme_a_host_and_perhaps_a_token() {
        let endpoint: Endpoint = "http://any:s3cret@host:8000/".parse().unwrap();
        assert_eq!(
            (endpoint.to_string().as_str(), endpoint.token.as_deref()),
            ("http://host:8000", Some("s3cret"))
        );
        assert!(!format!("{endpoint:?} {endpoint}").contains("s3cret"));
        let endpoint: Endpoint = "https://[::1]/net/x".parse().unwrap();
        assert_eq!(endpoint.to_string(), "https://[::1]/net/x");
        assert_eq!(endpoint.with_token("t").token.as_deref(), Some("t"));
        for wrong in ["host:8000", "ftp://host", "http://", "http:///x", "http://a b", "task:x"] {
            assert!(wrong.parse::<Endpoint>().is_err(), "{wrong}");
        }
    }
}
