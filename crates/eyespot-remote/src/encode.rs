//! Frames as files.

use eyespot_core::{ImageView, PixelFormat};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};

use crate::{Encoding, RemoteError};

/// Extension of a file of this encoding.
pub(crate) const fn extension(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Jpeg(_) => "jpg",
        Encoding::Png => "png",
    }
}

/// Encodes a frame. Grey stays grey, all else becomes RGB.
pub(crate) fn encode(image: &ImageView<'_>, encoding: Encoding) -> Result<Vec<u8>, RemoteError> {
    let (width, height) = (image.width(), image.height());
    let gray = image.format() == PixelFormat::Gray8;
    let kind = if gray { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    let pixels = if gray { gray_pixels(image) } else { rgb_pixels(image) };
    let mut file = Vec::new();
    match encoding {
        Encoding::Jpeg(quality) => JpegEncoder::new_with_quality(&mut file, quality.clamp(1, 100)).encode(
            &pixels,
            width.into(),
            height.into(),
            kind,
        )?,
        // The network is faster than the best compression.
        Encoding::Png => PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Up)
            .write_image(&pixels, width.into(), height.into(), kind)?,
    }
    Ok(file)
}

fn rgb_pixels(image: &ImageView<'_>) -> Vec<u8> {
    let (width, height) = (usize::from(image.width()), usize::from(image.height()));
    let mut pixels = vec![[0; 3]; width * height];
    for (y, row) in (0..image.height()).zip(pixels.chunks_exact_mut(width.max(1))) {
        image.read_rgb_row(y, row);
    }
    pixels.into_flattened()
}

fn gray_pixels(image: &ImageView<'_>) -> Vec<u8> {
    let (width, height) = (usize::from(image.width()), usize::from(image.height()));
    let mut pixels = vec![0; width * height];
    for (y, row) in (0..image.height()).zip(pixels.chunks_exact_mut(width.max(1))) {
        image.read_gray_row(y, row);
    }
    pixels
}
