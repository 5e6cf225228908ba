//! A server of the command line, as a script starts, asks and ends it.

#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "a failed step is a failed test; not every test needs all of it"
)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A running server; killed where a test fails.
pub struct Served {
    child: Child,
    pub url: String,
    messages: Option<JoinHandle<String>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// `serve` at a free port.
pub fn command(model: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_desktop"));
    command.args(["serve", "--model", model, "--port", "0"]).args(arguments);
    command.env_remove("EYESPOT_TOKEN").env_remove("RUST_LOG").stderr(Stdio::piped());
    command
}

impl Served {
    /// Starts it; it listens when this returns.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let messages = std::thread::spawn(move || {
            let mut messages = String::new();
            stderr.read_to_string(&mut messages).unwrap();
            messages
        });
        Self { child, url: url.trim().to_owned(), messages: Some(messages) }
    }

    pub fn post(&self, path: &str, token: &str) -> (u16, Value) {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let request = ureq::Agent::new_with_config(config).post(format!("{}/{path}", self.url));
        let mut response = request.header("x-api-key", token).send("{}").unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), serde_json::from_str(&text).unwrap())
    }

    /// Sends a signal; gives the exit code and all messages.
    pub fn end(mut self, signal: &str) -> (i32, String) {
        let start = Instant::now();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        assert!(start.elapsed() < Duration::from_secs(8), "it took {:?}", start.elapsed());
        (status.code().unwrap(), self.messages.take().unwrap().join().unwrap())
    }
}
