//! Operators of ONNX.

use eyespot_nn::graph::{
    Activation, BinaryKind, BinaryNumbers, Element, PoolKind, PoolNumbers, SoftmaxNumbers, Window,
};

use super::model::{Attribute, Constant, Node, Numbers};
use super::{Pads, Reader, shuffle};
use crate::ConvertError;
use crate::builder::{image_sizes, positions, same, shape_of, window};
use crate::ir::{Conv, ConvData, Op, Pool};
use crate::view::View;

type Done = Result<(), ConvertError>;

/// Adds an operator to the graph.
pub(super) fn add(reader: &mut Reader, node: &Node) -> Done {
    match node.operator.as_str() {
        "Conv" => conv(reader, node),
        "Gemm" => gemm(reader, node),
        "BatchNormalization" => batch_norm(reader, node),
        "Relu" => activate(reader, node, Activation::Clamp(0.0, f32::INFINITY)),
        "Clip" => {
            let bound = |index: usize, name: &str, default: f32| {
                let input = node.inputs.get(index).and_then(|name| reader.constants.get(name));
                let input = input.and_then(|constant| constant.floats()?.first().copied());
                input.unwrap_or_else(|| node.float(name, default))
            };
            let range = (bound(1, "min", f32::NEG_INFINITY), bound(2, "max", f32::INFINITY));
            activate(reader, node, Activation::Clamp(range.0, range.1))
        }
        "LeakyRelu" => activate(reader, node, Activation::LeakyRelu(node.float("alpha", 0.01))),
        "Sigmoid" => activate(reader, node, Activation::Sigmoid),
        "Tanh" => activate(reader, node, Activation::Tanh),
        "HardSwish" => activate(reader, node, Activation::HardSwish),
        "HardSigmoid" => {
            let activation = Activation::HardSigmoid(node.float("alpha", 0.2), node.float("beta", 0.5));
            activate(reader, node, activation)
        }
        "MaxPool" => pool(reader, node, PoolKind::Max),
        "AveragePool" => pool(reader, node, PoolKind::Average),
        "GlobalAveragePool" => global_average(reader, node),
        "Add" => binary(reader, node, BinaryKind::Add),
        "Sub" => binary(reader, node, BinaryKind::Sub),
        "Mul" => binary(reader, node, BinaryKind::Mul),
        "Concat" => concat(reader, node),
        "Softmax" => softmax(reader, node),
        "Resize" | "Upsample" => resize(reader, node),
        "Pad" => pad(reader, node),
        "Constant" => constant(reader, node),
        "Identity" | "Dropout" => {
            let view = reader.view(node.input(0)?)?;
            set(reader, node, 0, view)
        }
        "Reshape" | "Flatten" => reshape(reader, node),
        "Transpose" => {
            let view = reader.view(node.input(0)?)?;
            let order: Vec<usize> = match node.attributes.get("perm") {
                Some(Attribute::Integers(order)) => order.iter().map(|&axis| axis as usize).collect(),
                _ => (0..view.shape.len()).rev().collect(),
            };
            let view = view.transposed(&order).ok_or_else(|| node.error("its order of axes is wrong"))?;
            set(reader, node, 0, view)
        }
        "Squeeze" | "Unsqueeze" => squeeze(reader, node),
        "Gather" => gather(reader, node),
        "Slice" => slice(reader, node),
        "Split" => split(reader, node),
        operator => {
            Err(ConvertError::Operator { layer: node.name.clone(), operator: format!("{operator} of ONNX") })
        }
    }
}

impl Node {
    fn input(&self, index: usize) -> Result<&str, ConvertError> {
        self.optional(index).ok_or_else(|| self.error("it lacks an input"))
    }

    fn optional(&self, index: usize) -> Option<&str> {
        self.inputs.get(index).map(String::as_str).filter(|name| !name.is_empty())
    }

    fn error(&self, reason: &str) -> ConvertError {
        ConvertError::layer(&self.name, reason)
    }

