//! Functions of values.

use eyespot_nn::graph::{Activation, BinaryKind, BinaryNumbers, Element, SoftmaxNumbers};

use super::super::Reader;
use super::super::model::{Constant, Node, Numbers};
use super::{Done, set};
use crate::ConvertError;
use crate::builder::{image_sizes, shape_of};
use crate::ir::Op;
use crate::view::View;

pub(super) fn activate(reader: &mut Reader, node: &Node, activation: Activation) -> Done {
    let view = reader.view(node.input(0)?)?;
    let view = reader.graph.whole(&node.name, &view)?;
    let output = reader.graph.like(node.output(0)?, &view, Element::F32, None);
    let op = Op::Activate { input: view.tensor, output: output.tensor, activation };
    reader.graph.push(&node.name, op);
    set(reader, node, 0, output)
}

/// Arithmetic of two sides; axes of size 1 and missing ones in front are repeated.
pub(super) fn binary(reader: &mut Reader, node: &Node, kind: BinaryKind) -> Done {
    let wrong = || node.error("its sides don't fit each other");
    let (mut a, mut b) = (reader.view(node.input(0)?)?, reader.view(node.input(1)?)?);
    let shape = common(&a.shape, &b.shape).ok_or_else(wrong)?;
    if a.shape != shape && kind != BinaryKind::Sub {
        std::mem::swap(&mut a, &mut b);
    }
    if a.shape != shape {
        a = repeated(reader, node, &a, &shape)?;
    }
    let mut all = vec![1; shape.len() - b.shape.len()];
    all.extend(&b.shape);
    let mut b = b.reshaped(&all).ok_or_else(wrong)?;
    // The engine repeats rows, columns and channels of the second side.
    let sizes = |view: &View| last(view).map(|view| image_sizes(&view.shape)).ok_or_else(wrong);
    let repeats = sizes(&b)?.iter().zip(sizes(&a)?).all(|(&b, a)| b == a || b == 1);
    if b.shape != shape && !repeats {
        b = repeated(reader, node, &b, &shape)?;
    }
    let (left, right, output) = if b.shape == shape {
        let a = reader.graph.whole(&node.name, &a)?;
        let right = in_order_of(reader, node, &a, &b)?;
        (a.tensor, right, reader.graph.like(node.output(0)?, &a, Element::F32, None))
    } else {
        let (image, other) = (last(&a).ok_or_else(wrong)?, last(&b).ok_or_else(wrong)?);
        let sizes = image_sizes(&image.shape);
        let left = reader.graph.dense(&node.name, &image, sizes)?;
        let right = reader.graph.dense(&node.name, &other, image_sizes(&other.shape))?;
        let output = shape_of(sizes).ok_or_else(wrong)?;
        let output = reader.graph.tensor(node.output(0)?, output, Element::F32, None);
        let whole = if image.shape == shape {
            View::dense(output, shape)
        } else {
            View::channels_first(output, sizes)
        };
        (left, right, whole)
    };
    let numbers = BinaryNumbers::F32(Activation::None);
    reader.graph.push(&node.name, Op::Binary { kind, a: left, b: right, output: output.tensor, numbers });
    set(reader, node, 0, output)
}

/// A division by a constant is a product.
pub(super) fn div(reader: &mut Reader, node: &Node) -> Done {
    let name = node.input(1)?;
    let constant =
        reader.constants.get(name).and_then(|constant| Some((constant.floats()?, &constant.shape)));
    let (values, shape) = constant.ok_or_else(|| node.error("only divisions by a constant are supported"))?;
    let numbers = Numbers::Floats(values.iter().map(|value| 1.0 / value).collect());
    let (inverse, constant) = (format!("1 / {name}"), Constant { shape: shape.clone(), numbers });
    reader.constants.insert(inverse.clone(), constant);
    let inputs = vec![node.input(0)?.to_owned(), inverse];
    binary(reader, &Node { inputs, ..node.clone() }, BinaryKind::Mul)
}

/// The shape that two shapes have when axes of size 1 are repeated.
fn common(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let side =
        |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |at| shape[at]);
    let axis = |axis| match (side(a, axis), side(b, axis)) {
        (a, b) if a == b || b == 1 => Some(a),
        (1, b) => Some(b),
        _ => None,
    };
    (0..rank).map(axis).collect()
}

/// An image with the channels last; anything else as it is.
fn last(view: &View) -> Option<View> {
    match *view.shape {
        [1, _, _, _] => view.transposed(&[0, 2, 3, 1]),
        _ => Some(view.clone()),
    }
}

/// A tensor with all values of a shape that a view's are repeated to.
fn repeated(reader: &mut Reader, node: &Node, view: &View, shape: &[usize]) -> Result<View, ConvertError> {
    let wrong = || node.error("its sides don't fit each other");
    let view = view.broadcast(shape).ok_or_else(wrong)?;
    let view = last(&view).ok_or_else(wrong)?;
    let id = reader.graph.dense(&node.name, &view, image_sizes(&view.shape))?;
    Ok(match *shape {
        [1, c, h, w] => View::channels_first(id, [h, w, c]),
        _ => View::dense(id, shape.to_vec()),
    })
}

/// The values of `b` in the order in which those of `a` lie in memory, with the shape that the tensor of `a` has.
fn in_order_of(reader: &mut Reader, node: &Node, a: &View, b: &View) -> Result<usize, ConvertError> {
    let shape = reader.graph.tensors[a.tensor].shape;
    let mut axes = a.shape.iter().zip(a.strides.iter().zip(&b.strides));
    if axes.any(|(&size, (a, b))| size != 1 && a != b) || !b.covers(shape.len()) {
        let same = reader.graph.like(&node.name, a, Element::F32, None);
        reader.graph.copy(&node.name, b, &same)?;
        return Ok(same.tensor);
    }
    if reader.graph.tensors[b.tensor].shape == shape {
        return Ok(b.tensor);
    }
    let mut alias = reader.graph.tensors[b.tensor].clone();
    (alias.shape, alias.alias) = (shape, Some(b.tensor));
    reader.graph.tensors.push(alias);
    Ok(reader.graph.tensors.len() - 1)
}

pub(super) fn softmax(reader: &mut Reader, node: &Node) -> Done {
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
