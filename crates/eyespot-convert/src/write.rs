//! A graph and its plan as an `.eye` file.

use std::collections::HashMap;

use eyespot_nn::graph::{self, ConvNumbers, ConvQuant, Element, Info, Port, Slot, Span};
use eyespot_nn::{VERSION, crc32};

use crate::ir::{Conv, ConvData, Graph, Id, Op, Pool};
use crate::plan::Plan;

/// The weights, each run of bytes once.
#[derive(Default)]
struct Weights {
    bytes: Vec<u8>,
    known: HashMap<Vec<u8>, Span>,
}

impl Weights {
    fn add(&mut self, bytes: Vec<u8>) -> Span {
        if let Some(&span) = self.known.get(&bytes) {
            return span;
        }
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        let span = Span { offset: self.bytes.len() as u32, len: bytes.len() as u32 };
        self.bytes.extend_from_slice(&bytes);
        self.known.insert(bytes, span);
        span
    }

    fn bytes_of(&mut self, values: &[i8]) -> Span {
        self.add(values.iter().map(|&value| value as u8).collect())
    }

    fn integers(&mut self, values: &[i32]) -> Span {
        self.add(values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    fn floats(&mut self, values: impl IntoIterator<Item = f32>) -> Span {
        self.add(values.into_iter().flat_map(f32::to_le_bytes).collect())
    }
}

struct Writer<'a> {
    graph: &'a Graph,
    plan: &'a Plan,
    weights: Weights,
}

impl Writer<'_> {
    fn slot(&self, id: Id) -> Slot {
        Slot { offset: self.plan.tensors[id], shape: self.graph.tensors[id].shape }
    }

    fn zero(&self, id: Id) -> i8 {
        self.graph.tensors[id].quant.map_or(0, |quant| quant.zero)
    }

    fn scale(&self, id: Id) -> f32 {
        self.graph.tensors[id].quant.map_or(1.0, |quant| quant.scale)
    }

    /// Bytes of a tensor from a value on.
    fn span_from(&self, id: Id, value: usize) -> Span {
        let skipped = value * self.graph.tensors[id].element.bytes();
        Span {
            offset: self.plan.tensors[id] + skipped as u32,
            len: self.graph.bytes(id).saturating_sub(skipped) as u32,
        }
    }

    fn conv(&mut self, conv: &Conv, node: usize) -> graph::Conv {
        let (offset, len) = self.plan.scratch[node];
        let (weights, bias, numbers) = match &conv.data {
            ConvData::I8 { weights, weight_zero, bias, multipliers, shifts, clamp } => (
                self.weights.bytes_of(weights),
                self.weights.integers(bias),
                ConvNumbers::I8(ConvQuant {
                    input_zero: self.zero(conv.input),
                    output_zero: self.zero(conv.output),
                    weight_zero: *weight_zero,
                    clamp: *clamp,
                    multipliers: self.weights.integers(multipliers),
                    shifts: self.weights.bytes_of(shifts),
                }),
            ),
            ConvData::F32 { weights, bias, activation } => {
                let channels = bias.len();
                let count = weights.len() / channels.max(1);
                let span = if conv.depthwise {
                    self.weights.floats(weights.iter().copied())
                } else {
                    // Output channels together.
                    let transposed =
                        (0..count).flat_map(|at| (0..channels).map(move |c| weights[c * count + at]));
                    self.weights.floats(transposed)
                };
                (span, self.weights.floats(bias.iter().copied()), ConvNumbers::F32(*activation))
            }
        };
        graph::Conv {
            depthwise: conv.depthwise,
            window: conv.window,
            input: self.slot(conv.input),
            output: self.slot(conv.output),
            scratch: Span { offset, len },
            weights,
            bias,
            numbers,
        }
    }

    fn pool(&self, pool: &Pool) -> graph::Pool {
        graph::Pool {
            kind: pool.kind,
            window: pool.window,
            input: self.slot(pool.input),
            output: self.slot(pool.output),
            numbers: pool.numbers,
        }
    }

