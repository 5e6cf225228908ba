//! Operators of TensorFlow Lite.

mod layers;
mod maths;
mod pool;
mod shapes;

use eyespot_nn::graph::{Activation, BinaryKind, Element, PoolKind, Shape};

use super::reader::{Node, Reader};
use crate::ConvertError;
use crate::builder::image_sizes;
use crate::ir::Quant;
use crate::view::View;

type Done = Result<(), ConvertError>;

/// Adds an operator to the graph.
pub(super) fn add(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    match node.code {
        0 => maths::binary(reader, node, BinaryKind::Add),
        18 => maths::binary(reader, node, BinaryKind::Mul),
        41 => maths::binary(reader, node, BinaryKind::Sub),
        1 => pool::pool(reader, node, PoolKind::Average),
        17 => pool::pool(reader, node, PoolKind::Max),
        2 => shapes::concat(reader, node),
        3 => layers::conv(reader, node, false),
        4 => layers::conv(reader, node, true),
        6 => maths::dequantize(reader, node),
        9 => layers::fully_connected(reader, node),
        14 => maths::unary(reader, node, Activation::Sigmoid),
        19 => maths::unary(reader, node, Activation::Clamp(0.0, f32::INFINITY)),
        21 => maths::unary(reader, node, Activation::Clamp(0.0, 6.0)),
        28 => maths::unary(reader, node, Activation::Tanh),
        98 => {
            let alpha = node.options.map_or(Ok(0.0), |options| options.f32(0))?;
            maths::unary(reader, node, Activation::LeakyRelu(alpha))
        }
        117 => maths::unary(reader, node, Activation::HardSwish),
        22 | 43 | 70 => shapes::reshape(reader, node),
        23 => shapes::resize(reader, node, true),
        97 => shapes::resize(reader, node, false),
        25 => maths::softmax(reader, node),
        34 | 60 => shapes::pad(reader, node),
        39 => shapes::transpose(reader, node),
        40 => pool::mean(reader, node),
        45 => shapes::strided_slice(reader, node),
        49 => shapes::split(reader, node, false),
        65 => shapes::slice(reader, node),
        102 => shapes::split(reader, node, true),
        114 => maths::quantize(reader, node),
        code => Err(ConvertError::Operator { layer: node.name.clone(), operator: operator_name(code) }),
    }
}

fn operator_name(code: i32) -> String {
    let name = match code {
        5 => "DEPTH_TO_SPACE",
        26 => "SPACE_TO_DEPTH",
        32 => "CUSTOM",
        36 => "GATHER",
        42 => "DIV",
        56 => "ARG_MAX",
        67 => "TRANSPOSE_CONV",
        83 => "PACK",
        _ => return format!("number {code} of TensorFlow Lite"),
    };
    name.to_owned()
}

impl Node<'_> {
    fn input(&self, index: usize) -> Result<usize, ConvertError> {
        let missing = ConvertError::Damaged("an operator lacks an input");
        self.inputs.get(index).copied().filter(|&index| index != usize::MAX).ok_or(missing)
    }

    fn error(&self, reason: &str) -> ConvertError {
        ConvertError::layer(&self.name, reason)
    }

    fn option(&self, index: usize, default: i32) -> Result<i32, ConvertError> {
        self.options.map_or(Ok(default), |options| options.i32(index, default))
    }

    fn flag(&self, index: usize) -> Result<u8, ConvertError> {
        self.options.map_or(Ok(0), |options| options.u8(index))
    }
}

impl Reader<'_> {
    fn quant(&self, node: &Node<'_>, tensor: usize) -> Result<Quant, ConvertError> {
        self.graph.tensors[tensor]
            .quant
            .ok_or_else(|| node.error("a tensor has no single scale and zero point"))
    }

    fn shape(&self, tensor: usize) -> Shape {
        self.graph.tensors[tensor].shape
    }

    fn element(&self, tensor: usize) -> Element {
        self.graph.tensors[tensor].element
    }

    /// The shape that the file gives for the output.
    fn output_shape(&self, node: &Node<'_>) -> Result<Vec<usize>, ConvertError> {
        let index = *node.outputs.first().ok_or(ConvertError::Damaged("an operator has no output"))?;
        Ok(self.source(index)?.shape.clone())
    }

    /// An input as an image in memory order.
    fn image(&mut self, node: &Node<'_>, index: usize) -> Result<usize, ConvertError> {
        let view = self.view(node.input(index)?)?;
        if view.shape.len() == 4 && view.shape[0] != 1 {
            return Err(node.error("a batch of more than one image: export the model with a batch of 1"));
        }
        self.graph.dense(&node.name, &view, image_sizes(&view.shape))
    }
}

/// A fused activation in floating point.
fn fused(node: &Node<'_>, code: u8) -> Result<Activation, ConvertError> {
    match code {
        0 => Ok(Activation::None),
        1 => Ok(Activation::Clamp(0.0, f32::INFINITY)),
        2 => Ok(Activation::Clamp(-1.0, 1.0)),
        3 => Ok(Activation::Clamp(0.0, 6.0)),
        4 => Ok(Activation::Tanh),
        _ => Err(node.error("its fused activation is not supported")),
    }
}

/// A fused activation as the smallest and largest quantised output.
fn clamp(node: &Node<'_>, code: u8, quant: Quant) -> Result<[i8; 2], ConvertError> {
    let Quant { scale, zero } = quant;
    let steps = |value: f32| (f32::from(zero) + (value / scale).round()).clamp(-128.0, 127.0) as i8;
    match fused(node, code)? {
        Activation::None => Ok([-128, 127]),
        Activation::Clamp(low, f32::INFINITY) => Ok([steps(low), 127]),
        Activation::Clamp(low, high) => Ok([steps(low), steps(high)]),
        _ => Err(node.error("its fused activation is not supported")),
    }
}

fn set(reader: &mut Reader<'_>, node: &Node<'_>, index: usize, view: View) -> Done {
    let output = *node.outputs.get(index).ok_or(ConvertError::Damaged("an operator lacks an output"))?;
    reader.views.insert(output, view);
    Ok(())
}