    fn float(&self, name: &str, default: f32) -> f32 {
        match self.attributes.get(name) {
            Some(Attribute::Float(value)) => *value,
            _ => default,
        }
    }

    fn integer(&self, name: &str, default: i64) -> i64 {
        match self.attributes.get(name) {
            Some(Attribute::Integer(value)) => *value,
            _ => default,
        }
    }

    fn text(&self, name: &str) -> &str {
        match self.attributes.get(name) {
            Some(Attribute::Text(value)) => value,
            _ => "",
        }
    }

    fn integers(&self, name: &str) -> Option<&[i64]> {
        match self.attributes.get(name) {
            Some(Attribute::Integers(values)) => Some(values),
            _ => None,
        }
    }

    /// A pair of sizes, vertical and horizontal.
    fn pair(&self, name: &str, default: usize) -> Result<[usize; 2], ConvertError> {
        match self.integers(name) {
            None => Ok([default; 2]),
            Some(&[a, b]) => match (usize::try_from(a), usize::try_from(b)) {
                (Ok(a), Ok(b)) => Ok([a, b]),
                _ => Err(self.error("a negative size")),
            },
            Some(_) => Err(self.error("only two dimensions are supported")),
        }
    }

    fn axis(&self, axis: i64, rank: usize) -> Result<usize, ConvertError> {
        let axis = if axis < 0 { axis + rank as i64 } else { axis };
        usize::try_from(axis)
            .ok()
            .filter(|&axis| axis < rank)
            .ok_or_else(|| self.error("an axis that is not there"))
    }

    fn output(&self, index: usize) -> Result<&String, ConvertError> {
        self.outputs.get(index).ok_or_else(|| self.error("it lacks an output"))
    }
}

fn set(reader: &mut Reader, node: &Node, index: usize, view: View) -> Done {
    reader.views.insert(node.output(index)?.clone(), view);
    Ok(())
}

impl Reader {
    /// Integers that must be constant: an input or, in older files, an attribute.
    fn fixed(&self, node: &Node, index: usize, attribute: &str) -> Result<Option<Vec<i64>>, ConvertError> {
        if let Some(name) = node.optional(index) {
            let constant = self.constants.get(name).and_then(Constant::integers);
            return constant.map(|values| Some(values.to_vec())).ok_or_else(|| {
                node.error("it depends on sizes at run time: export the model with fixed sizes")
            });
        }
        Ok(node.integers(attribute).map(<[i64]>::to_vec))
    }

    /// An input of `[1, channels, height, width]` as a tensor in memory order, and its sizes.
    fn image(&mut self, node: &Node, index: usize) -> Result<(usize, [usize; 3]), ConvertError> {
        let view = self.view(node.input(index)?)?;
        self.image_of(node, &view)
    }

    fn image_of(&mut self, node: &Node, view: &View) -> Result<(usize, [usize; 3]), ConvertError> {
        let &[1, c, h, w] = view.shape.as_slice() else {
            return Err(node.error("its input is not an image with a batch of 1"));
        };
        let view = view.transposed(&[0, 2, 3, 1]).ok_or_else(|| node.error("its input is not an image"))?;
        Ok((self.graph.dense(&node.name, &view, [h, w, c])?, [h, w, c]))
    }

    /// A new image for the first output.
    fn new_image(&mut self, node: &Node, sizes: [usize; 3]) -> Result<usize, ConvertError> {
        let shape = shape_of(sizes).ok_or_else(|| node.error("its output is empty or too large"))?;
        let name = node.output(0)?.clone();
        let id = self.graph.tensor(&name, shape, Element::F32, None);
        self.views.insert(name, View::channels_first(id, sizes));
        Ok(id)
    }

