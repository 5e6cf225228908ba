//! Floating-point models against ONNX Runtime.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use common::{arena, data, image};
use eyespot_convert::Graph;
use eyespot_nn::{Model, Network};

/// Runs a model on the images of `golden/onnx.json` and gives the largest difference.
fn difference(name: &str, scale: f32) -> Option<f32> {
    let path = data()?.join(format!("models/{name}.onnx"));
    let graph = Graph::from_onnx(&std::fs::read(path).unwrap(), None).unwrap();
    let converted = graph.with_name(name).build().unwrap();
    let model = Model::load(&converted.bytes).unwrap();
    let mut network = Network::new(model, arena(model.arena_bytes())).unwrap();
    let shape = model.input(0).unwrap().slot.shape;
    let golden: serde_json::Value = serde_json::from_str(include_str!("golden/onnx.json")).unwrap();
    let mut largest = 0f32;
    for (index, expected) in [2, 3, 4].into_iter().zip(golden[name].as_array().unwrap()) {
        let levels = image(index, shape.h, shape.w, shape.c);
        for (to, level) in network.input_mut(0).f32().unwrap().iter_mut().zip(levels) {
            *to = f32::from(level) * scale;
        }
        network.run();
        let output = network.output(0).f32().unwrap();
        let expected = expected.as_array().unwrap();
        assert_eq!(output.len().div_ceil(499), expected.len());
        for (value, expected) in output.iter().step_by(499).zip(expected) {
            largest = largest.max((value - expected.as_f64().unwrap() as f32).abs());
        }
    }
    Some(largest)
}

#[test]
fn fastestdet_equals_onnx_runtime() {
    let Some(difference) = difference("fastestdet_352", 1.0 / 255.0) else { return };
    assert!(difference < 2e-3, "{difference}");
}

#[test]
fn yolox_equals_onnx_runtime() {
    let Some(difference) = difference("yolox_nano", 1.0) else { return };
    assert!(difference < 2e-3, "{difference}");
}

#[test]
fn osnet_equals_onnx_runtime() {
    let Some(difference) = difference("osnet_x0_25_market1501", 1.0 / 255.0) else { return };
    assert!(difference < 2e-3, "{difference}");
}
