//! Test data and synthetic inputs.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::path::PathBuf;

use base64::Engine as _;

/// The folder with real data; `None`, and a loud line, where there is none.
pub fn data() -> Option<PathBuf> {
    let path = std::env::var_os("EYESPOT_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    if path.join("models").is_dir() {
        return Some(path);
    }
    eprintln!("IGNORED: no test data at {}", path.display());
    None
}

/// The finaliser of `MurmurHash3`.
fn mix(mut value: u32) -> u32 {
    value ^= value >> 16;
    value = value.wrapping_mul(0x85EB_CA6B);
    value ^= value >> 13;
    value = value.wrapping_mul(0xC2B2_AE35);
    value ^ (value >> 16)
}

/// Noise in squares of 1, 2, 4, 8 or 16 pixels, as levels 0 to 255: the images of `golden/*.py`.
pub fn image(index: u32, height: u32, width: u32, channels: u32) -> Vec<u8> {
    let shift = index % 5;
    let mut levels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for c in 0..channels {
                let key = (index.wrapping_mul(512).wrapping_add(y >> shift))
                    .wrapping_mul(512)
                    .wrapping_add(x >> shift)
                    .wrapping_mul(4)
                    .wrapping_add(c);
                levels.push(mix(key) as u8);
            }
        }
    }
    levels
}

/// A CRC-32 that goes on from another.
#[derive(Clone, Copy)]
pub struct Crc(u32);

impl Crc {
    pub const NEW: Self = Self(0);

    pub fn update(&mut self, bytes: &[u8]) {
        let mut crc = !self.0;
        for byte in bytes {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
            }
        }
        self.0 = !crc;
    }

    pub fn hex(self) -> String {
        format!("{:08x}", self.0)
    }
}

/// Words for an arena of so many bytes.
pub fn arena(bytes: usize) -> Vec<u64> {
    vec![0; bytes.div_ceil(8)]
}

/// Bytes in base 64.
pub fn base64(text: &str) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}
