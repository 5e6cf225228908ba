//! Hosts: the same models, plans and results with the vector instructions and the threads that a computer has.

pub(crate) mod aligned;
mod conv;
mod pool;
pub(crate) mod simd;
mod threads;

use std::vec::Vec;

use bytemuck::{cast_slice, cast_slice_mut};

use self::aligned::Aligned;
use self::conv::Conv;
use self::simd::Depthwise;
use self::threads::Threads;
use crate::check::{bytes_of, range_of};
use crate::graph::{
    Activation, Binary, BinaryNumbers, Conv as ConvOp, ConvNumbers, Element, Op, Pool, PoolKind, PoolNumbers,
    Shape, SoftmaxNumbers,
};
use crate::kernels::Fast;
use crate::{Layer, Model, network};

pub use aligned::Arena;
pub use simd::Level;

/// How a network runs on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    /// Threads that share the work of a layer.
    pub threads: usize,
    /// Instruction set.
    pub level: Level,
}

impl Default for Host {
    /// All threads that the system offers, and the best instruction set.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads, level: Level::best() }
    }
}

/// A thread's memory.
#[derive(Debug)]
pub(crate) struct Local {
    /// Rows between a convolution and a pooling.
    ring: Aligned,
    /// The maxima of some rows.
    highest: Aligned,
}

/// What computes a layer.
#[derive(Debug)]
enum Kernel {
    Conv(Conv),
    Depthwise(Depthwise, Activation),
    MaxPool(Activation),
    ConvPool(Conv, Activation),
    Binary(Activation),
    Activate(Activation),
    Softmax,
    /// The kernels that every target has.
    Common,
}

/// A model that is ready to run on a host: layers with packed weights.
#[derive(Debug)]
pub(crate) struct Program<'m> {
    level: Level,
    layers: Vec<(Layer<'m>, Kernel)>,
    threads: Threads,
    locals: Vec<Local>,
}

impl<'m> Program<'m> {
    pub(crate) fn new(model: &Model<'m>, host: Host) -> Self {
        let level = host.level;
        let layers: Vec<_> = model
            .layers()
            .map(|layer| {
                let kernel = kernel(&layer.op, model.weights(), level).unwrap_or(Kernel::Common);
                (layer, kernel)
            })
            .collect();
        let (mut ring, mut highest) = (0, 0);
        for (layer, kernel) in &layers {
            if let (Op::Pool(pool) | Op::ConvPool { pool, .. }, false) =
                (&layer.op, matches!(kernel, Kernel::Common))
            {
                let Shape { w, c, .. } = pool.input.shape;
                let row = w as usize * c as usize;
                highest = highest.max(row);
                if matches!(layer.op, Op::ConvPool { .. }) {
                    ring = ring.max(row * usize::from(pool.window.kernel[0]));
                }
            }
        }
        let threads = Threads::new(host.threads);
        let locals = (0..threads.count())
            .map(|_| Local { ring: Aligned::new(ring), highest: Aligned::new(highest) })
            .collect();
        Self { level, layers, threads, locals }
    }

