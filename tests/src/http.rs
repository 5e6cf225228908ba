//! A loopback HTTP server with one request per connection.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Head of a request.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is asked for.
    pub path: String,
    headers: HashMap<String, String>,
}

impl Request {
    /// The value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// First byte of the requested range; 0 without one.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.header("range").map_or(0, |range| {
            range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-')).unwrap().parse().unwrap()
        })
    }

    /// The requested range, honoured only if the version is still `etag`.
    #[must_use]
    pub fn offset_if(&self, etag: &str) -> usize {
        if self.header("if-range").is_none_or(|wanted| wanted == etag) { self.offset() } else { 0 }
    }
}

/// Serves until dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
}

impl Server {
    /// `handle` gets how many requests there were before, the request, and where to write the response.
    pub fn start(handle: impl Fn(usize, &Request, &mut TcpStream) + Send + Sync + 'static) -> Self {
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

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
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
pub fn respond(stream: &mut TcpStream, status: u16, headers: &[(&str, &str)], body: &[u8]) {
    let mut head = format!("HTTP/1.1 {status} -\r\nConnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(b"\r\n"));
    let _ = stream.write_all(body);
}

/// Responds with the file from `offset` on, but hangs up after `send` bytes.
pub fn serve(stream: &mut TcpStream, file: &[u8], offset: usize, etag: &str, send: usize) {
    let rest = &file[offset..];
    let length = rest.len().to_string();
    let range = format!("bytes {offset}-{}/{}", file.len() - 1, file.len());
    let mut headers = vec![("Content-Length", length.as_str()), ("ETag", etag)];
    if offset > 0 {
        headers.push(("Content-Range", &range));
    }
    respond(stream, if offset > 0 { 206 } else { 200 }, &headers, &rest[..send.min(rest.len())]);
}
