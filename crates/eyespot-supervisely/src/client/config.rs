//! Where the platform is, and who asks.

use std::fmt;
use std::path::{Path, PathBuf};

use super::ClientError;

/// An API token. It can't be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token.
    ///
    /// # Errors
    /// [`ClientError::Missing`] for an empty one, [`ClientError::Setting`] for one that no HTTP header can hold.
    pub fn new(text: impl Into<String>) -> Result<Self, ClientError> {
        let text = text.into();
        let text = text.trim();
        if text.is_empty() {
            return Err(ClientError::Missing { name: "API_TOKEN" });
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let reason = "a token has letters, digits and signs only";
            return Err(ClientError::Setting { name: "API_TOKEN", reason });
        }
        Ok(Self(text.to_owned()))
    }

    /// The token itself, for the header of a request.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// The platform's address and a token for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Scheme and host, without a `/` at the end.
    pub address: String,
    /// The token.
    pub token: Token,
}

impl Connection {
    /// A platform and a token. An address without a scheme gets `https://`: the token must not travel in the open
    /// unless `http://` is asked for.
    ///
    /// # Errors
    /// [`ClientError::Missing`] for an empty address.
    pub fn new(address: &str, token: Token) -> Result<Self, ClientError> {
        let address = address.trim().trim_matches('/');
        if address.is_empty() {
            return Err(ClientError::Missing { name: "SERVER_ADDRESS" });
        }
        if address.contains(|c: char| c.is_whitespace() || c == '@') {
            let reason = "an address is https:// and a host";
            return Err(ClientError::Setting { name: "SERVER_ADDRESS", reason });
        }
        let scheme = if address.contains("://") { "" } else { "https://" };
        Ok(Self { address: format!("{scheme}{address}"), token })
    }

    /// `SERVER_ADDRESS` and `API_TOKEN` of the environment; what is missing there comes from `~/supervisely.env`.
    ///
    /// # Errors
    /// [`ClientError::Missing`], [`ClientError::Setting`], [`ClientError::EnvFile`].
    pub fn from_env() -> Result<Self, ClientError> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let home = std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE")).map(PathBuf::from);
        Self::from_parts(variable, home.map(|home| home.join("supervisely.env")).as_deref())
    }

    fn from_parts(
        variable: impl Fn(&str) -> Option<String>,
        file: Option<&Path>,
    ) -> Result<Self, ClientError> {
        let (mut address, mut token) = (variable("SERVER_ADDRESS"), variable("API_TOKEN"));
        if let Some(path) = file.filter(|_| address.is_none() || token.is_none()) {
            let text = match std::fs::read_to_string(path) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
                Err(source) => return Err(ClientError::EnvFile { path: path.to_path_buf(), source }),
            };
            address = address.or_else(|| setting(&text, "SERVER_ADDRESS"));
            token = token.or_else(|| setting(&text, "API_TOKEN"));
        }
        let token = Token::new(token.unwrap_or_default())?;
        Self::new(&address.unwrap_or_default(), token)
    }
}

/// A line `NAME=value` or `export NAME="value"`; the last one counts.
fn setting(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines().filter_map(|line| {
        let line = line.trim();
        let (key, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        (key.trim() == name).then(|| value.trim())
    });
    let value = lines.next_back()?;
    let quoted = |quote: char| value.strip_prefix(quote)?.split_once(quote).map(|(inner, _)| inner);
    let plain = || value.split_once(" #").map_or(value, |(value, _)| value).trim_end();
    Some(quoted('"').or_else(|| quoted('\'')).unwrap_or_else(plain).to_owned())
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_from_the_environment_then_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("supervisely.env");
        let text = "# mine\nSERVER_ADDRESS='https://old'\nexport SERVER_ADDRESS=https://app.example/ # new\nAPI_TOKEN=\"a#b\"\n";
        std::fs::write(&file, text).unwrap();
        let read = Connection::from_parts(|_| None, Some(&file)).unwrap();
        assert_eq!((read.address.as_str(), read.token.secret()), ("https://app.example", "a#b"));
        let variable = |name: &str| (name == "SERVER_ADDRESS").then(|| "app.example".to_owned());
        assert_eq!(Connection::from_parts(variable, Some(&file)).unwrap().address, "https://app.example");
        let missing = Connection::from_parts(variable, Some(&folder.path().join("none"))).unwrap_err();
        assert!(missing.to_string().contains("API_TOKEN"), "{missing}");
    }

    #[test]
    fn a_token_is_never_printed() {
        let connection = Connection::new("app.example", Token::new("s3cret").unwrap()).unwrap();
        assert!(!format!("{connection:?} {connection:#?}").contains("s3cret"));
        let error = Token::new("s3cret\n\u{e9}").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }
}