    /// Runs all layers; `after` is called with each when it is done and the arena.
    pub(crate) fn run(&mut self, arena: &mut [u8], weights: &[u8], mut after: impl FnMut(&Layer<'m>, &[u8])) {
        let Self { level, layers, threads, locals } = self;
        for (layer, kernel) in layers {
            let mut team = Team { level: *level, threads, locals };
            let done = team.run(&layer.op, kernel, arena, weights);
            debug_assert!(done.is_some(), "layer {}", layer.name);
            after(layer, arena);
        }
    }
}

fn words(bytes: &[u8]) -> &[[u8; 4]] {
    bytes.as_chunks::<4>().0
}

/// The kernel of an operator; `None` where the common ones do it.
fn kernel(op: &Op, weights: &[u8], level: Level) -> Option<Kernel> {
    let dense = |conv: &ConvOp| -> Option<Conv> {
        let ConvNumbers::F32(activation) = conv.numbers else { return None };
        let constants =
            [weights.get(range_of(&conv.weights))?, weights.get(range_of(&conv.bias))?].map(words);
        Some(Conv::new(level, conv.window, [conv.input.shape, conv.output.shape], constants, activation))
    };
    match op {
        Op::Conv(conv) if conv.depthwise => {
            let ConvNumbers::F32(activation) = conv.numbers else { return None };
            let bytes = [weights.get(range_of(&conv.weights))?, weights.get(range_of(&conv.bias))?];
            let [taps, bias] = bytes.map(words);
            let shapes = (conv.input.shape, conv.output.shape);
            Some(Kernel::Depthwise(Depthwise::new(level, conv.window, shapes, taps, bias)?, activation))
        }
        Op::Conv(conv) => dense(conv).map(Kernel::Conv),
        Op::ConvPool { conv, pool } if !conv.depthwise => {
            let PoolNumbers::F32(activation) = pool.numbers else { return None };
            Some(Kernel::ConvPool(dense(conv)?, activation))
        }
        Op::Pool(Pool { kind: PoolKind::Max, numbers: PoolNumbers::F32(activation), .. }) => {
            Some(Kernel::MaxPool(*activation))
        }
        Op::Binary(Binary { numbers: BinaryNumbers::F32(activation), a, b, .. }) => {
            let (a, b) = (a.shape, b.shape);
            (a == b || b == Shape::new(1, 1, a.c)).then_some(Kernel::Binary(*activation))
        }
        Op::Activate { activation, .. } => Some(Kernel::Activate(*activation)),
        Op::Softmax { numbers: SoftmaxNumbers::F32, .. } => Some(Kernel::Softmax),
        _ => None,
    }
}

/// Values that are worth a thread, for functions of single values.
const GRAIN: usize = 1 << 14;

/// The threads and their memory.
struct Team<'a> {
    level: Level,
    threads: &'a mut Threads,
    locals: &'a mut [Local],
}

