//! Writes the models of the tests, one file each, for the fuzz targets to start from:
//! `cargo run -p eyespot-convert --example fuzz_seeds -- fuzz/corpus`.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use eyespot_convert::Graph;

const ONNX: &str = include_str!("../tests/golden/onnx_operators.json");
const TFLITE: &str = include_str!("../tests/golden/tflite_operators.json");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let corpus = PathBuf::from(std::env::args().nth(1).ok_or("give the folder of the corpus")?);
    let folders = ["model_onnx", "model_tflite", "model_eye"].map(|name| corpus.join(name));
    for folder in &folders {
        fs::create_dir_all(folder)?;
    }
    for (at, cases) in [ONNX, TFLITE].into_iter().enumerate() {
        let cases: Vec<serde_json::Value> = serde_json::from_str(cases)?;
        for (number, case) in cases.iter().enumerate() {
            let model = case["model"].as_str().ok_or("a case without a model")?;
            let model = base64::engine::general_purpose::STANDARD.decode(model)?;
            let graph = if at == 0 { Graph::from_onnx(&model, None) } else { Graph::from_tflite(&model) }?;
            fs::write(folders[at].join(format!("{number}")), &model)?;
            fs::write(folders[2].join(format!("{at}-{number}")), graph.build()?.bytes)?;
        }
    }
    Ok(())
}
