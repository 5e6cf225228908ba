//! The messages of ONNX that a network consists of.

use std::collections::HashMap;

use super::protobuf::{Fields, Value, floats, varints};
use crate::ConvertError;
use crate::tflite::half;

/// A constant: floats or integers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Numbers {
    Floats(Vec<f32>),
    Integers(Vec<i64>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Constant {
    pub(crate) shape: Vec<usize>,
    pub(crate) numbers: Numbers,
}

impl Constant {
    pub(super) fn floats(&self) -> Option<&[f32]> {
        match &self.numbers {
            Numbers::Floats(values) => Some(values),
            Numbers::Integers(_) => None,
        }
    }

    pub(super) fn integers(&self) -> Option<&[i64]> {
        match &self.numbers {
            Numbers::Integers(values) => Some(values),
            Numbers::Floats(_) => None,
        }
    }
}

/// An attribute of an operator.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Attribute {
    Float(f32),
    Integer(i64),
    Text(String),
    Tensor(Constant),
    Floats(Vec<f32>),
    Integers(Vec<i64>),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) operator: String,
    pub(crate) inputs: Vec<String>,
    pub(crate) outputs: Vec<String>,
    pub(crate) attributes: HashMap<String, Attribute>,
}

/// A network.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) nodes: Vec<Node>,
    pub(crate) constants: HashMap<String, Constant>,
    /// Names and sizes; `None` for a size that is not fixed.
    pub(crate) inputs: Vec<(String, Vec<Option<usize>>)>,
    pub(crate) outputs: Vec<String>,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn read(bytes: &[u8]) -> Result<Model, ConvertError> {
    let mut model = None;
    for field in Fields::new(bytes) {
        if let (7, Value::Bytes(graph)) = field? {
            model = Some(read_graph(graph)?);
        }
    }
    model.ok_or(ConvertError::Format("ONNX"))
}

fn read_graph(bytes: &[u8]) -> Result<Model, ConvertError> {
    let mut model = Model::default();
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(bytes)) => model.nodes.push(read_node(bytes)?),
            (5, Value::Bytes(bytes)) => {
                if let (name, Some(constant)) = read_tensor(bytes)? {
                    model.constants.insert(name, constant);
                }
            }
            (11, Value::Bytes(bytes)) => model.inputs.push(read_value(bytes)?),
            (12, Value::Bytes(bytes)) => model.outputs.push(read_value(bytes)?.0),
            _ => {}
        }
    }
    // Older files list constants among the inputs.
    model.inputs.retain(|(name, _)| !model.constants.contains_key(name));
    Ok(model)
}

fn read_node(bytes: &[u8]) -> Result<Node, ConvertError> {
    let mut node = Node::default();
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(bytes)) => node.inputs.push(text(bytes)),
            (2, Value::Bytes(bytes)) => node.outputs.push(text(bytes)),
            (3, Value::Bytes(bytes)) => node.name = text(bytes),
            (4, Value::Bytes(bytes)) => node.operator = text(bytes),
            (5, Value::Bytes(bytes)) => {
                let (name, attribute) = read_attribute(bytes)?;
                node.attributes.extend(attribute.map(|attribute| (name, attribute)));
            }
            _ => {}
        }
    }
    if node.name.is_empty() {
        node.name = node.outputs.first().cloned().unwrap_or_default();
    }
    Ok(node)
}

fn read_attribute(bytes: &[u8]) -> Result<(String, Option<Attribute>), ConvertError> {
    let (mut name, mut kind) = (String::new(), 0);
    let (mut float, mut integer, mut string, mut tensor) = (0.0, 0, String::new(), None);
    let (mut many_floats, mut many_integers) = (Vec::new(), Vec::new());
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(bytes)) => name = text(bytes),
            (2, Value::Fixed32(value)) => float = f32::from_le_bytes(value),
            (3, Value::Varint(value)) => integer = value as i64,
            (4, Value::Bytes(bytes)) => string = text(bytes),
            (5, Value::Bytes(bytes)) => tensor = read_tensor(bytes)?.1,
            (7, Value::Bytes(bytes)) => many_floats.extend(floats(bytes)),
            (7, Value::Fixed32(value)) => many_floats.push(f32::from_le_bytes(value)),
            (8, Value::Bytes(bytes)) => many_integers.extend(varints(bytes)?),
            (8, Value::Varint(value)) => many_integers.push(value as i64),
            (20, Value::Varint(value)) => kind = value,
            _ => {}
        }
    }
    let attribute = match kind {
        1 => Some(Attribute::Float(float)),
        2 => Some(Attribute::Integer(integer)),
        3 => Some(Attribute::Text(string)),
        4 => tensor.map(Attribute::Tensor),
        6 => Some(Attribute::Floats(many_floats)),
        7 => Some(Attribute::Integers(many_integers)),
        _ => None,
    };
    Ok((name, attribute))
}

