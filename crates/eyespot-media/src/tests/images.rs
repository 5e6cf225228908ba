//! Image files: formats, orientation, limits, broken ones.

use std::fs;
use std::path::Path;

use eyespot_core::{Error, ErrorKind, FrameSource, PixelFormat, SourceId};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use super::data;
use crate::{ImageOptions, ImageSource, MediaError, MediaSource as _, SourceOptions, open};

/// A picture with a different colour in each quarter.
fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| match (x < width / 2, y < height / 2) {
        (true, true) => Rgb([250, 10, 10]),
        (false, true) => Rgb([10, 250, 10]),
        (true, false) => Rgb([10, 10, 250]),
        (false, false) => Rgb([240, 240, 240]),
    })
}

fn open_one(path: &Path) -> Result<ImageSource, MediaError> {
    ImageSource::open(path, ImageOptions::default())
}

fn close(a: [u8; 3], b: [u8; 3]) -> bool {
    a.iter().zip(b).all(|(&a, b)| a.abs_diff(b) < 12)
}

#[test]
fn every_format_that_is_promised_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let image = picture(32, 24);
    for extension in ["jpg", "png", "gif", "bmp", "webp", "tif", "ppm", "tga", "qoi", "ico", "ff"] {
        let path = folder.path().join(format!("picture.{extension}"));
        let format = ImageFormat::from_extension(extension).unwrap();
        let converted = match extension {
            "ff" => DynamicImage::ImageRgba16(DynamicImage::ImageRgb8(image.clone()).into_rgba16()),
            "ico" | "gif" => DynamicImage::ImageRgba8(DynamicImage::ImageRgb8(image.clone()).into_rgba8()),
            _ => DynamicImage::ImageRgb8(image.clone()),
        };
        converted.save_with_format(&path, format).unwrap();
        let mut source = open(&path, &SourceOptions::default()).unwrap();
        assert_eq!(source.frame_count(), Some(1));
        let frame = source.next_frame().unwrap().unwrap();
        assert_eq!((frame.info.width, frame.info.height), (32, 24), "{extension}");
        assert!(close(frame.image.rgb(4, 4), [250, 10, 10]), "{extension}");
        assert!(close(frame.image.rgb(28, 20), [240, 240, 240]), "{extension}");
        assert!(source.next_frame().unwrap().is_none());
        // Content counts, not the extension.
        let renamed = folder.path().join("renamed.bin");
        if extension != "tga" {
            fs::copy(&path, &renamed).unwrap();
            assert!(open(&renamed, &SourceOptions::default()).unwrap().next_frame().unwrap().is_some());
        }
    }
}

#[test]
fn grey_and_alpha_are_lent_as_they_are_and_deep_colour_becomes_rgb() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.png");
    let image = DynamicImage::ImageRgb8(picture(6, 4));
    for (image, format) in [
        (DynamicImage::ImageLuma8(image.to_luma8()), PixelFormat::Gray8),
        (DynamicImage::ImageRgba8(image.to_rgba8()), PixelFormat::Rgba8),
        (DynamicImage::ImageRgb16(image.to_rgb16()), PixelFormat::Rgb8),
        (DynamicImage::ImageLumaA8(image.to_luma_alpha8()), PixelFormat::Rgb8),
    ] {
        image.save(&path).unwrap();
        let mut source = open_one(&path).unwrap();
        assert_eq!(source.next_frame().unwrap().unwrap().image.format(), format);
    }
}

/// A JPEG with an EXIF segment that holds nothing but the orientation.
fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0]);
    [&jpeg[..2], &exif, &jpeg[2..]].concat()
}

#[test]
fn exif_orientation_is_applied() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.jpg");
    picture(64, 32).save(&path).unwrap();
    let jpeg = fs::read(&path).unwrap();
    // Where the red quarter ends up (top-left without a turn), and whether the sides swap (EXIF 2.32, 4.6.4).
    for (orientation, red, swapped) in [
        (1, (4, 4), false),
        (2, (60, 4), false),
        (3, (60, 28), false),
        (4, (4, 28), false),
        (5, (4, 4), true),
        (6, (28, 4), true),
        (7, (28, 60), true),
        (8, (4, 60), true),
    ] {
        fs::write(&path, with_orientation(&jpeg, orientation)).unwrap();
        let mut source = open_one(&path).unwrap();
        let frame = source.next_frame().unwrap().unwrap();
        let size = if swapped { (32, 64) } else { (64, 32) };
        assert_eq!((frame.info.width, frame.info.height), size, "{orientation}");
        assert!(close(frame.image.rgb(red.0, red.1), [250, 10, 10]), "{orientation}");
    }
}

