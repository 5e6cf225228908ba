//! Operators of ONNX.

mod fold;
mod layers;
mod maths;
mod pool;
mod shapes;

use eyespot_nn::graph::{Activation, BinaryKind, Element, PoolKind};

use super::Reader;
use super::model::{Attribute, Constant, Node};
use crate::ConvertError;
use crate::builder::{Pads, shape_of};
use crate::view::{View, count};

type Done = Result<(), ConvertError>;

const NO_IMAGE: &str = "its input is not an image with a batch of 1";

/// Adds an operator to the graph.
pub(super) fn add(reader: &mut Reader, node: &Node) -> Done {
    if let Some(value) = fold::value(reader, node) {
        // A file can ask for many more values than it has.
        let left = reader.room.checked_sub(count(&value.shape));
        reader.room = left.ok_or_else(|| node.error("what it makes of constants is too large"))?;
        reader.constants.insert(node.output(0)?.clone(), value);
        return Ok(());
    }
    match node.operator.as_str() {
        "Conv" => layers::conv(reader, node),
        "Gemm" => layers::gemm(reader, node),
        "MatMul" => layers::mat_mul(reader, node),
        "BatchNormalization" => layers::batch_norm(reader, node),
        "Relu" => maths::activate(reader, node, Activation::Clamp(0.0, f32::INFINITY)),
        "Clip" => {
            let bound = |index: usize, name: &str, default: f32| {
                let input = node.inputs.get(index).and_then(|name| reader.constants.get(name));
                let input = input.and_then(|constant| constant.floats()?.first().copied());
                input.unwrap_or_else(|| node.float(name, default))
            };
            let range = (bound(1, "min", f32::NEG_INFINITY), bound(2, "max", f32::INFINITY));
            maths::activate(reader, node, Activation::Clamp(range.0, range.1))
        }
        "LeakyRelu" => maths::activate(reader, node, Activation::LeakyRelu(node.float("alpha", 0.01))),
        "Sigmoid" => maths::activate(reader, node, Activation::Sigmoid),
        "Tanh" => maths::activate(reader, node, Activation::Tanh),
        "HardSwish" => maths::activate(reader, node, Activation::HardSwish),
        "HardSigmoid" => {
            let activation = Activation::HardSigmoid(node.float("alpha", 0.2), node.float("beta", 0.5));
            maths::activate(reader, node, activation)
        }
        "MaxPool" => pool::pool(reader, node, PoolKind::Max),
        "AveragePool" => pool::pool(reader, node, PoolKind::Average),
        "GlobalAveragePool" => pool::global_average(reader, node),
        "ReduceMean" => pool::reduce_mean(reader, node),
        "Add" => maths::binary(reader, node, BinaryKind::Add),
        "Sub" => maths::binary(reader, node, BinaryKind::Sub),
        "Mul" => maths::binary(reader, node, BinaryKind::Mul),
        "Div" => maths::div(reader, node),
        "Concat" => shapes::concat(reader, node),
        "Softmax" => maths::softmax(reader, node),
        "Resize" | "Upsample" => shapes::resize(reader, node),
        "Pad" => shapes::pad(reader, node),
        "Constant" => {
            let value = fold::literal(node).ok_or_else(|| node.error("its type is not supported"))?;
            reader.constants.insert(node.output(0)?.clone(), value);
            Ok(())
        }
        "Identity" | "Dropout" => {
            let view = reader.view(node.input(0)?)?;
            set(reader, node, 0, view)
        }
        "Reshape" | "Flatten" => shapes::reshape(reader, node),
        "Transpose" => {
            let view = reader.view(node.input(0)?)?;
            let order: Vec<usize> = match node.attributes.get("perm") {
                Some(Attribute::Integers(order)) => order.iter().map(|&axis| axis as usize).collect(),
                _ => (0..view.shape.len()).rev().collect(),
            };
            let view = view.transposed(&order).ok_or_else(|| node.error("its order of axes is wrong"))?;
            set(reader, node, 0, view)
        }
        "Squeeze" | "Unsqueeze" => shapes::squeeze(reader, node),
        "Gather" => shapes::gather(reader, node),
        "Slice" => shapes::slice(reader, node),
        "Split" => shapes::split(reader, node),
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
            return Err(node.error(NO_IMAGE));
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
        let whole = View::channels_first(output, sizes);
        self.graph.surround(name, view, &whole, &[0, 0, top, left])?;
        Ok(whole)
    }
}
