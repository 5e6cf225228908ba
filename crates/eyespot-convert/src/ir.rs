//! A network between reading and writing: tensors in memory order (height, width, channels) and operators on them.

use eyespot_nn::graph::{
    Activation, Axis, BinaryKind, BinaryNumbers, Element, ImageInput, PoolKind, PoolNumbers, Rescale, Shape,
    SoftmaxNumbers, Task, Window,
};

/// Index of a tensor.
pub(crate) type Id = usize;

/// Scale and zero point: value = scale * (number - zero).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quant {
    pub(crate) scale: f32,
    pub(crate) zero: i8,
}

/// A tensor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) element: Element,
    pub(crate) quant: Option<Quant>,
    /// The tensor whose bytes it looks at with another shape.
    pub(crate) alias: Option<Id>,
}

/// Constants of a convolution. Weights go `[output channels, taps, input channels]`, depthwise `[taps, channels]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ConvData {
    I8 {
        weights: Vec<i8>,
        weight_zero: i16,
        /// Includes -(input zero) * (sum of weights).
        bias: Vec<i32>,
        multipliers: Vec<i32>,
        shifts: Vec<i8>,
        clamp: [i8; 2],
    },
    F32 {
        weights: Vec<f32>,
        bias: Vec<f32>,
        activation: Activation,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Conv {
    pub(crate) depthwise: bool,
    pub(crate) window: Window,
    pub(crate) input: Id,
    pub(crate) output: Id,
    pub(crate) data: ConvData,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pool {
    pub(crate) kind: PoolKind,
    pub(crate) window: Window,
    pub(crate) input: Id,
    pub(crate) output: Id,
    pub(crate) numbers: PoolNumbers,
}

/// A strided copy; offsets in values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CopyOp {
    pub(crate) input: Id,
    pub(crate) output: Id,
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) axes: [Axis; 5],
    pub(crate) table: Option<Vec<i8>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Op {
    Conv(Conv),
    Pool(Pool),
    ConvPool(Conv, Pool),
    Mean {
        input: Id,
        output: Id,
        rescale: Rescale,
    },
    Binary {
        kind: BinaryKind,
        a: Id,
        b: Id,
        output: Id,
        numbers: BinaryNumbers,
    },
    Table {
        input: Id,
        output: Id,
        table: Vec<i8>,
    },
    Activate {
        input: Id,
        output: Id,
        activation: Activation,
    },
    Softmax {
        input: Id,
        output: Id,
        numbers: SoftmaxNumbers,
    },
    Copy(CopyOp),
    /// Sets all of a tensor to its zero.
    Fill {
        output: Id,
    },
    Constant {
        output: Id,
        data: Vec<u8>,
    },
    Resize {
        input: Id,
        output: Id,
        align_corners: bool,
        half_pixel: bool,
    },
    Quantize {
        input: Id,
        output: Id,
    },
    Dequantize {
        input: Id,
        output: Id,
    },
}

impl Op {
    /// The tensors that it reads.
    pub(crate) fn inputs(&self) -> Vec<Id> {
        match self {
            Self::Conv(conv) | Self::ConvPool(conv, _) => vec![conv.input],
            Self::Pool(pool) => vec![pool.input],
            Self::Binary { a, b, .. } => vec![*a, *b],
            Self::Copy(copy) => vec![copy.input],
            Self::Mean { input, .. }
            | Self::Table { input, .. }
            | Self::Activate { input, .. }
            | Self::Softmax { input, .. }
            | Self::Resize { input, .. }
            | Self::Quantize { input, .. }
            | Self::Dequantize { input, .. } => vec![*input],
            Self::Fill { .. } | Self::Constant { .. } => Vec::new(),
        }
    }

    /// The tensor that it writes.
    pub(crate) fn output(&self) -> Id {
        match self {
            Self::Conv(conv) => conv.output,
            Self::Pool(pool) | Self::ConvPool(_, pool) => pool.output,
            Self::Copy(copy) => copy.output,
            Self::Mean { output, .. }
            | Self::Binary { output, .. }
            | Self::Table { output, .. }
            | Self::Activate { output, .. }
            | Self::Softmax { output, .. }
            | Self::Fill { output }
            | Self::Constant { output, .. }
            | Self::Resize { output, .. }
            | Self::Quantize { output, .. }
            | Self::Dequantize { output, .. } => *output,
        }
    }

    /// The input whose place the output may take.
    pub(crate) fn in_place(&self) -> Option<Id> {
        match self {
            Self::Binary { a, .. } => Some(*a),
            Self::Table { input, .. } | Self::Activate { input, .. } | Self::Softmax { input, .. } => {
                Some(*input)
            }
            _ => None,
        }
    }
}

/// An operator with its name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) op: Op,
}

/// A network that was read and can be quantised and written.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    pub(crate) name: String,
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) inputs: Vec<Id>,
    pub(crate) outputs: Vec<Id>,
    pub(crate) image: Option<ImageInput>,
    pub(crate) task: Task,
}

impl Graph {
    pub(crate) fn new() -> Self {
        Self {
            name: String::new(),
            tensors: Vec::new(),
            nodes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            image: None,
            task: Task::Raw,
        }
    }

    pub(crate) fn tensor(&mut self, name: &str, shape: Shape, element: Element, quant: Option<Quant>) -> Id {
        self.tensors.push(Tensor { name: name.to_owned(), shape, element, quant, alias: None });
        self.tensors.len() - 1
    }

    pub(crate) fn push(&mut self, name: &str, op: Op) {
        self.nodes.push(Node { name: name.to_owned(), op });
    }

    /// The tensor whose bytes a tensor looks at.
    pub(crate) fn root(&self, mut id: Id) -> Id {
        while let Some(alias) = self.tensors[id].alias {
            id = alias;
        }
        id
    }

    /// Bytes of a tensor.
    pub(crate) fn bytes(&self, id: Id) -> usize {
        self.tensors[id].shape.len() * self.tensors[id].element.bytes()
    }

    /// Multiply-accumulate operations of a run.
    #[must_use]
    pub fn macs(&self) -> u64 {
        let of = |conv: &Conv| {
            let output = self.tensors[conv.output].shape.len() as u64;
            let depth = if conv.depthwise { 1 } else { u64::from(self.tensors[conv.input].shape.c) };
            output * conv.window.taps() as u64 * depth
        };
        self.nodes
            .iter()
            .map(|node| match &node.op {
                Op::Conv(conv) | Op::ConvPool(conv, _) => of(conv),
                _ => 0,
            })
            .sum()
    }

    /// Drops operators whose results nobody reads.
    pub(crate) fn drop_dead(&mut self) {
        let mut live = vec![false; self.tensors.len()];
        for &id in &self.outputs {
            live[self.root(id)] = true;
        }
        let mut keep = vec![false; self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate().rev() {
            keep[at] = live[self.root(node.op.output())];
            if keep[at] {
                for id in node.op.inputs() {
                    live[self.root(id)] = true;
                }
            }
        }
        let mut keep = keep.into_iter();
        self.nodes.retain(|_| keep.next().unwrap_or(false));
    }
}
