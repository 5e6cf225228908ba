//! A loopback HTTP server with one request per connection, and what the pull tests share.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use eyespot_models::{Manifest, Model, Progress, PullOptions, Store};

/// Head of a request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    headers: HashMap<String, String>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// First byte of the requested range; 0 without one.
    pub(crate) fn offset(&self) -> usize {
        self.header("range").map_or(0, |range| {
            range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-')).unwrap().parse().unwrap()
        })
    }

    /// The requested range, honoured only if the version is still `etag`.
    pub(crate) fn offset_if(&self, etag: &str) -> usize {
        if self.header("if-range").is_none_or(|wanted| wanted == etag) { self.offset() } else { 0 }
    }
}

/// Serves until dropped.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
}

impl Server {
    /// `handle` gets how many requests there were before, the request, and where to write the response.
    pub(crate) fn start(handle: impl Fn(usize, &Request, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, stopped, handle) = (requests.clone(), stop.clone(), Arc::new(handle));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (mut stream, handle, seen) = (stream.unwrap(), handle.clone(), seen.clone());
                thread::spawn(move || {
                    let Some(request) = read_head(&stream) else { return };
                    let before = {
                        let mut seen = seen.lock().unwrap();
                        seen.push(request.clone());
                        seen.len() - 1
                    };
                    handle(before, &request, &mut stream);
                });
            }
        });
        Self { address, requests, stop }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn read_head(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Some(Request { path, headers })
}

/// Writes a response. The client may hang up at any time.
pub(crate) fn respond(stream: &mut TcpStream, status: u16, headers: &[(&str, &str)], body: &[u8]) {
    let mut head = format!("HTTP/1.1 {status} -\r\nConnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(b"\r\n"));
    let _ = stream.write_all(body);
}

/// Responds with the file from `offset` on, but hangs up after `send` bytes.
pub(crate) fn serve(stream: &mut TcpStream, file: &[u8], offset: usize, etag: &str, send: usize) {
    let rest = &file[offset..];
    let length = rest.len().to_string();
    let range = format!("bytes {offset}-{}/{}", file.len() - 1, file.len());
    let mut headers = vec![("Content-Length", length.as_str()), ("ETag", etag)];
    if offset > 0 {
        headers.push(("Content-Range", &range));
    }
    respond(stream, if offset > 0 { 206 } else { 200 }, &headers, &rest[..send.min(rest.len())]);
}

/// Blocks until the client hangs up.
pub(crate) fn wait_for_hang_up(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0]);
}

/// A file that spans several reads, different for each seed.
pub(crate) fn weights(seed: u32) -> Vec<u8> {
    (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761).wrapping_add(seed << 24) >> 24) as u8).collect()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The model `toy/net` at this address.
pub(crate) fn model(url: &str, sha256: Option<&str>, bytes: Option<u64>) -> Model {
    let json = serde_json::json!({
        "family": "toy", "licence": "MIT", "source": "https://example.org",
        "models": [{
            "name": "toy/net", "url": format!("{url}/net.pth"), "file": "net.pth", "sha256": sha256,
            "bytes": bytes, "input": [8, 8], "labels": "coco", "params": 1
        }]
    });
    Manifest::parse(&json.to_string()).unwrap().models.remove(0)
}

/// Quick retries, no proxy. The timeout is one that a loaded machine does not reach.
pub(crate) fn options() -> PullOptions {
    PullOptions {
        backoff: Duration::from_millis(1),
        timeout: Duration::from_secs(20),
        proxy: false,
        ..PullOptions::default()
    }
}

/// A store in a folder that is deleted in the end.
pub(crate) fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    (folder, store)
}

/// Names of the files in the folder of the family, without the lock, sorted.
pub(crate) fn files(store: &Store) -> Vec<String> {
    let folder = store.home().join("models/toy");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "net.pth.lock")
        .collect();
    names.sort_unstable();
    names
}

/// Keeps what it was told.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Log {
    pub(crate) starts: Vec<(Option<u64>, u64)>,
    pub(crate) advanced: u64,
    pub(crate) finished: u32,
}

impl Progress for Log {
    fn start(&mut self, total: Option<u64>, resumed: u64) {
        self.starts.push((total, resumed));
    }
    fn advance(&mut self, bytes: u64) {
        self.advanced += bytes;
    }
    fn finish(&mut self) {
        self.finished += 1;
    }
}
