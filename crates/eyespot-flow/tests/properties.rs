//! Nothing panics, and what is returned is usable.

#![allow(clippy::unwrap_used, reason = "tests")]

use eyespot_core::{Affine, BBox, CameraMotion, ClassId, Detection, Frame, ImageView, PixelFormat};
use eyespot_flow::{FlowStorage, OrbFlow, OrbStorage, SparseFlow};
use proptest::prelude::*;

fn formats() -> impl Strategy<Value = PixelFormat> {
    prop_oneof![
        Just(PixelFormat::Gray8),
        Just(PixelFormat::Rgb8),
        Just(PixelFormat::Rgba8),
        Just(PixelFormat::Yuyv)
    ]
}

fn any_number() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -50.0f32..400.0,
        1 => Just(f32::NAN),
        1 => Just(f32::INFINITY),
        1 => Just(f32::NEG_INFINITY),
        1 => Just(f32::MAX)
    ]
}

fn check<const PIXELS: usize, const POINTS: usize>(
    frames: &[Vec<u8>],
    (width, height): (u16, u16),
    format: PixelFormat,
    detections: &[Detection],
) {
    let mut motion = SparseFlow::new(Box::new(FlowStorage::<PIXELS, POINTS>::new()));
    let mut orb = OrbFlow::new(Box::new(OrbStorage::<PIXELS, POINTS>::new()));
    for bytes in frames {
        let view = ImageView::packed(bytes, width, height, format).unwrap();
        let found = motion.estimate(&Frame::still(view), detections);
        assert!(found.is_usable(), "{found:?}");
        let found = orb.estimate(&Frame::still(view), detections);
        assert!(found.is_usable(), "{found:?}");
    }
    let stats = motion.stats();
    let all = [stats.first, stats.estimated, stats.flat, stats.cut, stats.few_inliers, stats.implausible];
    assert_eq!(all.iter().sum::<u32>() as usize, frames.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_size_content_and_detections(
        width in 1u16..260,
        height in 1u16..200,
        format in formats(),
        content in prop::collection::vec(any::<u8>(), 1..3000),
        boxes in prop::collection::vec((any_number(), any_number(), any_number(), any_number()), 0..6),
        jump in 0usize..2000,
    ) {
        let bytes = format.image_bytes(width, height);
        let frames = [0, jump, jump].map(|start| {
            content.iter().cycle().skip(start).take(bytes).copied().collect::<Vec<u8>>()
        });
        let detections: Vec<_> = boxes
            .iter()
            .map(|&(x1, y1, x2, y2)| Detection::new(BBox::new(x1, y1, x2, y2), 0.5, ClassId(0)))
            .collect();
        check::<{ 160 * 120 }, 128>(&frames, (width, height), format, &detections);
        check::<{ 40 * 30 }, 16>(&frames, (width, height), format, &detections);
        check::<1, 1>(&frames, (width, height), format, &detections);
        check::<0, 0>(&frames, (width, height), format, &detections);
    }
}

#[test]
fn tiny_and_stretched_frames() {
    for size in [
        (1, 1),
        (1, 65535),
        (65535, 1),
        (7, 3),
        (9, 9),
        (10, 10),
        (11, 40),
        (65535, 2),
        (3, 20000),
        (5000, 12),
    ] {
        let bytes = usize::from(size.0) * usize::from(size.1);
        let frame: Vec<u8> = (0..bytes).map(|index| (index * 37 % 251) as u8).collect();
        let frames = [frame.clone(), frame];
        check::<{ 160 * 120 }, 128>(&frames, size, PixelFormat::Gray8, &[]);
        check::<{ 20 * 20 }, 9>(&frames, size, PixelFormat::Gray8, &[]);
    }
}

#[test]
fn motion_is_the_identity_where_there_is_nothing() {
    let mut motion = SparseFlow::new(FlowStorage::<64, 4>::new());
    let view = ImageView::packed(&[7], 1, 1, PixelFormat::Gray8).unwrap();
    for _ in 0..3 {
        assert_eq!(motion.estimate(&Frame::still(view), &[]), Affine::IDENTITY);
    }
}
