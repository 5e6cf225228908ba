//! Floating-point models against ONNX Runtime.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use common::{arena, data, image};
use eyespot_convert::Graph;
use eyespot_nn::host::{Arena, Host, Level};
use eyespot_nn::{Model, Network};

/// Runs a model on the images of `golden/onnx.json`, with the kernels that every target has and with those of hosts, and
/// gives the largest difference.
fn difference(name: &str, scale: f32) -> Option<f32> {
    let path = data()?.join(format!("models/{name}.onnx"));
    let graph = Graph::from_onnx(&std::fs::read(path).unwrap(), None).unwrap();
    let converted = graph.with_name(name).build().unwrap();
    let model = Model::load(&converted.bytes).unwrap();
    let shape = model.input(0).unwrap().slot.shape;
    let golden: serde_json::Value = serde_json::from_str(include_str!("golden/onnx.json")).unwrap();
    let mut largest = 0f32;
    let mut check = |output: &[f32], expected: &[serde_json::Value]| {
        assert_eq!(output.len().div_ceil(499), expected.len());
        for (value, expected) in output.iter().step_by(499).zip(expected) {
            largest = largest.max((value - expected.as_f64().unwrap() as f32).abs());
        }
    };
    for (index, expected) in [2, 3, 4].into_iter().zip(golden[name].as_array().unwrap()) {
        let expected = expected.as_array().unwrap();
        let levels = image(index, shape.h, shape.w, shape.c);
        let input: Vec<f32> = levels.into_iter().map(|level| f32::from(level) * scale).collect();
        let mut network = Network::new(model, arena(model.arena_bytes())).unwrap();
        network.input_mut(0).f32().unwrap().copy_from_slice(&input);
        network.run();
        check(network.output(0).f32().unwrap(), expected);
        for level in Level::all() {
            // The number of threads changes no bit.
            let mut first: Option<Vec<f32>> = None;
            for threads in 1..=3 {
                let arena = Arena::new(model.arena_words());
                let mut network = Network::on_host(model, arena, Host { threads, level }).unwrap();
                network.input_mut(0).f32().unwrap().copy_from_slice(&input);
                network.run();
                let output = network.output(0).f32().unwrap();
                check(output, expected);
                let first = first.get_or_insert_with(|| output.to_vec());
                assert!(first == output, "{} with {threads} threads", level.name());
            }
        }
    }
    Some(largest)
}

/// Once a network is made, running it takes no memory from the heap.
#[test]
fn a_run_on_a_host_allocates_nothing() {
    let Some(data) = data() else { return };
    let bytes = std::fs::read(data.join("models/fastestdet_352.onnx")).unwrap();
    let converted = Graph::from_onnx(&bytes, None).unwrap().build().unwrap();
    let model = Model::load(&converted.bytes).unwrap();
    let host = Host { threads: 2, ..Host::default() };
    let mut network = Network::on_host(model, Arena::new(model.arena_words()), host).unwrap();
    let counted = allocation_counter::measure(|| {
        network.run();
        network.run();
    });
    assert_eq!(counted.count_total, 0);
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
