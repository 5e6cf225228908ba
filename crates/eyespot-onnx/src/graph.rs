//! What an ONNX file says about its graph: inputs, outputs, operators, metadata. Weights are passed over.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use eyespot_decode::Activation;
use prost::Message;

use crate::OnnxError;

/// The types of numbers that an input or output of a graph may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// 64-bit floats.
    F64,
    /// Bytes.
    U8,
    /// Signed bytes.
    I8,
    /// 32-bit integers.
    I32,
    /// 64-bit integers.
    I64,
    /// Truth values.
    Bool,
}

impl Element {
    /// By ONNX's number of the type.
    const fn of(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::F32),
            2 => Some(Self::U8),
            3 => Some(Self::I8),
            6 => Some(Self::I32),
            7 => Some(Self::I64),
            9 => Some(Self::Bool),
            10 => Some(Self::F16),
            11 => Some(Self::F64),
            _ => None,
        }
    }

    /// Whole numbers?
    #[must_use]
    pub const fn is_integer(self) -> bool {
        matches!(self, Self::U8 | Self::I8 | Self::I32 | Self::I64 | Self::Bool)
    }
}

/// An input or output of a graph, as it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// What it consists of; `None` for what is no tensor of a known type.
    pub element: Option<Element>,
    /// Its sizes; `None` for those that the graph leaves open.
    pub dims: Vec<Option<usize>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    operator: String,
    inputs: Vec<String>,
}

/// A graph without its weights.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Graph {
    /// What it takes.
    pub inputs: Vec<Port>,
    /// What it gives.
    pub outputs: Vec<Port>,
    metadata: HashMap<String, String>,
    /// By what they give.
    nodes: HashMap<String, Node>,
}

impl Graph {
    /// Reads a file.
    ///
    /// # Errors
    /// [`OnnxError::Read`] where it can't be read, [`OnnxError::Damaged`] where it is no ONNX file.
    pub fn open(path: &Path) -> Result<Self, OnnxError> {
        let bytes = std::fs::read(path).map_err(|error| OnnxError::Read { path: path.to_owned(), error })?;
        Self::parse(&bytes)
    }

    /// Reads the content of a file.
    ///
    /// # Errors
    /// [`OnnxError::Damaged`] where it is no ONNX file, or one without inputs or outputs.
    pub fn parse(bytes: &[u8]) -> Result<Self, OnnxError> {
        let model =
            ModelProto::decode(bytes).map_err(|error| OnnxError::Damaged { reason: error.to_string() })?;
        let damaged = |reason: &str| OnnxError::Damaged { reason: reason.to_owned() };
        let graph = model.graph.ok_or_else(|| damaged("it holds no graph"))?;
        let constants: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        // Older files list constants among the inputs.
        let inputs = graph.input.iter().filter(|input| !constants.contains(input.name.as_str()));
        let inputs: Vec<Port> = inputs.map(Port::of).collect();
        let outputs: Vec<Port> = graph.output.iter().map(Port::of).collect();
        if inputs.is_empty() || outputs.is_empty() {
            return Err(damaged("its graph has no input or no output"));
        }
        let metadata = model.metadata_props.into_iter().map(|entry| (entry.key, entry.value)).collect();
        let mut nodes = HashMap::new();
        for node in graph.node {
            let (operator, inputs) = (node.op_type, node.input);
            for output in node.output {
                nodes.insert(output, Node { operator: operator.clone(), inputs: inputs.clone() });
            }
        }
        Ok(Self { inputs, outputs, metadata, nodes })
    }

    /// A note that the exporter left in the file.
    #[must_use]
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// Has it such an operator?
    #[must_use]
    pub fn has(&self, operator: &str) -> bool {
        self.nodes.values().any(|node| node.operator == operator)
    }

    /// What the values of an output went through last, operators that only move values aside: a sigmoid or a softmax,
    /// of all its values or of some.
    #[must_use]
    pub fn activation(&self, output: &str) -> Activation {
        const MOVES: [&str; 13] = [
            "Transpose",
            "Reshape",
            "Squeeze",
            "Unsqueeze",
            "Flatten",
            "Cast",
            "Identity",
            "Concat",
            "Slice",
            "Split",
            "Gather",
            "Resize",
            "Upsample",
        ];
        let mut seen = HashSet::new();
        let mut open = vec![output];
        while let Some(name) = open.pop() {
            let Some(node) = self.nodes.get(name) else { continue };
            match node.operator.as_str() {
                "Sigmoid" => return Activation::Sigmoid,
                "Softmax" => return Activation::Softmax,
                operator if MOVES.contains(&operator) && seen.insert(name) => {
                    open.extend(node.inputs.iter().map(String::as_str));
                }
                _ => {}
            }
        }
        Activation::None
    }
}

impl Port {
    fn of(value: &ValueInfoProto) -> Self {
        let tensor = value.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
        let dims = tensor.and_then(|tensor| tensor.shape.as_ref()).map_or_else(Vec::new, |shape| {
            let size = |dim: &Dimension| usize::try_from(dim.dim_value?).ok().filter(|&size| size > 0);
            shape.dim.iter().map(size).collect()
        });
        let element = tensor.and_then(|tensor| Element::of(tensor.elem_type));
        Self { name: value.name.clone(), element, dims }
    }
}

// The parts of onnx.proto (Apache-2.0) that are of use here; a decoder passes over the others.

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "14")]
    metadata_props: Vec<EntryProto>,
}

#[derive(Clone, PartialEq, Message)]
struct EntryProto {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    node: Vec<NodeProto>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<ValueInfoProto>,
}

#[derive(Clone, PartialEq, Message)]
struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "4")]
    op_type: String,
}

#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(string, tag = "8")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct ValueInfoProto {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    r#type: Option<TypeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TypeProto {
    #[prost(message, optional, tag = "1")]
    tensor_type: Option<TensorTypeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorTypeProto {
    #[prost(int32, tag = "1")]
    elem_type: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<ShapeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct ShapeProto {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
struct Dimension {
    #[prost(int64, optional, tag = "1")]
    dim_value: Option<i64>,
}
