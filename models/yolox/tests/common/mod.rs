//! Reading of test data.
#![allow(dead_code, clippy::unwrap_used, reason = "tests, of which each uses a part")]

use std::path::{Path, PathBuf};

/// The folder of test data, if there is one.
pub(crate) fn data() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let path = std::env::var_os("EYESPOT_DATA").map_or_else(|| default.into(), PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("IGNORED: no test data at {}", path.display());
    None
}

/// Shape and bytes of a `.npy` file of version 1.
fn npy(path: &Path, descr: &str) -> (Vec<usize>, Vec<u8>) {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let text = std::str::from_utf8(&bytes[10..header]).unwrap();
    assert!(
        text.contains(&format!("'descr': '{descr}'")) && text.contains("'fortran_order': False"),
        "{text}"
    );
    let shape = text.split_once("'shape': (").unwrap().1.split_once(')').unwrap().0;
    let shape = shape.split(',').filter_map(|size| size.trim().parse().ok()).collect();
    (shape, bytes[header..].to_vec())
}

pub(crate) fn npy_u8(path: &Path) -> (Vec<usize>, Vec<u8>) {
    npy(path, "|u1")
}

pub(crate) fn npy_f32(path: &Path) -> (Vec<usize>, Vec<f32>) {
    let (shape, bytes) = npy(path, "<f4");
    (shape, bytes.chunks_exact(4).map(|value| f32::from_le_bytes(value.try_into().unwrap())).collect())
}

/// A file of named tensors: the length of a JSON header, the header, the values.
pub(crate) fn safetensors(tensors: &[(String, Vec<usize>, Vec<f32>)]) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, shape, values) in tensors {
        let start = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let entry =
            serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] });
        header.insert(name.clone(), entry);
    }
    let header = serde_json::Value::from(header).to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}
