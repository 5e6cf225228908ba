//! The constants of an ONNX graph, and the order in which its layers use them.
//!
//! Reads the few messages of the protobuf schema (`onnx.proto3`) that hold them and skips the rest.

use std::ops::Range;
use std::sync::Arc;

use burn_store::burn_pack::{Bytes, DType};

use super::RawTensor;

/// Why bytes are no ONNX graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum OnnxError {
    #[error("it ends in the middle of a field")]
    Truncated,
    #[error("it has a field of the unknown wire type {0}")]
    WireType(u8),
    #[error("it has no graph")]
    NoGraph,
    #[error("the constant {0} is in another file: export it with its weights inside")]
    External(String),
    #[error("the constant {name} has {found} bytes instead of {expected}")]
    Length { name: String, found: usize, expected: usize },
    #[error("the constant {0} has an impossible shape")]
    Dims(String),
}

/// What the weights of a model need of a graph.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// Constants of a floating-point type.
    pub(super) initializers: Vec<RawTensor>,
    /// Convolutions and fully connected layers in the order in which they first run. A layer that runs several times
    /// is there once.
    pub(super) layers: Vec<GraphLayer>,
}

/// The constants of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct GraphLayer {
    /// Name of its weight, output channels first.
    pub(crate) weight: String,
    /// Name of its bias.
    pub(crate) bias: Option<String>,
    /// The batch normalisation behind it, unless the export folded it: names of scale, shift, mean and variance.
    pub(crate) norm: Option<[String; 4]>,
    /// Name of its result.
    pub(crate) output: String,
}

/// Reads a `ModelProto`.
pub(super) fn read(bytes: Vec<u8>) -> Result<Graph, OnnxError> {
    let bytes = Arc::new(bytes);
    let mut graph = Graph::default();
    let mut found = false;
    for field in Fields::of(&bytes, 0..bytes.len()) {
        if let (7, Value::Bytes(range)) = field? {
            found = true;
            read_graph(&bytes, range, &mut graph)?;
        }
    }
    if found { Ok(graph) } else { Err(OnnxError::NoGraph) }
}

fn read_graph(bytes: &Arc<Vec<u8>>, range: Range<usize>, graph: &mut Graph) -> Result<(), OnnxError> {
    for field in Fields::of(bytes, range) {
        match field? {
            (1, Value::Bytes(range)) => read_node(bytes, range, graph)?,
            (5, Value::Bytes(range)) => graph.initializers.extend(read_tensor(bytes, range, None)?),
            _ => {}
        }
    }
    Ok(())
}

fn read_node(bytes: &Arc<Vec<u8>>, range: Range<usize>, graph: &mut Graph) -> Result<(), OnnxError> {
    let (mut inputs, mut output, mut operator, mut attributes) =
        (Vec::new(), None, String::new(), Vec::new());
    for field in Fields::of(bytes, range) {
        match field? {
            (1, Value::Bytes(range)) => inputs.push(text(bytes, range)),
            (2, Value::Bytes(range)) => output = output.or_else(|| Some(text(bytes, range))),
            (4, Value::Bytes(range)) => operator = text(bytes, range),
            (5, Value::Bytes(range)) => attributes.push(range),
            _ => {}
        }
    }
    match operator.as_str() {
        "Conv" => graph.add_layer(inputs, output),
        // Other matrices have the input first: without this layer the model finds its weights missing.
        "Gemm" if is_transposed(bytes, &attributes)? => graph.add_layer(inputs, output),
        "BatchNormalization" => {
            let mut inputs = inputs.into_iter();
            let layer = inputs.next().and_then(|input| {
                graph.layers.iter_mut().rev().find(|layer| !input.is_empty() && layer.output == input)
            });
            if let (Some(layer), Ok(norm)) = (layer, <[String; 4]>::try_from(inputs.collect::<Vec<_>>())) {
                layer.norm = Some(norm);
            }
        }
        "Constant" => {
            for attribute in attributes {
                for field in Fields::of(bytes, attribute) {
                    if let (5, Value::Bytes(range)) = field? {
                        graph.initializers.extend(read_tensor(bytes, range, output.as_deref())?);
                    }
                }
            }
        }
        _ => {}
    }
    Ok(())
}

impl Graph {
    fn add_layer(&mut self, inputs: Vec<String>, output: Option<String>) {
        let mut inputs = inputs.into_iter().skip(1);
        let Some(weight) = inputs.next() else { return };
        if self.layers.iter().all(|layer| layer.weight != weight) {
            let bias = inputs.next().filter(|bias| !bias.is_empty());
            self.layers.push(GraphLayer { weight, bias, norm: None, output: output.unwrap_or_default() });
        }
    }
}

/// Is the attribute `transB` set?
fn is_transposed(bytes: &Arc<Vec<u8>>, attributes: &[Range<usize>]) -> Result<bool, OnnxError> {
    for attribute in attributes {
        let (mut named, mut value) = (false, 0);
        for field in Fields::of(bytes, attribute.clone()) {
            match field? {
                (1, Value::Bytes(name)) => named = bytes[name] == *b"transB",
                (3, Value::Varint(integer)) => value = integer,
                _ => {}
            }
        }
        if named {
            return Ok(value != 0);
        }
    }
    Ok(false)
}

