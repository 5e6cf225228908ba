//! Post-training quantisation: a floating-point graph and samples of its input become an int8 graph.
//!
//! The scheme is TensorFlow Lite's (arXiv:1712.05877 and its int8 specification): weights symmetric per output channel,
//! activations with one scale and zero point per tensor, biases of 32 bits.

use std::collections::HashMap;

use eyespot_nn::graph::{
    Activation, BinaryNumbers, Element, PoolKind, PoolNumbers, PoolQuant, Shape, SoftmaxNumbers,
};
use eyespot_nn::host::Host;
use eyespot_nn::{Model, Network};

use crate::ConvertError;
use crate::fixed::{
    apply, binary_numbers, fold_zero, mean_rescale, multiplier, short, short_binary, softmax, table,
};
use crate::histogram::Histogram;
use crate::ir::{Conv, ConvData, CopyOp, Graph, Id, Node, Op, Pool, Quant};

/// Scale and zero point of what lies in 0 to 1.
const UNIT: Quant = Quant { scale: 1.0 / 256.0, zero: -128 };

/// Beyond this the sigmoid of a number is 0 or 1, to a part of 256, and its product with it 0 or the number.
const SIGMOID: f32 = 8.0;

/// Pixels whose sum of bytes is sure to fit 32 bits.
const MOST_OF_A_MEAN: u32 = 1 << 23;

impl Graph {
    /// Quantises a floating-point graph with one input. Each sample is an input as the network takes it: height, width
    /// and channels, the channels of a pixel together. A few dozen typical ones are enough.
    ///
    /// Outputs are quantised too, with a scale and zero point each. Where an output is a concatenation of results, its
    /// parts become outputs of their own, so that each has the range that it needs.
    ///
    /// # Errors
    /// [`ConvertError::Calibration`] where there is no sample or one has a wrong length or a non-finite number;
    /// [`ConvertError::Layer`] where the graph is quantised already or has an operator that can't be.
    pub fn quantized(&self, samples: impl IntoIterator<Item = Vec<f32>>) -> Result<Self, ConvertError> {
        let mut graph = self.clone();
        // Of concatenations of concatenations too.
        let mut outputs = 0;
        while std::mem::replace(&mut outputs, graph.outputs.len()) != graph.outputs.len() {
            graph.take_outputs_apart();
        }
        graph.unfuse();
        let seen = observe(&graph, samples)?;
        let scheme = choose(&graph, &seen);
        rewrite(&graph, &scheme)
    }

    /// An output that is a concatenation becomes several.
    fn take_outputs_apart(&mut self) {
        let mut outputs = Vec::new();
        for &output in &self.outputs {
            let root = self.root(output);
            let read = self.nodes.iter().any(|node| node.op.inputs().iter().any(|&id| self.root(id) == root));
            let writers: Vec<&Op> =
                self.nodes.iter().map(|node| &node.op).filter(|op| self.root(op.output()) == root).collect();
            let mut parts: Vec<(usize, Id)> = writers
                .iter()
                .filter_map(|op| match op {
                    Op::Copy(copy) if is_whole(copy, self.tensors[copy.input].shape.len()) => {
                        Some((copy.to, copy.input))
                    }
                    _ => None,
                })
                .collect();
            if !read && parts.len() == writers.len() && parts.len() > 1 {
                parts.sort_unstable();
                outputs.extend(parts.into_iter().map(|(_, id)| id));
            } else {
                outputs.push(output);
            }
        }
        self.outputs = outputs;
        self.drop_dead();
    }

    /// Activations that are no clamps become operators of their own: tables.
    fn unfuse(&mut self) {
        let clamps = |activation: &Activation| matches!(activation, Activation::None | Activation::Clamp(..));
        let mut nodes = Vec::new();
        for mut node in std::mem::take(&mut self.nodes) {
            let fused = match &mut node.op {
                Op::Conv(Conv { data: ConvData::F32 { activation, .. }, output, .. })
                | Op::Pool(Pool { numbers: PoolNumbers::F32(activation), output, .. })
                | Op::Binary { numbers: BinaryNumbers::F32(activation), output, .. }
                    if !clamps(activation) =>
                {
                    Some((std::mem::replace(activation, Activation::None), output))
                }
                _ => None,
            };
            let Some((activation, output)) = fused else {
                nodes.push(node);
                continue;
            };
            let tensor = self.tensors[*output].clone();
            let after = std::mem::replace(output, self.tensors.len());
            let input = *output;
            self.tensors.push(tensor);
            let name = node.name.clone();
            nodes.push(node);
            nodes.push(Node { name, op: Op::Activate { input, output: after, activation } });
        }
        self.nodes = nodes;
    }
}

