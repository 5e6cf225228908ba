//! Where each tensor lies in the arena: those that are never needed together share bytes.

use crate::ir::{Conv, Graph, Id, Op, Pool};
use eyespot_nn::graph::Shape;

/// Offsets in the arena.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// First byte of each tensor.
    pub(crate) tensors: Vec<u32>,
    /// First byte and length of each node's scratch memory.
    pub(crate) scratch: Vec<(u32, u32)>,
    /// Bytes of the whole arena.
    pub(crate) bytes: u32,
    /// Bytes that no plan can go below: the most that one node needs together with what waits for later ones.
    pub(crate) bound: u32,
    /// The node that needs the most.
    pub(crate) peak: usize,
}

/// Offsets are multiples of this.
const ALIGN: usize = 8;

/// Something that needs bytes from one node to another, both included.
#[derive(Debug, Clone, Copy)]
struct Block {
    bytes: usize,
    first: usize,
    last: usize,
}

/// Bytes of the ring between a convolution and a pooling.
fn ring_bytes(graph: &Graph, conv: &Conv, pool: &Pool) -> usize {
    let output = &graph.tensors[conv.output];
    let Shape { w, c, .. } = output.shape;
    Shape::new(u32::from(pool.window.kernel[0]), w, c).len() * output.element.bytes()
}

fn scratch_bytes(graph: &Graph, conv: &Conv) -> usize {
    let input = &graph.tensors[conv.input];
    eyespot_nn::scratch_bytes(conv.depthwise, &conv.window, input.shape.c as usize, input.element)
        .next_multiple_of(ALIGN)
}