/// Reads a `TensorProto`; `None` unless it holds floating-point numbers.
fn read_tensor(
    bytes: &Arc<Vec<u8>>,
    range: Range<usize>,
    name_of_output: Option<&str>,
) -> Result<Option<RawTensor>, OnnxError> {
    let (mut dims, mut data_type, mut name, mut external) = (Vec::new(), 0, String::new(), false);
    // Either raw bytes or typed fields, which may come in pieces.
    let (mut raw, mut typed) = (None, Vec::new());
    for field in Fields::of(bytes, range) {
        match field? {
            (1, Value::Varint(dim)) => dims.push(dim),
            (1, Value::Bytes(range)) => {
                let mut packed = Cursor { bytes, range };
                while !packed.range.is_empty() {
                    dims.push(packed.varint()?);
                }
            }
            (2, Value::Varint(value)) => data_type = value,
            // `float_data` and `double_data`.
            (4 | 10, Value::Bytes(range)) => typed.extend_from_slice(&bytes[range]),
            (4, Value::Fixed32(value)) => typed.extend_from_slice(&value),
            (10, Value::Fixed64(value)) => typed.extend_from_slice(&value),
            (8, Value::Bytes(range)) => name = text(bytes, range),
            (9, Value::Bytes(range)) => raw = Some(range),
            (14, Value::Varint(location)) => external = location == 1,
            _ => {}
        }
    }
    let name = name_of_output.map_or(name, str::to_owned);
    let dtype = match data_type {
        1 => DType::F32,
        10 => DType::F16,
        11 => DType::F64,
        16 => DType::BF16,
        _ => return Ok(None),
    };
    if external {
        return Err(OnnxError::External(name));
    }
    let shape = dims.iter().map(|&dim| usize::try_from(dim).ok()).collect::<Option<Vec<_>>>();
    let expected = shape
        .as_deref()
        .and_then(|shape| shape.iter().try_fold(dtype.size(), |size, &dim| size.checked_mul(dim)));
    let (Some(shape), Some(expected)) = (shape, expected) else {
        return Err(OnnxError::Dims(name));
    };
    let found = raw.as_ref().map_or(typed.len(), ExactSizeIterator::len);
    if found != expected {
        return Err(OnnxError::Length { name, found, expected });
    }
    Ok(Some(match raw {
        None => RawTensor::new(name, dtype, shape, None, Bytes::from_bytes_vec(typed)),
        Some(range) => {
            // Copied when it is taken, so that the file and all of its tensors never lie in memory together.
            let bytes = Arc::clone(bytes);
            RawTensor::deferred(name, dtype, shape, None, expected, move || {
                Ok(Bytes::from_bytes_vec(bytes[range.clone()].to_vec()))
            })
        }
    }))
}

fn text(bytes: &[u8], range: Range<usize>) -> String {
    String::from_utf8_lossy(&bytes[range]).into_owned()
}

/// A field's value; ranges lie inside the bytes that were read.
#[derive(Debug, PartialEq)]
enum Value {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(Range<usize>),
    Fixed32([u8; 4]),
}

/// The fields of a message: number and value.
#[derive(Debug)]
struct Fields<'a>(Cursor<'a>);

impl<'a> Fields<'a> {
    fn of(bytes: &'a [u8], range: Range<usize>) -> Self {
        Self(Cursor { bytes, range })
    }
}

impl Iterator for Fields<'_> {
    type Item = Result<(u64, Value), OnnxError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.range.is_empty() {
            return None;
        }
        let field = self.0.field();
        if field.is_err() {
            self.0.range.start = self.0.range.end;
        }
        Some(field)
    }
}

#[derive(Debug)]
struct Cursor<'a> {
    bytes: &'a [u8],
    range: Range<usize>,
}

