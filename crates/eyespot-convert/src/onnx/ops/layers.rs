//! Layers with weights.

use eyespot_nn::graph::{Activation, Element, Window};

use super::super::Reader;
use super::super::model::{Constant, Node};
use super::{Done, NO_IMAGE, set};
use crate::ConvertError;
use crate::builder::{Pads, positions, same, shape_of, touches, turned, window};
use crate::ir::{Conv, ConvData, Op};
use crate::view::{View, count};

/// Padding of a window operator: above, left, below, right.
pub(super) fn pads(
    node: &Node,
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
) -> Result<Pads, ConvertError> {
    let auto = node.text("auto_pad");
    if auto == "SAME_UPPER" || auto == "SAME_LOWER" {
        if kernel.contains(&0) || stride.contains(&0) || dilation.contains(&0) {
            return Err(node.error("its window has no size"));
        }
        let (output, pad) = same(size, kernel, stride, dilation);
        let total = |axis: usize| {
            let reach = (kernel[axis] - 1) * dilation[axis] + 1;
            ((output[axis] - 1) * stride[axis] + reach).saturating_sub(size[axis])
        };
        let other = [total(0) - pad[0], total(1) - pad[1]];
        let (before, after) = if auto == "SAME_UPPER" { (pad, other) } else { (other, pad) };
        return Ok([before[0], before[1], after[0], after[1]]);
    }
    match node.integers("pads") {
        None => Ok([0; 4]),
        Some(&[a, b, c, d]) if [a, b, c, d].iter().all(|pad| (0..1 << 16).contains(pad)) => {
            Ok([a, b, c, d].map(|pad| pad as usize))
        }
        Some(_) => Err(node.error("its padding is negative or too wide")),
    }
}

/// A bias for each output channel, zeros where there is none.
fn bias(reader: &Reader, node: &Node, channels: usize) -> Result<Vec<f32>, ConvertError> {
    let Some(name) = node.optional(2) else { return Ok(vec![0.0; channels]) };
    let bias = reader.constants.get(name).and_then(Constant::floats).filter(|bias| bias.len() == channels);
    Ok(bias.ok_or_else(|| node.error("its bias does not fit its weights"))?.to_vec())
}

pub(super) fn conv(reader: &mut Reader, node: &Node) -> Done {
    let view = reader.view(node.input(0)?)?;
    let &[1, c, h, w] = view.shape.as_slice() else { return Err(node.error(NO_IMAGE)) };
    let weights =
        reader.constants.get(node.input(1)?).ok_or_else(|| node.error("its weights are not constant"))?;
    let (&[channels, depth, kh, kw], Some(values)) = (weights.shape.as_slice(), weights.floats()) else {
        return Err(node.error("its weights are not floats of four dimensions"));
    };
    let groups = usize::try_from(node.integer("group", 1)).unwrap_or(0);
    let depthwise = groups == c && depth == 1 && groups > 1;
    if channels == 0 || !(depthwise && channels % c == 0 || groups == 1 && depth == c) {
        return Err(node.error("grouped convolutions are only supported with a group per channel"));
    }
    let (stride, dilation) = (node.pair("strides", 1)?, node.pair("dilations", 1)?);
    let pads = pads(node, [h, w], [kh, kw], stride, dilation)?;
    let taps = kh * kw;
    // To taps, then channels within a tap.
    let data = if depthwise {
        (0..taps).flat_map(|tap| (0..channels).map(move |channel| values[channel * taps + tap])).collect()
    } else {
        (0..channels)
            .flat_map(|channel| (0..taps).map(move |tap| (channel, tap)))
            .flat_map(|(channel, tap)| {
                (0..depth).map(move |source| values[(channel * depth + source) * taps + tap])
            })
            .collect()
    };
    let bias = bias(reader, node, channels)?;
    // Padding that a window can lie in is written.
    let (view, pads) = if touches(pads, [kh, kw], dilation) {
        (view, pads)
    } else {
        (reader.write_padding(&node.name, &view, pads)?, [0; 4])
    };
    let (input, [h, w, _]) = reader.image_of(node, &view)?;
    let wrong = || node.error("its window is empty, does not move or is larger than the image");
    let window = window([kh, kw], stride, dilation, [pads[0], pads[1]]).ok_or_else(wrong)?;
    let rows = positions(h, kh, stride[0], dilation[0], pads[0] + pads[2]).ok_or_else(wrong)?;
    let columns = positions(w, kw, stride[1], dilation[1], pads[1] + pads[3]).ok_or_else(wrong)?;
    let output = reader.new_image(node, [rows, columns, channels])?;
    let data = ConvData::F32 { weights: data, bias, activation: Activation::None };
    reader.graph.push(&node.name, Op::Conv(Conv { depthwise, window, input, output, data }));
    Ok(())
}

