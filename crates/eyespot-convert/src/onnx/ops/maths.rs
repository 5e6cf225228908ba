//! Functions of values.

use eyespot_nn::graph::{Activation, BinaryKind, BinaryNumbers, Element, SoftmaxNumbers};

use super::super::Reader;
use super::super::model::Node;
use super::{Done, set};
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

pub(super) fn binary(reader: &mut Reader, node: &Node, kind: BinaryKind) -> Done {
    let (mut a, mut b) = (reader.view(node.input(0)?)?, reader.view(node.input(1)?)?);
    if a.len() < b.len() && kind != BinaryKind::Sub {
        std::mem::swap(&mut a, &mut b);
    }
    let rank = a.shape.len();
    if b.shape.len() > rank {
        return Err(node.error("its sides don't fit each other"));
    }
    // Missing dimensions of the smaller side are in front.
    let mut shape = vec![1; rank - b.shape.len()];
    shape.extend(&b.shape);
    let b = if b.shape == shape {
        b
    } else {
        b.reshaped(&shape).ok_or_else(|| node.error("its sides don't fit each other"))?
    };
    let (left, right, output) = if a.shape == b.shape {
        // The same order of values on both sides is enough.
        let a = reader.graph.whole(&node.name, &a)?;
        let other = if a.strides == b.strides && b.covers(reader.graph.tensors[a.tensor].shape.len()) {
            b.tensor
        } else {
            let same = reader.graph.like(&node.name, &a, Element::F32, None);
            reader.graph.copy(&node.name, &b, &same)?;
            same.tensor
        };
        let shape = reader.graph.tensors[a.tensor].shape;
        if reader.graph.tensors[other].shape != shape {
            let mut alias = reader.graph.tensors[other].clone();
            (alias.shape, alias.alias) = (shape, Some(other));
            reader.graph.tensors.push(alias);
        }
        let right =
            if reader.graph.tensors[other].shape == shape { other } else { reader.graph.tensors.len() - 1 };
        let output = reader.graph.like(node.output(0)?, &a, Element::F32, None);
        (a.tensor, right, output)
    } else {
        let last = |view: &View| match *view.shape {
            [1, _, _, _] => view.transposed(&[0, 2, 3, 1]),
            _ => Some(view.clone()),
        };
        let wrong = || node.error("its sides don't fit each other");
        let (image, other) = (last(&a).ok_or_else(wrong)?, last(&b).ok_or_else(wrong)?);
        let sizes = image_sizes(&image.shape);
        let left = reader.graph.dense(&node.name, &image, sizes)?;
        let right = reader.graph.dense(&node.name, &other, image_sizes(&other.shape))?;
        let shape = shape_of(sizes).ok_or_else(wrong)?;
        let output = reader.graph.tensor(node.output(0)?, shape, Element::F32, None);
        let output = if image.shape == a.shape {
            View::dense(output, a.shape.clone())
        } else {
            View::channels_first(output, sizes)
        };
        (left, right, output)
    };
    let numbers = BinaryNumbers::F32(Activation::None);
    reader.graph.push(&node.name, Op::Binary { kind, a: left, b: right, output: output.tensor, numbers });
    set(reader, node, 0, output)
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
