//! The bytes of OpenCV's resize (`INTER_LINEAR`, version 5.0.0): checksums of its output on generated images, and the
//! model input that it made of a photo.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use eyespot_core::{ImageView, InputSize, PixelFormat};
use eyespot_image::{
    Channels, Encoding, Fit, Layout, Letterbox, Levels, Normalize, Scratch, Tap, TensorFormat,
};

fn noise(len: usize) -> Vec<u8> {
    let mut state = 12345u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// FNV-1a.
fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn tensor<E: Encoding>(
    view: &ImageView<'_>,
    target: InputSize,
    fit: Fit,
    format: &TensorFormat<E>,
    zero: E::Value,
) -> Vec<E::Value> {
    let letterbox = Letterbox::of(view, target, fit).unwrap();
    let columns = usize::from(target.width);
    let (mut taps, mut rows) = (vec![Tap::default(); columns], vec![0; 6 * columns]);
    let mut out = vec![zero; format.len_of(target)];
    letterbox.apply(view, format, Scratch::new(&mut taps, &mut rows), &mut out).unwrap();
    out
}

#[test]
fn resized_images_have_the_bytes_of_opencv() {
    // Source, target, checksum of the colour image, checksum of the image turned grey before.
    let cases = [
        ((1280, 720), (416, 234), 0xf3f6_4b46_fea4_050f, 0x5336_a947_01f8_ea5d),
        ((810, 1080), (312, 416), 0xf006_defd_4faa_4393, 0xdbe1_5d07_a6d1_bc87),
        ((64, 48), (200, 150), 0x3ad2_9750_46f7_a9af, 0xdf4f_f904_8862_ca1b),
        ((1, 1), (5, 4), 0x02c1_00e5_8157_4c25, 0x3996_2603_1fbb_de05),
        ((1, 9), (4, 3), 0xa620_6ed5_cd41_1115, 0xa75f_782b_3e10_a239),
        ((9, 1), (3, 4), 0xb933_35d8_d4c9_20e5, 0xf33b_3a7a_1949_2b51),
        ((100, 60), (50, 30), 0x5175_e814_60db_6752, 0x69b4_6455_1d04_16bf),
        ((33, 57), (33, 57), 0xa2d5_8b94_7730_69cc, 0x2133_d251_b561_b590),
        ((200, 3), (7, 90), 0x5ff5_f673_08ec_ce5f, 0x69a0_a821_e6b8_8635),
        ((97, 89), (96, 88), 0x2408_5012_8c6f_f31c, 0x4c40_786e_11b0_56c9),
        ((640, 480), (96, 72), 0xf167_2e6f_c8a7_2775, 0xc056_b314_4198_9756),
        ((5, 7), (640, 3), 0x91ad_98e6_bfe0_fc05, 0xafe4_4f48_a82b_fbea),
    ];
    for ((width, height), target, color, gray) in cases {
        let pixels = noise(PixelFormat::Rgb8.image_bytes(width, height));
        let view = ImageView::packed(&pixels, width, height, PixelFormat::Rgb8).unwrap();
        let target = InputSize::new(target.0, target.1);
        let resized = |channels| {
            let format = TensorFormat::new(Layout::Interleaved, channels, Levels);
            checksum(&tensor(&view, target, Fit::Stretch, &format, 0))
        };
        assert_eq!(resized(Channels::Rgb), color, "{width}x{height} {target:?}");
        assert_eq!(resized(Channels::Gray), gray, "{width}x{height} {target:?} grey");
    }
}

fn data() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let path = PathBuf::from(std::env::var_os("EYESPOT_DATA").unwrap_or_else(|| default.into()));
    if path.join("golden").is_dir() {
        return Some(path);
    }
    eprintln!("IGNORED: no test data at {}", path.display());
    None
}

/// The letterboxed photos that YOLOX was given. JPEG decoders differ by a few levels; the padding agrees exactly.
#[test]
fn photos_become_the_input_of_the_reference() {
    let Some(data) = data() else { return };
    for photo in ["bus", "dog"] {
        let golden = std::fs::read(data.join(format!("golden/yolox_nano_{photo}.jpg.input_u8.npy"))).unwrap();
        let golden = &golden[golden.len() - 3 * 416 * 416..];
        let pixels = image::open(data.join(format!("images/{photo}.jpg"))).unwrap().to_rgb8();
        let (width, height) = (pixels.width() as u16, pixels.height() as u16);
        let view = ImageView::packed(&pixels, width, height, PixelFormat::Rgb8).unwrap();
        let target = InputSize::square(416);
        let format = TensorFormat::new(Layout::Planar, Channels::Bgr, Normalize::LEVELS);
        let floats = tensor(&view, target, Fit::TopLeft, &format, 0.0);
        let format = TensorFormat::new(Layout::Planar, Channels::Bgr, Levels);
        let levels = tensor(&view, target, Fit::TopLeft, &format, 0);
        assert!(floats.iter().zip(&levels).all(|(&float, &level)| float == f32::from(level)));

        let resized = Letterbox::of(&view, target, Fit::TopLeft).unwrap().resized();
        let (mut sum, mut worst) = (0u64, 0);
        for (at, (&ours, &theirs)) in levels.iter().zip(golden).enumerate() {
            let (x, y) = (at % 416, at / 416 % 416);
            if x >= resized.width.into() || y >= resized.height.into() {
                assert_eq!((ours, theirs), (114, 114), "{photo} {x} {y}");
            }
            sum += u64::from(ours.abs_diff(theirs));
            worst = worst.max(ours.abs_diff(theirs));
        }
        let mean = sum as f64 / levels.len() as f64;
        assert!(mean < 0.2 && worst <= 4, "{photo}: mean {mean}, worst {worst}");
    }
}
