//! tract: graphs in plain Rust, on one thread.

use std::path::Path;
use std::sync::Arc;

use tract_onnx::prelude::{
    DatumType, Framework as _, InferenceModel, InferenceModelExt as _, IntoRunnable as _, Tensor as Value,
    TractResult, TypedRunnableModel, tvec,
};
use tract_onnx::tract_hir::infer::InferenceFact;

use super::{Engine, Input, Tensor};
use crate::{Element, OnnxError};

const NAME: &str = "tract";

fn failed(error: impl std::fmt::Display) -> OnnxError {
    // With the causes: the outermost names the node alone.
    OnnxError::Engine { engine: NAME, reason: format!("{error:#}") }
}

/// A graph in tract. It is planned for the sizes of its inputs, when these are first seen and whenever they change.
pub(super) struct Tract {
    graph: InferenceModel,
    plan: Option<(Vec<Vec<usize>>, Arc<TypedRunnableModel>)>,
}

impl Tract {
    pub(super) fn open(path: &Path) -> Result<Self, OnnxError> {
        let graph = tract_onnx::onnx().model_for_path(path).map_err(failed)?;
        Ok(Self { graph, plan: None })
    }

    fn planned(&mut self, inputs: &[Input]) -> TractResult<Arc<TypedRunnableModel>> {
        let dims: Vec<Vec<usize>> = inputs.iter().map(|input| input.tensor.dims.clone()).collect();
        if let Some((planned, plan)) = &self.plan
            && *planned == dims
        {
            return Ok(Arc::clone(plan));
        }
        let mut graph = self.graph.clone();
        for (at, input) in inputs.iter().enumerate() {
            let fact = InferenceFact::dt_shape(datum(input.element), &*input.tensor.dims);
            graph.set_input_fact(at, fact)?;
        }
        // What exporters wrote down of the outputs' sizes may hold for other inputs.
        for at in 0..graph.outputs.len() {
            graph.set_output_fact(at, InferenceFact::default())?;
        }
        let plan = graph.into_optimized()?.into_runnable()?;
        self.plan = Some((dims, Arc::clone(&plan)));
        Ok(plan)
    }

    fn run(&mut self, inputs: &[Input]) -> TractResult<Vec<Tensor>> {
        let plan = self.planned(inputs)?;
        let mut values = tvec![];
        for input in inputs {
            values.push(value(input)?.into());
        }
        let mut outputs = Vec::new();
        for output in plan.run(values)? {
            let floats = output.cast_to::<f32>()?;
            let values = floats.try_as_plain_ram()?.as_slice::<f32>()?.to_vec();
            outputs.push(Tensor { dims: output.shape().to_vec(), values });
        }
        Ok(outputs)
    }
}

impl Engine for Tract {
    fn name(&self) -> &str {
        NAME
    }

    fn run(&mut self, inputs: &[Input]) -> Result<Vec<Tensor>, OnnxError> {
        Self::run(self, inputs).map_err(failed)
    }
}

const fn datum(element: Element) -> DatumType {
    match element {
        Element::F32 => DatumType::F32,
        Element::F16 => DatumType::F16,
        Element::F64 => DatumType::F64,
        Element::U8 => DatumType::U8,
        Element::I8 => DatumType::I8,
        Element::I32 => DatumType::I32,
        Element::I64 => DatumType::I64,
        Element::Bool => DatumType::Bool,
    }
}

fn value(input: &Input) -> TractResult<Value> {
    let Tensor { dims, values } = &input.tensor;
    if input.element == Element::Bool {
        let values: Vec<bool> = values.iter().map(|&value| value != 0.0).collect();
        return Value::from_shape(dims, &values);
    }
    Ok(Value::from_shape(dims, values)?.cast_to_dt(datum(input.element))?.into_owned())
}
