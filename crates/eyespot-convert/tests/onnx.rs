//! Floating-point models against ONNX Runtime.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use common::{arena, data, image};
use eyespot_convert::{Converted, Graph};
use eyespot_nn::host::{Host, Level};
use eyespot_nn::{Model, Network};

/// Runs a model on the images of `golden/onnx_networks.json`, with the kernels that every target has and with those of hosts, and
/// gives the largest difference.
fn difference(name: &str, scale: f32) -> Option<f32> {
    let path = data()?.join(format!("models/{name}.onnx"));
    let graph = Graph::from_onnx(&std::fs::read(path).unwrap(), None).unwrap();
    let converted = graph.with_name(name).build().unwrap();
    let model = Model::load(&converted.bytes).unwrap();
    let shape = model.input(0).unwrap().slot.shape;
    let golden: serde_json::Value = serde_json::from_str(include_str!("golden/onnx_networks.json")).unwrap();
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
                let mut network = Network::on_host(model, Host { threads, level });
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

/// A model as int8, at another size where one is given, by the ranges of noise.
fn quantized(name: &str, size: Option<[usize; 2]>, scale: f32) -> Option<Converted> {
    let bytes = std::fs::read(data()?.join(format!("models/{name}.onnx"))).unwrap();
    let graph = Graph::from_onnx(&bytes, size).unwrap();
    let [height, width] = graph.input_size().unwrap();
    let sample = |index| {
        let levels = image(index, height as u32, width as u32, 3);
        levels.into_iter().map(|level| f32::from(level) * scale).collect()
    };
    Some(graph.quantized([sample(3), sample(4)]).unwrap().build().unwrap())
}

/// Once a network is made, running it takes no memory from the heap.
#[test]
fn a_run_on_a_host_allocates_nothing() {
    let Some(data) = data() else { return };
    let bytes = std::fs::read(data.join("models/fastestdet_352.onnx")).unwrap();
    let float = Graph::from_onnx(&bytes, None).unwrap().build().unwrap();
    let int8 = quantized("fastestdet_352", Some([96, 96]), 1.0 / 255.0).unwrap();
    for converted in [float, int8] {
        let model = Model::load(&converted.bytes).unwrap();
        let host = Host { threads: 2, ..Host::default() };
        let mut network = Network::on_host(model, host);
        let counted = allocation_counter::measure(|| {
            network.run();
            network.run();
        });
        assert_eq!(counted.count_total, 0);
    }
}

/// Every layer of an int8 model gives the bytes of the plain kernels on a host, with every instruction set and number of
/// threads.
#[test]
fn int8_on_hosts_has_the_bits_of_the_plain_kernels() {
    for (name, size, scale) in [
        ("fastestdet_352", Some([160, 128]), 1.0 / 255.0),
        ("yolox_nano", Some([96, 160]), 1.0),
        ("osnet_x0_25_market1501", None, 1.0 / 255.0),
    ] {
        let Some(converted) = quantized(name, size, scale) else { return };
        let model = Model::load(&converted.bytes).unwrap();
        let shape = model.input(0).unwrap().slot.shape;
        let levels = image(2, shape.h, shape.w, shape.c);
        let fill = |to: &mut [i8]| {
            for (to, level) in to.iter_mut().zip(&levels) {
                *to = (level ^ 0x80) as i8;
            }
        };
        let mut plain = Network::plain(model, arena(model.arena_bytes())).unwrap();
        fill(plain.input_mut(0).i8().unwrap());
        let mut expected = Vec::new();
        plain.run_with(|layer, bytes| expected.push((layer.name, bytes.to_vec())));
        for level in Level::all() {
            for threads in 1..=3 {
                let mut network = Network::on_host(model, Host { threads, level });
                fill(network.input_mut(0).i8().unwrap());
                let mut layers = expected.iter();
                network.run_with(|layer, bytes| {
                    let (_, expected) = layers.next().unwrap();
                    let same = expected == bytes;
                    assert!(same, "{name}, {}, {} with {threads} threads", layer.name, level.name());
                });
            }
        }
    }
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
