//! Image files, written whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use image::codecs::{jpeg::JpegEncoder, png::PngEncoder};
use image::{ExtendedColorType, ImageEncoder, ImageError, ImageResult};

use crate::{Canvas, MediaError};

/// Quality of JPEG files, `1..=100`: drawings have sharp edges.
const JPEG_QUALITY: u8 = 92;

/// Writes an image as JPEG or PNG, by the extension of `output`.
///
/// The file appears under its name only when it is complete. It never replaces `input`, the file that the image was
/// read from.
///
/// # Errors
/// [`MediaError::WouldOverwrite`], [`MediaError::OutputFormat`], [`MediaError::DiskFull`], [`MediaError::Write`];
/// [`MediaError::BrokenImage`] for a canvas without pixels.
pub fn save_image(canvas: &Canvas, output: impl AsRef<Path>, input: Option<&Path>) -> Result<(), MediaError> {
    let output = output.as_ref();
    protect(output, input)?;
    let extension = output.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let bytes = match extension.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" => jpeg(canvas, JPEG_QUALITY),
        "png" => png(canvas),
        _ => return Err(MediaError::OutputFormat { path: output.to_path_buf() }),
    };
    let broken = |reason: String| MediaError::BrokenImage { path: output.to_path_buf(), reason };
    write_whole(output, &bytes.map_err(|error| broken(error.to_string()))?)
}

/// The bytes of a JPEG file. `quality` is `1..=100`.
///
/// # Errors
/// [`MediaError::BrokenImage`] for a canvas without pixels.
pub fn encode_jpeg(canvas: &Canvas, quality: u8) -> Result<Vec<u8>, MediaError> {
    jpeg(canvas, quality.clamp(1, 100)).map_err(in_memory)
}

/// The bytes of a PNG file.
///
/// # Errors
/// As [`encode_jpeg`].
pub fn encode_png(canvas: &Canvas) -> Result<Vec<u8>, MediaError> {
    png(canvas).map_err(in_memory)
}

fn in_memory(error: ImageError) -> MediaError {
    MediaError::BrokenImage { path: PathBuf::from("an image in memory"), reason: error.to_string() }
}

fn jpeg(canvas: &Canvas, quality: u8) -> ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    encode(canvas, JpegEncoder::new_with_quality(&mut bytes, quality))?;
    Ok(bytes)
}

fn png(canvas: &Canvas) -> ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    encode(canvas, PngEncoder::new(&mut bytes))?;
    Ok(bytes)
}

fn encode(canvas: &Canvas, encoder: impl ImageEncoder) -> ImageResult<()> {
    let (width, height) = (u32::from(canvas.width()), u32::from(canvas.height()));
    encoder.write_image(canvas.pixels().as_flattened(), width, height, ExtendedColorType::Rgb8)
}

/// Writes a file beside its final name and then renames it.
fn write_whole(output: &Path, bytes: &[u8]) -> Result<(), MediaError> {
    let mut name = std::ffi::OsString::from(".");
    name.push(output.file_name().unwrap_or_default());
    name.push(format!(".{}.part", std::process::id()));
    let part = output.with_file_name(name);
    let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, output));
    written.map_err(|error| {
        // Nothing half stays behind; that it may not be there is fine.
        let _ = fs::remove_file(&part);
        MediaError::write(output, error)
    })
}

/// Refuses an output that is the input, also through links and other spellings.
pub(crate) fn protect(output: &Path, input: Option<&Path>) -> Result<(), MediaError> {
    let real = |path: &Path| fs::canonicalize(path).ok();
    match (real(output), input.and_then(real)) {
        (Some(output_file), Some(input_file)) if output_file == input_file => {
            Err(MediaError::WouldOverwrite { path: PathBuf::from(output) })
        }
        _ => Ok(()),
    }
}
