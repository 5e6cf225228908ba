//! What the predictors do on images that are known by construction.
#![allow(clippy::unwrap_used)]

use eyespot_core::{
    BBox, ClassId, Detection, Frame, ImageView, PixelFormat, PredictOptions, Predictions, PredictionsStorage,
    Predictor,
};
use eyespot_motion::{
    ColorBlobConfig, ColorBlobPredictor, ColorBlobStorage, ColorClass, ColorError, MotionConfig,
    MotionPredictor, MotionStorage,
};
use proptest::prelude::*;

type Motion = MotionPredictor<Box<MotionStorage<160, 120>>, 160, 120, 64>;

const WIDTH: u16 = 160;
const HEIGHT: u16 = 120;
const FRAME_US: u64 = 33_333;

fn motion(config: MotionConfig) -> Motion {
    MotionPredictor::new(config, Box::new(MotionStorage::new())).unwrap()
}

fn predict(motion: &mut impl Predictor, image: ImageView<'_>, index: u64) -> Vec<Detection> {
    let mut results = Predictions::<64>::new();
    let frame = Frame::new(image, index, index * FRAME_US);
    assert!(motion.predict(&frame, &PredictOptions::new(), results.view_mut()).is_ok());
    results.view().detections().to_vec()
}

/// A textured wall with noise of about this standard deviation, and a light square.
fn wall(index: u64, noise: f32, light: f32, square: Option<(u16, u16, u16)>) -> Vec<u8> {
    let mut state = index.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut pixels = Vec::new();
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // The sum of four uniform bytes has a standard deviation of 147.8.
            let random: i32 = state.to_le_bytes()[..4].iter().map(|&byte| i32::from(byte)).sum::<i32>() - 510;
            let texture = 70.0 + f32::from(x / 16 % 2 * 30 + y / 24 % 2 * 20);
            let inside = square.is_some_and(|(left, top, side)| {
                (left..left + side).contains(&x) && (top..top + side).contains(&y)
            });
            let level = if inside { 200.0 } else { texture };
            pixels.push((level * light + random as f32 / 147.8 * noise).clamp(0.0, 255.0) as u8);
        }
    }
    pixels
}

fn view(pixels: &[u8]) -> ImageView<'_> {
    ImageView::packed(pixels, WIDTH, HEIGHT, PixelFormat::Gray8).unwrap()
}

#[test]
fn noise_alone_gives_nothing() {
    for noise in [0.0, 2.0, 5.0, 10.0] {
        let mut motion = motion(MotionConfig::default());
        let found: usize = (0..200)
            .map(|index| predict(&mut motion, view(&wall(index, noise, 1.0, None)), index).len())
            .sum();
        assert_eq!(found, 0, "noise {noise}");
    }
}

#[test]
fn a_moving_square_is_found_where_it_is() {
    let mut motion = motion(MotionConfig::default());
    for index in 0..120 {
        let left = (index as u16).saturating_sub(20);
        let square = (index >= 20).then_some((left, 40, 24));
        let found = predict(&mut motion, view(&wall(index, 3.0, 1.0, square)), index);
        match square {
            None => assert!(found.is_empty()),
            Some((left, top, side)) => {
                assert_eq!(found.len(), 1, "frame {index}: {found:?}");
                let bbox = BBox::from_xywh(f32::from(left), f32::from(top), f32::from(side), f32::from(side));
                assert!(found[0].bbox.iou(&bbox) > 0.8, "frame {index}: {found:?}");
                assert!(found[0].score > 0.5);
            }
        }
    }
}

#[test]
fn a_light_switch_and_a_slow_fade_give_nothing() {
    let mut motion = motion(MotionConfig::default());
    let light = |index: u64| match index {
        0..30 => 1.0,
        30..60 => 1.7,
        60..120 => 1.7 - (index - 60) as f32 / 60.0,
        _ => 0.7,
    };
    for index in 0..180 {
        let found = predict(&mut motion, view(&wall(index, 2.0, light(index), None)), index);
        assert!(found.is_empty(), "frame {index}: {found:?}");
    }
}