/// Plans a graph; `None` where it needs 4 GiB or more. Without `reuse` every tensor has its own bytes, so that all can be
/// looked at after a run.
pub(crate) fn plan(graph: &Graph, reuse: bool) -> Option<Plan> {
    let nodes = graph.nodes.len();
    // Tensors that share bytes by definition: views, and outputs that take their input's place.
    let mut roots: Vec<Id> = (0..graph.tensors.len()).map(|id| graph.root(id)).collect();
    let mut spans: Vec<Option<(usize, usize)>> = vec![None; graph.tensors.len()];
    let mut touch = |id: Id, at: usize| {
        let span = &mut spans[id];
        *span = Some(span.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
    };
    for &id in &graph.inputs {
        touch(roots[id], 0);
    }
    for (at, node) in graph.nodes.iter().enumerate() {
        for id in node.op.inputs().into_iter().chain([node.op.output()]) {
            touch(roots[id], at);
        }
        if let Op::ConvPool(conv, _) = &node.op {
            touch(roots[conv.output], at);
        }
    }
    for &id in &graph.outputs {
        touch(roots[id], nodes);
    }
    if reuse {
        for (at, node) in graph.nodes.iter().enumerate() {
            let Some(input) = node.op.in_place() else { continue };
            let (from, to) = (roots[input], roots[node.op.output()]);
            let (Some((first, last)), Some((start, end))) = (spans[from], spans[to]) else { continue };
            let other_side = node.op.inputs().iter().filter(|&&id| roots[id] == from).count();
            if from != to
                && last == at
                && start == at
                && other_side == 1
                && graph.bytes(from) == graph.bytes(to)
            {
                for root in roots.iter_mut().filter(|root| **root == to) {
                    *root = from;
                }
                spans[from] = Some((first, end));
                spans[to] = None;
            }
        }
    }
    let mut blocks = Vec::new();
    let mut owners = vec![None; graph.tensors.len()];
    let rings: Vec<(Id, usize)> = graph
        .nodes
        .iter()
        .filter_map(|node| match &node.op {
            Op::ConvPool(conv, pool) => Some((graph.root(conv.output), ring_bytes(graph, conv, pool))),
            _ => None,
        })
        .collect();
    for (id, span) in spans.iter().enumerate() {
        let Some((first, last)) = *span else { continue };
        let ring = rings.iter().find(|(ring, _)| *ring == id).map(|&(_, bytes)| bytes);
        let bytes = ring.unwrap_or_else(|| graph.bytes(id)).next_multiple_of(ALIGN);
        owners[id] = Some(blocks.len());
        let (first, last) = if reuse { (first, last) } else { (0, nodes) };
        blocks.push(Block { bytes, first, last });
    }
    let mut scratch_blocks = vec![None; nodes];
    for (at, node) in graph.nodes.iter().enumerate() {
        if let Op::Conv(conv) | Op::ConvPool(conv, _) = &node.op {
            let bytes = scratch_bytes(graph, conv);
            if bytes > 0 {
                scratch_blocks[at] = Some((blocks.len(), bytes as u32));
                blocks.push(Block { bytes: bytes.next_multiple_of(ALIGN), first: at, last: at });
            }
        }
    }
    let live = |at: usize| -> usize {
        blocks.iter().filter(|block| block.first <= at && at <= block.last).map(|block| block.bytes).sum()
    };
    let peak = (0..nodes).max_by_key(|&at| live(at)).unwrap_or(0);
    let bound = live(peak);
    let offsets = if reuse { arrange(&blocks, bound) } else { one_after_another(&blocks) };
    let bytes = blocks.iter().zip(&offsets).map(|(block, offset)| offset + block.bytes).max().unwrap_or(0);
    let bytes = u32::try_from(bytes).ok()?;
    let offset_of = |block: usize| offsets.get(block).copied().unwrap_or(0) as u32;
    Some(Plan {
        tensors: roots.iter().map(|&root| owners[root].map_or(0, offset_of)).collect(),
        scratch: scratch_blocks
            .iter()
            .map(|block| block.map_or((0, 0), |(at, len)| (offset_of(at), len)))
            .collect(),
        bytes,
        bound: bound as u32,
        peak,
    })
}

fn one_after_another(blocks: &[Block]) -> Vec<usize> {
    let mut end = 0;
    blocks
        .iter()
        .map(|block| {
            let start = end;
            end += block.bytes;
            start
        })
        .collect()
}

/// Tries several orders, then swaps in the best one at random (always the same), until a plan reaches the bound.
fn arrange(blocks: &[Block], bound: usize) -> Vec<usize> {
    const TRIES: usize = 4000;
    let order_by = |key: fn(&Block) -> usize| {
        let mut order: Vec<usize> = (0..blocks.len()).collect();
        order.sort_by_key(|&at| (std::cmp::Reverse(key(&blocks[at])), blocks[at].first));
        order
    };
    let starts = [
        order_by(|block| block.bytes),
        order_by(|block| block.bytes * (block.last - block.first + 1)),
        order_by(|block| block.last - block.first),
        order_by(|block| usize::MAX - block.first),
    ];
    let mut best: Option<(usize, Vec<usize>, Vec<usize>)> = None;
    for order in starts {
        let (bytes, offsets) = place(blocks, &order);
        if best.as_ref().is_none_or(|(least, ..)| bytes < *least) {
            best = Some((bytes, order, offsets));
        }
    }
    let Some((mut least, mut order, mut offsets)) = best else { return Vec::new() };
    let mut state = 0x2545_F491u32;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize % below.max(1)
    };
    for _ in 0..TRIES {
        if least <= bound {
            break;
        }
        let mut next = order.clone();
        for _ in 0..=random(2) {
            let (a, b) = (random(next.len()), random(next.len()));
            let moved = next.remove(a);
            next.insert(b.min(next.len()), moved);
        }
        let (bytes, places) = place(blocks, &next);
        if bytes <= least {
            (least, order, offsets) = (bytes, next, places);
        }
    }
    offsets
}

/// Places blocks in an order, each as low as those that were placed before it allow.
fn place(blocks: &[Block], order: &[usize]) -> (usize, Vec<usize>) {
    let mut offsets = vec![0; blocks.len()];
    let mut placed: Vec<usize> = Vec::with_capacity(blocks.len());
    let mut top = 0;
    for &at in order {
        let block = blocks[at];
        let mut offset = 0;
        // `placed` is sorted by offset: the first gap that is wide enough.
        for &other in &placed {
            let neighbour = blocks[other];
            if neighbour.first > block.last || block.first > neighbour.last {
                continue;
            }
            if offset + block.bytes <= offsets[other] {
                break;
            }
            offset = offset.max(offsets[other] + neighbour.bytes);
        }
        offsets[at] = offset;
        top = top.max(offset + block.bytes);
        let index = placed.partition_point(|&other| offsets[other] <= offset);
        placed.insert(index, at);
    }
    (top, offsets)
}
