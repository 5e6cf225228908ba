//! Passes that make a graph smaller: padding goes into windows, batch norms and activations into the operators before them,
//! gathered squares into the convolution after them, and a convolution whose only reader is a max pooling keeps no more than
//! a few rows.

use eyespot_nn::graph::{Activation, Axis, BinaryKind, BinaryNumbers, PoolKind, PoolNumbers, Window};

use crate::builder::{Pads, axes, touches};
use crate::ir::{Conv, ConvData, CopyOp, Graph, Id, Op};
use crate::view::View;

/// How many operators and outputs read each tensor, views counted with what they look at.
fn readers(graph: &Graph) -> Vec<usize> {
    let mut readers = vec![0; graph.tensors.len()];
    for id in graph.nodes.iter().flat_map(|node| node.op.inputs()).chain(graph.outputs.iter().copied()) {
        readers[graph.root(id)] += 1;
    }
    readers
}

/// x * sigmoid(x) becomes one function.
fn silu(graph: &mut Graph) {
    for at in 0..graph.nodes.len() {
        let Op::Binary { kind: BinaryKind::Mul, a, b, output, numbers: BinaryNumbers::F32(Activation::None) } =
            graph.nodes[at].op
        else {
            continue;
        };
        let sigmoid_of = |id: Id| {
            graph.nodes[..at].iter().find_map(|node| match node.op {
                Op::Activate { input, output, activation: Activation::Sigmoid } if output == id => {
                    Some(input)
                }
                _ => None,
            })
        };
        let input = if sigmoid_of(b) == Some(a) { a } else { b };
        if sigmoid_of(b) == Some(a) || sigmoid_of(a) == Some(b) {
            graph.nodes[at].op = Op::Activate { input, output, activation: Activation::Silu };
        }
    }
    graph.drop_dead();
}

/// Padding that was written goes into the windows of those who read it: convolutions, and means, which count it.
pub(crate) fn padding(graph: &mut Graph) {
    for at in 0..graph.nodes.len() {
        let (input, output, window) = match &graph.nodes[at].op {
            Op::Conv(conv) => (conv.input, conv.output, conv.window),
            Op::Pool(pool) if pool.kind == PoolKind::Average => (pool.input, pool.output, pool.window),
            _ => continue,
        };
        let Some((inner, pads)) = padded(graph, input) else { continue };
        let [kernel, stride, dilation, own] =
            [window.kernel, window.stride, window.dilation, window.pad].map(|sides| sides.map(usize::from));
        let [output, whole, part] = [output, input, inner].map(|id| sizes(graph, id));
        let all = [pads[0] + own[0], pads[1] + own[1], pads[2], pads[3]];
        let [Ok(top), Ok(left)] = [all[0], all[1]].map(u16::try_from) else { continue };
        // Where the last window starts, in the image with its padding.
        let last = [0, 1].map(|axis| (output[axis] - 1) * stride[axis]);
        let touches =
            touches(all, kernel, dilation) && (0..2).all(|axis| last[axis] < part[axis] + all[axis]);
        // A mean counts what was written, but not what is outside of that too.
        let inside = own == [0, 0] && (0..2).all(|axis| last[axis] + kernel[axis] <= whole[axis]);
        if !touches || !inside && matches!(graph.nodes[at].op, Op::Pool(_)) {
            continue;
        }
        match &mut graph.nodes[at].op {
            Op::Conv(conv) => (conv.input, conv.window.pad) = (inner, [top, left]),
            Op::Pool(pool) => {
                (pool.input, pool.window.pad) = (inner, [top, left]);
                pool.kind = PoolKind::AverageWithPadding;
            }
            _ => {}
        }
    }
    graph.drop_dead();
}

fn sizes(graph: &Graph, id: Id) -> [usize; 3] {
    let shape = graph.tensors[id].shape;
    [shape.h, shape.w, shape.c].map(|size| size as usize)
}

/// The image inside a tensor that is zeros around one, and how many.
fn padded(graph: &Graph, id: Id) -> Option<(Id, Pads)> {
    let mut writers =
        graph.nodes.iter().map(|node| &node.op).filter(|op| graph.root(op.output()) == graph.root(id));
    let (Some(Op::Fill { .. }), Some(Op::Copy(copy)), None) =
        (writers.next(), writers.next(), writers.next())
    else {
        return None;
    };
    let (whole, part) = (sizes(graph, id), sizes(graph, copy.input));
    let [top, left] = [copy.to / (whole[1] * whole[2]), copy.to / whole[2] % whole[1]];
    // The copy that puts the whole image there.
    let place =
        View::dense(copy.output, whole.to_vec()).sliced(0, top, part[0], 1)?.sliced(1, left, part[1], 1)?;
    let from = View::dense(copy.input, part.to_vec());
    let same = CopyOp {
        input: copy.input,
        output: copy.output,
        from: 0,
        to: place.offset,
        axes: axes(&from, &place)?,
        table: None,
    };
    let quant = |id: Id| graph.tensors[id].quant;
    let fits = part[2] == whole[2] && *copy == same && quant(copy.input) == quant(id);
    fits.then(|| (copy.input, [top, left, whole[0] - top - part[0], whole[1] - left - part[1]]))
}