/// The pooling gives the means of whole channels.
fn is_mean(graph: &Graph, pool: &Pool) -> bool {
    let Shape { h, w, .. } = graph.tensors[pool.input].shape;
    pool.kind == PoolKind::Average
        && pool.numbers == PoolNumbers::F32(Activation::None)
        && pool.window.kernel.map(u32::from) == [h, w]
        && pool.window.pad == [0, 0]
        && h * w <= MOST_OF_A_MEAN
}

/// The copy reads all of its input, in order.
fn is_whole(copy: &CopyOp, len: usize) -> bool {
    let mut expected = 1;
    let dense = copy.axes.iter().rev().filter(|axis| axis.count != 1).all(|axis| {
        let fits = axis.from as usize == expected;
        expected *= axis.count as usize;
        fits
    });
    dense && copy.from == 0 && expected == len
}

/// The values that a tensor had.
#[derive(Debug, Clone)]
struct Seen {
    all: Histogram,
    /// The least and the largest of each channel.
    channels: Vec<[f32; 2]>,
}

impl Seen {
    fn new(channels: usize) -> Self {
        Self { all: Histogram::new(), channels: vec![[0.0; 2]; channels] }
    }

    fn add(&mut self, values: impl Iterator<Item = f32> + Clone) {
        self.all.add(values.clone());
        let count = self.channels.len();
        for (at, value) in values.enumerate().filter(|(_, value)| value.is_finite()) {
            let [low, high] = &mut self.channels[at % count];
            (*low, *high) = (low.min(value), high.max(value));
        }
    }
}

/// Runs the graph on every sample and notes the values of every tensor.
fn observe(graph: &Graph, samples: impl IntoIterator<Item = Vec<f32>>) -> Result<Vec<Seen>, ConvertError> {
    let &[input] = graph.inputs.as_slice() else {
        return Err(ConvertError::Calibration("the network has more than one input".to_owned()));
    };
    let converted = graph.build_with(false)?;
    let model = Model::load(&converted.bytes).map_err(ConvertError::Load)?;
    let mut network = Network::on_host(model, Host::default());
    let mut seen: Vec<Seen> =
        graph.tensors.iter().map(|tensor| Seen::new((tensor.shape.c as usize).max(1))).collect();
    let mut count = 0;
    for sample in samples {
        let to = network.input_mut(0).f32();
        let to =
            to.ok_or_else(|| ConvertError::Calibration("the network is quantised already".to_owned()))?;
        if to.len() != sample.len() || !sample.iter().all(|value| value.is_finite()) {
            return Err(ConvertError::Calibration(format!(
                "a sample has {} values, or one that is not finite; the input has {}",
                sample.len(),
                to.len()
            )));
        }
        to.copy_from_slice(&sample);
        seen[graph.root(input)].add(sample.iter().copied());
        let mut nodes = graph.nodes.iter();
        network.run_with(|_, bytes| {
            if let Some(node) = nodes.next() {
                let values = bytes.as_chunks::<4>().0.iter().map(|&value| f32::from_le_bytes(value));
                seen[graph.root(node.op.output())].add(values);
            }
        });
        count += 1;
    }
    if count == 0 {
        return Err(ConvertError::Calibration("there is no sample".to_owned()));
    }
    Ok(seen)
}

/// Tensors that must have one quantisation, by a representative.
struct Groups(Vec<Id>);

impl Groups {
    fn find(&self, mut id: Id) -> Id {
        while self.0[id] != id {
            id = self.0[id];
        }
        id
    }

    fn join(&mut self, a: Id, b: Id) {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a] = b;
    }
}

/// What becomes of the tensors of each group.
struct Uses {
    /// Between which values they matter.
    bounds: Vec<[f32; 2]>,
    /// Rare values are what they are about: images, logits, and what leaves the network.
    whole: Vec<bool>,
}

impl Uses {
    fn of(graph: &Graph, groups: &Groups) -> Self {
        let group = |id: Id| groups.find(graph.root(id));
        let mut bounds = vec![None; graph.tensors.len()];
        let mut whole = vec![false; graph.tensors.len()];
        for id in graph.inputs.iter().chain(&graph.outputs) {
            whole[group(*id)] = true;
        }
        for op in graph.nodes.iter().map(|node| &node.op) {
            for id in op.inputs() {
                let range = match op {
                    Op::Activate { activation: Activation::Sigmoid, .. } => {
                        whole[group(id)] = true;
                        [-SIGMOID, SIGMOID]
                    }
                    Op::Activate { activation: Activation::Silu, .. } => [-SIGMOID, f32::INFINITY],
                    Op::Softmax { .. } => {
                        whole[group(id)] = true;
                        [f32::NEG_INFINITY, f32::INFINITY]
                    }
                    _ => [f32::NEG_INFINITY, f32::INFINITY],
                };
                // Where several read it, all that matters to one of them.
                let [low, high] = bounds[group(id)].unwrap_or(range);
                bounds[group(id)] = Some([range[0].min(low), range[1].max(high)]);
            }
        }
        let bounds =
            bounds.into_iter().map(|range| range.unwrap_or([f32::NEG_INFINITY, f32::INFINITY])).collect();
        Self { bounds, whole }
    }

