//! Hosts: the same models, plans and results with the vector instructions and the threads that a computer has.

pub(crate) mod aligned;
mod conv;
mod file;
mod geometry;
mod int8;
mod int8_maps;
mod pack;
mod places;
mod pool;
pub(crate) mod simd;
mod threads;
mod winograd;

use std::boxed::Box;
use std::vec::Vec;

use bytemuck::{cast_slice, cast_slice_mut};

use self::aligned::Aligned;
use self::conv::Conv;
use self::pool::Max;
use self::simd::Depthwise;
use self::threads::Threads;
use self::winograd::Winograd;
use crate::check::{bytes_of, element_of, range_of};
use crate::graph::{Activation, Element, Op, PoolQuant, Shape};
use crate::kernels::{Fast, channel_tables, mean_of};
use crate::{Description, Layer, network};

pub use aligned::Arena;
pub use file::{Header, ReadError};
pub(crate) use pack::Constants;
pub use simd::Level;
pub use simd::int8::SHORT_BITS;

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
    /// Input rows as quantised convolutions take them, and sums; combinations of tiles and their products.
    band: Aligned,
}

/// What computes a layer.
#[derive(Debug)]
enum Kernel {
    Conv(Conv),
    Winograd(Box<Winograd>),
    Depthwise(Depthwise, Activation),
    MaxPool(Activation),
    ConvPool(Conv, Activation),
    Binary(Activation),
    Activate(Activation),
    Softmax,
    ConvI8(Box<int8::Conv>),
    DepthwiseI8(Box<int8::Separate>),
    MaxPoolI8([i8; 2]),
    ConvPoolI8(Box<int8::Conv>, [i8; 2]),
    BinaryI8(Box<simd::int8::Binary>),
    Table(Box<[i8; 256]>),
    /// One for each channel.
    ChannelTables(Box<[i8]>),
    MeanI8,
    AveragePoolI8(PoolQuant),
    SoftmaxI8(Box<int8_maps::Softmax>),
    /// With the table that maps the values.
    CopyI8(Option<Box<[i8; 256]>>),
    /// The kernels that every target has.
    Common,
}

/// A layer that is ready to run.
#[derive(Debug)]
struct Step<'m> {
    layer: Layer<'m>,
    /// Its operator, with constants where they lie below.
    op: Op,
    kernel: Kernel,
    /// What it reads of the weights, where the kernel has not packed it.
    constants: Box<[u8]>,
}

/// A model that is ready to run on a host: layers with packed weights.
#[derive(Debug)]
pub(crate) struct Program<'m> {
    level: Level,
    steps: Vec<Step<'m>>,
    threads: Threads,
    locals: Vec<Local>,
}

impl<'m> Program<'m> {
    pub(crate) fn new<C: Constants>(
        description: &Description<'m>,
        weights: &mut C,
        host: Host,
    ) -> Result<Self, C::Error> {
        let level = host.level;
        let steps = pack::steps(description, weights, level)?;
        let threads = Threads::new(host.threads);
        // In floats.
        let (mut ring, mut highest, mut band) = (0, 0, 0);
        for Step { layer, kernel, .. } in &steps {
            if let (Op::Pool(pool) | Op::ConvPool { pool, .. }, false) =
                (&layer.op, matches!(kernel, Kernel::Common))
            {
                let Shape { w, c, .. } = pool.input.shape;
                let bytes = element_of(&pool.numbers).bytes();
                let row = w as usize * c as usize * bytes;
                highest = highest.max(row.div_ceil(4));
                if matches!(layer.op, Op::ConvPool { .. }) {
                    ring = ring.max((row * usize::from(pool.window.kernel[0])).div_ceil(4));
                }
            }
            band = band.max(match (kernel, &layer.op) {
                (Kernel::ConvI8(conv) | Kernel::ConvPoolI8(conv, _), _) => conv.band().div_ceil(4),
                (Kernel::DepthwiseI8(conv), _) => conv.band().div_ceil(4),
                (Kernel::Winograd(conv), _) => conv.band(),
                (Kernel::MeanI8, Op::Mean { input, .. }) => int8_maps::means_room(input.shape),
                (Kernel::CopyI8(_), _) => int8_maps::COPY_ROOM.div_ceil(4),
                (Kernel::AveragePoolI8(_), Op::Pool(pool)) => int8_maps::means_room(pool.input.shape),
                (Kernel::BinaryI8(_), Op::Binary(op)) => repeated(&op.b.shape).div_ceil(4),
                _ => 0,
            });
        }
        let local =
            || Local { ring: Aligned::new(ring), highest: Aligned::new(highest), band: Aligned::new(band) };
        let locals = (0..threads.count()).map(|_| local()).collect();
        Ok(Self { level, steps, threads, locals })
    }