/// A factor and a summand for each channel, or one for all, and what follows.
struct Scale {
    input: Id,
    output: Id,
    factors: Vec<f32>,
    summands: Vec<f32>,
    activation: Activation,
}

impl Scale {
    /// What a batch norm or arithmetic with a constant does.
    fn of(graph: &Graph, op: &Op) -> Option<Self> {
        match op {
            Op::Conv(Conv { depthwise: true, window: Window::POINT, input, output, data }) => {
                let ConvData::F32 { weights, bias, activation } = data else { return None };
                let (factors, summands) = (weights.clone(), bias.clone());
                Some(Self { input: *input, output: *output, factors, summands, activation: *activation })
            }
            &Op::Binary { kind, a, b, output, numbers: BinaryNumbers::F32(activation) } => {
                let shape = graph.tensors[b].shape;
                let data = graph.nodes.iter().find_map(|node| match &node.op {
                    Op::Constant { output, data } if *output == graph.root(b) => Some(data),
                    _ => None,
                })?;
                let values = data.as_chunks::<4>().0.iter().map(|&value| f32::from_le_bytes(value));
                let (factors, summands) = match kind {
                    BinaryKind::Add => (vec![1.0], values.collect()),
                    BinaryKind::Sub => (vec![1.0], values.map(|value| -value).collect()),
                    BinaryKind::Mul => (values.collect(), vec![0.0]),
                };
                let scale = Self { input: a, output, factors, summands, activation };
                (shape.h == 1 && shape.w == 1).then_some(scale)
            }
            _ => None,
        }
    }
}

/// Puts batch norms, and arithmetic with a constant per channel, into the convolution before them that nobody else reads.
pub(crate) fn norms(graph: &mut Graph) {
    let readers = readers(graph);
    let mut at = 0;
    while at < graph.nodes.len() {
        let scale = Scale::of(graph, &graph.nodes[at].op);
        at += 1;
        let Some(Scale { input, output, factors, summands, activation }) = scale else { continue };
        let source = graph.nodes[..at - 1].iter_mut().find_map(|node| match &mut node.op {
            Op::Conv(conv) if conv.output == input => Some(conv),
            _ => None,
        });
        let Some(Conv { depthwise, output: target, data, .. }) = source else { continue };
        let ConvData::F32 { weights, bias, activation: own } = data else { continue };
        let channels = bias.len();
        let fits = |values: &[f32]| values.len() == channels || values.len() == 1;
        if readers[input] != 1 || *own != Activation::None || !fits(&factors) || !fits(&summands) {
            continue;
        }
        let factor = |channel: usize| factors[channel % factors.len()];
        let count = weights.len() / channels.max(1);
        for (place, weight) in weights.iter_mut().enumerate() {
            *weight *= factor(if *depthwise { place % channels } else { place / count });
        }
        for (channel, bias) in bias.iter_mut().enumerate() {
            *bias = *bias * factor(channel) + summands[channel % summands.len()];
        }
        (*own, *target) = (activation, output);
        at -= 1;
        graph.nodes.remove(at);
    }
    graph.drop_dead();
}

/// Puts activations into the operators before them.
pub(crate) fn activations(graph: &mut Graph) {
    silu(graph);
    let readers = readers(graph);
    let mut at = 0;
    while at < graph.nodes.len() {
        let Op::Activate { input, output, activation } = graph.nodes[at].op else {
            at += 1;
            continue;
        };
        let producer = graph.nodes[..at].iter_mut().find(|node| node.op.output() == input);
        let place = producer.and_then(|node| match &mut node.op {
            Op::Conv(conv) => match &mut conv.data {
                ConvData::F32 { activation, .. } => Some((activation, &mut conv.output)),
                ConvData::I8 { .. } => None,
            },
            Op::Pool(pool) => match &mut pool.numbers {
                PoolNumbers::F32(activation) => Some((activation, &mut pool.output)),
                PoolNumbers::I8(_) => None,
            },
            Op::Binary { numbers: BinaryNumbers::F32(activation), output, .. } => Some((activation, output)),
            _ => None,
        });
        match place {
            Some((own, target)) if *own == Activation::None && readers[input] == 1 => {
                *own = activation;
                *target = output;
                graph.nodes.remove(at);
            }
            _ => at += 1,
        }
    }
}

