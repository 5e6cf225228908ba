//! Operators of TensorFlow Lite.

use eyespot_nn::graph::{
    Activation, BinaryKind, BinaryNumbers, Element, PoolKind, PoolNumbers, PoolQuant, Shape, SoftmaxNumbers,
    Window,
};

use super::reader::{Node, Reader, Source, Type};
use crate::ConvertError;
use crate::builder::{image_sizes, positions, same, window};
use crate::fixed::{multiplier, rescale, softmax};
use crate::ir::{Conv, ConvData, Op, Pool, Quant};
use crate::view::View;

type Done = Result<(), ConvertError>;

/// Adds an operator to the graph.
pub(super) fn add(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    match node.code {
        0 => binary(reader, node, BinaryKind::Add),
        18 => binary(reader, node, BinaryKind::Mul),
        41 => binary(reader, node, BinaryKind::Sub),
        1 => pool(reader, node, PoolKind::Average),
        17 => pool(reader, node, PoolKind::Max),
        2 => concat(reader, node),
        3 => conv(reader, node, false),
        4 => conv(reader, node, true),
        6 => dequantize(reader, node),
        9 => fully_connected(reader, node),
        14 => unary(reader, node, Activation::Sigmoid),
        19 => unary(reader, node, Activation::Clamp(0.0, f32::INFINITY)),
        21 => unary(reader, node, Activation::Clamp(0.0, 6.0)),
        28 => unary(reader, node, Activation::Tanh),
        98 => {
            let alpha = node.options.map_or(Ok(0.0), |options| options.f32(0))?;
            unary(reader, node, Activation::LeakyRelu(alpha))
        }
        117 => unary(reader, node, Activation::HardSwish),
        22 | 43 | 70 => reshape(reader, node),
        23 => resize(reader, node, true),
        97 => resize(reader, node, false),
        25 => softmax_op(reader, node),
        34 | 60 => pad(reader, node),
        39 => transpose(reader, node),
        40 => mean(reader, node),
        65 => slice(reader, node),
        114 => quantize(reader, node),
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
        45 => "STRIDED_SLICE",
        49 => "SPLIT",
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

fn conv(reader: &mut Reader<'_>, node: &Node<'_>, depthwise: bool) -> Done {
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
    fn turn<T: Copy>(values: &[T], channels: usize) -> Vec<T> {
        let taps = values.len() / channels;
        (0..channels).flat_map(|c| (0..taps).map(move |tap| values[tap * channels + c])).collect()
    }
    match data {
        ConvData::I8 { weights, weight_zero, bias, multipliers, shifts, clamp } => {
            let weights = turn(&weights, channels);
            ConvData::I8 { weights, weight_zero, bias, multipliers, shifts, clamp }
        }
        ConvData::F32 { weights, bias, activation } => {
            ConvData::F32 { weights: turn(&weights, channels), bias, activation }
        }
    }
}

struct Placing {
    window: Window,
    output: [usize; 2],
}

fn placing(
    node: &Node<'_>,
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    padding: u8,
) -> Result<Placing, ConvertError> {
    let wrong = || node.error("its window is empty, does not move or is larger than the image");
    // Checks for zeros first.
    window(kernel, stride, dilation, [0, 0]).ok_or_else(wrong)?;
    let (output, pad) = if padding == 0 {
        same(size, kernel, stride, dilation)
    } else {
        let side = |axis: usize| positions(size[axis], kernel[axis], stride[axis], dilation[axis], 0);
        ([side(0).ok_or_else(wrong)?, side(1).ok_or_else(wrong)?], [0, 0])
    };
    Ok(Placing { window: window(kernel, stride, dilation, pad).ok_or_else(wrong)?, output })
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
    if bias.is_some_and(|bias| bias.shape.iter().product::<usize>() != channels) {
        return Err(node.error("its bias has another length than its output has channels"));
    }
    match (reader.element(input), weights.kind) {
        (Element::F32, Type::F32 | Type::F16) => {
            let bias = bias.map_or(Some(vec![0.0; channels]), Source::floats);
            match (weights.floats(), bias) {
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

/// Biases less the share of the input's zero point.
pub(crate) fn fold_zero(
    weights: &[i8],
    bias: &[i64],
    weight_zero: i64,
    input_zero: i64,
    depthwise: bool,
) -> Vec<i32> {
    let channels = bias.len();
    let count = weights.len() / channels.max(1);
    bias.iter()
        .enumerate()
        .map(|(channel, bias)| {
            let sum: i64 = (0..count)
                .map(|at| weights[if depthwise { at * channels + channel } else { channel * count + at }])
                .map(|weight| i64::from(weight) - weight_zero)
                .sum();
            // The engine's sums wrap in the same way.
            (bias - input_zero * sum) as i32
        })
        .collect()
}

fn fully_connected(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
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
    if shape.iter().product::<usize>() != rows * channels || shape.last() != Some(&channels) {
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

fn pool(reader: &mut Reader<'_>, node: &Node<'_>, kind: PoolKind) -> Done {
    let input = reader.image(node, 0)?;
    let Shape { h, w, c } = reader.shape(input);
    let side = |index| node.option(index, 0).map(|value| usize::try_from(value).unwrap_or(0));
    let (stride, kernel) = ([side(2)?, side(1)?], [side(4)?, side(3)?]);
    let place = placing(node, [h as usize, w as usize], kernel, stride, [1, 1], node.flag(0)?)?;
    let output = reader.output(node, &[1, place.output[0], place.output[1], c as usize])?;
    let activation = node.flag(5)?;
    let numbers = match reader.element(input) {
        Element::F32 => PoolNumbers::F32(fused(node, activation)?),
        Element::I8 => {
            let quant = reader.quant(node, output)?;
            if reader.quant(node, input)? != quant {
                return Err(node.error("its output is quantised differently from its input"));
            }
            let half_up = reader.source(node.input(0)?)?.kind == Type::U8;
            PoolNumbers::I8(PoolQuant { zero: quant.zero, clamp: clamp(node, activation, quant)?, half_up })
        }
    };
    reader.graph.push(&node.name, Op::Pool(Pool { kind, window: place.window, input, output, numbers }));
    Ok(())
}

fn binary(reader: &mut Reader<'_>, node: &Node<'_>, kind: BinaryKind) -> Done {
    let (mut a, mut b) = (reader.view(node.input(0)?)?, reader.view(node.input(1)?)?);
    if a.len() < b.len() && kind != BinaryKind::Sub {
        std::mem::swap(&mut a, &mut b);
    }
    let sizes = image_sizes(&a.shape);
    let left = reader.graph.dense(&node.name, &a, sizes)?;
    let right = reader.graph.dense(&node.name, &b, image_sizes(&b.shape))?;
    let output = reader.output(node, &a.shape)?;
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

/// The integers of a sum, difference or product.
pub(crate) fn binary_numbers(
    kind: BinaryKind,
    a: Quant,
    b: Quant,
    output: Quant,
    clamp: [i8; 2],
) -> BinaryNumbers {
    if kind == BinaryKind::Mul {
        let factor = f64::from(a.scale) * f64::from(b.scale) / f64::from(output.scale);
        let result = rescale(factor, output.zero);
        return BinaryNumbers::I8 {
            a: rescale(1.0, a.zero),
            b: rescale(1.0, b.zero),
            output: result,
            left_shift: 0,
            clamp,
        };
    }
    let common = 2.0 * f64::from(a.scale.max(b.scale));
    BinaryNumbers::I8 {
        a: rescale(f64::from(a.scale) / common, a.zero),
        b: rescale(f64::from(b.scale) / common, b.zero),
        output: rescale(common / (f64::from(1 << 20) * f64::from(output.scale)), output.zero),
        left_shift: 20,
        clamp,
    }
}

fn concat(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    let shape = reader.output_shape(node)?;
    let axis = axis_of(node, node.option(0, 0)?, shape.len())?;
    if node.flag(1)? != 0 {
        return Err(node.error("a concatenation with an activation"));
    }
    let output = reader.output(node, &shape)?;
    let whole = View::dense(output, shape.clone());
    let mut start = 0;
    for &index in &node.inputs {
        let view = reader.view(index)?;
        let fits = view.shape.len() == shape.len()
            && view.shape.iter().zip(&shape).enumerate().all(|(at, (a, b))| at == axis || a == b);
        let size = view.shape.get(axis).copied().unwrap_or(0);
        let part = whole.sliced(axis, start, size, 1).filter(|_| fits);
        let part = part.ok_or_else(|| node.error("its inputs don't fit its output"))?;
        if reader.graph.tensors[view.tensor].quant != reader.graph.tensors[output].quant {
            return Err(node.error("its inputs are quantised differently from its output"));
        }
        reader.graph.copy(&node.name, &view, &part)?;
        start += size;
    }
    if start != shape[axis] {
        return Err(node.error("its inputs don't fill its output"));
    }
    Ok(())
}

fn axis_of(node: &Node<'_>, axis: i32, rank: usize) -> Result<usize, ConvertError> {
    let axis = if axis < 0 { i64::from(axis) + rank as i64 } else { i64::from(axis) };
    usize::try_from(axis)
        .ok()
        .filter(|&axis| axis < rank)
        .ok_or_else(|| node.error("an axis that is not there"))
}

/// A function of single values: a table, or an activation of floats.
fn unary(reader: &mut Reader<'_>, node: &Node<'_>, activation: Activation) -> Done {
    let view = reader.view(node.input(0)?)?;
    let input = reader.graph.dense(&node.name, &view, image_sizes(&view.shape))?;
    let output = reader.output(node, &view.shape)?;
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

/// A function of single values in floating point.
pub(crate) fn apply(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::None => x,
        Activation::Clamp(low, high) => x.clamp(low, high),
        Activation::LeakyRelu(slope) => {
            if x < 0.0 {
                x * slope
            } else {
                x
            }
        }
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
        Activation::HardSigmoid(factor, summand) => (x * factor + summand).clamp(0.0, 1.0),
        Activation::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
    }
}

/// The table of a function for the 256 quantised values.
pub(crate) fn table(from: Quant, to: Quant, function: impl Fn(f32) -> f32) -> Vec<i8> {
    let inverse = 1.0 / to.scale;
    (-128i32..=127)
        .map(|value| {
            let x = from.scale * (value - i32::from(from.zero)) as f32;
            let steps = (function(x) * inverse).round() + f32::from(to.zero);
            steps.clamp(-128.0, 127.0) as i8
        })
        .collect()
}

/// Fixed point, as TensorFlow Lite has it; the other functions are tables there too.
fn leaky_relu(from: Quant, to: Quant, slope: f32) -> Vec<i8> {
    let positive = multiplier(f64::from(from.scale / to.scale));
    let negative = multiplier(f64::from(from.scale * slope / to.scale));
    (-128i32..=127)
        .map(|value| {
            let value = value - i32::from(from.zero);
            let (multiplier, shift) = if value >= 0 { positive } else { negative };
            (eyespot_nn::scale_by(value, multiplier, shift) + i32::from(to.zero)).clamp(-128, 127) as i8
        })
        .collect()
}

fn reshape(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    let view = reader.view(node.input(0)?)?;
    let shape = reader.output_shape(node)?;
    if shape.iter().product::<usize>() != view.len() {
        return Err(node.error("it changes the number of values"));
    }
    let reshaped = match view.reshaped(&shape) {
        Some(reshaped) => reshaped,
        None => {
            let id = reader.graph.dense(&node.name, &view, image_sizes(&view.shape))?;
            View::dense(id, shape)
        }
    };
    set(reader, node, reshaped)
}

fn set(reader: &mut Reader<'_>, node: &Node<'_>, view: View) -> Done {
    let index = *node.outputs.first().ok_or(ConvertError::Damaged("an operator has no output"))?;
    reader.views.insert(index, view);
    Ok(())
}

fn transpose(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    let view = reader.view(node.input(0)?)?;
    let order = reader.source(node.input(1)?)?.integers().unwrap_or_default();
    let order: Vec<usize> = order.iter().map(|&axis| usize::try_from(axis).unwrap_or(usize::MAX)).collect();
    let view = view.transposed(&order).ok_or_else(|| node.error("its order of axes is not fixed"))?;
    set(reader, node, view)
}

fn slice(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    let mut view = reader.view(node.input(0)?)?;
    let starts = reader.source(node.input(1)?)?.integers().unwrap_or_default();
    let shape = reader.output_shape(node)?;
    if starts.len() != view.shape.len() || shape.len() != view.shape.len() {
        return Err(node.error("its place is not fixed"));
    }
    for (axis, (&start, &count)) in starts.iter().zip(&shape).enumerate() {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        view =
            view.sliced(axis, start, count, 1).ok_or_else(|| node.error("it reaches outside its input"))?;
    }
    set(reader, node, view)
}

fn pad(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    let view = reader.view(node.input(0)?)?;
    let pads = reader.source(node.input(1)?)?.integers().unwrap_or_default();
    if node.inputs.len() > 2 {
        return Err(node.error("padding with other values than zero"));
    }
    if pads.len() != 2 * view.shape.len() {
        return Err(node.error("its widths are not fixed"));
    }
    let shape = reader.output_shape(node)?;
    let output = reader.output(node, &shape)?;
    reader.graph.push(&node.name, Op::Fill { output });
    let mut inner = View::dense(output, shape);
    for (axis, &size) in view.shape.iter().enumerate() {
        let before = usize::try_from(pads[2 * axis]).unwrap_or(usize::MAX);
        inner = inner.sliced(axis, before, size, 1).ok_or_else(|| node.error("its widths don't fit"))?;
    }
    reader.graph.copy(&node.name, &view, &inner)
}

fn mean(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    let input = reader.image(node, 0)?;
    let mut axes = reader.source(node.input(1)?)?.integers().unwrap_or_default();
    axes.sort_unstable();
    if axes != [1, 2] {
        return Err(node.error("a mean over other axes than height and width"));
    }
    let shape = reader.output_shape(node)?;
    let output = reader.output(node, &shape)?;
    let Shape { h, w, c } = reader.shape(input);
    reader.graph.tensors[output].shape = Shape::new(1, 1, c);
    let op = match reader.element(input) {
        Element::F32 => {
            let window = window([h as usize, w as usize], [1, 1], [1, 1], [0, 0]);
            let window = window.ok_or_else(|| node.error("its image is too large"))?;
            let numbers = PoolNumbers::F32(Activation::None);
            Op::Pool(Pool { kind: PoolKind::Average, window, input, output, numbers })
        }
        Element::I8 => {
            let (from, to) = (reader.quant(node, input)?, reader.quant(node, output)?);
            let rescale = mean_rescale(from, to, h * w);
            Op::Mean { input, output, rescale }
        }
    };
    reader.graph.push(&node.name, op);
    Ok(())
}

/// The factor from a sum of `count` values to their mean; the division goes into the multiplier.
fn mean_rescale(from: Quant, to: Quant, count: u32) -> eyespot_nn::graph::Rescale {
    let (multiplier, shift) = multiplier(f64::from(from.scale) / f64::from(to.scale));
    let bits = (31 - count.leading_zeros() as i32).min(31 + i32::from(shift)).clamp(0, 31);
    let divided = (i64::from(multiplier) << bits) / i64::from(count.max(1));
    eyespot_nn::graph::Rescale { zero: to.zero, multiplier: divided as i32, shift: shift - bits as i8 }
}

fn softmax_op(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
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
            let (multiplier, shift, diff_min) = softmax(beta, reader.quant(node, input)?.scale);
            SoftmaxNumbers::I8 { multiplier, shift, diff_min }
        }
    };
    reader.graph.push(&node.name, Op::Softmax { input, output, numbers });
    Ok(())
}

fn resize(reader: &mut Reader<'_>, node: &Node<'_>, bilinear: bool) -> Done {
    let input = reader.image(node, 0)?;
    let shape = reader.output_shape(node)?;
    let output = reader.output(node, &shape)?;
    let first = if bilinear { 2 } else { 0 };
    let (align_corners, half_pixel) = (node.flag(first)? != 0, node.flag(first + 1)? != 0);
    if reader.graph.tensors[input].quant != reader.graph.tensors[output].quant {
        return Err(node.error("its output is quantised differently from its input"));
    }
    if bilinear {
        reader.graph.push(&node.name, Op::Resize { input, output, align_corners, half_pixel });
        return Ok(());
    }
    let (from, to) = (reader.shape(input), reader.shape(output));
    reader
        .graph
        .repeat(&node.name, (input, from), (output, to))
        .filter(|()| !align_corners)
        .ok_or_else(|| node.error("nearest neighbours only for a whole factor, without aligned corners"))
}

fn quantize(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    let view = reader.view(node.input(0)?)?;
    let input = reader.graph.dense(&node.name, &view, image_sizes(&view.shape))?;
    let output = reader.output(node, &view.shape)?;
    match reader.element(input) {
        Element::F32 => reader.graph.push(&node.name, Op::Quantize { input, output }),
        Element::I8 => {
            let (from, to) = (reader.quant(node, input)?, reader.quant(node, output)?);
            let (multiplier, shift) = multiplier(f64::from(from.scale) / f64::from(to.scale));
            let table = (-128i32..=127)
                .map(|value| {
                    let scaled = eyespot_nn::scale_by(value - i32::from(from.zero), multiplier, shift);
                    (scaled + i32::from(to.zero)).clamp(-128, 127) as i8
                })
                .collect();
            reader.graph.push(&node.name, Op::Table { input, output, table });
        }
    }
    Ok(())
}

fn dequantize(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    let index = node.input(0)?;
    let source = reader.source(index)?.clone();
    // Weights in half precision.
    if let (Type::F16, Some(values)) = (source.kind, source.floats().filter(|values| !values.is_empty())) {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let id = reader.graph.constant(&source.name, image_sizes(&source.shape), Element::F32, None, data)?;
        return set(reader, node, View::dense(id, source.shape));
    }
    let view = reader.view(index)?;
    let input = reader.graph.dense(&node.name, &view, image_sizes(&view.shape))?;
    reader.quant(node, input)?;
    let output = reader.output(node, &view.shape)?;
    reader.graph.push(&node.name, Op::Dequantize { input, output });
    Ok(())
}
