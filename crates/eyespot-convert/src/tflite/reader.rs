//! Tensors, operators and their order.

use std::collections::HashMap;

use eyespot_nn::graph::Element;

use super::flatbuffer::Table;
use super::ops;
use crate::ConvertError;
use crate::builder::{image_sizes, shape_of};
use crate::ir::{Graph, Quant};
use crate::view::View;

/// Types of tensors in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    F32,
    F16,
    I32,
    I64,
    U8,
    I8,
    Other,
}

/// A tensor of the file.
#[derive(Debug, Clone)]
pub(super) struct Source<'a> {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) kind: Type,
    pub(super) data: &'a [u8],
    pub(super) scales: Vec<f32>,
    pub(super) zeros: Vec<i64>,
}

impl Source<'_> {
    /// Values that were uint8 move by 128: zero points, and the top bit of data.
    pub(super) fn shift(&self) -> i64 {
        if self.kind == Type::U8 { 128 } else { 0 }
    }

    /// Scale and zero point of a tensor that is quantised as a whole, as int8.
    pub(super) fn quant(&self) -> Option<Quant> {
        let (&[scale], zero) = (self.scales.as_slice(), self.zeros.first().copied().unwrap_or(0)) else {
            return None;
        };
        let zero = i8::try_from(zero - self.shift()).ok()?;
        (scale.is_finite() && scale > 0.0).then_some(Quant { scale, zero })
    }

    /// Constant integers.
    pub(super) fn integers(&self) -> Option<Vec<i64>> {
        match self.kind {
            Type::I32 => {
                Some(self.data.as_chunks::<4>().0.iter().map(|&v| i64::from(i32::from_le_bytes(v))).collect())
            }
            Type::I64 => Some(self.data.as_chunks::<8>().0.iter().map(|&v| i64::from_le_bytes(v)).collect()),
            _ => None,
        }
    }

    /// Constant floats.
    pub(super) fn floats(&self) -> Option<Vec<f32>> {
        match self.kind {
            Type::F32 => Some(self.data.as_chunks::<4>().0.iter().map(|&v| f32::from_le_bytes(v)).collect()),
            Type::F16 => {
                Some(self.data.as_chunks::<2>().0.iter().map(|&v| half(u16::from_le_bytes(v))).collect())
            }
            _ => None,
        }
    }

    /// Constant bytes as int8.
    pub(super) fn bytes(&self) -> Vec<i8> {
        let flip = if self.kind == Type::U8 { 0x80 } else { 0 };
        self.data.iter().map(|&value| (value ^ flip) as i8).collect()
    }

    pub(super) fn element(&self) -> Option<Element> {
        match self.kind {
            Type::I8 | Type::U8 => Some(Element::I8),
            Type::F32 => Some(Element::F32),
            _ => None,
        }
    }
}

/// Half precision to single.
pub(crate) fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (bits >> 15, bits >> 10 & 31, bits & 1023);
    let magnitude = match exponent {
        0 => f32::from(fraction) * 2f32.powi(-24),
        31 if fraction == 0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + f32::from(fraction) / 1024.0) * 2f32.powi(i32::from(exponent) - 15),
    };
    if sign == 1 { -magnitude } else { magnitude }
}

/// An operator of the file.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) code: i32,
    pub(super) name: String,
    pub(super) inputs: Vec<usize>,
    pub(super) outputs: Vec<usize>,
    pub(super) options: Option<Table<'a>>,
}

/// A model on the way to a graph.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) graph: Graph,
    pub(super) sources: Vec<Source<'a>>,
    /// What has been computed so far.
    pub(super) views: HashMap<usize, View>,
}