#[test]
fn directories_come_in_natural_order_and_broken_files_do_not_end_them() {
    let folder = tempfile::tempdir().unwrap();
    let image = picture(8, 8);
    for name in ["img10.png", "img2.png", "img1.png", ".hidden.png"] {
        image.save(folder.path().join(name)).unwrap();
    }
    fs::create_dir(folder.path().join("sub")).unwrap();
    image.save(folder.path().join("sub/img3.JPG")).unwrap();
    fs::write(folder.path().join("img5.png"), b"\x89PNG\r\n\x1a\nbroken").unwrap();
    fs::write(folder.path().join("img7.jpg"), b"").unwrap();
    fs::write(folder.path().join("notes.txt"), b"no image").unwrap();

    let mut source = ImageSource::open(folder.path(), ImageOptions::default()).unwrap();
    source.set_id(SourceId(3));
    let mut seen = Vec::new();
    let mut failed = Vec::new();
    loop {
        match source.next_frame() {
            Ok(None) => break,
            Ok(Some(frame)) => {
                let info = frame.info;
                assert_eq!(info.source, SourceId(3));
                assert_eq!(info.timestamp_us, (info.index as f64 * 1e6 / 30.0).round() as u64);
                seen.push(Path::new(source.current()).file_name().unwrap().to_owned());
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
                let name = Path::new(source.current()).file_name().unwrap().to_str().unwrap();
                assert!(error.to_string().contains(name), "{error}");
                failed.push(name.to_owned());
            }
        }
    }
    assert_eq!(seen, ["img1.png", "img2.png", "img10.png"]);
    assert_eq!(failed, ["img5.png", "img7.jpg"]);
    assert_eq!(source.failed(), 2);

    let recursive = ImageOptions { recursive: true, ..ImageOptions::default() };
    assert_eq!(ImageSource::open(folder.path(), recursive).unwrap().frame_count(), Some(6));
    let mixed = [folder.path().join("img2.png"), folder.path().join("sub"), folder.path().join("gone.png")];
    let mut mixed = ImageSource::from_paths(mixed, ImageOptions::default()).unwrap();
    assert!(mixed.next_frame().unwrap().is_some());
    assert!(mixed.next_frame().unwrap().is_some());
    assert!(matches!(mixed.next_frame(), Err(MediaError::NotFound { .. })));
    assert!(mixed.next_frame().unwrap().is_none());
}

#[test]
fn wrong_inputs_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let options = SourceOptions::default();
    let open = |name: &str| open(at(name), &options).map(|_| ()).unwrap_err();
    assert!(matches!(open("gone.jpg"), MediaError::NotFound { .. }));
    fs::create_dir(at("empty")).unwrap();
    let error = open("empty");
    assert!(matches!(error, MediaError::NoImages { .. }) && error.to_string().contains("recursive"));
    fs::write(at("zero.mp4"), b"").unwrap();
    assert!(matches!(open("zero.mp4"), MediaError::Empty { .. }));
    fs::write(at("text.dat"), b"nothing that anyone knows, at some length").unwrap();
    let error = open("text.dat");
    assert!(matches!(error, MediaError::UnknownFormat { .. }) && error.to_string().contains("JPEG"));
    fs::write(at("clip.avi"), b"RIFF\0\0\0\0AVI LIST").unwrap();
    assert!(matches!(open("clip.avi"), MediaError::Ffmpeg { .. } | MediaError::NoFfmpeg { .. }));
    let direct =
        crate::VideoSource::open(at("clip.avi"), crate::VideoOptions::default()).map(|_| ()).unwrap_err();
    assert!(matches!(direct, MediaError::Container { container: "AVI", .. }));
    fs::write(at("clip.mkv"), b"\x1a\x45\xdf\xa3 and so on").unwrap();
    assert!(matches!(open("clip.mkv"), MediaError::Ffmpeg { .. } | MediaError::NoFfmpeg { .. }));
    assert!(matches!(open("-"), MediaError::NotFound { .. }));
    let at_root = |name: &str| crate::open(name, &options).map(|_| ()).unwrap_err();
    assert!(matches!(at_root("-"), MediaError::StandardInput));
    assert!(matches!(at_root("ftp://host/a.jpg"), MediaError::Scheme { scheme, .. } if scheme == "ftp"));
    fs::write(at("photo.heic"), b"\0\0\0\x18ftypheic\0\0\0\0").unwrap();
    assert!(matches!(open("photo.heic"), MediaError::ImageFormat { format: "HEIF", .. }));
}

