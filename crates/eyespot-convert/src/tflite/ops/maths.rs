//! Functions of values, and other numbers for them.

use eyespot_nn::graph::{Activation, BinaryKind, BinaryNumbers, Element, SoftmaxNumbers};

use super::super::reader::{Node, Reader, Type};
use super::{Done, clamp, fused};
use crate::ConvertError;
use crate::builder::image_sizes;
use crate::fixed::{self, apply, binary_numbers, multiplier, table};
use crate::ir::{Op, Quant};
use crate::sides::{RowMajor, Sides};

pub(super) fn binary(reader: &mut Reader<'_>, node: &Node<'_>, kind: BinaryKind) -> Done {
    let views = [reader.view(node.input(0)?)?, reader.view(node.input(1)?)?];
    let commute = kind != BinaryKind::Sub;
    let Sides { left, right, view } = reader.graph.sides::<RowMajor>(&node.name, views, commute)?;
    let output = reader.output_like(node, &view)?;
    let activation = node.flag(0)?;
    let numbers = match reader.element(left) {
        Element::F32 => BinaryNumbers::F32(fused(node, activation)?),
        Element::I8 => {
            let (x, y, z) =
                (reader.quant(node, left)?, reader.quant(node, right)?, reader.quant(node, output)?);
            let clamp = clamp(node, activation, z)?;
            binary_numbers(kind, x, y, z, clamp)
        }
    };
    reader.graph.push(&node.name, Op::Binary { kind, a: left, b: right, output, numbers });
    Ok(())
}

/// A function of single values: a table, or an activation of floats.
pub(super) fn unary(reader: &mut Reader<'_>, node: &Node<'_>, activation: Activation) -> Done {
    let view = reader.view(node.input(0)?)?;
    let view = reader.graph.whole(&node.name, &view)?;
    let (input, output) = (view.tensor, reader.output_like(node, &view)?);
    match reader.element(input) {
        Element::F32 => reader.graph.push(&node.name, Op::Activate { input, output, activation }),
        Element::I8 => {
            let (from, to) = (reader.quant(node, input)?, reader.quant(node, output)?);
            let table = match activation {
                Activation::LeakyRelu(slope) => leaky_relu(from, to, slope),
                _ => table(from, to, |x| apply(activation, x)),
            };
            reader.graph.push(&node.name, Op::Table { input, output, table });
        }
    }
    Ok(())
}

/// Fixed point, as TensorFlow Lite has it; the other functions are tables there too.
fn leaky_relu(from: Quant, to: Quant, slope: f32) -> Vec<i8> {
    let positive = multiplier(f64::from(from.scale / to.scale));
    let negative = multiplier(f64::from(from.scale * slope / to.scale));
    (-128i32..=127)
        .map(|value| {
            let value = value - i32::from(from.zero);
            let (multiplier, shift) = if value >= 0 { positive } else { negative };
            let scaled = eyespot_nn::scale_by(value, multiplier, shift);
            scaled.saturating_add(i32::from(to.zero)).clamp(-128, 127) as i8
        })
        .collect()
}

pub(super) fn softmax(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    let view = reader.view(node.input(0)?)?;
    let input = reader.graph.dense(&node.name, &view, image_sizes(&view.shape))?;
    let output = reader.output(node, &view.shape)?;
    let beta = node.options.map_or(Ok(1.0), |options| options.f32(0))?;
    let numbers = match reader.element(input) {
        Element::F32 if beta == 1.0 => SoftmaxNumbers::F32,
        Element::F32 => return Err(node.error("a softmax with another beta than 1")),
        Element::I8 => {
            if reader.quant(node, output)? != (Quant { scale: 1.0 / 256.0, zero: -128 }) {
                return Err(node.error("its output must have a scale of 1/256 and a zero point of -128"));
            }
            let (multiplier, shift, diff_min) = fixed::softmax(beta, reader.quant(node, input)?.scale);
            SoftmaxNumbers::I8 { multiplier, shift, diff_min }
        }
    };
    reader.graph.push(&node.name, Op::Softmax { input, output, numbers });
    Ok(())
}

pub(super) fn quantize(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    let view = reader.view(node.input(0)?)?;
    let view = reader.graph.whole(&node.name, &view)?;
    let (input, output) = (view.tensor, reader.output_like(node, &view)?);
    match reader.element(input) {
        Element::F32 => reader.graph.push(&node.name, Op::Quantize { input, output }),
        Element::I8 => {
            let (from, to) = (reader.quant(node, input)?, reader.quant(node, output)?);
            let (multiplier, shift) = multiplier(f64::from(from.scale) / f64::from(to.scale));
            let table = (-128i32..=127)
                .map(|value| {
                    let scaled = eyespot_nn::scale_by(value - i32::from(from.zero), multiplier, shift);
                    scaled.saturating_add(i32::from(to.zero)).clamp(-128, 127) as i8
                })
                .collect();
            reader.graph.push(&node.name, Op::Table { input, output, table });
        }
    }
    Ok(())
}

pub(super) fn dequantize(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    let index = node.input(0)?;
    let source = reader.source(index)?.clone();
    // Weights in half precision: what reads them makes floats of them.
    if source.kind == Type::F16 && !source.data.is_empty() {
        let output = node.outputs.first().and_then(|&output| reader.sources.get_mut(output));
        let output = output.ok_or(ConvertError::Damaged("an operator has no output"))?;
        (output.kind, output.data) = (source.kind, source.data);
        return Ok(());
    }
    let view = reader.view(index)?;
    let view = reader.graph.whole(&node.name, &view)?;
    let input = view.tensor;
    reader.quant(node, input)?;
    let output = reader.output_like(node, &view)?;
    reader.graph.push(&node.name, Op::Dequantize { input, output });
    Ok(())
}
