//! What tests share: where their data is, files of tensors, weights of noise, networks on the CPU, a loopback server, and
//! a video with known truth.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a failed step is a failed test")]

pub mod engine;
pub mod http;
pub mod noise;
pub mod tensors;
pub mod walkers;

use std::path::PathBuf;

/// A file or folder of the test data; `None`, said loudly, where there is none.
///
/// The data is in the folder that `EYESPOT_DATA` names, by default `../shared/data` beside the project.
#[must_use]
pub fn data(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("EYESPOT_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")),
        PathBuf::from,
    );
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("IGNORED: no test data at {}: set EYESPOT_DATA", path.display());
    None
}
