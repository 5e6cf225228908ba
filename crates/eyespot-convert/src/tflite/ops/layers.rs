//! Layers with weights.

use eyespot_nn::graph::{Element, Shape, Window};

use super::super::reader::{Node, Reader, Source, Type};
use super::pool::placing;
use super::{Done, clamp, fused};
use crate::ConvertError;
use crate::builder::turned;
use crate::fixed::{fold_zero, multiplier};
use crate::ir::{Conv, ConvData, Op};
use crate::view::count;

pub(super) fn conv(reader: &mut Reader<'_>, node: &Node<'_>, depthwise: bool) -> Done {
    let input = reader.image(node, 0)?;
    let weights = reader.source(node.input(1)?)?.clone();
    let (&[outer, kh, kw, inner], Shape { h, w, c }) = (weights.shape.as_slice(), reader.shape(input)) else {
        return Err(node.error("its weights don't have four dimensions"));
    };
    let first = usize::from(depthwise);
    let pair = |index: usize, default: i32| -> Result<[usize; 2], ConvertError> {
        // The file has the width first.
        let side = |index| node.option(index, default).map(|value| usize::try_from(value).unwrap_or(0));
        Ok([side(index + 1)?, side(index)?])
    };
    let (stride, dilation) = (pair(1, 0)?, pair(4 + first, 1)?);
    let activation = node.flag(3 + first)?;
    let size = [h as usize, w as usize];
    let place = placing(node, size, [kh, kw], stride, dilation, node.flag(0)?)?;
    let (channels, depth) = if depthwise { (inner, outer) } else { (outer, inner) };
    if depthwise && (depth != 1 || inner % c as usize != 0) || !depthwise && depth != c as usize {
        return Err(node.error("its weights don't fit its input: grouped convolutions are not supported"));
    }
    // Depthwise with one input channel is a full convolution with another order of weights.
    let output = reader.output(node, &[1, place.output[0], place.output[1], channels])?;
    let bias = node.inputs.get(2).copied().filter(|&index| index != usize::MAX);
    let parts = Parts { weights, bias, channels, activation, depthwise, product_in_f32: false };
    let data = conv_data(reader, node, input, output, parts)?;
    let conv = if depthwise && c == 1 {
        Conv { depthwise: false, window: place.window, input, output, data: transposed(data, channels) }
    } else {
        Conv { depthwise, window: place.window, input, output, data }
    };
    reader.graph.push(&node.name, Op::Conv(conv));
    Ok(())
}

/// `[taps, channels]` to `[channels, taps]`.
fn transposed(data: ConvData, channels: usize) -> ConvData {
    match data {
        ConvData::I8 { weights, weight_zero, bias, multipliers, shifts, clamp } => {
            let weights = turned(&weights, channels);
            ConvData::I8 { weights, weight_zero, bias, multipliers, shifts, clamp }
        }
        ConvData::F32 { weights, bias, activation } => {
            ConvData::F32 { weights: turned(&weights, channels), bias, activation }
        }
    }
}

/// What a convolution's constants are made of.
struct Parts<'a> {
    weights: Source<'a>,
    bias: Option<usize>,
    channels: usize,
    activation: u8,
    depthwise: bool,
    /// The product of scales is rounded to single precision, as for fully connected layers.
    product_in_f32: bool,
}

