//! The trained network as an ONNX file, the normalisation folded into the convolutions.

use burn::nn::conv::Conv2d;
use prost::Message;

use crate::data::{CLASSES, GRID, SIDE};
use crate::network::{Block, Spotter};

// The messages of ONNX, as far as they are needed here (onnx.proto3 of ONNX 1.16).

#[derive(Message)]
struct ModelProto {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(string, tag = "2")]
    producer_name: String,
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    opset_import: Vec<OperatorSetId>,
}

#[derive(Message)]
struct OperatorSetId {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(int64, tag = "2")]
    version: i64,
}

#[derive(Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    node: Vec<NodeProto>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<ValueInfo>,
}

#[derive(Message)]
struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<AttributeProto>,
}

#[derive(Message)]
struct AttributeProto {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, tag = "3")]
    i: i64,
    #[prost(int64, repeated, tag = "8")]
    ints: Vec<i64>,
    #[prost(int32, tag = "20")]
    kind: i32,
}

#[derive(Message)]
struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(float, repeated, tag = "4")]
    float_data: Vec<f32>,
    #[prost(string, tag = "8")]
    name: String,
}

#[derive(Message)]
struct ValueInfo {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    kind: Option<TypeProto>,
}

#[derive(Message)]
struct TypeProto {
    #[prost(message, optional, tag = "1")]
    tensor: Option<TensorType>,
}

#[derive(Message)]
struct TensorType {
    #[prost(int32, tag = "1")]
    element: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<ShapeProto>,
}

#[derive(Message)]
struct ShapeProto {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<Dimension>,
}

#[derive(Message)]
struct Dimension {
    #[prost(int64, tag = "1")]
    value: i64,
}

const FLOAT: i32 = 1;
const INT: i32 = 2;
const INTS: i32 = 7;

pub(crate) fn model(network: &Spotter) -> Vec<u8> {
    let mut graph = Builder::default();
    let mut x = "image".to_owned();
    for (index, block) in network.body.iter().enumerate() {
        let name = format!("body.{index}");
        let (weight, bias) = folded(block);
        x = graph.conv(&name, &x, &block.conv, weight, bias);
        x = graph.node("Relu", &format!("{name}.relu"), vec![x], Vec::new());
    }
    let mut head = |name: &str, conv: &Conv2d| {
        let bias = conv.bias.as_ref().map(|bias| values(bias.val())).unwrap_or_default();
        graph.conv(name, &x, conv, values(conv.weight.val()), bias)
    };
    let (objectness, boxes, classes) = (
        head("objectness.conv", &network.objectness),
        head("boxes", &network.boxes),
        head("classes.conv", &network.classes),
    );
    let objectness = graph.node("Sigmoid", "objectness", vec![objectness], Vec::new());
    let classes = graph.node("Softmax", "classes", vec![classes], vec![integer("axis", 1)]);
    let graph = GraphProto {
        node: graph.nodes,
        name: "spotter".to_owned(),
        initializer: graph.tensors,
        input: vec![value("image", [1, 1, SIDE, SIDE])],
        output: vec![
            value(&objectness, [1, 1, GRID, GRID]),
            value(&boxes, [1, 4, GRID, GRID]),
            value(&classes, [1, CLASSES, GRID, GRID]),
        ],
    };
    let model = ModelProto {
        ir_version: 8,
        producer_name: "eyespot".to_owned(),
        graph: Some(graph),
        opset_import: vec![OperatorSetId { domain: String::new(), version: 13 }],
    };
    model.encode_to_vec()
}

/// Weights and biases of a convolution and the normalisation behind it.
fn folded(block: &Block) -> (Vec<f32>, Vec<f32>) {
    let norm = &block.norm;
    let (gamma, beta) = (values(norm.gamma.val()), values(norm.beta.val()));
    let (mean, variance) = (values(norm.running_mean.value_sync()), values(norm.running_var.value_sync()));
    let mut weight = values(block.conv.weight.val());
    let per_channel = weight.len() / gamma.len();
    let mut bias = beta;
    for (channel, weights) in weight.chunks_mut(per_channel).enumerate() {
        let scale = gamma[channel] / (variance[channel] + norm.epsilon as f32).sqrt();
        weights.iter_mut().for_each(|weight| *weight *= scale);
        bias[channel] -= mean[channel] * scale;
    }
    (weight, bias)
}

fn values<const D: usize>(tensor: burn::tensor::Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn integer(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), i, ints: Vec::new(), kind: INT }
}

fn integers(name: &str, ints: &[usize]) -> AttributeProto {
    let ints = ints.iter().map(|&value| value as i64).collect();
    AttributeProto { name: name.to_owned(), i: 0, ints, kind: INTS }
}

fn value(name: &str, shape: [usize; 4]) -> ValueInfo {
    let dim = shape.iter().map(|&value| Dimension { value: value as i64 }).collect();
    let tensor = Some(TensorType { element: FLOAT, shape: Some(ShapeProto { dim }) });
    ValueInfo { name: name.to_owned(), kind: Some(TypeProto { tensor }) }
}

#[derive(Default)]
struct Builder {
    nodes: Vec<NodeProto>,
    tensors: Vec<TensorProto>,
}

impl Builder {
    fn node(&mut self, kind: &str, name: &str, input: Vec<String>, attribute: Vec<AttributeProto>) -> String {
        let (op_type, output) = (kind.to_owned(), vec![name.to_owned()]);
        self.nodes.push(NodeProto { input, output, name: name.to_owned(), op_type, attribute });
        name.to_owned()
    }

    fn tensor(&mut self, name: String, dims: &[usize], float_data: Vec<f32>) -> String {
        let dims = dims.iter().map(|&dim| dim as i64).collect();
        self.tensors.push(TensorProto { dims, data_type: FLOAT, float_data, name: name.clone() });
        name
    }

    fn conv(&mut self, name: &str, x: &str, conv: &Conv2d, weight: Vec<f32>, bias: Vec<f32>) -> String {
        let dims: [usize; 4] = conv.weight.dims();
        let kernel = conv.kernel_size;
        let pad = kernel[0] / 2;
        let weight = self.tensor(format!("{name}.weight"), &dims, weight);
        let bias = self.tensor(format!("{name}.bias"), &dims[..1], bias);
        let attributes = vec![
            integers("kernel_shape", &kernel),
            integers("strides", &conv.stride),
            integers("pads", &[pad; 4]),
        ];
        self.node("Conv", name, vec![x.to_owned(), weight, bias], attributes)
    }
}
