//! The truth of a scene is that of its pixels, at any frame and in any order.
#![allow(clippy::unwrap_used)]

use eyespot_core::{FrameSource, PixelFormat};
use eyespot_scene::{
    CameraMotion, MAX_OBJECTS, Scene, SceneConfig, SceneError, SceneFormat, SceneSource, Truth,
};
use proptest::prelude::*;

fn render(config: SceneConfig, frame: u64) -> Vec<u8> {
    let mut pixels = vec![0; config.frame_bytes()];
    Scene::new(config).unwrap().render(frame, &mut pixels).unwrap();
    pixels
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// The very bytes: they must be the same on every target and in every build.
#[test]
fn the_pixels_are_these() {
    let camera = CameraMotion { pan: 10.0, shake: 2.0, roll: 0.02, zoom: 0.05 };
    let plain = SceneConfig::new(96, 72);
    let moved = SceneConfig { camera, format: SceneFormat::Gray8, seed: 5, ..plain };
    assert_eq!(hash(&render(plain, 100)), 8_623_719_716_909_033_351);
    assert_eq!(hash(&render(moved, 12_345)), 1_155_539_437_476_183_573);
}

/// Without noise, light and shadows, a frame differs from one without objects just inside the boxes of the truth.
#[test]
fn boxes_fit_the_pixels() {
    let still = SceneConfig {
        noise: 0.0,
        light: 0.0,
        shadows: false,
        format: SceneFormat::Gray8,
        ..SceneConfig::new(240, 136)
    };
    let camera = CameraMotion { pan: 8.0, shake: 2.0, roll: 0.03, zoom: 0.05 };
    let mut objects = 0;
    for config in [still, SceneConfig { camera, ..still }] {
        let scene = Scene::new(config).unwrap();
        for frame in (0..600).step_by(40) {
            let with = render(config, frame);
            let without = render(SceneConfig { objects: 0, ..config }, frame);
            let truths: Vec<Truth> = scene.truth(frame).collect();
            let inside = |truth: &Truth, x: f32, y: f32, margin: f32| {
                let b = truth.bbox;
                (b.x1 - margin..b.x2 + margin).contains(&x) && (b.y1 - margin..b.y2 + margin).contains(&y)
            };
            let changed: Vec<(f32, f32)> = (0..240 * 136)
                .filter(|&at| with[at] != without[at])
                .map(|at| ((at % 240) as f32 + 0.5, (at / 240) as f32 + 0.5))
                .collect();
            for &(x, y) in &changed {
                assert!(truths.iter().any(|truth| inside(truth, x, y, 1.0)), "frame {frame}: {x} {y}");
            }
            for truth in &truths {
                if truth.visibility < 0.999 || truth.bbox.width() < 4.0 {
                    continue;
                }
                // Something of a fully visible object reaches each side of its box.
                objects += 1;
                let own = || changed.iter().filter(|(x, y)| inside(truth, *x, *y, 0.5));
                let b = truth.bbox;
                assert!(own().any(|&(x, _)| x < b.x1 + 2.0), "frame {frame}: {truth:?}");
                assert!(own().any(|&(x, _)| x > b.x2 - 2.0), "frame {frame}: {truth:?}");
                assert!(own().any(|&(_, y)| y < b.y1 + 2.0), "frame {frame}: {truth:?}");
                assert!(own().any(|&(_, y)| y > b.y2 - 2.0), "frame {frame}: {truth:?}");
            }
        }
    }
    assert!(objects > 40, "{objects}");
}

#[test]
fn objects_move_smoothly_and_keep_their_identity() {
    let config = SceneConfig { objects: 24, ..SceneConfig::new(640, 360) };
    let scene = Scene::new(config).unwrap();
    let mut before: Vec<Truth> = Vec::new();
    let (mut ids, mut hidden) = (std::collections::BTreeSet::new(), 0);
    for frame in 0..900 {
        let now: Vec<Truth> = scene.truth(frame).collect();
        for truth in &now {
            ids.insert(truth.id);
            hidden += u32::from(truth.visibility < 0.5);
            if let Some(last) = before.iter().find(|last| last.id == truth.id) {
                assert_eq!(last.class, truth.class);
                let moved = (truth.bbox.center().0 - last.bbox.center().0).abs();
                assert!(moved < 15.0, "frame {frame}: {moved}");
            } else if frame > 0 {
                // New objects come in from outside.
                let at_border = truth.bbox.x1 < 16.0 || truth.bbox.x2 > 624.0;
                assert!(at_border, "frame {frame}: {truth:?}");
            }
        }
        let mut numbers: Vec<u32> = now.iter().map(|truth| truth.id).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), now.len());
        before = now;
    }
    assert!(ids.len() > 40 && !ids.contains(&0), "{}", ids.len());
    assert!(hidden > 100, "{hidden}");
}

#[test]
fn the_source_delivers_the_frames_of_the_scene() {
    let config = SceneConfig { fps: 25, ..SceneConfig::new(32, 24) };
    let mut source =
        SceneSource::new(Scene::new(config).unwrap(), vec![0; config.frame_bytes()]).with_frames(3);
    for index in 0..3 {
        let frame = source.next_frame().unwrap().unwrap();
        assert_eq!((frame.info.index, frame.info.timestamp_us), (index, index * 40_000));
        assert_eq!(frame.image.format(), PixelFormat::Rgb8);
        assert_eq!(frame.image.row(0), Some(&render(config, index)[..96]));
    }
    assert!(source.next_frame().unwrap().is_none() && source.next_frame().unwrap().is_none());
    let mut short = SceneSource::new(Scene::new(config).unwrap(), [0; 10]);
    assert_eq!(short.next_frame().err(), Some(SceneError::Buffer { len: 10, needed: 32 * 24 * 3 }));
}

#[test]
fn wrong_settings_are_refused() {
    let good = SceneConfig::new(64, 48);
    for config in [
        SceneConfig { width: 15, ..good },
        SceneConfig { objects: MAX_OBJECTS as u8 + 1, ..good },
        SceneConfig { fps: 0, ..good },
        SceneConfig { noise: f32::NAN, ..good },
        SceneConfig { light: 0.6, ..good },
        SceneConfig { camera: CameraMotion { zoom: f32::INFINITY, ..CameraMotion::FIXED }, ..good },
    ] {
        assert!(matches!(Scene::new(config), Err(SceneError::Setting { .. })), "{config:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_setting_and_any_frame_gives_pixels_and_valid_truth(
        (width, height) in (16u16..80, 16u16..60),
        objects in 0u8..=24,
        seed: u32,
        fps in 1u16..=1000,
        frame: u64,
        (pan, shake, roll, zoom) in (0f32..500.0, 0f32..50.0, 0f32..0.5, 0f32..0.5),
    ) {
        let camera = CameraMotion { pan, shake, roll, zoom };
        let config = SceneConfig { objects, seed, fps, camera, noise: 32.0, light: 0.5, ..SceneConfig::new(width, height) };
        let scene = Scene::new(config).unwrap();
        let mut pixels = vec![0; config.frame_bytes()];
        scene.render(frame, &mut pixels).unwrap();
        for truth in scene.truth(frame) {
            prop_assert!((truth.class.0 as usize) < eyespot_scene::LABELS.len());
            prop_assert!(truth.bbox.is_valid());
            prop_assert!(truth.bbox.x1 >= 0.0 && truth.bbox.x2 <= f32::from(width));
            prop_assert!((0.0..=1.0).contains(&truth.visibility));
        }
    }
}