fn read_value(bytes: &[u8]) -> Result<(String, Vec<Option<usize>>), ConvertError> {
    let (mut name, mut sizes) = (String::new(), Vec::new());
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(bytes)) => name = text(bytes),
            // type, tensor type, shape, dimension, size.
            (2, Value::Bytes(bytes)) => {
                for tensor in messages(bytes, 1) {
                    for shape in messages(tensor?, 2) {
                        for dimension in messages(shape?, 1) {
                            sizes.push(read_dimension(dimension?)?);
                        }
                    }
                }
            }
            _ => {}
        }
    }
    Ok((name, sizes))
}

fn messages(bytes: &[u8], number: u64) -> impl Iterator<Item = Result<&[u8], ConvertError>> {
    Fields::new(bytes).filter_map(move |field| match field {
        Ok((found, Value::Bytes(bytes))) if found == number => Some(Ok(bytes)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

fn read_dimension(bytes: &[u8]) -> Result<Option<usize>, ConvertError> {
    for field in Fields::new(bytes) {
        if let (1, Value::Varint(size)) = field? {
            return Ok(usize::try_from(size).ok().filter(|&size| size > 0 && size <= 1 << 20));
        }
    }
    Ok(None)
}

/// A tensor with its name; `None` for types that no operator here needs.
fn read_tensor(bytes: &[u8]) -> Result<(String, Option<Constant>), ConvertError> {
    let (mut dims, mut kind, mut name, mut external) = (Vec::new(), 0, String::new(), false);
    let (mut raw, mut float_data, mut int_data): (&[u8], Vec<f32>, Vec<i64>) = (&[], Vec::new(), Vec::new());
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Varint(dim)) => dims.push(dim as i64),
            (1, Value::Bytes(bytes)) => dims.extend(varints(bytes)?),
            (2, Value::Varint(value)) => kind = value,
            (4, Value::Bytes(bytes)) => float_data.extend(floats(bytes)),
            (4, Value::Fixed32(value)) => float_data.push(f32::from_le_bytes(value)),
            (5 | 7, Value::Bytes(bytes)) => int_data.extend(varints(bytes)?),
            (5 | 7, Value::Varint(value)) => int_data.push(value as i64),
            (8, Value::Bytes(bytes)) => name = text(bytes),
            (9, Value::Bytes(bytes)) => raw = bytes,
            (14, Value::Varint(location)) => external = location == 1,
            _ => {}
        }
    }
    if external {
        return Err(ConvertError::layer(
            &name,
            "its constants are in another file: export the model with them inside",
        ));
    }
    let shape = dims.iter().map(|&dim| usize::try_from(dim).ok()).collect::<Option<Vec<_>>>();
    let len =
        shape.as_deref().and_then(|shape| shape.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim)));
    let (Some(shape), Some(len)) = (shape, len) else {
        return Err(ConvertError::layer(&name, "a constant has an impossible shape"));
    };
    let numbers = match kind {
        1 if raw.is_empty() => Numbers::Floats(float_data),
        1 => Numbers::Floats(floats(raw).collect()),
        10 if raw.is_empty() => Numbers::Floats(int_data.iter().map(|&bits| half(bits as u16)).collect()),
        10 => Numbers::Floats(
            raw.as_chunks::<2>().0.iter().map(|&bits| half(u16::from_le_bytes(bits))).collect(),
        ),
        6 | 7 if raw.is_empty() => Numbers::Integers(int_data),
        6 => Numbers::Integers(
            raw.as_chunks::<4>().0.iter().map(|&v| i64::from(i32::from_le_bytes(v))).collect(),
        ),
        7 => Numbers::Integers(raw.as_chunks::<8>().0.iter().map(|&v| i64::from_le_bytes(v)).collect()),
        _ => return Ok((name, None)),
    };
    let found = match &numbers {
        Numbers::Floats(values) => values.len(),
        Numbers::Integers(values) => values.len(),
    };
    if found != len {
        return Err(ConvertError::layer(&name, format!("a constant has {found} values instead of {len}")));
    }
    Ok((name, Some(Constant { shape, numbers })))
}
