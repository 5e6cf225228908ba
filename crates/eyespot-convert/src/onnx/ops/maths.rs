//! Functions of values.

use eyespot_nn::graph::{Activation, BinaryKind, BinaryNumbers, Element, SoftmaxNumbers};

use super::super::Reader;
use super::super::model::{Constant, Node, Numbers};
use super::{Done, set};
use crate::builder::image_sizes;
use crate::ir::Op;
use crate::sides::{ChannelsFirst, Sides};
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
    let views = [reader.view(node.input(0)?)?, reader.view(node.input(1)?)?];
    let commute = kind != BinaryKind::Sub;
    let Sides { left, right, view } = reader.graph.sides::<ChannelsFirst>(&node.name, views, commute)?;
    let output = reader.graph.like(node.output(0)?, &view, Element::F32, None);
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
        View::dense(id, moved.shape).restored(&order).ok_or_else(wrong)?
    };
    let output = reader.graph.like(node.output(0)?, &view, Element::F32, None);
    let op = Op::Softmax { input: view.tensor, output: output.tensor, numbers: SoftmaxNumbers::F32 };
    reader.graph.push(&node.name, op);
    set(reader, node, 0, output)
}