/// The header of a PNG that claims a size, and next to no data.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend_from_slice(&width.to_be_bytes());
    chunk.extend_from_slice(&height.to_be_bytes());
    chunk.extend_from_slice(&[8, 2, 0, 0, 0]);
    let crc = chunk.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    });
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    bytes.extend_from_slice(&chunk);
    bytes.extend_from_slice(&(!crc).to_be_bytes());
    bytes.extend_from_slice(b"\0\0\0\x02IDAT\x78\x9c");
    bytes
}

#[test]
fn bombs_are_refused_before_they_take_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.png");
    for (width, height) in [(65_535, 65_535), (70_000, 10), (u32::MAX / 2, 1), (40_000, 40_000)] {
        fs::write(&path, png_header(width, height)).unwrap();
        let error = open_one(&path).unwrap().next_frame().map(|_| ()).unwrap_err();
        assert!(matches!(error, MediaError::TooLarge { .. }), "{width} {height}: {error}");
    }
    let tight = ImageOptions { max_pixels: 99, ..ImageOptions::default() };
    picture(10, 10).save(&path).unwrap();
    let mut source = ImageSource::open(&path, tight).unwrap();
    assert!(matches!(source.next_frame(), Err(MediaError::TooLarge { max_pixels: 99, .. })));
}

#[test]
fn the_longest_sides_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.png");
    for (width, height) in [(65_535, 3), (3, 65_535), (30_000, 200)] {
        RgbImage::from_pixel(width, height, Rgb([1, 2, 3])).save(&path).unwrap();
        let mut source = open_one(&path).unwrap();
        let frame = source.next_frame().unwrap().unwrap();
        assert_eq!((u32::from(frame.info.width), u32::from(frame.info.height)), (width, height));
        assert_eq!(frame.image.rgb(frame.info.width - 1, frame.info.height - 1), [1, 2, 3]);
    }
}

#[test]
fn cut_images_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let whole =
        RgbImage::from_fn(160, 120, |x, y| Rgb([(x * 7 + y * 3) as u8, (x ^ y) as u8, (x * y) as u8]));
    for extension in ["jpg", "png", "bmp", "webp", "qoi", "tif", "tga", "ppm"] {
        let path = folder.path().join(format!("cut.{extension}"));
        whole.save(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        for part in 0..16 {
            fs::write(&path, &bytes[..bytes.len() * part / 16]).unwrap();
            let result = open_one(&path).unwrap().next_frame().map(|frame| frame.is_some());
            assert!(result.is_err(), "{extension} {part}");
        }
    }
}

#[test]
fn photos_of_the_test_data_are_read() {
    for (name, size) in
        [("images/bus.jpg", (810, 1080)), ("images/street.png", (0, 0)), ("images/squat.bmp", (0, 0))]
    {
        let Some(path) = data(name) else { continue };
        let expected = image::open(&path).unwrap().into_rgb8();
        let mut source = open_one(&path).unwrap();
        let frame = source.next_frame().unwrap().unwrap();
        let (width, height) = (frame.info.width, frame.info.height);
        assert!(size == (0, 0) || size == (width, height));
        assert_eq!(expected.dimensions(), (u32::from(width), u32::from(height)));
        for (x, y) in [(0, 0), (width / 2, height / 3), (width - 1, height - 1)] {
            assert_eq!(frame.image.rgb(x, y), expected.get_pixel(u32::from(x), u32::from(y)).0, "{name}");
        }
    }
}
