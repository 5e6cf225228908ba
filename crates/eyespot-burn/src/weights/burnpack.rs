//! Saved models: a burnpack file with a version and a checksum in its metadata.

use std::path::Path;

use burn_store::burn_pack::{Bytes, Error, Reader, Writer};

use super::{RawTensor, WeightError, WeightFormat};

const VERSION_KEY: &str = "eyespot.version";
const CHECKSUM_KEY: &str = "eyespot.crc32";
const VERSION: &str = "1";

/// Reads a file that [`write`] wrote, or any other burnpack file, which has no checksum.
pub(super) fn read(path: &Path) -> Result<Vec<RawTensor>, WeightError> {
    let malformed = |error: Error| malformed(path, error.to_string());
    // Read at once: a file-backed tensor would panic if the file were cut while it is open.
    let bytes = std::fs::read(path).map_err(|source| WeightError::Io { path: path.to_owned(), source })?;
    let reader = Reader::from_bytes(Bytes::from_bytes_vec(bytes)).map_err(malformed)?;
    let metadata = reader.metadata();
    let version = metadata.get(VERSION_KEY).cloned();
    let checksum = metadata.get(CHECKSUM_KEY).cloned();
    let tensors = reader.into_tensors().map_err(malformed)?;
    let Some(version) = version else { return Ok(tensors) };
    if version != VERSION {
        return Err(WeightError::Version { path: path.to_owned(), found: version, expected: VERSION });
    }
    let expected = checksum
        .and_then(|checksum| u32::from_str_radix(&checksum, 16).ok())
        .ok_or_else(|| self::malformed(path, format!("{CHECKSUM_KEY} is missing")))?;
    let found = crc32(&tensors).map_err(malformed)?;
    if found != expected {
        return Err(WeightError::Checksum { path: path.to_owned(), expected, found });
    }
    Ok(tensors)
}

/// Writes tensors; the file appears under its name when it is complete.
pub(crate) fn write(path: &Path, mut tensors: Vec<RawTensor>) -> Result<(), WeightError> {
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    let checksum = crc32(&tensors).map_err(|error| malformed(path, error.to_string()))?;
    Writer::new(tensors)
        .with_metadata(VERSION_KEY, VERSION)
        .with_metadata(CHECKSUM_KEY, &format!("{checksum:08x}"))
        .auto_extension(false)
        .write_to_file(path)
        .map_err(|error| match error {
            Error::IoError(reason) => {
                WeightError::Io { path: path.to_owned(), source: std::io::Error::other(reason) }
            }
            error => malformed(path, error.to_string()),
        })
}

/// Over names, shapes and bytes, in the order of the names.
fn crc32(tensors: &[RawTensor]) -> Result<u32, Error> {
    let mut hasher = crc32fast::Hasher::new();
    for tensor in tensors {
        hasher.update(tensor.name.as_bytes());
        for size in tensor.shape.iter() {
            hasher.update(&(*size as u64).to_le_bytes());
        }
        hasher.update(&tensor.to_bytes()?);
    }
    Ok(hasher.finalize())
}

fn malformed(path: &Path, reason: String) -> WeightError {
    WeightError::Malformed { path: path.to_owned(), format: WeightFormat::Burnpack, reason }
}