    fn quant(&self, group: Id, seen: &Histogram) -> Quant {
        if self.whole[group] { seen.whole(self.bounds[group]) } else { seen.best(self.bounds[group]) }
    }
}

/// A quantisation for every tensor.
struct Scheme {
    quants: Vec<Quant>,
    /// A scale for each channel in place of one for all; the zero point is that of all.
    channels: HashMap<Id, Vec<f32>>,
}

impl Scheme {
    fn scale(&self, id: Id, channel: usize) -> f32 {
        self.channels
            .get(&id)
            .and_then(|scales| scales.get(channel))
            .copied()
            .unwrap_or(self.quants[id].scale)
    }

    fn quant(&self, id: Id, channel: usize) -> Quant {
        Quant { scale: self.scale(id, channel), zero: self.quants[id].zero }
    }
}

/// Zero points of results of convolutions before and after an activation that is a table, where each channel has a scale
/// of its own. The smaller part below zero is for negative numbers: of those an activation keeps few.
const BEFORE: i8 = -32;
const AFTER: i8 = -96;

/// How many times finer the scales of the channels must be on average: tables for each channel take more time and flash
/// than one.
const WORTH: f32 = 2.5;

/// The least scale that has room for both ends around a zero point.
fn scale_around(zero: i8, [low, high]: [f32; 2]) -> f32 {
    let (below, above) = (f32::from(zero) + 128.0, 127.0 - f32::from(zero));
    (-low / below).max(high / above).max(1e-9)
}

/// Gives each channel a scale of its own where nothing but tables and convolutions look at it, which can take them in: the
/// channels of a convolution may differ a hundredfold, and one scale would leave the smallest a few steps.
fn widen(graph: &Graph, groups: &Groups, seen: &[Seen], scheme: &mut Scheme) {
    let mut members = HashMap::new();
    for id in 0..graph.tensors.len() {
        *members.entry(groups.find(graph.root(id))).or_insert(0) += 1;
    }
    // Of one tensor alone, that is no output.
    let alone = |id: Id| members[&groups.find(graph.root(id))] == 1 && !graph.outputs.contains(&id);
    let readers =
        |id: Id| graph.nodes.iter().map(|node| &node.op).filter(move |op| op.inputs().contains(&id));
    for node in &graph.nodes {
        let Op::Activate { input, output, activation } = &node.op else { continue };
        let of_conv =
            graph.nodes.iter().any(|node| matches!(&node.op, Op::Conv(conv) if conv.output == *input));
        if !(of_conv && alone(*input) && readers(*input).count() == 1) {
            continue;
        }
        // What the activation maps to its end anyway needs no steps.
        let least = match activation {
            Activation::Silu | Activation::Sigmoid => -SIGMOID,
            _ => f32::NEG_INFINITY,
        };
        let channels = &seen[*input].channels;
        let scales: Vec<f32> =
            channels.iter().map(|[low, high]| scale_around(BEFORE, [low.max(least), *high])).collect();
        // How many times finer a channel's own scale is.
        let finer = scales.iter().map(|scale| scheme.quants[*input].scale / scale).sum::<f32>();
        if finer < WORTH * scales.len() as f32 {
            continue;
        }
        scheme.channels.insert(*input, scales);
        scheme.quants[*input].zero = BEFORE;
        if alone(*output) && readers(*output).all(|op| matches!(op, Op::Conv(_))) {
            let scales = seen[*output].channels.iter().map(|range| scale_around(AFTER, *range));
            scheme.channels.insert(*output, scales.collect());
            scheme.quants[*output].zero = AFTER;
        }
    }
}