fn conv_data(
    reader: &Reader<'_>,
    node: &Node<'_>,
    input: usize,
    output: usize,
    parts: Parts<'_>,
) -> Result<ConvData, ConvertError> {
    let Parts { weights, bias, channels, activation, depthwise, product_in_f32 } = parts;
    let bias = bias.map(|index| reader.source(index)).transpose()?;
    if weights.data.is_empty() {
        return Err(node.error("its weights are not constant"));
    }
    if bias.is_some_and(|bias| count(&bias.shape) != channels) {
        return Err(node.error("its bias has another length than its output has channels"));
    }
    match (reader.element(input), weights.kind) {
        (Element::F32, Type::F32 | Type::F16 | Type::I8) => {
            let bias = bias.map_or(Some(vec![0.0; channels]), Source::floats);
            match (weights.floats().or_else(|| dequantized(&weights, channels, depthwise)), bias) {
                (Some(weights), Some(bias)) if bias.len() == channels => {
                    Ok(ConvData::F32 { weights, bias, activation: fused(node, activation)? })
                }
                _ => Err(node.error("its weights and its bias have different types")),
            }
        }
        (Element::I8, Type::I8 | Type::U8) => {
            let bias = bias.map_or(Some(vec![0; channels]), Source::integers);
            let bias = bias.filter(|bias| bias.len() == channels);
            let bias = bias.ok_or_else(|| node.error("its bias is not int32"))?;
            let (from, to) = (reader.quant(node, input)?, reader.quant(node, output)?);
            let count = weights.scales.len();
            if count != 1 && count != channels {
                return Err(node.error("its weights need one scale, or one per output channel"));
            }
            let zeros: Vec<i64> = weights.zeros.iter().map(|zero| zero - weights.shift()).collect();
            let zero = zeros.first().copied().unwrap_or(-weights.shift());
            if zeros.iter().any(|&other| other != zero) || !(-256..=256).contains(&zero) {
                return Err(node.error("its weights have several zero points"));
            }
            let legacy = weights.kind == Type::U8 || product_in_f32 && count == 1;
            let factors = (0..channels).map(|channel| {
                let scale = weights.scales[if count == 1 { 0 } else { channel }];
                let product = if legacy {
                    f64::from(from.scale * scale)
                } else {
                    f64::from(from.scale) * f64::from(scale)
                };
                multiplier(product / f64::from(to.scale))
            });
            let (multipliers, shifts) = factors.unzip();
            let data = weights.bytes();
            let folded = fold_zero(&data, &bias, zero, i64::from(from.zero), depthwise);
            let clamp = clamp(node, activation, to)?;
            Ok(ConvData::I8 {
                weights: data,
                weight_zero: zero as i16,
                bias: folded,
                multipliers,
                shifts,
                clamp,
            })
        }
        _ => Err(node.error("its input and its weights have types that don't go together")),
    }
}

/// Weights that are stored in bytes only (quantised for a "dynamic range"), as floats.
fn dequantized(weights: &Source<'_>, channels: usize, depthwise: bool) -> Option<Vec<f32>> {
    let (data, scales) = (weights.bytes(), &weights.scales);
    if scales.len() != 1 && scales.len() != channels {
        return None;
    }
    let count = data.len() / channels.max(1);
    let value = |(at, &value): (usize, &i8)| {
        let channel = if depthwise { at % channels } else { at / count };
        let zero = weights.zeros.get(channel % weights.zeros.len().max(1)).copied().unwrap_or(0);
        (i64::from(value) - zero) as f32 * scales[channel % scales.len()]
    };
    Some(data.iter().enumerate().map(value).collect())
}

pub(super) fn fully_connected(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    let weights = reader.source(node.input(1)?)?.clone();
    let &[channels, depth] = weights.shape.as_slice() else {
        return Err(node.error("its weights don't have two dimensions"));
    };
    if node.flag(1)? != 0 {
        return Err(node.error("its weights are shuffled"));
    }
    let view = reader.view(node.input(0)?)?;
    if depth == 0 || view.len() % depth != 0 {
        return Err(node.error("its weights don't fit its input"));
    }
    let rows = view.len() / depth;
    let input = reader.graph.dense(&node.name, &view, [1, rows, depth])?;
    let shape = reader.output_shape(node)?;
    if count(&shape) != rows * channels || shape.last() != Some(&channels) {
        return Err(node.error("its output has another shape than its weights ask for"));
    }
    let output = reader.output(node, &shape)?;
    let bias = node.inputs.get(2).copied().filter(|&index| index != usize::MAX);
    let activation = node.flag(0)?;
    let parts = Parts { weights, bias, channels, activation, depthwise: false, product_in_f32: true };
    let data = conv_data(reader, node, input, output, parts)?;
    let conv = Conv { depthwise: false, window: Window::POINT, input, output, data };
    // The output may have more dimensions, of one image it is a row.
    let row = Shape::new(1, rows as u32, channels as u32);
    reader.graph.tensors[output].shape = row;
    reader.graph.push(&node.name, Op::Conv(conv));
    Ok(())
}
