//! One image file into a reused buffer.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::Path;

use eyespot_core::{ImageView, PixelFormat};
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::MediaError;
use crate::sniff::{self, Kind, refusal};

/// Extensions of the formats that are read, in lower case.
const EXTENSIONS: &[&str] = &[
    "jpg", "jpeg", "jpe", "jfif", "png", "apng", "gif", "bmp", "dib", "webp", "tif", "tiff", "pbm", "pgm",
    "ppm", "pnm", "pam", "tga", "qoi", "ico", "hdr", "dds", "ff",
];

/// Has the file an extension of an image format that is read here?
pub(crate) fn has_image_extension(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension)))
}

/// The pixels of the last image. Its memory is kept for the next one.
#[derive(Debug, Default)]
pub(crate) struct PixelBuffer {
    bytes: Vec<u8>,
    width: u16,
    height: u16,
    format: Option<PixelFormat>,
}

impl PixelBuffer {
    /// The image, if one was read.
    pub(crate) fn view(&self) -> Option<ImageView<'_>> {
        ImageView::packed(&self.bytes, self.width, self.height, self.format?).ok()
    }

    /// Reads a file: format by content, then by extension; orientation by its EXIF data; the first picture of an
    /// animation. Grey, RGB and RGBA of 8 bits stay as they are, all else becomes RGB.
    pub(crate) fn read(&mut self, path: &Path, max_pixels: u64) -> Result<(), MediaError> {
        self.format = None;
        let file = File::open(path).map_err(|error| MediaError::read(path, error))?;
        let mut file = BufReader::new(file);
        let kind = sniff::kind(path, &mut file).map_err(|error| MediaError::read(path, error))?;
        if kind != Kind::Image {
            return Err(refusal(path, kind));
        }
        let reader =
            ImageReader::new(file).with_guessed_format().map_err(|error| MediaError::read(path, error))?;
        match reader.format().or_else(|| ImageFormat::from_path(path).ok()) {
            None => Err(MediaError::UnknownFormat { path: path.to_path_buf() }),
            // Its bytes are looked through for its end.
            Some(ImageFormat::Jpeg) => {
                let bytes = std::fs::read(path).map_err(|error| MediaError::read(path, error))?;
                self.read_bytes(path, &bytes, max_pixels)
            }
            Some(format) => self.decode(path, reader.into_inner(), format, max_pixels),
        }
    }

    /// Reads the bytes of a file. `name` is for messages, and its extension for formats without a mark.
    pub(crate) fn read_bytes(
        &mut self,
        name: &Path,
        bytes: &[u8],
        max_pixels: u64,
    ) -> Result<(), MediaError> {
        self.format = None;
        let kind = sniff::kind_of(name, bytes);
        if kind != Kind::Image {
            return Err(refusal(name, kind));
        }
        match image::guess_format(bytes).ok().or_else(|| ImageFormat::from_path(name).ok()) {
            None => Err(MediaError::UnknownFormat { path: name.to_path_buf() }),
            Some(ImageFormat::Jpeg) if !jpeg_is_whole(bytes) => {
                let reason = "it ends before its last line".into();
                Err(MediaError::BrokenImage { path: name.to_path_buf(), reason })
            }
            Some(format) => self.decode(name, Cursor::new(bytes), format, max_pixels),
        }
    }

    fn decode(
        &mut self,
        path: &Path,
        input: impl BufRead + Seek,
        format: ImageFormat,
        max_pixels: u64,
    ) -> Result<(), MediaError> {
        let broken = |error: image::ImageError| match error {
            image::ImageError::IoError(source) if source.kind() != std::io::ErrorKind::UnexpectedEof => {
                MediaError::read(path, source)
            }
            image::ImageError::Unsupported(_) if !format.reading_enabled() => {
                MediaError::UnknownFormat { path: path.to_path_buf() }
            }
            other => MediaError::BrokenImage { path: path.to_path_buf(), reason: other.to_string() },
        };
        let mut reader = ImageReader::with_format(input, format);
        let mut limits = Limits::no_limits();
        // What a decoder allocates beside the pixels: at most as much again for 16-bit colour.
        limits.max_alloc = Some(max_pixels.saturating_mul(8));
        reader.limits(limits);
        let mut decoder = reader.into_decoder().map_err(broken)?;

        let (width, height) = decoder.dimensions();
        let too_large = || MediaError::TooLarge { path: path.to_path_buf(), width, height, max_pixels };
        let (Ok(w), Ok(h)) = (u16::try_from(width), u16::try_from(height)) else {
            return Err(too_large());
        };
        if u64::from(width) * u64::from(height) > max_pixels {
            return Err(too_large());
        }
        if w == 0 || h == 0 {
            let reason = "it has no pixels".into();
            return Err(MediaError::BrokenImage { path: path.to_path_buf(), reason });
        }
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let out_of_memory = |bytes| MediaError::OutOfMemory { path: path.to_path_buf(), bytes };
        let packed = match decoder.color_type() {
            ColorType::L8 => Some(PixelFormat::Gray8),
            ColorType::Rgb8 => Some(PixelFormat::Rgb8),
            ColorType::Rgba8 => Some(PixelFormat::Rgba8),
            _ => None,
        };
        let bytes = decoder.total_bytes();
        let len = usize::try_from(bytes).map_err(|_| out_of_memory(bytes))?;
        if let (Some(format), Orientation::NoTransforms) = (packed, orientation) {
            // A smaller image keeps the memory; asking first turns a lack of it into an error.
            self.bytes.clear();
            self.bytes.try_reserve_exact(len).map_err(|_| out_of_memory(bytes))?;
            self.bytes.resize(len, 0);
            decoder.read_image(&mut self.bytes).map_err(broken)?;
            (self.width, self.height, self.format) = (w, h, Some(format));
            return Ok(());
        }
        self.bytes = Vec::new();
        Vec::<u8>::new().try_reserve_exact(len).map_err(|_| out_of_memory(bytes))?;
        let mut image = DynamicImage::from_decoder(decoder).map_err(broken)?;
        image.apply_orientation(orientation);
        let (pixels, format) = match image {
            DynamicImage::ImageLuma8(gray) => (gray.into_raw(), PixelFormat::Gray8),
            DynamicImage::ImageRgba8(rgba) => (rgba.into_raw(), PixelFormat::Rgba8),
            other => (other.into_rgb8().into_raw(), PixelFormat::Rgb8),
        };
        let turned = matches!(
            orientation,
            Orientation::Rotate90
                | Orientation::Rotate270
                | Orientation::Rotate90FlipH
                | Orientation::Rotate270FlipH
        );
        (self.width, self.height) = if turned { (h, w) } else { (w, h) };
        self.bytes = pixels;
        self.format = Some(format);
        Ok(())
    }
}

/// Does a JPEG go on to its end-of-image marker? The decoder fills what is missing with grey instead of failing.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    // Segments (ITU-T T.81, B.1.1.4) up to the first scan; a thumbnail with an end of its own lies in one of them.
    let mut at = 2;
    loop {
        match bytes.get(at..at + 4) {
            Some(&[0xff, 0xff, ..]) => at += 1,
            Some(&[0xff, 0xd8, ..]) => at += 2,
            Some(&[0xff, 0xda, ..]) => break,
            Some(&[0xff, _, high, low]) => at += 2 + usize::from(u16::from_be_bytes([high, low])),
            Some(_) => at += 1,
            None => return false,
        }
    }
    // Within a scan 0xff is followed by 0x00 or a marker, so that the next 0xff 0xd9 is the end.
    bytes[at..].windows(2).any(|pair| pair == [0xff, 0xd9])
}
