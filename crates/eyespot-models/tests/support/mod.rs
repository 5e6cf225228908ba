//! What the pull tests share.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use eyespot_models::{Manifest, Model, Progress, PullOptions, Store};

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