    /// Runs all layers; `after` is called with each when it is done and the arena.
    pub(crate) fn run(&mut self, arena: &mut [u8], mut after: impl FnMut(&Layer<'m>, &[u8])) {
        let Self { level, steps, threads, locals } = self;
        for Step { layer, op, kernel, constants } in steps {
            let mut team = Team { level: *level, threads, locals };
            let done = team.run(op, kernel, arena, constants);
            debug_assert!(done.is_some(), "layer {}", layer.name);
            after(layer, arena);
        }
    }
}

/// Values of a row of a right side that are repeated: enough for whole vectors.
const fn repeated(b: &Shape) -> usize {
    let row = b.c as usize;
    if row >= 512 { row } else { 512 / row * row }
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

    fn run(&mut self, op: &Op, kernel: &Kernel, arena: &mut [u8], constants: &[u8]) -> Option<()> {
        let level = self.level;
        match (op, kernel) {
            (Op::Conv(op), Kernel::Conv(conv)) => {
                let (input, output) = places::two::<f32>(arena, &op.input, &op.output)?;
                let units = conv.chunk(self.threads.count());
                let chunk = units * conv.unit() * op.output.shape.c as usize;
                self.threads.chunks(output, chunk, self.locals, |_, number, output| {
                    conv.compute(input, number * units, output);
                });
            }
            (Op::Conv(op), Kernel::Winograd(conv)) => {
                let (input, output) = places::two::<f32>(arena, &op.input, &op.output)?;
                let rows = conv.chunk(self.threads.count());
                let row = op.output.shape.w as usize * op.output.shape.c as usize;
                self.threads.chunks(output, rows * row, self.locals, |local, number, output| {
                    conv.compute(input, number * rows, output, &mut local.band);
                });
            }
            (Op::Conv(op), Kernel::Depthwise(conv, activation)) => {
                let (input, output) = places::two::<f32>(arena, &op.input, &op.output)?;
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
                let (input, output) = places::two::<f32>(arena, &op.input, &op.output)?;
                let width = op.input.shape.w as usize * op.input.shape.c as usize;
                let row = op.output.shape.w as usize * op.output.shape.c as usize;
                let rows = self.share(op.output.shape.h as usize, row * usize::from(op.window.kernel[0]));
                let line = |y: usize| &input[y * width..(y + 1) * width];
                let finish = |out: &mut [f32]| level.activate(*activation, out);
                let max = Max { level, pool: op, least: f32::NEG_INFINITY, finish };
                self.threads.chunks(output, rows * row, self.locals, |local, number, output| {
                    pool::rows(&max, line, number * rows, output, &mut local.highest);
                });
            }
            (Op::ConvPool { conv: op, pool }, Kernel::ConvPool(conv, activation)) => {
                let (input, output) = places::two::<f32>(arena, &op.input, &pool.output)?;
                let Shape { h, w, c } = pool.output.shape;
                let row = w as usize * c as usize;
                // Rows between two threads' shares are computed twice.
                let rows = (h as usize).div_ceil(self.threads.count());
                let units = op.output.shape.w as usize / conv.unit();
                let finish = |out: &mut [f32]| level.activate(*activation, out);
                let max = Max { level, pool, least: f32::NEG_INFINITY, finish };
                self.threads.chunks(output, rows * row, self.locals, |local, number, output| {
                    let compute =
                        |y: usize, out: &mut [f32], _: &mut [u8]| conv.compute(input, y * units, out);
                    pool::through_ring(&max, number * rows, output, local, compute);
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
                let values = places::in_place::<f32>(arena, input, output)?;
                let chunk = values.len().div_ceil(self.threads.count()).max(GRAIN);
                self.threads.chunks(values, chunk, self.locals, |_, _, values| {
                    level.activate(*activation, values);
                });
            }
            (Op::Softmax { input, output, .. }, Kernel::Softmax) => {
                let values = places::in_place::<f32>(arena, input, output)?;
                let row = output.shape.c as usize;
                let chunk = values.len().div_ceil(self.threads.count()).next_multiple_of(row);
                self.threads.chunks(values, chunk.max(GRAIN / row * row), self.locals, |_, _, values| {
                    values.chunks_exact_mut(row).for_each(|values| level.softmax(values));
                });
            }
            (Op::Table { input, output, .. }, Kernel::ChannelTables(tables)) => {
                let values = places::in_place::<i8>(arena, input, output)?;
                let pixel = output.shape.c as usize;
                let share = values.len().div_ceil(self.threads.count()).max(GRAIN);
                self.threads.chunks(values, share.next_multiple_of(pixel), self.locals, |_, _, values| {
                    channel_tables(tables, values);
                });
            }
            (_, Kernel::Common) => network::run_op::<Fast>(op, arena, constants)?,
            _ => self.run_i8(op, kernel, arena)?,
        }
        Some(())
    }

    /// Quantised operators.
    fn run_i8(&mut self, op: &Op, kernel: &Kernel, arena: &mut [u8]) -> Option<()> {
        let level = self.level;
        match (op, kernel) {
            (Op::Conv(op), Kernel::ConvI8(conv)) => {
                let (input, output) = places::two::<i8>(arena, &op.input, &op.output)?;
                let units = conv.chunk(self.threads.count());
                let chunk = units * conv.unit() * op.output.shape.c as usize;
                self.threads.chunks(output, chunk, self.locals, |local, number, output| {
                    conv.compute(input, number * units, output, cast_slice_mut(&mut local.band));
                });
            }
            (Op::Conv(op), Kernel::DepthwiseI8(conv)) => {
                let (input, output) = places::two::<i8>(arena, &op.input, &op.output)?;
                let row = op.output.shape.w as usize * op.output.shape.c as usize;
                let rows = self.share(op.output.shape.h as usize, row * op.window.taps());
                self.threads.chunks(output, rows * row, self.locals, |local, number, output| {
                    conv.rows(input, number * rows, output, cast_slice_mut(&mut local.band));
                });
            }
            (Op::Pool(op), Kernel::MaxPoolI8([low, high])) => {
                let (input, output) = places::two::<i8>(arena, &op.input, &op.output)?;
                let width = op.input.shape.w as usize * op.input.shape.c as usize;
                let row = op.output.shape.w as usize * op.output.shape.c as usize;
                let rows = self.share(op.output.shape.h as usize, row * usize::from(op.window.kernel[0]));
                let line = |y: usize| &input[y * width..(y + 1) * width];
                let max = Max { level, pool: op, least: *low, finish: at_most(*high) };
                self.threads.chunks(output, rows * row, self.locals, |local, number, output| {
                    pool::rows(&max, line, number * rows, output, &mut local.highest);
                });
            }
            (Op::ConvPool { conv: op, pool }, Kernel::ConvPoolI8(conv, [low, high])) => {
                let (input, output) = places::two::<i8>(arena, &op.input, &pool.output)?;
                let Shape { h, w, c } = pool.output.shape;
                let row = w as usize * c as usize;
                // Rows between two threads' shares are computed twice.
                let rows = (h as usize).div_ceil(self.threads.count());
                let units = op.output.shape.w as usize / conv.unit();
                let max = Max { level, pool, least: *low, finish: at_most(*high) };
                self.threads.chunks(output, rows * row, self.locals, |local, number, output| {
                    let compute = |y: usize, out: &mut [i8], band: &mut [u8]| {
                        conv.compute(input, y * units, out, band);
                    };
                    pool::through_ring(&max, number * rows, output, local, compute);
                });
            }
            (Op::Binary(op), Kernel::BinaryI8(binary)) => {
                let to = bytes_of(&op.output, Element::I8);
                network::move_to(arena, bytes_of(&op.a, Element::I8), &to)?;
                let [a, b] = arena.get_disjoint_mut([to, bytes_of(&op.b, Element::I8)]).ok()?;
                let (a, b): (&mut [i8], &[i8]) = (cast_slice_mut(a), cast_slice(b));
                let row = op.b.shape.c as usize;
                let same = op.a.shape == op.b.shape;
                let chunk = a.len().div_ceil(self.threads.count()).max(GRAIN).next_multiple_of(row);
                self.threads.chunks(a, chunk, self.locals, |local, number, a| {
                    if same {
                        binary.apply(a, &b[number * chunk..][..a.len()]);
                        return;
                    }
                    let band: &mut [i8] = cast_slice_mut(&mut local.band);
                    let rows = &mut band[..repeated(&op.b.shape)];
                    rows.chunks_exact_mut(row).for_each(|to| to.copy_from_slice(b));
                    a.chunks_mut(rows.len()).for_each(|a| binary.apply(a, &rows[..a.len()]));
                });
            }
            (Op::Table { input, output, .. }, Kernel::Table(table)) => {
                let values = places::in_place::<i8>(arena, input, output)?;
                // Little work for each value.
                let chunk = values.len().div_ceil(self.threads.count()).max(4 * GRAIN);
                self.threads.chunks(values, chunk, self.locals, |_, _, values| level.table(table, values));
            }
            (Op::Mean { input, output, input_zero, rescale }, Kernel::MeanI8) => {
                let (from, to) = places::two::<i8>(arena, input, output)?;
                let band: &mut [i32] = cast_slice_mut(&mut self.locals.first_mut()?.band);
                let sums = int8_maps::sums(level, input.shape, from, band);
                for (to, sum) in to.iter_mut().zip(sums) {
                    *to = mean_of(input.shape, *input_zero, rescale, *sum);
                }
            }
            (Op::Pool(op), Kernel::AveragePoolI8(quant)) => {
                let (input, output) = places::two::<i8>(arena, &op.input, &op.output)?;
                let row = op.output.shape.w as usize * op.output.shape.c as usize;
                let rows = self.share(op.output.shape.h as usize, row * op.window.taps());
                self.threads.chunks(output, rows * row, self.locals, |local, number, output| {
                    let sums = cast_slice_mut(&mut local.band);
                    int8_maps::means(level, (op, quant), input, number * rows, output, sums);
                });
            }
            (Op::Softmax { input, output, .. }, Kernel::SoftmaxI8(softmax)) => {
                let values = places::in_place::<i8>(arena, input, output)?;
                let row = output.shape.c as usize;
                let chunk = values.len().div_ceil(self.threads.count()).next_multiple_of(row);
                self.threads.chunks(values, chunk.max(GRAIN / row * row), self.locals, |_, _, values| {
                    softmax.apply(level, values, row);
                });
            }
            (Op::Copy(copy), Kernel::CopyI8(table)) => {
                let ranges = [range_of(&copy.input), range_of(&copy.output)];
                let [from, to] = arena.get_disjoint_mut(ranges).ok()?;
                let band: &mut [i8] = cast_slice_mut(&mut self.locals.first_mut()?.band);
                let room = &mut band[..int8_maps::COPY_ROOM];
                let (from, to) = (cast_slice(from), cast_slice_mut(to));
                int8_maps::copy(level, &copy.axes, table.as_deref(), from, to, room);
            }
            _ => return None,
        }
        Some(())
    }
}

/// What follows a max pooling of quantised values.
fn at_most(high: i8) -> impl Fn(&mut [i8]) + Copy {
    move |out| {
        if high < i8::MAX {
            out.iter_mut().for_each(|value| *value = (*value).min(high));
        }
    }
}
