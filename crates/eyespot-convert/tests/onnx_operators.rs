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
