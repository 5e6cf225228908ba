//! Passes that make a graph smaller: activations go into the operators before them, and a convolution whose only
//! reader is a max pooling keeps no more than a few rows.

use eyespot_nn::graph::{Activation, BinaryKind, BinaryNumbers, PoolKind, PoolNumbers};

use crate::ir::{ConvData, Graph, Id, Op};

/// How many operators and outputs read each tensor, views counted with what they look at.
fn readers(graph: &Graph) -> Vec<usize> {
    let mut readers = vec![0; graph.tensors.len()];
    for id in graph.nodes.iter().flat_map(|node| node.op.inputs()).chain(graph.outputs.iter().copied()) {
        readers[graph.root(id)] += 1;
    }
    readers
}

/// x * sigmoid(x) becomes one function.
fn silu(graph: &mut Graph) {
    for at in 0..graph.nodes.len() {
        let Op::Binary { kind: BinaryKind::Mul, a, b, output, numbers: BinaryNumbers::F32(Activation::None) } =
            graph.nodes[at].op
        else {
            continue;
        };
        let sigmoid_of = |id: Id| {
            graph.nodes[..at].iter().find_map(|node| match node.op {
                Op::Activate { input, output, activation: Activation::Sigmoid } if output == id => {
                    Some(input)
                }
                _ => None,
            })
        };
        let input = if sigmoid_of(b) == Some(a) { a } else { b };
        if sigmoid_of(b) == Some(a) || sigmoid_of(a) == Some(b) {
            graph.nodes[at].op = Op::Activate { input, output, activation: Activation::Silu };
        }
    }
    graph.drop_dead();
}

/// Puts activations into the operators before them.
pub(crate) fn activations(graph: &mut Graph) {
    silu(graph);
    let readers = readers(graph);
    let mut at = 0;
    while at < graph.nodes.len() {
        let Op::Activate { input, output, activation } = graph.nodes[at].op else {
            at += 1;
            continue;
        };
        let producer = graph.nodes[..at].iter_mut().find(|node| node.op.output() == input);
        let place = producer.and_then(|node| match &mut node.op {
            Op::Conv(conv) => match &mut conv.data {
                ConvData::F32 { activation, .. } => Some((activation, &mut conv.output)),
                ConvData::I8 { .. } => None,
            },
            Op::Pool(pool) => match &mut pool.numbers {
                PoolNumbers::F32(activation) => Some((activation, &mut pool.output)),
                PoolNumbers::I8(_) => None,
            },
            Op::Binary { numbers: BinaryNumbers::F32(activation), output, .. } => Some((activation, output)),
            _ => None,
        });
        match place {
            Some((own, target)) if *own == Activation::None && readers[input] == 1 => {
                *own = activation;
                *target = output;
                graph.nodes.remove(at);
            }
            _ => at += 1,
        }
    }
}

/// Puts a convolution and a max pooling that alone reads it together.
pub(crate) fn pooling(graph: &mut Graph) {
    let readers = readers(graph);
    let mut at = 1;
    while at < graph.nodes.len() {
        let fused = match (&graph.nodes[at - 1].op, &graph.nodes[at].op) {
            (Op::Conv(conv), Op::Pool(pool))
                if pool.kind == PoolKind::Max
                    && pool.input == conv.output
                    && readers[conv.output] == 1
                    && u32::from(pool.window.kernel[0]) < graph.tensors[conv.output].shape.h
                    // Rows must not be computed twice.
                    && pool.window.stride[0] <= pool.window.kernel[0] =>
            {
                Some(Op::ConvPool(conv.clone(), pool.clone()))
            }
            _ => None,
        };
        if let Some(op) = fused {
            graph.nodes[at].op = op;
            graph.nodes.remove(at - 1);
        } else {
            at += 1;
        }
    }
}