/// A convolution over pixels that were gathered from squares of an image (space to depth: the "focus" of YOLOX) becomes one
/// over the image itself, with more taps and larger steps: the same sums without the copies.
pub(crate) fn squares(graph: &mut Graph) {
    let readers = readers(graph);
    for at in 0..graph.nodes.len() {
        let Op::Conv(conv) = &graph.nodes[at].op else { continue };
        let gathered = conv.input;
        if conv.depthwise || readers[graph.root(gathered)] != 1 {
            continue;
        }
        let copies: Option<Vec<&CopyOp>> = graph
            .nodes
            .iter()
            .filter(|node| graph.root(node.op.output()) == graph.root(gathered))
            .map(|node| if let Op::Copy(copy) = &node.op { Some(copy) } else { None })
            .collect();
        if let Some(fused) = copies.and_then(|copies| over_squares(graph, conv, &copies)) {
            graph.nodes[at].op = Op::Conv(fused);
        }
    }
    graph.drop_dead();
}

/// The convolution over the image that the copies read; `None` where they do something else.
fn over_squares(graph: &Graph, conv: &Conv, copies: &[&CopyOp]) -> Option<Conv> {
    let image = copies.first()?.input;
    let (from, to) = (graph.tensors[image].shape, graph.tensors[conv.input].shape);
    let side = from.h.checked_div(to.h)?;
    let Window { kernel, stride, dilation, pad } = conv.window;
    let ConvData::F32 { weights, bias, activation } = &conv.data else { return None };
    // The number of copies bounds the products after it.
    let fits = side > 1
        && copies.len() == (side as usize).pow(2)
        && [to.h * side, to.w * side, to.c] == [from.h, from.w, from.c * side * side]
        && dilation == [1, 1];
    if !fits {
        return None;
    }
    // Which pixel of a square lies at which channels.
    let mut places = vec![None; copies.len()];
    let (step, depth, line) = (side as usize, from.c as usize, (from.w * from.c) as usize);
    for copy in copies {
        let axis = |count: u32, from: u32, to: u32| Axis { count, from, to };
        let wanted = [
            axis(to.h, side * from.w * from.c, to.w * to.c),
            axis(to.w, side * from.c, to.c),
            axis(from.c, 1, 1),
        ];
        let (y, x) = (copy.from / line, copy.from % line / depth);
        let fits = copy.input == image
            && copy.table.is_none()
            && copy.axes[2..] == wanted
            && copy.axes[..2].iter().all(|axis| axis.count == 1)
            && copy.from % depth == 0
            && copy.to % depth == 0
            && y < step
            && x < step;
        if !fits {
            return None;
        }
        *places.get_mut(copy.to / depth)? = Some([y, x]);
    }
    let places: Vec<[usize; 2]> = places.into_iter().collect::<Option<_>>()?;
    let channels = bias.len();
    let [rows, columns] = kernel.map(usize::from);
    let mut spread = vec![0.0; weights.len()];
    // `[output channels, taps, input channels]`.
    for (at, &weight) in weights.iter().enumerate() {
        let (output, tap, input) = (
            at / (rows * columns * to.c as usize),
            at / to.c as usize % (rows * columns),
            at % to.c as usize,
        );
        let [y, x] = places[input / depth];
        let (row, column) = (tap / columns * step + y, tap % columns * step + x);
        spread[((output * rows * step + row) * columns * step + column) * depth + input % depth] = weight;
    }
    let larger =
        |pair: [u16; 2]| Some([pair[0].checked_mul(step as u16)?, pair[1].checked_mul(step as u16)?]);
    debug_assert_eq!(spread.len(), channels * rows * columns * step * step * depth);
    Some(Conv {
        window: Window { kernel: larger(kernel)?, stride: larger(stride)?, dilation, pad: larger(pad)? },
        input: image,
        data: ConvData::F32 { weights: spread, bias: bias.clone(), activation: *activation },
        ..conv.clone()
    })
}

/// Puts a convolution and a max pooling that alone reads it together.
pub(crate) fn pooling(graph: &mut Graph) {
    let readers = readers(graph);
    let mut at = 1;
    while at < graph.nodes.len() {
        let fused = match (&graph.nodes[at - 1].op, &graph.nodes[at].op) {
            (Op::Conv(conv), Op::Pool(pool))
                if pool.kind == PoolKind::Max
                    && pool.input == conv.output
                    && readers[conv.output] == 1
                    && u32::from(pool.window.kernel[0]) < graph.tensors[conv.output].shape.h
                    // Rows must not be computed twice.
                    && pool.window.stride[0] <= pool.window.kernel[0] =>
            {
                Some(Op::ConvPool(conv.clone(), pool.clone()))
            }
            _ => None,
        };
        if let Some(op) = fused {
            graph.nodes[at].op = op;
            graph.nodes.remove(at - 1);
        } else {
            at += 1;
        }
    }
}