    /// Writes an image with its padding.
    pub(super) fn write_padding(
        &mut self,
        name: &str,
        view: &View,
        pads: Pads,
    ) -> Result<View, ConvertError> {
        let wrong = || ConvertError::layer(name, "its padding is too wide");
        let &[1, c, h, w] = view.shape.as_slice() else { return Err(wrong()) };
        let [top, left, bottom, right] = pads;
        let sizes = [h + top + bottom, w + left + right, c];
        let output = self.graph.tensor(name, shape_of(sizes).ok_or_else(wrong)?, Element::F32, None);
        self.graph.push(name, Op::Fill { output });
        let whole = View::channels_first(output, sizes);
        let inner =
            whole.sliced(2, top, h, 1).and_then(|view| view.sliced(3, left, w, 1)).ok_or_else(wrong)?;
        self.graph.copy(name, view, &inner)?;
        Ok(whole)
    }
}

/// Padding of a window operator: above, left, below, right.
fn pads(
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

fn conv(reader: &mut Reader, node: &Node) -> Done {
    let source = node.input(0)?;
    // Padding that was written as an operator of its own goes into the window.
    let (view, extra) = match reader.padded.get(source) {
        Some((view, pads)) => (view.clone(), *pads),
        None => (reader.view(source)?, [0; 4]),
    };
    let (input, [h, w, c]) = reader.image_of(node, &view)?;
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
    let pads: Pads = std::array::from_fn(|side| pads[side] + extra[side]);
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
    let bias = match node.optional(2) {
        None => vec![0.0; channels],
        Some(name) => {
            let bias =
                reader.constants.get(name).and_then(Constant::floats).filter(|bias| bias.len() == channels);
            bias.ok_or_else(|| node.error("its bias does not fit its weights"))?.to_vec()
        }
    };
    let wrong = || node.error("its window is empty, does not move or is larger than the image");
    let window = window([kh, kw], stride, dilation, [pads[0], pads[1]]).ok_or_else(wrong)?;
    let rows = positions(h, kh, stride[0], dilation[0], pads[0] + pads[2]).ok_or_else(wrong)?;
    let columns = positions(w, kw, stride[1], dilation[1], pads[1] + pads[3]).ok_or_else(wrong)?;
    let output = reader.new_image(node, [rows, columns, channels])?;
    let data = ConvData::F32 { weights: data, bias, activation: Activation::None };
    reader.graph.push(&node.name, Op::Conv(Conv { depthwise, window, input, output, data }));
    Ok(())
}

fn gemm(reader: &mut Reader, node: &Node) -> Done {
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
    let &[count, inner] = view.shape.as_slice() else { return Err(node.error("its input is not a matrix")) };
    if inner != depth || channels == 0 {
        return Err(node.error("its weights don't fit its input"));
    }
    let weights = if transposed {
        values.to_vec()
    } else {
        (0..channels).flat_map(|channel| (0..depth).map(move |at| values[at * channels + channel])).collect()
    };
    let bias = match node.optional(2) {
        None => vec![0.0; channels],
        Some(name) => {
            let bias =
                reader.constants.get(name).and_then(Constant::floats).filter(|bias| bias.len() == channels);
            bias.ok_or_else(|| node.error("its bias does not fit its weights"))?.to_vec()
        }
    };
    let input = reader.graph.dense(&node.name, &view, [1, count, depth])?;
    let shape =
        shape_of([1, count, channels]).ok_or_else(|| node.error("its output is empty or too large"))?;
    let output = reader.graph.tensor(node.output(0)?, shape, Element::F32, None);
    let data = ConvData::F32 { weights, bias, activation: Activation::None };
    reader
        .graph
        .push(&node.name, Op::Conv(Conv { depthwise: false, window: Window::POINT, input, output, data }));
    set(reader, node, 0, View::dense(output, vec![count, channels]))
}

/// A factor and a summand per channel: into the convolution before it, or as one of a single tap.
fn batch_norm(reader: &mut Reader, node: &Node) -> Done {
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
    let readers = reader.graph.nodes.iter().filter(|other| other.op.inputs().contains(&view.tensor)).count();
    let producer = reader.graph.nodes.iter_mut().rev().find(|other| other.op.output() == view.tensor);
    if let Some(Op::Conv(conv)) = producer.map(|node| &mut node.op)
        && let ConvData::F32 { weights, bias, activation: Activation::None } = &mut conv.data
        && readers == 0
        && bias.len() == channels
    {
        let count = weights.len() / channels;
        for (at, weight) in weights.iter_mut().enumerate() {
            *weight *= factors[if conv.depthwise { at % channels } else { at / count }];
        }
        for ((bias, factor), summand) in bias.iter_mut().zip(&factors).zip(&summands) {
            *bias = *bias * factor + summand;
        }
        return set(reader, node, 0, view);
    }
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

fn activate(reader: &mut Reader, node: &Node, activation: Activation) -> Done {
    let view = reader.view(node.input(0)?)?;
    let view = reader.graph.whole(&node.name, &view)?;
    let output = reader.graph.like(node.output(0)?, &view, Element::F32, None);
    let op = Op::Activate { input: view.tensor, output: output.tensor, activation };
    reader.graph.push(&node.name, op);
    set(reader, node, 0, output)
}

fn pool(reader: &mut Reader, node: &Node, kind: PoolKind) -> Done {
    let Some(&[kh, kw]) = node.integers("kernel_shape") else {
        return Err(node.error("it has no window of two dimensions"));
    };
    let kernel = [usize::try_from(kh).unwrap_or(0), usize::try_from(kw).unwrap_or(0)];
    let stride = node.pair("strides", 1)?;
    if node.pair("dilations", 1)? != [1, 1] {
        return Err(node.error("dilated pooling is not supported"));
    }
    let source = node.input(0)?;
    let (view, extra) = match reader.padded.get(source) {
        // Zeros that were written are counted in a mean.
        Some((view, pads))
            if kind == PoolKind::Average
                && node.integers("pads").is_none_or(|own| own.iter().all(|&pad| pad == 0)) =>
        {
            (view.clone(), *pads)
        }
        _ => (reader.view(source)?, [0; 4]),
    };
    let (input, [h, w, c]) = reader.image_of(node, &view)?;
    let own = pads(node, [h, w], kernel, stride, [1, 1])?;
    let pads: Pads = std::array::from_fn(|side| own[side] + extra[side]);
    let counted = extra != [0; 4] || node.integer("count_include_pad", 0) != 0;
    let kind = if kind == PoolKind::Average && counted { PoolKind::AverageWithPadding } else { kind };
    let wrong = || node.error("its window is empty, does not move or is larger than the image");
    let window = window(kernel, stride, [1, 1], [pads[0], pads[1]]).ok_or_else(wrong)?;
    let side = |size: usize, axis: usize| -> Option<usize> {
        let total = pads[axis] + pads[axis + 2];
        let floor = positions(size, kernel[axis], stride[axis], 1, total)?;
        if node.integer("ceil_mode", 0) == 0 {
            return Some(floor);
        }
        let ceil = (size + total - kernel[axis]).div_ceil(stride[axis]) + 1;
        // A window must not start in the padding at the end.
        Some(if (ceil - 1) * stride[axis] >= size + pads[axis] { floor } else { ceil })
    };
    let (rows, columns) = (side(h, 0).ok_or_else(wrong)?, side(w, 1).ok_or_else(wrong)?);
    let output = reader.new_image(node, [rows, columns, c])?;
    let numbers = PoolNumbers::F32(Activation::None);
    reader.graph.push(&node.name, Op::Pool(Pool { kind, window, input, output, numbers }));
    Ok(())
}

fn global_average(reader: &mut Reader, node: &Node) -> Done {
    let (input, [h, w, c]) = reader.image(node, 0)?;
    let output = reader.new_image(node, [1, 1, c])?;
    let window =
        window([h, w], [1, 1], [1, 1], [0, 0]).ok_or_else(|| node.error("its image is too large"))?;
    let numbers = PoolNumbers::F32(Activation::None);
    reader.graph.push(&node.name, Op::Pool(Pool { kind: PoolKind::Average, window, input, output, numbers }));
    Ok(())
}

fn binary(reader: &mut Reader, node: &Node, kind: BinaryKind) -> Done {
    let (mut a, mut b) = (reader.view(node.input(0)?)?, reader.view(node.input(1)?)?);
    if a.len() < b.len() && kind != BinaryKind::Sub {
        std::mem::swap(&mut a, &mut b);
    }
    let rank = a.shape.len();
    if b.shape.len() > rank {
        return Err(node.error("its sides don't fit each other"));
    }
    // Missing dimensions of the smaller side are in front.
    let mut shape = vec![1; rank - b.shape.len()];
    shape.extend(&b.shape);
    let b = if b.shape == shape {
        b
    } else {
        b.reshaped(&shape).ok_or_else(|| node.error("its sides don't fit each other"))?
    };
    let (left, right, output) = if a.shape == b.shape {
        // The same order of values on both sides is enough.
        let a = reader.graph.whole(&node.name, &a)?;
        let other = if a.strides == b.strides && b.covers(reader.graph.tensors[a.tensor].shape.len()) {
            b.tensor
        } else {
            let same = reader.graph.like(&node.name, &a, Element::F32, None);
            reader.graph.copy(&node.name, &b, &same)?;
            same.tensor
        };
        let shape = reader.graph.tensors[a.tensor].shape;
        if reader.graph.tensors[other].shape != shape {
            let mut alias = reader.graph.tensors[other].clone();
            (alias.shape, alias.alias) = (shape, Some(other));
            reader.graph.tensors.push(alias);
        }
        let right =
            if reader.graph.tensors[other].shape == shape { other } else { reader.graph.tensors.len() - 1 };
        let output = reader.graph.like(node.output(0)?, &a, Element::F32, None);
        (a.tensor, right, output)
    } else {
        let last = |view: &View| match *view.shape {
            [1, _, _, _] => view.transposed(&[0, 2, 3, 1]),
            _ => Some(view.clone()),
        };
        let wrong = || node.error("its sides don't fit each other");
        let (image, other) = (last(&a).ok_or_else(wrong)?, last(&b).ok_or_else(wrong)?);
        let sizes = image_sizes(&image.shape);
        let left = reader.graph.dense(&node.name, &image, sizes)?;
        let right = reader.graph.dense(&node.name, &other, image_sizes(&other.shape))?;
        let shape = shape_of(sizes).ok_or_else(wrong)?;
        let output = reader.graph.tensor(node.output(0)?, shape, Element::F32, None);
        let output = if image.shape == a.shape {
            View::dense(output, a.shape.clone())
        } else {
            View::channels_first(output, sizes)
        };
        (left, right, output)
    };
    let numbers = BinaryNumbers::F32(Activation::None);
    reader.graph.push(&node.name, Op::Binary { kind, a: left, b: right, output: output.tensor, numbers });
    set(reader, node, 0, output)
}

fn concat(reader: &mut Reader, node: &Node) -> Done {
    let views = node.inputs.iter().map(|name| reader.view(name)).collect::<Result<Vec<_>, _>>()?;
    let first = views.first().ok_or_else(|| node.error("it has no input"))?;
    let rank = first.shape.len();
    let axis = node.axis(node.integer("axis", 0), rank)?;
    let fits = |view: &View| {
        view.shape.len() == rank && (0..rank).all(|at| at == axis || view.shape[at] == first.shape[at])
    };
    if !views.iter().all(fits) {
        return Err(node.error("its inputs don't fit each other"));
    }
    let mut shape = first.shape.clone();
    shape[axis] = views.iter().map(|view| view.shape[axis]).sum();
    let whole = if let [1, c, h, w] = *shape {
        let output = reader.new_image(node, [h, w, c])?;
        View::channels_first(output, [h, w, c])
    } else {
        // In memory in the order of the first input, so that most copies move runs.
        let mut order: Vec<usize> = (0..rank).collect();
        order.sort_by_key(|&at| std::cmp::Reverse(first.strides[at]));
        let ordered: Vec<usize> = order.iter().map(|&at| shape[at]).collect();
        let sizes =
            shape_of(image_sizes(&ordered)).ok_or_else(|| node.error("its output is empty or too large"))?;
        let output = reader.graph.tensor(node.output(0)?, sizes, Element::F32, None);
        let dense = View::dense(output, ordered);
        let mut back = vec![0; rank];
        for (place, &at) in order.iter().enumerate() {
            back[at] = place;
        }
        dense.transposed(&back).ok_or_else(|| node.error("its inputs don't fit each other"))?
    };
    let mut start = 0;
    for view in &views {
        let size = view.shape[axis];
        let part = whole.sliced(axis, start, size, 1).ok_or_else(|| node.error("its inputs are empty"))?;
        reader.graph.copy(&node.name, view, &part)?;
        start += size;
    }
    set(reader, node, 0, whole)
}

fn softmax(reader: &mut Reader, node: &Node) -> Done {
    let view = reader.view(node.input(0)?)?;
    let axis = node.axis(node.integer("axis", -1), view.shape.len())?;
    let len = reader.graph.tensors[view.tensor].shape;
    // The channels of a tensor in memory, or a copy where they are last.
    let view = if view.strides[axis] == 1 && view.covers(len.len()) && view.shape[axis] == len.c as usize {
        view
    } else {
        let mut order: Vec<usize> = (0..view.shape.len()).filter(|&at| at != axis).collect();
        order.push(axis);
        let wrong = || node.error("its axis is wrong");
        let moved = view.transposed(&order).ok_or_else(wrong)?;
        let id = reader.graph.dense(&node.name, &moved, image_sizes(&moved.shape))?;
        let mut back = vec![0; order.len()];
        for (place, &at) in order.iter().enumerate() {
            back[at] = place;
        }
        View::dense(id, moved.shape).transposed(&back).ok_or_else(wrong)?
    };
    let output = reader.graph.like(node.output(0)?, &view, Element::F32, None);
    let op = Op::Softmax { input: view.tensor, output: output.tensor, numbers: SoftmaxNumbers::F32 };
    reader.graph.push(&node.name, op);
    set(reader, node, 0, output)
}

fn resize(reader: &mut Reader, node: &Node) -> Done {
    let (input, [h, w, c]) = reader.image(node, 0)?;
    let scales = [2, 1].iter().find_map(|&index| {
        let scales = reader.constants.get(node.optional(index)?)?.floats()?;
        (scales.len() == 4).then(|| scales.to_vec())
    });
    let sizes = node.optional(3).and_then(|name| reader.constants.get(name)?.integers());
    let (rows, columns) = match (scales, sizes, &reader.original) {
        (Some(scales), _, _) => ((h as f32 * scales[2]) as usize, (w as f32 * scales[3]) as usize),
        (None, Some(&[_, _, rows, columns]), None) => (rows as usize, columns as usize),
        (None, Some(&[_, _, rows, columns]), Some(original)) => {
            let ([own_h, own_w], [wanted_h, wanted_w]) = (original.size, original.wanted);
            (rows as usize * wanted_h / own_h, columns as usize * wanted_w / own_w)
        }
        _ => return Err(node.error("its size is not fixed")),
    };
    let output = reader.new_image(node, [rows, columns, c])?;
    let coordinates = node.text("coordinate_transformation_mode").to_owned();
    match node.text("mode") {
        "linear" => {
            let (align_corners, half_pixel) = match coordinates.as_str() {
                "align_corners" => (true, false),
                "asymmetric" => (false, false),
                "half_pixel" | "pytorch_half_pixel" | "" => (false, true),
                _ => return Err(node.error("its coordinates are not supported")),
            };
            reader.graph.push(&node.name, Op::Resize { input, output, align_corners, half_pixel });
            Ok(())
        }
        "nearest" | "" => {
            let shape = |id: usize| reader.graph.tensors[id].shape;
            let (from, to) = (shape(input), shape(output));
            // Upwards by a whole factor all other modes give the same pixels.
            let whole = coordinates != "align_corners" && coordinates != "tf_crop_and_resize";
            let repeated =
                if whole { reader.graph.repeat(&node.name, (input, from), (output, to)) } else { None };
            repeated.ok_or_else(|| node.error("nearest neighbours only for a whole factor"))
        }
        _ => Err(node.error("cubic resizing is not supported")),
    }
}

fn pad(reader: &mut Reader, node: &Node) -> Done {
    let view = reader.view(node.input(0)?)?;
    let widths = reader.fixed(node, 1, "pads")?.unwrap_or_default();
    let mode = node.text("mode");
    let value = node.optional(2).and_then(|name| reader.constants.get(name)?.floats()?.first().copied());
    if !(mode.is_empty() || mode == "constant") || value.unwrap_or(node.float("value", 0.0)) != 0.0 {
        return Err(node.error("padding with other values than zero is not supported"));
    }
    let &[0, 0, top, left, 0, 0, bottom, right] = widths.as_slice() else {
        return Err(node.error("padding is only supported around images"));
    };
    let pads = [top, left, bottom, right];
    if view.shape.len() != 4 || pads.iter().any(|pad| !(0..1 << 16).contains(pad)) {
        return Err(node.error("padding is only supported around images"));
    }
    reader.padded.insert(node.output(0)?.clone(), (view, pads.map(|pad| pad as usize)));
    Ok(())
}

fn constant(reader: &mut Reader, node: &Node) -> Done {
    let value = match node.attributes.values().next() {
        Some(Attribute::Tensor(constant)) => constant.clone(),
        Some(Attribute::Float(value)) => Constant { shape: vec![], numbers: Numbers::Floats(vec![*value]) },
        Some(Attribute::Integer(value)) => {
            Constant { shape: vec![], numbers: Numbers::Integers(vec![*value]) }
        }
        Some(Attribute::Integers(values)) => {
            Constant { shape: vec![values.len()], numbers: Numbers::Integers(values.clone()) }
        }
        Some(Attribute::Floats(values)) => {
            Constant { shape: vec![values.len()], numbers: Numbers::Floats(values.clone()) }
        }
        _ => return Err(node.error("its type is not supported")),
    };
    reader.constants.insert(node.output(0)?.clone(), value);
    Ok(())
}

fn reshape(reader: &mut Reader, node: &Node) -> Done {
    let source = node.input(0)?.to_owned();
    let view = reader.view(&source)?;
    let target: Vec<i64> = if node.operator == "Flatten" {
        let axis = usize::try_from(node.integer("axis", 1)).unwrap_or(0).min(view.shape.len());
        let (front, back) = view.shape.split_at(axis);
        vec![front.iter().product::<usize>() as i64, back.iter().product::<usize>() as i64]
    } else {
        reader.fixed(node, 1, "shape")?.ok_or_else(|| node.error("its shape is not fixed"))?
    };
    let mut shape = Vec::with_capacity(target.len());
    let mut open = None;
    for (at, &size) in target.iter().enumerate() {
        match size {
            -1 => {
                open = Some(at);
                shape.push(1);
            }
            0 => shape.push(*view.shape.get(at).ok_or_else(|| node.error("its shape is wrong"))?),
            size => shape.push(usize::try_from(size).map_err(|_| node.error("its shape is wrong"))?),
        }
    }
    let known: usize = shape.iter().product();
    if let Some(at) = open
        && known > 0
    {
        shape[at] = view.len() / known;
    }
    if shape.iter().product::<usize>() != view.len() {
        // The shape was written for another size of the input.
        let original = reader.original.as_ref().and_then(|original| {
            let (from, to) = (original.shapes.get(&source)?, original.shapes.get(node.outputs.first()?)?);
            shuffle::resized(original, from, to, &view.shape)
        });
        shape =
            original.ok_or_else(|| node.error("its shape has another number of values than its input"))?;
    }
    let reshaped = match view.reshaped(&shape) {
        Some(reshaped) => reshaped,
        None => {
            let id = reader.graph.dense(&node.name, &view, image_sizes(&view.shape))?;
            View::dense(id, shape)
        }
    };
    set(reader, node, 0, reshaped)
}

fn squeeze(reader: &mut Reader, node: &Node) -> Done {
    let view = reader.view(node.input(0)?)?;
    let axes = reader.fixed(node, 1, "axes")?;
    let mut shape = view.shape.clone();
    if node.operator == "Squeeze" {
        let axes = match axes {
            Some(axes) => {
                axes.iter().map(|&axis| node.axis(axis, shape.len())).collect::<Result<Vec<_>, _>>()?
            }
            None => (0..shape.len()).filter(|&at| shape[at] == 1).collect(),
        };
        let mut at = 0;
        shape.retain(|_| {
            at += 1;
            !axes.contains(&(at - 1))
        });
    } else {
        let axes = axes.ok_or_else(|| node.error("its axes are not fixed"))?;
        let rank = shape.len() + axes.len();
        let mut axes = axes.iter().map(|&axis| node.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
        axes.sort_unstable();
        for axis in axes {
            shape.insert(axis.min(shape.len()), 1);
        }
    }
    let view = view.reshaped(&shape).ok_or_else(|| node.error("an axis that it drops is not 1"))?;
    set(reader, node, 0, view)
}

fn gather(reader: &mut Reader, node: &Node) -> Done {
    let view = reader.view(node.input(0)?)?;
    let axis = node.axis(node.integer("axis", 0), view.shape.len())?;
    let index = reader.constants.get(node.input(1)?);
    let Some((shape, &[index])) = index.and_then(|index| Some((index.shape.len(), index.integers()?))) else {
        return Err(node.error("only a single fixed index is supported"));
    };
    let size = view.shape[axis] as i64;
    let index = usize::try_from(if index < 0 { index + size } else { index }).unwrap_or(usize::MAX);
    let wrong = || node.error("its index is not there");
    let part = view.sliced(axis, index, 1, 1).ok_or_else(wrong)?;
    let part = if shape == 0 { part.without(axis).ok_or_else(wrong)? } else { part };
    set(reader, node, 0, part)
}

fn slice(reader: &mut Reader, node: &Node) -> Done {
    let mut view = reader.view(node.input(0)?)?;
    let starts = reader.fixed(node, 1, "starts")?.unwrap_or_default();
    let ends = reader.fixed(node, 2, "ends")?.unwrap_or_default();
    let axes = reader.fixed(node, 3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = reader.fixed(node, 4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    if starts.len() != ends.len() || starts.len() != axes.len() || starts.len() != steps.len() {
        return Err(node.error("its bounds don't fit each other"));
    }
    for (((&start, &end), &axis), &step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
        let axis = node.axis(axis, view.shape.len())?;
        let size = view.shape[axis] as i64;
        let bound = |at: i64| (if at < 0 { at.saturating_add(size) } else { at }).clamp(0, size);
        let (start, end) = (bound(start), bound(end));
        if step < 1 || end <= start {
            return Err(node.error("it is empty or goes backwards"));
        }
        let count = (end - start + step - 1) / step;
        view = view
            .sliced(axis, start as usize, count as usize, step as usize)
            .ok_or_else(|| node.error("it reaches outside its input"))?;
    }
    set(reader, node, 0, view)
}

fn split(reader: &mut Reader, node: &Node) -> Done {
    let view = reader.view(node.input(0)?)?;
    let axis = node.axis(node.integer("axis", 0), view.shape.len())?;
    let count = node.outputs.len().max(1);
    let sizes = match reader.fixed(node, 1, "split")? {
        Some(sizes) => sizes.iter().map(|&size| usize::try_from(size).unwrap_or(0)).collect(),
        None => vec![view.shape[axis] / count; count],
    };
    let mut start = 0;
    for (index, size) in sizes.into_iter().enumerate() {
        let part =
            view.sliced(axis, start, size, 1).ok_or_else(|| node.error("its parts don't fit its input"))?;
        set(reader, node, index, part)?;
        start += size;
    }
    Ok(())
}
