//! Parity with ONNX Runtime on the published weights, on noise and on a photo.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, reason = "tests")]

use burn::tensor::{Device, Tensor, TensorData};
use eyespot_burn::{BurnModel, CpuPredictor, DeviceChoice, Host, WeightError, record};
use eyespot_core::{
    Frame, ImageView, InputSize, PixelFormat, PredictOptions, Predictions, PredictionsStorage, Predictor,
};
use eyespot_decode::movenet::Maps;
use eyespot_tests::{data, engine, noise::noise};
use movenet::{KEYPOINTS, MoveNet};
use serde_json::Value;

const SIDE: usize = 192;

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

/// What `golden/movenet.py` wrote.
fn golden() -> Value {
    serde_json::from_str(include_str!("golden/movenet.json")).unwrap()
}

fn largest_difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn raw_output(choice: DeviceChoice) {
    let Some(weights) = data("models/movenet_lightning_dequant.onnx") else { return };
    let device = choice.open().unwrap();
    eprintln!("{device}");
    let model = MoveNet::load(&weights, device.device()).unwrap();
    assert_model(&model, device.device());
}

fn assert_model(model: &MoveNet, device: &Device) {
    assert_maps(|input| {
        let input = Tensor::from_data(TensorData::new(input, [1, 3, SIDE, SIDE]), device);
        let maps = model.forward(input).into_iter();
        maps.map(|map| map.into_data().try_into_vec::<f32>().unwrap()).collect()
    });
}

fn assert_maps(run: impl FnOnce(Vec<f32>) -> Vec<Vec<f32>>) {
    // The noise as an image, colours last.
    let levels: Vec<f32> =
        noise("input", 3 * SIDE * SIDE).map(|noise| f32::from(((noise + 1.0) * 127.5) as u8)).collect();
    let planar = (0..3).flat_map(|channel| levels[channel..].iter().step_by(3));
    let input: Vec<f32> = planar.map(|level| level / 127.5 - 1.0).collect();
    let maps = run(input);
    let golden = golden();
    let cells = numbers(&golden["cells"]);
    for (map, expected) in maps.iter().zip(golden["maps"].as_array().unwrap()) {
        let sampled: Vec<f32> = map
            .chunks_exact(48 * 48)
            .flat_map(|channel| cells.iter().map(|cell| channel[*cell as usize]))
            .collect();
        let difference = largest_difference(&sampled, &numbers(expected));
        eprintln!("largest difference {difference:e}");
        assert!(difference < 2e-3, "{difference}");
    }
    let parts: Vec<&[f32]> = maps.iter().map(Vec::as_slice).collect();
    let maps = Maps::new(InputSize::square(SIDE as u16), 17, parts.try_into().unwrap()).unwrap();
    let side = SIDE as f32;
    let found: Vec<f32> = maps
        .keypoints()
        .flat_map(|keypoint| [keypoint.y / side, keypoint.x / side, keypoint.score])
        .collect();
    let difference = largest_difference(&found, &numbers(&golden["keypoints"]));
    assert!(difference < 2e-3, "{difference}");
}

#[test]
fn raw_output_equals_onnx_runtime_in_burn_on_the_cpu() {
    raw_output(DeviceChoice::Flex);
}

#[test]
fn raw_output_equals_onnx_runtime_on_the_cpu() {
    let Some(weights) = data("models/movenet_lightning_dequant.onnx") else { return };
    let recording = record(&MoveNet::load(&weights, &Device::flex()).unwrap());
    assert_maps(|input| engine::outputs(&recording, [SIDE, SIDE], &input));
}

#[cfg(feature = "wgpu")]
#[test]
fn raw_output_equals_onnx_runtime_through_wgpu() {
    raw_output(DeviceChoice::Gpu(None));
}

/// How alike two poses are (<https://cocodataset.org/#keypoints-eval>), 1 for the same.
fn oks(found: &[[f32; 2]], expected: &[[f32; 2]], area: f32) -> f32 {
    const SIGMAS: [f32; 17] = [
        0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087,
        0.087, 0.089, 0.089,
    ];
    let alike = found.iter().zip(expected).zip(SIGMAS).map(|((a, b), sigma)| {
        let distance = (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2);
        (-distance / (2.0 * area * (2.0 * sigma).powi(2))).exp()
    });
    alike.sum::<f32>() / 17.0
}

#[test]
fn the_pose_in_a_photo() {
    let (Some(weights), Some(photo), Some(reference)) = (
        data("models/movenet_lightning_dequant.onnx"),
        data("images/squat.bmp"),
        data("images/movenet_squat_reference.csv"),
    ) else {
        return;
    };
    let mut predictor = CpuPredictor::load::<MoveNet>(&weights, None, Host::default()).unwrap();
    assert_eq!(predictor.spec().outputs.keypoints, 17);
    let photo = image::open(photo).unwrap().to_rgb8();
    let (width, height) = (photo.width() as u16, photo.height() as u16);
    let frame = Frame::still(ImageView::packed(&photo, width, height, PixelFormat::Rgb8).unwrap());
    let mut out = Predictions::<2, 0, 34>::new();
    predictor.predict(&frame, &PredictOptions::new(), out.view_mut()).unwrap();
    let view = out.view();
    assert_eq!((view.len(), view.losses().is_none()), (1, true));
    let found = view.keypoints().next().unwrap();
    assert_eq!(found.len(), KEYPOINTS.len());

    // The same weights and pixels through ONNX Runtime.
    for (keypoint, expected) in found.iter().zip(numbers(&golden()["photo"]).chunks_exact(3)) {
        let off = (keypoint.x - expected[0]).hypot(keypoint.y - expected[1]);
        assert!(off < 0.1 && (keypoint.score - expected[2]).abs() < 2e-3, "{keypoint:?} {expected:?}");
    }

    // The published int8 weights on another runtime, image stretched.
    let reference = std::fs::read_to_string(reference).unwrap();
    let expected: Vec<[f32; 2]> = reference
        .lines()
        .skip(1)
        .map(|line| {
            let mut place = line.split(',').skip(4).map(|number| number.trim().parse::<f32>().unwrap());
            [place.next().unwrap() * f32::from(width), place.next().unwrap() * f32::from(height)]
        })
        .collect();
    let bbox = view.detections()[0].bbox;
    let places: Vec<[f32; 2]> = found.iter().map(|keypoint| [keypoint.x, keypoint.y]).collect();
    let oks = oks(&places, &expected, bbox.width() * bbox.height());
    eprintln!("OKS {oks}");
    assert!(oks > 0.9, "{oks}");
}

#[test]
fn a_saved_model_gives_the_same_output_and_other_weights_are_refused() {
    let Some(weights) = data("models/movenet_lightning_dequant.onnx") else { return };
    let (device, folder) = (Device::flex(), tempfile::tempdir().unwrap());
    let saved = folder.path().join("movenet.bpk");
    eyespot_burn::convert::<MoveNet>(&weights, &saved, &device).unwrap();
    assert_model(&MoveNet::load(&saved, &device).unwrap(), &device);
    for file in ["yolox_nano.onnx", "fastestdet_352.onnx", "fastestdet.pth"] {
        let error = MoveNet::load(weights.with_file_name(file), &device).unwrap_err();
        let typed = matches!(error, WeightError::Missing { .. } | WeightError::Shape { .. });
        assert!(typed, "{file}: {error}");
    }
}