pub(super) fn gemm(reader: &mut Reader, node: &Node) -> Done {
    let view = reader.view(node.input(0)?)?;
    let weights =
        reader.constants.get(node.input(1)?).ok_or_else(|| node.error("its weights are not constant"))?;
    let (&[rows, columns], Some(values)) = (weights.shape.as_slice(), weights.floats()) else {
        return Err(node.error("its weights are not floats of two dimensions"));
    };
    let transposed = node.integer("transB", 0) != 0;
    if node.integer("transA", 0) != 0 || node.float("alpha", 1.0) != 1.0 || node.float("beta", 1.0) != 1.0 {
        return Err(node.error("only plain products are supported"));
    }
    let (channels, depth) = if transposed { (rows, columns) } else { (columns, rows) };
    let &[_, inner] = view.shape.as_slice() else { return Err(node.error("its input is not a matrix")) };
    if inner != depth || channels == 0 {
        return Err(node.error("its weights don't fit its input"));
    }
    let weights = if transposed { values.to_vec() } else { turned(values, channels) };
    let bias = bias(reader, node, channels)?;
    dense(reader, node, &view, channels, weights, bias)
}

/// A product with a constant matrix, along the last axis.
pub(super) fn mat_mul(reader: &mut Reader, node: &Node) -> Done {
    let view = reader.view(node.input(0)?)?;
    let weights = reader.constants.get(node.input(1)?);
    let weights = weights.ok_or_else(|| node.error("only products with a constant are supported"))?;
    let (&[depth, channels], Some(values)) = (weights.shape.as_slice(), weights.floats()) else {
        return Err(node.error("its weights are not floats of two dimensions"));
    };
    if view.shape.last() != Some(&depth) || channels == 0 {
        return Err(node.error("its weights don't fit its input"));
    }
    let weights = turned(values, channels);
    dense(reader, node, &view, channels, weights, vec![0.0; channels])
}

/// A fully connected layer along the last axis; weights are `[channels, depth]`.
fn dense(
    reader: &mut Reader,
    node: &Node,
    view: &View,
    channels: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
) -> Done {
    let Some((&depth, front)) = view.shape.split_last() else {
        return Err(node.error("its input is a number"));
    };
    let rows = count(front);
    let input = reader.graph.dense(&node.name, view, [1, rows, depth])?;
    let shape =
        shape_of([1, rows, channels]).ok_or_else(|| node.error("its output is empty or too large"))?;
    let output = reader.graph.tensor(node.output(0)?, shape, Element::F32, None);
    let data = ConvData::F32 { weights, bias, activation: Activation::None };
    let conv = Conv { depthwise: false, window: Window::POINT, input, output, data };
    reader.graph.push(&node.name, Op::Conv(conv));
    set(reader, node, 0, View::dense(output, [front, &[channels]].concat()))
}

/// A factor and a summand per channel, as a convolution of a single tap.
pub(super) fn batch_norm(reader: &mut Reader, node: &Node) -> Done {
    let view = reader.view(node.input(0)?)?;
    let parameters = (1..5)
        .map(|index| Some(reader.constants.get(node.optional(index)?)?.floats()?.to_vec()))
        .collect::<Option<Vec<_>>>();
    let Some([gain, shift, mean, variance]) = parameters.as_deref() else {
        return Err(node.error("its parameters are not constant"));
    };
    let channels = *view.shape.get(1).ok_or_else(|| node.error("its input has no channels"))?;
    if [gain, shift, mean, variance].iter().any(|values| values.len() != channels) {
        return Err(node.error("its parameters don't fit its input"));
    }
    let epsilon = node.float("epsilon", 1e-5);
    let factors: Vec<f32> =
        gain.iter().zip(variance).map(|(gain, variance)| gain / (variance + epsilon).sqrt()).collect();
    let summands: Vec<f32> =
        shift.iter().zip(mean).zip(&factors).map(|((shift, mean), factor)| shift - mean * factor).collect();
    let (view, rank) = match view.shape.len() {
        2 => (
            view.reshaped(&[view.shape[0], channels, 1, 1])
                .ok_or_else(|| node.error("its input is scattered"))?,
            2,
        ),
        rank => (view, rank),
    };
    let (input, sizes) = reader.image_of(node, &view)?;
    let output = reader.new_image(node, sizes)?;
    let data = ConvData::F32 { weights: factors, bias: summands, activation: Activation::None };
    reader
        .graph
        .push(&node.name, Op::Conv(Conv { depthwise: true, window: Window::POINT, input, output, data }));
    if rank == 2 {
        return set(reader, node, 0, View::dense(output, vec![1, channels]));
    }
    Ok(())
}