#[test]
fn what_left_its_place_is_no_object_there() {
    let mut motion = motion(MotionConfig::default());
    for index in 0..120 {
        // The square of the first frames is background until it has gone.
        let square = (index < 30).then_some((60, 40, 24));
        let found = predict(&mut motion, view(&wall(index, 2.0, 1.0, square)), index);
        assert!(found.is_empty(), "frame {index}: {found:?}");
    }
    // The place has been learnt: a square is found there.
    let found = predict(&mut motion, view(&wall(120, 2.0, 1.0, Some((60, 40, 24)))), 120);
    assert_eq!(found.len(), 1);
}

#[test]
fn what_stays_becomes_background_after_the_set_time_also_with_dropped_frames() {
    for step in [1, 7] {
        let mut motion = motion(MotionConfig { absorb_seconds: 4.0, ..MotionConfig::default() });
        for index in (0..350).step_by(step) {
            let square = (index >= 98).then_some((60, 40, 24));
            let found = !predict(&mut motion, view(&wall(index, 2.0, 1.0, square)), index).is_empty();
            let seconds = (index as f32 - 98.0) / 30.0;
            if !(0.0..=4.6).contains(&seconds) {
                assert!(!found, "{seconds} s");
            } else if seconds < 3.4 {
                assert!(found, "{seconds} s");
            }
        }
    }
}

#[test]
fn wrong_settings_are_refused() {
    let wrong = [
        MotionConfig { threshold: 0, ..MotionConfig::default() },
        MotionConfig { min_area: f32::NAN, ..MotionConfig::default() },
        MotionConfig { merge_gap: 1.5, ..MotionConfig::default() },
        MotionConfig { adapt_seconds: 0.0, ..MotionConfig::default() },
        MotionConfig { absorb_seconds: f32::INFINITY, ..MotionConfig::default() },
        MotionConfig { scene_change: -0.1, ..MotionConfig::default() },
    ];
    for config in wrong {
        assert!(MotionPredictor::new(config, MotionStorage::<8, 8>::new()).is_err(), "{config:?}");
    }
    let red = [ColorClass::vivid(340, 20)];
    let new = |config| ColorBlobPredictor::new(config, ColorBlobStorage::<8>::new()).map(|_| ());
    assert_eq!(new(ColorBlobConfig::new(&red, &[])), Err(ColorError::Labels));
    assert_eq!(
        new(ColorBlobConfig::new(&[ColorClass::vivid(0, 360)], &["x"])),
        Err(ColorError::Class { index: 0 })
    );
}

/// The same red and blue squares in a packed and in a planar format.
#[test]
fn coloured_squares_are_found_in_rgb_and_in_yuv() {
    let squares = [(20u16, 30u16, [220u8, 30, 30]), (100, 60, [30, 40, 220])];
    let color = |x: u16, y: u16| {
        let inside = |&&(left, top, _): &&(u16, u16, [u8; 3])| {
            (left..left + 30).contains(&x) && (top..top + 30).contains(&y)
        };
        squares.iter().find(inside).map_or([120, 120, 110], |square| square.2)
    };
    let rgb: Vec<u8> = (0..HEIGHT).flat_map(|y| (0..WIDTH).flat_map(move |x| color(x, y))).collect();
    // BT.601, limited range.
    let yuv = |[r, g, b]: [u8; 3]| {
        let [r, g, b] = [r, g, b].map(f32::from);
        let y = 16.0 + 0.257 * r + 0.504 * g + 0.098 * b;
        let u = 128.0 - 0.148 * r - 0.291 * g + 0.439 * b;
        [y, u, 128.0 + 0.439 * r - 0.368 * g - 0.071 * b].map(|level| level as u8)
    };
    let plane = |part: usize, step: usize| -> Vec<u8> {
        (0..HEIGHT)
            .step_by(step)
            .flat_map(|y| (0..WIDTH).step_by(step).map(move |x| yuv(color(x, y))[part]))
            .collect()
    };
    let (y, u, v) = (plane(0, 1), plane(1, 2), plane(2, 2));
    let half = u32::from(WIDTH / 2);
    let views = [
        ImageView::packed(&rgb, WIDTH, HEIGHT, PixelFormat::Rgb8).unwrap(),
        ImageView::yuv420((&y, u32::from(WIDTH)), (&u, half), (&v, half), WIDTH, HEIGHT).unwrap(),
    ];
    let classes = [ColorClass::vivid(340, 20), ColorClass::vivid(210, 260)];
    let config = ColorBlobConfig::new(&classes, &["ball", "goal"]);
    let mut predictor = ColorBlobPredictor::new(config, ColorBlobStorage::<80>::new()).unwrap();
    for view in views {
        let found = predict(&mut predictor, view, 0);
        assert_eq!(found.len(), 2, "{:?}: {found:?}", view.format());
        for (detection, (class, (left, top, _))) in found.iter().zip(squares.iter().enumerate()) {
            assert_eq!(detection.class, ClassId(class as u16));
            let bbox = BBox::from_xywh(f32::from(*left), f32::from(*top), 30.0, 30.0);
            assert!(detection.bbox.iou(&bbox) > 0.85, "{detection:?}");
            assert!(detection.score > 0.99);
        }
    }
}

