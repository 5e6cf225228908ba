//! Every operator of ONNX by itself, on random values, against ONNX Runtime.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{arena, base64};
use eyespot_convert::Graph;
use eyespot_nn::host::{Host, Level};
use eyespot_nn::{Model, Network};
use serde_json::Value;

fn floats(text: &Value) -> Vec<f32> {
    let bytes = base64(text.as_str().unwrap());
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// What is wrong with a case, if anything.
fn failure(case: &Value) -> Option<String> {
    let graph = Graph::from_onnx(&base64(case["model"].as_str().unwrap()), None);
    let converted = match graph.and_then(|graph| graph.build()) {
        Ok(converted) => converted,
        Err(error) => return Some(error.to_string()),
    };
    let model = Model::load(&converted.bytes).unwrap();
    let plain = || Network::new(model, arena(model.arena_bytes())).unwrap();
    let mut wrong = None;
    let mut check = |by: &str, outputs: Vec<Vec<f32>>| {
        for (output, expected) in outputs.iter().zip(case["outputs"].as_array().unwrap()) {
            let expected = floats(expected);
            let error = output.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            if output.len() != expected.len() || error.is_nan() || error > 1e-5 {
                wrong =
                    Some(format!("{by}: {} values for {}, error {error:e}", output.len(), expected.len()));
            }
        }
    };
    macro_rules! run {
        ($network:expr) => {{
            let mut network = $network;
            for (index, input) in case["inputs"].as_array().unwrap().iter().enumerate() {
                network.input_mut(index).f32().unwrap().copy_from_slice(&floats(input));
            }
            network.run();
            let count = case["outputs"].as_array().unwrap().len();
            (0..count).map(|index| network.output(index).f32().unwrap().to_vec()).collect()
        }};
    }
    check("common kernels", run!(plain()));
    for level in Level::all() {
        check(level.name(), run!(Network::on_host(model, Host { threads: 2, level })));
    }
    wrong
}

/// The largest error of a case as int8, as a part of the range of its outputs; `None` where it has two inputs, or where
/// an output is a concatenation, which becomes several.
fn loss_of_int8(case: &Value) -> Option<f32> {
    let [input] = case["inputs"].as_array().unwrap().as_slice() else { return None };
    let input = floats(input);
    let graph = Graph::from_onnx(&base64(case["model"].as_str().unwrap()), None).unwrap();
    let converted = graph.quantized([input.clone()]).unwrap().build().unwrap();
    let model = Model::load(&converted.bytes).unwrap();
    let outputs = case["outputs"].as_array().unwrap();
    if model.output(outputs.len()).is_some() {
        return None;
    }
    let port = model.input(0).unwrap();
    let steps = |value: f32| (value / port.scale + f32::from(port.zero_point)).round() as i8;
    macro_rules! run {
        ($network:expr) => {{
            let mut network = $network;
            let to = network.input_mut(0).i8().unwrap();
            to.iter_mut().zip(&input).for_each(|(to, &value)| *to = steps(value));
            network.run();
            (0..outputs.len()).map(|index| network.output(index).i8().unwrap().to_vec()).collect::<Vec<_>>()
        }};
    }
    let found = run!(Network::new(model, arena(model.arena_bytes())).unwrap());
    for level in Level::all() {
        let same = run!(Network::on_host(model, Host { threads: 2, level })) == found;
        assert!(same, "{} {}", case["name"], level.name());
    }
    let mut worst = 0f32;
    for (index, (output, expected)) in found.iter().zip(outputs.iter().map(floats)).enumerate() {
        let port = model.output(index).unwrap();
        assert_eq!(output.len(), expected.len());
        let value = |steps: i8| (f32::from(steps) - f32::from(port.zero_point)) * port.scale;
        let error = output.iter().zip(&expected).map(|(&a, b)| (value(a) - b).abs()).fold(0.0, f32::max);
        let range = expected.iter().fold([0f32; 2], |[low, high], &value| [low.min(value), high.max(value)]);
        worst = worst.max(error / (range[1] - range[0]));
    }
    Some(worst)
}

/// An output has 255 steps. Where it is a small part of the input, the steps of that one are coarser.
#[test]
fn every_operator_as_int8_loses_few_steps() {
    let cases: Value = serde_json::from_str(include_str!("golden/onnx_operators.json")).unwrap();
    let losses =
        cases.as_array().unwrap().iter().filter_map(|case| Some((loss_of_int8(case)?, &case["name"])));
    let losses: Vec<_> = losses.collect();
    assert!(losses.len() > 80);
    for (loss, name) in losses {
        assert!(loss < 0.0125, "{name}: {loss}");
    }
}

/// Of operators that others can take in nothing is left.
#[test]
fn operators_are_taken_in() {
    let cases: Value = serde_json::from_str(include_str!("golden/onnx_operators.json")).unwrap();
    for (name, layers) in [
        ("conv and norm", 1),
        ("norm that two read", 3),
        ("conv and scale", 1),
        ("conv and silu", 1),
        ("matmul and bias", 1),
        ("conv, padding that fits", 1),
        ("conv, padding by an operator", 3),
        ("padding for two", 4),
        ("mean pool of padding, same upper", 3),
        ("rows for any batch", 1),
    ] {
        let case = cases.as_array().unwrap().iter().find(|case| case["name"] == name).unwrap();
        let graph = Graph::from_onnx(&base64(case["model"].as_str().unwrap()), None).unwrap();
        assert_eq!(graph.build().unwrap().report.layers, layers, "{name}");
    }
}

#[test]
fn every_operator_equals_onnx_runtime() {
    let cases: Value = serde_json::from_str(include_str!("golden/onnx_operators.json")).unwrap();
    let cases = cases.as_array().unwrap();
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| failure(case).map(|failure| format!("{}: {failure}", case["name"])))
        .collect();
    assert!(failures.is_empty(), "{} of {}\n{}", failures.len(), cases.len(), failures.join("\n"));
}