/// A quantisation for every tensor.
fn choose(graph: &Graph, seen: &[Seen]) -> Scheme {
    let mut groups = Groups((0..graph.tensors.len()).collect());
    // Results of concatenations, shuffles and paddings.
    let mut gathered = vec![false; graph.tensors.len()];
    for node in &graph.nodes {
        // And those of a softmax, whose scale is given.
        if matches!(node.op, Op::Copy(_) | Op::Fill { .. } | Op::Softmax { .. }) {
            gathered[graph.root(node.op.output())] = true;
        }
    }
    for node in &graph.nodes {
        match &node.op {
            // What was computed for a concatenation takes its scale at no cost. What comes from another one has a
            // scale already and is mapped by a table.
            Op::Copy(copy) if !gathered[graph.root(copy.input)] => {
                groups.join(graph.root(copy.input), graph.root(copy.output));
            }
            // A mean has a scale of its own: it varies much less than what it is the mean of.
            Op::Pool(pool) if is_mean(graph, pool) => {}
            Op::Pool(Pool { input, output, .. }) | Op::Resize { input, output, .. } => {
                groups.join(graph.root(*input), graph.root(*output));
            }
            _ => {}
        }
    }
    let mut joined: HashMap<Id, Histogram> = HashMap::new();
    for (id, histogram) in seen.iter().enumerate() {
        let of_group = joined.entry(groups.find(graph.root(id))).or_insert_with(Histogram::new);
        of_group.include(&histogram.all);
    }
    let uses = Uses::of(graph, &groups);
    let mut fixed = vec![None; graph.tensors.len()];
    for node in &graph.nodes {
        let unit = match node.op {
            Op::Softmax { output, .. } | Op::Activate { output, activation: Activation::Sigmoid, .. } => {
                Some(graph.root(output))
            }
            _ => None,
        };
        // Only where nothing else shares the scale.
        if let Some(id) = unit
            && (0..graph.tensors.len())
                .filter(|&other| groups.find(graph.root(other)) == groups.find(id))
                .count()
                == 1
        {
            fixed[groups.find(id)] = Some(UNIT);
        }
    }
    let quants = (0..graph.tensors.len())
        .map(|id| {
            let group = groups.find(graph.root(id));
            fixed[group].or_else(|| Some(uses.quant(group, joined.get(&group)?))).unwrap_or(UNIT)
        })
        .collect();
    let mut scheme = Scheme { quants, channels: HashMap::new() };
    widen(graph, &groups, seen, &mut scheme);
    scheme
}

/// The same graph in int8.
fn rewrite(graph: &Graph, scheme: &Scheme) -> Result<Graph, ConvertError> {
    let mut result = graph.clone();
    for (tensor, quant) in result.tensors.iter_mut().zip(&scheme.quants) {
        if tensor.element == Element::I8 {
            return Err(ConvertError::layer(&tensor.name, "the model is quantised already"));
        }
        (tensor.element, tensor.quant) = (Element::I8, Some(*quant));
    }
    for node in &mut result.nodes {
        node.op = quantize_op(graph, &node.name, &node.op, scheme)?;
    }
    Ok(result)
}

/// An activation that is a clamp, in steps of the output.
fn clamp(name: &str, activation: Activation, quant: Quant) -> Result<[i8; 2], ConvertError> {
    let steps =
        |value: f32| (f32::from(quant.zero) + (value / quant.scale).round()).clamp(-128.0, 127.0) as i8;
    match activation {
        Activation::None => Ok([-128, 127]),
        Activation::Clamp(low, high) => Ok([steps(low), steps(high)]),
        _ => Err(ConvertError::layer(name, "its activation can't be quantised")),
    }
}