impl Cursor<'_> {
    fn field(&mut self) -> Result<(u64, Value), OnnxError> {
        let key = self.varint()?;
        let value = match (key & 7) as u8 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.array()?),
            2 => {
                let len = usize::try_from(self.varint()?).map_err(|_| OnnxError::Truncated)?;
                Value::Bytes(self.advance(len)?)
            }
            5 => Value::Fixed32(self.array()?),
            other => return Err(OnnxError::WireType(other)),
        };
        Ok((key >> 3, value))
    }

    /// At most ten bytes of seven bits each; bits above 64 are dropped, as protobuf does.
    fn varint(&mut self) -> Result<u64, OnnxError> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(OnnxError::Truncated)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], OnnxError> {
        let range = self.advance(N)?;
        self.bytes[range].try_into().map_err(|_| OnnxError::Truncated)
    }

    fn advance(&mut self, len: usize) -> Result<Range<usize>, OnnxError> {
        let start = self.range.start;
        let end = start.checked_add(len).filter(|&end| end <= self.range.end).ok_or(OnnxError::Truncated)?;
        self.range.start = end;
        Ok(start..end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut field = vec![number << 3 | 2];
        let mut len = bytes.len();
        while len >= 0x80 {
            field.push(len as u8 | 0x80);
            len >>= 7;
        }
        field.push(len as u8);
        field.extend_from_slice(bytes);
        field
    }

    /// Two weights (one raw, one in `float_data`), a bias in a constant node, two convolutions, of which one runs twice,
    /// and two fully connected layers, of which one is transposed and normalised.
    fn model() -> Vec<u8> {
        let values: Vec<u8> = [1.0f32, 2.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        let dims = [0x08, 2, 0x08, 1, 0x08, 1, 0x08, 1];
        let raw = [&dims[..], &[0x10, 1], &field(8, b"w0"), &field(9, &values)].concat();
        let packed =
            [&field(1, &[2, 1, 1, 1])[..], &[0x10, 1], &field(8, b"w1"), &field(4, &values)].concat();
        let shape = [0x08, 1, 0x10, 7].to_vec();
        let integers = [shape, field(8, b"shape"), field(9, &[0; 8])].concat();
        let bias = field(5, &[&[0x08, 2, 0x10, 1][..], &field(9, &values)].concat());
        let constant = [field(2, b"b"), field(4, b"Constant"), field(5, &bias)].concat();
        let first =
            [field(1, b"x"), field(1, b"w0"), field(1, b"b"), field(2, b"y"), field(4, b"Conv")].concat();
        let second = [field(1, b"y"), field(1, b"w1"), field(2, b"z"), field(4, b"Conv")].concat();
        let named = |number: u8, names: &[&str]| -> Vec<u8> {
            names.iter().flat_map(|name| field(number, name.as_bytes())).collect()
        };
        let again = [named(1, &["z", "w1"]), named(2, &["v"]), field(4, b"Conv")].concat();
        let transposed = field(5, &[&field(1, b"transB")[..], &[0x18, 1]].concat());
        let full = [named(1, &["v", "w2", "b"]), named(2, &["f"]), field(4, b"Gemm"), transposed].concat();
        let plain = [named(1, &["v", "w3", "b"]), named(2, &["g"]), field(4, b"Gemm")].concat();
        let norm = [
            named(1, &["f", "scale", "shift", "mean", "variance"]),
            named(2, &["h"]),
            field(4, b"BatchNormalization"),
        ]
        .concat();
        let graph = [
            field(1, &constant),
            field(1, &first),
            field(1, &second),
            field(1, &again),
            field(1, &full),
            field(1, &plain),
            field(1, &norm),
            field(5, &raw),
            field(5, &packed),
            field(5, &integers),
        ];
        [vec![0x08, 8], field(7, &graph.concat())].concat()
    }

    #[test]
    fn a_small_graph() {
        let graph = read(model()).unwrap();
        let names: Vec<_> = graph.initializers.iter().map(|tensor| tensor.name.as_str()).collect();
        assert_eq!(names, ["b", "w0", "w1"]);
        for tensor in &graph.initializers[1..] {
            assert_eq!(tensor.shape.to_vec(), [2, 1, 1, 1]);
            assert_eq!(&tensor.to_bytes().unwrap()[4..], 2.0f32.to_le_bytes());
        }
        let layer = |weight: &str, bias: Option<&str>, output: &str| GraphLayer {
            weight: weight.into(),
            bias: bias.map(str::to_owned),
            norm: None,
            output: output.into(),
        };
        let normalised = GraphLayer {
            norm: Some(["scale", "shift", "mean", "variance"].map(str::to_owned)),
            ..layer("w2", Some("b"), "f")
        };
        assert_eq!(graph.layers, [layer("w0", Some("b"), "y"), layer("w1", None, "z"), normalised]);
    }

    #[test]
    fn every_truncation_is_an_error() {
        let model = model();
        for len in 0..model.len() {
            assert!(read(model[..len].to_vec()).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn what_does_not_add_up_is_an_error() {
        let tensor = |parts: &[&[u8]]| read([&field(7, &field(5, &parts.concat()))[..]].concat());
        let name = field(8, b"w");
        let eight = field(9, &[0; 8]);
        let short = tensor(&[&[0x08, 3, 0x10, 1], &name, &eight]).unwrap_err();
        assert_eq!(short, OnnxError::Length { name: "w".into(), found: 8, expected: 12 });
        let huge = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x10, 1];
        assert_eq!(tensor(&[&huge, &name, &eight]).unwrap_err(), OnnxError::Dims("w".into()));
        let external = tensor(&[&[0x08, 2, 0x10, 1, 0x70, 1], &name]).unwrap_err();
        assert_eq!(external, OnnxError::External("w".into()));
        assert_eq!(read(vec![0x08, 8]).unwrap_err(), OnnxError::NoGraph);
        assert_eq!(read(vec![0x0b]).unwrap_err(), OnnxError::WireType(3));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(bytes);
        }

        #[test]
        fn no_damage_makes_it_panic(at in 0usize..200, byte in any::<u8>()) {
            let mut bytes = model();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(graph) = read(bytes) {
                for tensor in graph.initializers {
                    prop_assert_eq!(tensor.to_bytes().unwrap().len(), tensor.byte_len());
                }
            }
        }
    }
}
