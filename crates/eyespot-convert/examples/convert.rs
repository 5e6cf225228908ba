//! Converts a TensorFlow Lite or ONNX model: `cargo run -p eyespot-convert --example convert -- MODEL OUTPUT`.

use eyespot_convert::Graph;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(source), Some(target)) = (arguments.next(), arguments.next()) else {
        return Err("give a model and where to write the result".into());
    };
    let bytes = std::fs::read(&source)?;
    let graph =
        if source.ends_with(".onnx") { Graph::from_onnx(&bytes, None)? } else { Graph::from_tflite(&bytes)? };
    let name = std::path::Path::new(&source).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let converted = graph.with_name(name).build()?;
    std::fs::write(target, &converted.bytes)?;
    println!("{}", converted.report);
    Ok(())
}