impl Team<'_> {
    /// Rows for each thread where a whole image has `rows` of `len` values.
    fn share(&self, rows: usize, len: usize) -> usize {
        let count = self.threads.count();
        if rows * len < GRAIN { rows } else { rows.div_ceil(rows.div_ceil(8).next_multiple_of(count)) }
    }

    fn run(&mut self, op: &Op, kernel: &Kernel, arena: &mut [u8], weights: &[u8]) -> Option<()> {
        let level = self.level;
        match (op, kernel) {
            (Op::Conv(op), Kernel::Conv(conv)) => {
                let ranges = [bytes_of(&op.input, Element::F32), bytes_of(&op.output, Element::F32)];
                let [input, output] = arena.get_disjoint_mut(ranges).ok()?;
                let (input, output) = (cast_slice(input), cast_slice_mut(output));
                let units = conv.chunk(self.threads.count());
                let chunk = units * conv.unit() * op.output.shape.c as usize;
                self.threads.chunks(output, chunk, self.locals, |_, number, output| {
                    conv.compute(input, number * units, output);
                });
            }
            (Op::Conv(op), Kernel::Depthwise(conv, activation)) => {
                let ranges = [bytes_of(&op.input, Element::F32), bytes_of(&op.output, Element::F32)];
                let [input, output] = arena.get_disjoint_mut(ranges).ok()?;
                let (input, output) = (cast_slice(input), cast_slice_mut(output));
                let row = op.output.shape.w as usize * op.output.shape.c as usize;
                let rows = self.share(op.output.shape.h as usize, row * op.window.taps());
                self.threads.chunks(output, rows * row, self.locals, |_, number, output| {
                    for (y, output) in output.chunks_exact_mut(row).enumerate() {
                        conv.rows(input, number * rows + y, output);
                        level.activate(*activation, output);
                    }
                });
            }
            (Op::Pool(op), Kernel::MaxPool(activation)) => {
                let ranges = [bytes_of(&op.input, Element::F32), bytes_of(&op.output, Element::F32)];
                let [input, output] = arena.get_disjoint_mut(ranges).ok()?;
                let (input, output): (&[f32], _) = (cast_slice(input), cast_slice_mut(output));
                let width = op.input.shape.w as usize * op.input.shape.c as usize;
                let row = op.output.shape.w as usize * op.output.shape.c as usize;
                let rows = self.share(op.output.shape.h as usize, row * usize::from(op.window.kernel[0]));
                let line = |y: usize| &input[y * width..(y + 1) * width];
                self.threads.chunks(output, rows * row, self.locals, |local, number, output| {
                    pool::rows(level, op, *activation, line, number * rows, output, &mut local.highest);
                });
            }
            (Op::ConvPool { conv: op, pool }, Kernel::ConvPool(conv, activation)) => {
                let ranges = [bytes_of(&op.input, Element::F32), bytes_of(&pool.output, Element::F32)];
                let [input, output] = arena.get_disjoint_mut(ranges).ok()?;
                let (input, output) = (cast_slice(input), cast_slice_mut(output));
                let Shape { h, w, c } = pool.output.shape;
                let row = w as usize * c as usize;
                // Rows between two threads' shares are computed twice.
                let rows = (h as usize).div_ceil(self.threads.count());
                let units = op.output.shape.w as usize / conv.unit();
                self.threads.chunks(output, rows * row, self.locals, |local, number, output| {
                    let compute = |y: usize, out: &mut [f32]| conv.compute(input, y * units, out);
                    pool::through_ring(level, pool, *activation, number * rows, output, local, compute);
                });
            }
            (Op::Binary(op), Kernel::Binary(activation)) => {
                let to = bytes_of(&op.output, Element::F32);
                network::move_to(arena, bytes_of(&op.a, Element::F32), &to)?;
                let [a, b] = arena.get_disjoint_mut([to, bytes_of(&op.b, Element::F32)]).ok()?;
                let (a, b): (&mut [f32], &[f32]) = (cast_slice_mut(a), cast_slice(b));
                let (kind, row) = (op.kind, op.b.shape.c as usize);
                let same = op.a.shape == op.b.shape;
                let chunk =
                    a.len().div_ceil(self.threads.count()).next_multiple_of(row).max(GRAIN / row * row);
                self.threads.chunks(a, chunk, self.locals, |_, number, a| {
                    if same {
                        level.binary(kind, a, &b[number * chunk..][..a.len()]);
                    } else {
                        for a in a.chunks_exact_mut(row) {
                            level.binary(kind, a, b);
                        }
                    }
                    level.activate(*activation, a);
                });
            }
            (Op::Activate { input, output, .. }, Kernel::Activate(activation)) => {
                let to = bytes_of(output, Element::F32);
                network::move_to(arena, bytes_of(input, Element::F32), &to)?;
                let values: &mut [f32] = cast_slice_mut(arena.get_mut(to)?);
                let chunk = values.len().div_ceil(self.threads.count()).max(GRAIN);
                self.threads.chunks(values, chunk, self.locals, |_, _, values| {
                    level.activate(*activation, values);
                });
            }
            (Op::Softmax { input, output, .. }, Kernel::Softmax) => {
                let to = bytes_of(output, Element::F32);
                network::move_to(arena, bytes_of(input, Element::F32), &to)?;
                let values: &mut [f32] = cast_slice_mut(arena.get_mut(to)?);
                let row = output.shape.c as usize;
                let chunk = values.len().div_ceil(self.threads.count()).next_multiple_of(row);
                self.threads.chunks(values, chunk.max(GRAIN / row * row), self.locals, |_, _, values| {
                    values.chunks_exact_mut(row).for_each(|values| level.softmax(values));
                });
            }
            _ => network::run_op::<Fast>(op, arena, weights)?,
        }
        Some(())
    }
}
