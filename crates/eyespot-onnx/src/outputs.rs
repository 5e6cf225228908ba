//! What is known about the outputs of a graph before its head is.

use eyespot_core::InputSize;
use eyespot_decode::Activation;

use crate::{Graph, Manifest, Tensor};

/// An output as it came out of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) integer: bool,
    pub(crate) dims: Vec<usize>,
    /// What its values went through in the graph.
    pub(crate) activation: Activation,
}

impl Output {
    pub(crate) fn last(&self) -> usize {
        self.dims.last().copied().unwrap_or(0)
    }

    pub(crate) fn is_named(&self, part: &str) -> bool {
        self.name.to_ascii_lowercase().contains(part)
    }

    /// Values that are not in the last dimension.
    pub(crate) fn rows(&self) -> usize {
        let (_, rest) = self.dims.split_last().unwrap_or((&0, &[]));
        rest.iter().fold(1, |rows, &dim| rows.saturating_mul(dim))
    }
}

/// All that a head is told by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) manifest: &'a Manifest,
    pub(crate) outputs: &'a [Output],
    pub(crate) input: InputSize,
    /// How many classes there are names for.
    pub(crate) names: Option<usize>,
}

/// The outputs of a run, with what the graph says of them.
pub(crate) fn outputs(graph: &Graph, tensors: &[Tensor]) -> Vec<Output> {
    let output = |(port, tensor): (&crate::Port, &Tensor)| Output {
        name: port.name.clone(),
        integer: port.element.is_some_and(crate::Element::is_integer),
        dims: tensor.dims.clone(),
        activation: graph.activation(&port.name),
    };
    graph.outputs.iter().zip(tensors).map(output).collect()
}

/// Names and shapes for a person.
pub(crate) fn listed(outputs: &[Output]) -> String {
    let one = |output: &Output| format!("`{}` {:?}", output.name, output.dims);
    outputs.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl Facts<'_> {
    /// The cells of grids of these strides.
    pub(crate) fn cells(&self, strides: &[u16]) -> usize {
        strides.iter().map(|&stride| self.grid(stride)).map(|(columns, rows)| columns * rows).sum()
    }

    /// Columns and rows of a grid. Strides are above 0.
    pub(crate) fn grid(&self, stride: u16) -> (usize, usize) {
        let stride = stride.max(1);
        (self.input.width.div_ceil(stride).into(), self.input.height.div_ceil(stride).into())
    }

    /// Is a map of this size a picture of the input?
    pub(crate) fn pictures(&self, height: usize, width: usize) -> bool {
        height * 32 >= usize::from(self.input.height)
            && height * usize::from(self.input.width) == width * usize::from(self.input.height)
    }
}
