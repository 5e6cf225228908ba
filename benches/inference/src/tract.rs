//! The same model in tract, which has one thread.

use std::time::Instant;

use tract_onnx::prelude::*;

use crate::{Result, floats, memory, serve};

/// `shape` as in `1x3x416x416`.
pub(crate) fn run(path: &str, input: &str, shape: &str) -> Result {
    let before = memory("VmRSS")?;
    let start = Instant::now();
    let shape: Vec<usize> = shape.split('x').map(str::parse).collect::<std::result::Result<_, _>>()?;
    let mut graph = tract_onnx::onnx().model_for_path(path)?;
    graph.set_input_fact(0, InferenceFact::dt_shape(f32::datum_type(), &*shape))?;
    let plan = graph.into_optimized()?.into_runnable()?;
    let loaded = start.elapsed();
    let input = Tensor::from_shape(&shape, &floats(input)?)?;
    serve(env!("CARGO_PKG_VERSION"), before, loaded, |wanted| {
        let outputs = plan.run(tvec![input.clone().into()])?;
        if !wanted {
            return Ok(Vec::new());
        }
        let output = outputs.first().ok_or("no output")?;
        Ok(output.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
    })
}