    fn op(&mut self, op: &Op, node: usize) -> graph::Op {
        match op {
            Op::Conv(conv) => graph::Op::Conv(self.conv(conv, node)),
            Op::Pool(pool) => graph::Op::Pool(self.pool(pool)),
            Op::ConvPool(conv, pool) => {
                graph::Op::ConvPool { conv: self.conv(conv, node), pool: self.pool(pool) }
            }
            Op::Mean { input, output, rescale } => graph::Op::Mean {
                input: self.slot(*input),
                output: self.slot(*output),
                input_zero: self.zero(*input),
                rescale: *rescale,
            },
            Op::Binary { kind, a, b, output, numbers } => graph::Op::Binary(graph::Binary {
                kind: *kind,
                a: self.slot(*a),
                b: self.slot(*b),
                output: self.slot(*output),
                numbers: *numbers,
            }),
            Op::Table { input, output, table } => graph::Op::Table {
                input: self.slot(*input),
                output: self.slot(*output),
                table: self.weights.bytes_of(table),
            },
            Op::Activate { input, output, activation } => graph::Op::Activate {
                input: self.slot(*input),
                output: self.slot(*output),
                activation: *activation,
            },
            Op::Softmax { input, output, numbers } => {
                graph::Op::Softmax { input: self.slot(*input), output: self.slot(*output), numbers: *numbers }
            }
            Op::Copy(copy) => graph::Op::Copy(graph::Copy {
                element: self.graph.tensors[copy.input].element,
                input: self.span_from(copy.input, copy.from),
                output: self.span_from(copy.output, copy.to),
                axes: copy.axes,
                table: copy.table.as_ref().map(|table| self.weights.bytes_of(table)),
            }),
            Op::Fill { output } => {
                graph::Op::Fill { output: self.span_from(*output, 0), value: self.zero(*output) as u8 }
            }
            Op::Constant { output, data } => graph::Op::Constant {
                output: self.span_from(*output, 0),
                data: self.weights.add(data.clone()),
            },
            Op::Resize { input, output, align_corners, half_pixel } => graph::Op::Resize {
                input: self.slot(*input),
                output: self.slot(*output),
                element: self.graph.tensors[*input].element,
                align_corners: *align_corners,
                half_pixel: *half_pixel,
            },
            Op::Quantize { input, output } => graph::Op::Quantize {
                input: self.slot(*input),
                output: self.slot(*output),
                scale: self.scale(*output),
                zero: self.zero(*output),
            },
            Op::Dequantize { input, output } => graph::Op::Dequantize {
                input: self.slot(*input),
                output: self.slot(*output),
                scale: self.scale(*input),
                zero: self.zero(*input),
            },
        }
    }

    fn port(&self, id: Id) -> Port<'_> {
        let tensor = &self.graph.tensors[id];
        Port {
            name: &tensor.name,
            element: tensor.element,
            slot: self.slot(id),
            scale: if tensor.element == Element::F32 { 1.0 } else { self.scale(id) },
            zero_point: self.zero(id),
        }
    }
}

/// The file's bytes.
pub(crate) fn write(graph: &Graph, plan: &Plan) -> Result<Vec<u8>, postcard::Error> {
    let mut writer = Writer { graph, plan, weights: Weights::default() };
    let info = Info {
        name: &graph.name,
        macs: graph.macs(),
        inputs: graph.inputs.len() as u16,
        outputs: graph.outputs.len() as u16,
        layers: graph.nodes.len() as u16,
        image: graph.image,
        task: graph.task,
    };
    let mut description = postcard::to_stdvec(&info)?;
    for &id in graph.inputs.iter().chain(&graph.outputs) {
        description.extend(postcard::to_stdvec(&writer.port(id))?);
    }
    for (at, node) in graph.nodes.iter().enumerate() {
        description.extend(postcard::to_stdvec(short(&node.name))?);
        let op = writer.op(&node.op, at);
        description.extend(postcard::to_stdvec(&op)?);
    }
    Ok(frame(plan.bytes, &description, &writer.weights.bytes))
}

/// The part of a layer's name that an error shows. Fused layers have the names of all their parts, apart by `;`.
fn short(name: &str) -> &str {
    let first = name.split(';').next().unwrap_or(name);
    let mut start = first.len().saturating_sub(47);
    while !first.is_char_boundary(start) {
        start += 1;
    }
    &first[start..]
}

/// Puts magic, version, lengths and checksum in front.
fn frame(arena: u32, description: &[u8], weights: &[u8]) -> Vec<u8> {
    let mut tail = arena.to_le_bytes().to_vec();
    tail.extend((description.len() as u32).to_le_bytes());
    tail.extend_from_slice(description);
    tail.resize((16 + tail.len()).next_multiple_of(16) - 16, 0);
    tail.extend_from_slice(weights);
    let mut file = b"EYE\x97".to_vec();
    file.extend(VERSION.to_le_bytes());
    file.extend([0; 2]);
    file.extend((16 + tail.len() as u32).to_le_bytes());
    file.extend(crc32(&tail).to_le_bytes());
    file.extend(tail);
    file
}