impl<'a> Reader<'a> {
    /// The tensor of the file.
    pub(super) fn source(&self, index: usize) -> Result<&Source<'a>, ConvertError> {
        self.sources.get(index).ok_or(ConvertError::Damaged("an operator names a tensor that is not there"))
    }

    /// A value that was computed, or a constant made a tensor.
    pub(super) fn view(&mut self, index: usize) -> Result<View, ConvertError> {
        if let Some(view) = self.views.get(&index) {
            return Ok(view.clone());
        }
        let source = self.source(index)?.clone();
        let (element, data) = match (source.floats(), source.element()) {
            _ if source.data.is_empty() => (None, Vec::new()),
            (Some(values), _) => (Some(Element::F32), values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            (None, element) => (element, source.bytes().iter().map(|&value| value as u8).collect()),
        };
        let element = element.ok_or_else(|| {
            ConvertError::layer(&source.name, "the tensor is neither computed nor a constant")
        })?;
        let (sizes, quant) = (image_sizes(&source.shape), source.quant());
        let id = self.graph.constant(&source.name, sizes, element, quant, data)?;
        let view = View::dense(id, source.shape.clone());
        self.views.insert(index, view.clone());
        Ok(view)
    }

    /// A new tensor for an output of the file, of a shape.
    pub(super) fn output(&mut self, node: &Node<'_>, shape: &[usize]) -> Result<usize, ConvertError> {
        let (index, name, element, quant) = self.target(node)?;
        let sizes = shape_of(image_sizes(shape));
        let sizes =
            sizes.ok_or_else(|| ConvertError::layer(&node.name, "its output is empty or too large"))?;
        let id = self.graph.tensor(&name, sizes, element, quant);
        self.views.insert(index, View::dense(id, shape.to_vec()));
        Ok(id)
    }

    /// A new tensor for an output of the file, of the shape of a whole view and in its order.
    pub(super) fn output_like(&mut self, node: &Node<'_>, view: &View) -> Result<usize, ConvertError> {
        let (index, name, element, quant) = self.target(node)?;
        let output = self.graph.like(&name, view, element, quant);
        let id = output.tensor;
        self.views.insert(index, output);
        Ok(id)
    }

    /// A new tensor for an output of the file, of a shape and in the order of a view.
    pub(super) fn output_in_order(
        &mut self,
        node: &Node<'_>,
        shape: &[usize],
        view: &View,
    ) -> Result<View, ConvertError> {
        let (index, name, element, quant) = self.target(node)?;
        let output = self.graph.in_order(&name, shape, view, element, quant);
        let output =
            output.ok_or_else(|| ConvertError::layer(&node.name, "its output is empty or too large"))?;
        self.views.insert(index, output.clone());
        Ok(output)
    }

    /// An operator's first output: its index, name and type.
    fn target(&self, node: &Node<'_>) -> Result<(usize, String, Element, Option<Quant>), ConvertError> {
        let index = *node.outputs.first().ok_or(ConvertError::Damaged("an operator has no output"))?;
        let source = self.source(index)?;
        let Some(element) = source.element() else {
            return Err(ConvertError::layer(&node.name, "its output is neither int8, uint8 nor float"));
        };
        if element == Element::I8 && source.quant().is_none() {
            return Err(ConvertError::layer(&node.name, "its output has no single scale and zero point"));
        }
        Ok((index, source.name.clone(), element, source.quant()))
    }
}