const FORMATS: [PixelFormat; 5] =
    [PixelFormat::Gray8, PixelFormat::Rgb8, PixelFormat::Bgr8, PixelFormat::Rgba8, PixelFormat::Yuyv];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any sequence of sizes, formats, crops, contents and times, also backwards.
    #[test]
    fn nothing_panics_and_boxes_stay_inside(
        frames in prop::collection::vec(
            (1u16..90, 1u16..70, 0usize..7, any::<u64>(), prop::collection::vec(any::<u8>(), 16), 1u8..4),
            1..12,
        ),
    ) {
        let mut motion = MotionPredictor::new(
            MotionConfig { min_area: 0.0, ..MotionConfig::default() },
            MotionStorage::<24, 20, 4>::new(),
        ).unwrap();
        let classes = [ColorClass::vivid(0, 180), ColorClass::dark(60)];
        let config = ColorBlobConfig { min_area: 0.0, ..ColorBlobConfig::new(&classes, &["a", "b"]) };
        let mut colors = ColorBlobPredictor::new(config, ColorBlobStorage::<24, 4>::new()).unwrap();
        let mut results = Predictions::<64>::new();
        for (width, height, format, time, seed, repeat) in frames {
            let bytes: Vec<u8> = (0..90 * 70 * 4usize)
                .map(|at| seed[(at / 7 + at / 300) % 16].wrapping_add((at % 3) as u8))
                .collect();
            let stride = u32::from(width) + 1;
            let image = match format {
                5 => ImageView::nv12((&bytes, stride), (&bytes[40..], stride + 1), width, height).unwrap(),
                6 => ImageView::yuv420((&bytes, stride), (&bytes[9..], stride), (&bytes[3..], stride), width, height)
                    .unwrap(),
                _ => ImageView::packed(&bytes, width, height, FORMATS[format]).unwrap(),
            };
            let image = image.crop(width / 5, height / 7, width - width / 5, height - height / 7).unwrap();
            for step in 0..u64::from(repeat) {
                let frame = Frame::new(image, step, time.wrapping_add(step * 1000));
                results.view_mut().clear();
                motion.predict(&frame, &PredictOptions::new(), results.view_mut()).unwrap();
                colors.predict(&frame, &PredictOptions::new(), results.view_mut()).unwrap();
                prop_assert_eq!(results.view().losses().invalid, 0);
                for bbox in results.view().boxes() {
                    prop_assert!(bbox.x1 >= 0.0 && bbox.x2 <= f32::from(image.width()));
                    prop_assert!(bbox.y1 >= 0.0 && bbox.y2 <= f32::from(image.height()));
                }
            }
        }
    }
}

// The memory that the documentation promises.
eyespot_core::ram_budget!(45 * 1024; MotionStorage<160, 120>);
eyespot_core::ram_budget!(21 * 1024; MotionStorage<96, 96, 16>);
