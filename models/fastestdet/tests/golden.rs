//! Parity with ONNX Runtime on the published weights, files of weights, and what is found in photos.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use eyespot_burn::{
    BurnModel, DetectorHead, DeviceChoice, FromWeights, Loader, WeightError, Weights, record,
};
use eyespot_tests::{data, engine, noise::noise};
use fastestdet::{FastestDet, MANIFEST};
use serde_json::Value;

/// What `golden/fastestdet.py` wrote.
fn golden() -> Value {
    serde_json::from_str(include_str!("golden/fastestdet.json")).unwrap()
}

/// The largest difference from the reference on noise.
fn difference(model: &FastestDet, device: &Device) -> f64 {
    difference_of(|values| {
        let input = Tensor::from_data(TensorData::new(values, [1, 3, 352, 352]), device);
        let [output] = model.forward(input).try_into().unwrap();
        assert_eq!(output.dims(), [1, 22 * 22, 85]);
        output.into_data().try_into_vec::<f32>().unwrap()
    })
}

fn difference_of(run: impl FnOnce(Vec<f32>) -> Vec<f32>) -> f64 {
    let values: Vec<f32> =
        noise("input", 3 * 352 * 352).map(|noise| 0.5f64.mul_add(noise, 0.5) as f32).collect();
    let output = run(values);
    let golden = golden();
    let cells = golden["cells"].as_array().unwrap().iter().map(|cell| cell.as_u64().unwrap() as usize);
    let found = cells.flat_map(|cell| output[cell * 85..(cell + 1) * 85].to_vec());
    let expected = golden["values"].as_array().unwrap();
    assert_eq!(expected.len(), 44 * 85);
    found
        .zip(expected)
        .map(|(found, expected)| (f64::from(found) - expected.as_f64().unwrap()).abs())
        .fold(0.0, f64::max)
}

fn raw_output(choice: DeviceChoice) {
    let device = choice.open().unwrap();
    eprintln!("{device}");
    for file in ["models/fastestdet.pth", "models/fastestdet_352.onnx"] {
        let Some(file) = data(file) else { return };
        let model = FastestDet::load(&file, device.device()).unwrap();
        let difference = difference(&model, device.device());
        eprintln!("{}: largest difference {difference:e}", file.display());
        assert!(difference < 2e-3, "{difference}");
    }
}

#[test]
fn raw_output_equals_onnx_runtime_in_burn_on_the_cpu() {
    raw_output(DeviceChoice::Flex);
}

#[test]
fn raw_output_equals_onnx_runtime_on_the_cpu() {
    let Some(file) = data("models/fastestdet.pth") else { return };
    let recording = record(&FastestDet::load(&file, &Device::flex()).unwrap());
    let difference = difference_of(|values| engine::outputs(&recording, [352, 352], &values).remove(0));
    eprintln!("largest difference {difference:e}");
    assert!(difference < 2e-3, "{difference}");
}

#[cfg(feature = "wgpu")]
#[test]
fn raw_output_equals_onnx_runtime_through_wgpu() {
    raw_output(DeviceChoice::Gpu(None));
}

#[test]
fn a_saved_model_gives_the_same_output_and_other_weights_are_refused() {
    let Some(weights) = data("models/fastestdet.pth") else { return };
    let (device, folder) = (Device::flex(), tempfile::tempdir().unwrap());
    let saved = folder.path().join("fastestdet.bpk");
    eyespot_burn::convert::<FastestDet>(&weights, &saved, &device).unwrap();
    assert!(difference(&FastestDet::load(&saved, &device).unwrap(), &device) < 2e-3);
    for file in ["fastestdet.pth", "fastestdet_352.onnx"] {
        FastestDet::detect(&Weights::open(weights.with_file_name(file)).unwrap()).unwrap();
    }
    for file in ["yolox_nano.onnx", "movenet_lightning_dequant.onnx", "nanodet_m_320.onnx"] {
        // Another family may take it.
        let file_of = weights.with_file_name(file);
        assert!(FastestDet::detect(&Weights::open(&file_of).unwrap()).is_err(), "{file}");
        let error = FastestDet::load(&file_of, &device).unwrap_err();
        let typed = matches!(error, WeightError::Missing { .. } | WeightError::Shape { .. });
        assert!(typed, "{file}: {error}");
    }
}

#[test]
fn the_manifest_describes_the_model() {
    let manifest: Value = serde_json::from_str(MANIFEST).unwrap();
    let mut loader = Loader::synthetic(1, 80, &Device::flex());
    let model = FastestDet::build((), &mut loader).unwrap();
    let entry = &manifest["models"][0];
    assert_eq!(entry["name"], model.head().spec().name);
    assert_eq!(entry["params"], loader.parameters());
    let Some(weights) = data("models/fastestdet.pth") else { return };
    assert_eq!(entry["bytes"], std::fs::metadata(Path::new(&weights)).unwrap().len());
}
