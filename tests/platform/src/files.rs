//! Files of images and videos.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// The hash by which the platform knows a file: base64 of its SHA-256.
#[must_use]
pub fn hash_of(bytes: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(bytes))
}

/// A small picture of one colour, for tests. Each shade gives another file.
#[must_use]
pub fn png(width: u32, height: u32, shade: u8) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let picture = image::GrayImage::from_pixel(width, height, image::Luma([shade]));
    // Memory takes everything.
    let _ = picture.write_to(&mut file, image::ImageFormat::Png);
    file.into_inner()
}

/// Columns, rows and MIME type of a picture; `None` for another file.
pub(crate) fn picture(bytes: &[u8]) -> Option<(u32, u32, &'static str)> {
    let reader = image::ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let mime = reader.format()?.to_mime_type();
    let (width, height) = reader.into_dimensions().ok()?;
    Some((width, height, mime))
}