fn quantize_op(graph: &Graph, name: &str, op: &Op, scheme: &Scheme) -> Result<Op, ConvertError> {
    let quants = &scheme.quants;
    let unsupported = || ConvertError::layer(name, "its operator can't be quantised");
    Ok(match op {
        Op::Conv(conv) => {
            let ConvData::F32 { weights, bias, activation } = &conv.data else { return Err(unsupported()) };
            let clamp = clamp(name, *activation, quants[conv.output])?;
            let data = conv_data(conv, [weights, bias], scheme, clamp);
            Op::Conv(Conv { data, ..conv.clone() })
        }
        Op::Pool(pool) if is_mean(graph, pool) => {
            let (input, output) = (pool.input, pool.output);
            let Shape { h, w, .. } = graph.tensors[input].shape;
            Op::Mean { input, output, rescale: mean_rescale(quants[input], quants[output], h * w) }
        }
        Op::Pool(pool) => {
            let PoolNumbers::F32(activation) = pool.numbers else { return Err(unsupported()) };
            let quant = quants[pool.output];
            let clamp = clamp(name, activation, quant)?;
            let numbers = PoolNumbers::I8(PoolQuant { zero: quant.zero, clamp, half_up: false });
            Op::Pool(Pool { numbers, ..pool.clone() })
        }
        Op::Binary { kind, a, b, output, numbers: BinaryNumbers::F32(activation) } => {
            let (x, y, z) = (quants[*a], quants[*b], quants[*output]);
            let numbers = binary_numbers(*kind, x, y, z, clamp(name, *activation, z)?);
            let numbers = short_binary(*kind, numbers);
            Op::Binary { kind: *kind, a: *a, b: *b, output: *output, numbers }
        }
        Op::Activate { input, output, activation } => {
            let channels = scheme.channels.get(input).map_or(1, Vec::len);
            let table = (0..channels).flat_map(|channel| {
                let (from, to) = (scheme.quant(*input, channel), scheme.quant(*output, channel));
                table(from, to, |x| apply(*activation, x))
            });
            Op::Table { input: *input, output: *output, table: table.collect() }
        }
        Op::Softmax { input, output, .. } => {
            if quants[*output] != UNIT {
                return Err(ConvertError::layer(name, "the result of its softmax is pooled or resized"));
            }
            let (multiplier, shift, diff_min) = softmax(1.0, quants[*input].scale);
            let numbers = SoftmaxNumbers::I8 { multiplier, shift, diff_min };
            Op::Softmax { input: *input, output: *output, numbers }
        }
        Op::Copy(copy) => {
            let (from, to) = (quants[copy.input], quants[copy.output]);
            let table = (from != to).then(|| table(from, to, |x| x));
            Op::Copy(CopyOp { table, ..copy.clone() })
        }
        Op::Constant { output, data } => {
            let quant = quants[*output];
            let data = data
                .as_chunks::<4>()
                .0
                .iter()
                .map(|&value| (f32::from_le_bytes(value) / quant.scale).round() + f32::from(quant.zero))
                .map(|steps| steps.clamp(-128.0, 127.0) as i8 as u8)
                .collect();
            Op::Constant { output: *output, data }
        }
        Op::Fill { .. } | Op::Resize { .. } => op.clone(),
        _ => return Err(unsupported()),
    })
}

fn conv_data(conv: &Conv, [weights, bias]: [&[f32]; 2], scheme: &Scheme, clamp: [i8; 2]) -> ConvData {
    let depthwise = conv.depthwise;
    let zero = scheme.quants[conv.input].zero;
    let channels = bias.len();
    // Scales of the input's channels go into the weights: what is left has one.
    let depth = if depthwise { channels } else { weights.len() / channels.max(1) / conv.window.taps() };
    let scaled: Vec<f32>;
    let (weights, from) = match scheme.channels.get(&conv.input) {
        None => (weights, scheme.quants[conv.input].scale),
        Some(scales) => {
            let of = |at: usize| scales[at % depth % scales.len()];
            scaled = weights.iter().enumerate().map(|(at, weight)| weight * of(at)).collect();
            (scaled.as_slice(), 1.0)
        }
    };
    let count = weights.len() / channels.max(1);
    let channel_of = |at: usize| if depthwise { at % channels } else { at / count };
    let mut largest = vec![0f32; channels];
    for (at, weight) in weights.iter().enumerate() {
        let largest = &mut largest[channel_of(at)];
        *largest = largest.max(weight.abs());
    }
    // What a sum is multiplied with to become an output; the scale of the weights is chosen after it.
    let factor =
        |channel: usize, scale: f64| f64::from(from) * scale / f64::from(scheme.scale(conv.output, channel));
    // A channel without weights takes any scale; one that is tiny beside its bias must not overflow 32 bits.
    let scales: Vec<f64> = largest
        .iter()
        .zip(bias)
        .map(|(largest, bias)| f64::from((largest / 127.0).max(bias.abs() / from / 1e9).max(1e-12)))
        .enumerate()
        .map(|(channel, scale)| {
            let factor = factor(channel, scale);
            if factor > 0.0 { scale * (short(factor) / factor) } else { scale }
        })
        .collect();
    let data: Vec<i8> = weights
        .iter()
        .enumerate()
        .map(|(at, weight)| (f64::from(*weight) / scales[channel_of(at)]).round().clamp(-127.0, 127.0) as i8)
        .collect();
    let biases: Vec<i64> = bias
        .iter()
        .zip(&scales)
        .map(|(bias, scale)| (f64::from(*bias) / (f64::from(from) * scale)).round() as i64)
        .collect();
    let (multipliers, shifts) =
        scales.iter().enumerate().map(|(channel, scale)| multiplier(factor(channel, *scale))).unzip();
    let bias = fold_zero(&data, &biases, 0, i64::from(zero), depthwise);
    ConvData::I8 { weights: data, weight_zero: 0, bias, multipliers, shifts, clamp }
}