/// Reads a model.
pub(crate) fn read(bytes: &[u8]) -> Result<Graph, ConvertError> {
    if bytes.get(4..8) != Some(b"TFL3") {
        return Err(ConvertError::Format("TensorFlow Lite"));
    }
    let model = Table::root(bytes)?;
    let codes = model
        .tables(1)?
        .iter()
        .map(|code| {
            // Newer files repeat codes below 127 in the newer field.
            Ok(i32::from(code.u8(0)?).max(code.i32(3, 0)?))
        })
        .collect::<Result<Vec<_>, ConvertError>>()?;
    let subgraphs = model.tables(2)?;
    let [subgraph] = subgraphs.as_slice() else {
        return Err(ConvertError::Format("TensorFlow Lite model with one graph: this is no such"));
    };
    let buffers = model.tables(4)?;
    let sources = subgraph
        .tables(0)?
        .iter()
        .map(|tensor| source(tensor, &buffers))
        .collect::<Result<Vec<_>, ConvertError>>()?;
    let mut reader = Reader { graph: Graph::new(), sources, views: HashMap::new() };
    for index in indices(&subgraph.i32s(1)?)? {
        let source = reader.source(index)?.clone();
        let input =
            |reason: &str| ConvertError::Input { name: source.name.clone(), reason: reason.to_owned() };
        let element = source.element().ok_or_else(|| input("is neither int8, uint8 nor float"))?;
        let shape = shape_of(image_sizes(&source.shape)).ok_or_else(|| input("has no fixed size"))?;
        if element == Element::I8 && source.quant().is_none() {
            return Err(input("has no single scale and zero point"));
        }
        let id = reader.graph.tensor(&source.name, shape, element, source.quant());
        reader.graph.inputs.push(id);
        reader.views.insert(index, View::dense(id, source.shape.clone()));
    }
    for operator in subgraph.tables(3)? {
        let code = codes
            .get(operator.i32(0, 0)? as usize)
            .copied()
            .ok_or(ConvertError::Damaged("an operator has no code"))?;
        let outputs = indices(&operator.i32s(2)?)?;
        let name = match outputs.first() {
            Some(&index) => reader.source(index)?.name.clone(),
            None => String::new(),
        };
        let inputs = operator.i32s(1)?;
        // A missing optional input is -1.
        let inputs: Vec<usize> =
            inputs.iter().map(|&index| usize::try_from(index).unwrap_or(usize::MAX)).collect();
        ops::add(&mut reader, &Node { code, name, inputs, outputs, options: operator.table(4)? })?;
    }
    for index in indices(&subgraph.i32s(2)?)? {
        let view = reader.view(index)?;
        let name = reader.source(index)?.name.clone();
        let id = reader.graph.dense(&name, &view, image_sizes(&view.shape))?;
        reader.graph.outputs.push(id);
    }
    reader.graph.drop_dead();
    Ok(reader.graph)
}

fn indices(values: &[i32]) -> Result<Vec<usize>, ConvertError> {
    values
        .iter()
        .map(|&value| {
            usize::try_from(value).map_err(|_| ConvertError::Damaged("a tensor has a negative number"))
        })
        .collect()
}

fn source<'a>(tensor: &Table<'a>, buffers: &[Table<'a>]) -> Result<Source<'a>, ConvertError> {
    let name = tensor.text(3)?;
    let shape = tensor
        .i32s(0)?
        .iter()
        .map(|&size| usize::try_from(size).ok().filter(|&size| size > 0 && size <= 1 << 24))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| {
            ConvertError::layer(&name, "a size is not fixed: export the model with fixed sizes")
        })?;
    let elements =
        shape.iter().try_fold(1usize, |len, &size| len.checked_mul(size)).filter(|&len| len <= 1 << 30);
    let elements = elements.ok_or_else(|| ConvertError::layer(&name, "a tensor is too large"))?;
    let kind = match tensor.u8(1)? {
        0 => Type::F32,
        1 => Type::F16,
        2 => Type::I32,
        3 => Type::U8,
        4 => Type::I64,
        9 => Type::I8,
        _ => Type::Other,
    };
    let data = match buffers.get(tensor.i32(2, 0)? as usize) {
        Some(buffer) => buffer.bytes(0)?,
        None => return Err(ConvertError::Damaged("a tensor has no buffer")),
    };
    let width = match kind {
        Type::F32 | Type::I32 => 4,
        Type::F16 => 2,
        Type::I64 => 8,
        Type::U8 | Type::I8 | Type::Other => 1,
    };
    if !data.is_empty() && kind != Type::Other && data.len() != elements * width {
        return Err(ConvertError::Damaged("a constant has another length than its shape"));
    }
    let (scales, zeros) = match tensor.table(4)? {
        Some(quantization) => (quantization.f32s(2)?, quantization.i64s(3)?),
        None => (Vec::new(), Vec::new()),
    };
    Ok(Source { name, shape, kind, data, scales, zeros })
}
