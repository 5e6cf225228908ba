//! Where the test data lies.

use std::path::{Path, PathBuf};

/// The folder of the shared test data; `None`, and a line on stderr, where it is absent.
pub(crate) fn data() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let folder = std::env::var_os("EYESPOT_DATA").map_or_else(|| default.into(), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("IGNORED: no test data at {}", folder.display());
    None
}

/// Reads a JSON file.
pub(crate) fn json(path: impl AsRef<Path>) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A file of this crate's own golden values.
pub(crate) fn golden(name: &str) -> serde_json::Value {
    json(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name))
}
