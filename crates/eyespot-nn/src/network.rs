//! Running a model in a lent arena.

use core::ops::Range;
#[cfg(feature = "host")]
use std::io::{Read, Seek};

use bytemuck::{cast_slice, cast_slice_mut};

use crate::check::{FLOAT, OPERATORS, bytes_of, element_of, range_of, ring_of};
use crate::graph::{
    Binary, BinaryNumbers, Conv, ConvNumbers, Element, Op, Pool, PoolKind, PoolNumbers, Port,
};
use crate::graph::{SoftmaxNumbers, Span};
#[cfg(feature = "host")]
use crate::host::{Arena, Constants, Header, Host, Program, ReadError};
#[cfg(feature = "host")]
use crate::kernels::Plain;
use crate::kernels::{self, ConvF32, ConvI8, Fast, Kernels};
use crate::{ArenaError, Description, Layer, LayerName, Model};

/// The values of a tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Values<'a> {
    /// Quantised.
    I8(&'a [i8]),
    /// Floating point.
    F32(&'a [f32]),
}

impl<'a> Values<'a> {
    /// How many there are.
    #[must_use]
    pub const fn len(self) -> usize {
        match self {
            Self::I8(values) => values.len(),
            Self::F32(values) => values.len(),
        }
    }

    /// Is there none?
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Quantised values; `None` for floats.
    #[must_use]
    pub const fn i8(self) -> Option<&'a [i8]> {
        match self {
            Self::I8(values) => Some(values),
            Self::F32(_) => None,
        }
    }

    /// Floats; `None` for quantised values.
    #[must_use]
    pub const fn f32(self) -> Option<&'a [f32]> {
        match self {
            Self::F32(values) => Some(values),
            Self::I8(_) => None,
        }
    }
}

/// The values of a tensor, to be written.
#[derive(Debug, PartialEq)]
pub enum ValuesMut<'a> {
    /// Quantised.
    I8(&'a mut [i8]),
    /// Floating point.
    F32(&'a mut [f32]),
}

impl<'a> ValuesMut<'a> {
    /// Quantised values; `None` for floats.
    #[must_use]
    pub fn i8(self) -> Option<&'a mut [i8]> {
        match self {
            Self::I8(values) => Some(values),
            Self::F32(_) => None,
        }
    }

    /// Floats; `None` for quantised values.
    #[must_use]
    pub fn f32(self) -> Option<&'a mut [f32]> {
        match self {
            Self::F32(values) => Some(values),
            Self::I8(_) => None,
        }
    }
}

/// A model with its memory, ready to run.
///
/// The arena is anything that lends words: `&mut [u64]` from a static, `[u64; N]`, a `Vec<u64>`. It must lend the
/// same memory every time. Inputs and outputs lie in it: an input is gone after a run, an output after the next one.
#[derive(Debug)]
pub struct Network<'m, A> {
    description: Description<'m>,
    arena: A,
    engine: Engine<'m>,
}

/// What computes the layers.
#[derive(Debug)]
enum Engine<'m> {
    /// The kernels that every target has, with the weights where they lie.
    Common(&'m [u8]),
    /// The plain definitions of the operators.
    #[cfg(feature = "host")]
    Plain(&'m [u8]),
    #[cfg(feature = "host")]
    Host(Program<'m>),
}

impl<'m, A: AsMut<[u64]> + AsRef<[u64]>> Network<'m, A> {
    /// A model in an arena of at least [`arena_words`](Description::arena_words) words.
    ///
    /// # Errors
    /// [`ArenaError`] where it is smaller, with the first layer that does not fit.
    pub fn new(model: Model<'m>, arena: A) -> Result<Self, ArenaError> {
        let available = size_of_val(arena.as_ref());
        let needed = model.arena_bytes();
        if available >= needed {
            return Ok(Self { description: *model, arena, engine: Engine::Common(model.weights()) });
        }
        let reach = |layer: &Layer<'_>| extent(&layer.op);
        let first = model.layers().find(|layer| reach(layer) > available);
        let layer = first.or_else(|| model.layers().last());
        Err(ArenaError {
            layer: LayerName::new(layer.map_or("", |layer| layer.name)),
            layer_bytes: layer.as_ref().map_or(needed, reach),
            needed,
            available,
        })
    }

    /// A model that runs by the plain definitions of the operators: slow, the same bits. For tests.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    #[cfg(feature = "host")]
    pub fn plain(model: Model<'m>, arena: A) -> Result<Self, ArenaError> {
        Ok(Self { engine: Engine::Plain(model.weights()), ..Self::new(model, arena)? })
    }

    /// What the model's file says of it.
    pub const fn description(&self) -> &Description<'m> {
        &self.description
    }

    /// The values of an input, to be written before a run; empty where there is no such input.
    pub fn input_mut(&mut self, index: usize) -> ValuesMut<'_> {
        let port = self.description.input(index);
        let bytes: &mut [u8] = cast_slice_mut(self.arena.as_mut());
        let Some(port) = port else { return ValuesMut::I8(&mut []) };
        let bytes = bytes.get_mut(bytes_of(&port.slot, port.element)).unwrap_or(&mut []);
        match port.element {
            Element::I8 => ValuesMut::I8(cast_slice_mut(bytes)),
            Element::F32 => ValuesMut::F32(cast_slice_mut(bytes)),
        }
    }

    /// The values of an output after a run; empty where there is no such output.
    #[must_use]
    pub fn output(&self, index: usize) -> Values<'_> {
        self.description.output(index).map_or(Values::I8(&[]), |port| self.read(&port))
    }

    fn read(&self, port: &Port<'_>) -> Values<'_> {
        let bytes: &[u8] = cast_slice(self.arena.as_ref());
        let bytes = bytes.get(bytes_of(&port.slot, port.element)).unwrap_or(&[]);
        match port.element {
            Element::I8 => Values::I8(cast_slice(bytes)),
            Element::F32 => Values::F32(cast_slice(bytes)),
        }
    }

    /// Runs the model from its inputs to its outputs.
    pub fn run(&mut self) {
        self.run_with(|_, _| {});
    }

    /// As [`run`](Self::run), and calls `after` with every layer when it is done and the bytes that it wrote: for
    /// profiles and for debugging.
    pub fn run_with(&mut self, after: impl FnMut(&Layer<'m>, &[u8])) {
        let arena: &mut [u8] = cast_slice_mut(self.arena.as_mut());
        match &mut self.engine {
            Engine::Common(weights) => run_layers::<Fast>(&self.description, arena, weights, after),
            #[cfg(feature = "host")]
            Engine::Plain(weights) => run_layers::<Plain>(&self.description, arena, weights, after),
            #[cfg(feature = "host")]
            Engine::Host(program) => {
                let mut after = after;
                program.run(arena, |layer, arena| {
                    after(layer, arena.get(output_of(&layer.op)).unwrap_or(&[]));
                });
            }
        }
    }
}

#[cfg(feature = "host")]
impl<'m> Network<'m, Arena> {
    /// A model on a host: with its vector instructions and on several threads. Weights are packed once, here, and not
    /// looked at again; results don't depend on the number of threads.
    #[must_use]
    pub fn on_host(model: Model<'m>, host: Host) -> Self {
        let Ok(network) = Self::packed(*model, &mut model.weights(), host);
        network
    }

    /// A model on a host, from a file whose [`Header`] was read: layer by layer, so that only those of one layer are in
    /// memory a second time. The file must not have changed since: its checksum is not looked at again.
    ///
    /// # Errors
    /// [`ReadError`] says what is wrong with the model and in which layer, or why the file can't be read.
    pub fn from_file(
        header: &'m Header,
        file: &mut (impl Read + Seek),
        host: Host,
    ) -> Result<Self, ReadError> {
        Ok(Self::packed(header.description()?, &mut header.weights(file)?, host)?)
    }

    fn packed<C: Constants>(
        description: Description<'m>,
        weights: &mut C,
        host: Host,
    ) -> Result<Self, C::Error> {
        let program = Program::new(&description, weights, host)?;
        Ok(Self { description, arena: Arena::new(description.arena_words()), engine: Engine::Host(program) })
    }
}

fn run_layers<'m, K: Kernels>(
    description: &Description<'m>,
    arena: &mut [u8],
    weights: &[u8],
    mut after: impl FnMut(&Layer<'m>, &[u8]),
) {
    for layer in description.layers() {
        // Every place was checked when the model was loaded.
        let done = run_op::<K>(&layer.op, arena, weights);
        debug_assert!(done.is_some(), "layer {}", layer.name);
        after(&layer, arena.get(output_of(&layer.op)).unwrap_or(&[]));
    }
}

/// The bytes that an operator writes.
#[inline(never)]
fn output_of(op: &Op) -> Range<usize> {
    match op {
        Op::Conv(conv) => bytes_of(&conv.output, conv_element(conv)),
        Op::Pool(pool) | Op::ConvPool { pool, .. } => bytes_of(&pool.output, element_of(&pool.numbers)),
        Op::Binary(op) => bytes_of(&op.output, binary_element(op)),
        Op::Mean { output, .. } | Op::Table { output, .. } | Op::Quantize { output, .. } => {
            bytes_of(output, Element::I8)
        }
        Op::Activate { output, .. } | Op::Dequantize { output, .. } => bytes_of(output, Element::F32),
        Op::Softmax { output, numbers, .. } => bytes_of(output, softmax_element(numbers)),
        Op::Resize { output, element, .. } => bytes_of(output, *element),
        Op::Copy(copy) => range_of(&copy.output),
        Op::Fill { output, .. } | Op::Constant { output, .. } => range_of(output),
    }
}

/// Bytes of arena up to the end of what an operator touches.
fn extent(op: &Op) -> usize {
    let others = match op {
        Op::Conv(conv) => [bytes_of(&conv.input, conv_element(conv)), range_of(&conv.scratch)],
        Op::ConvPool { conv, pool } => {
            [bytes_of(&conv.input, conv_element(conv)), ring_of(conv, pool, conv_element(conv))]
        }
        Op::Pool(pool) => [bytes_of(&pool.input, element_of(&pool.numbers)), 0..0],
        Op::Binary(op) => [bytes_of(&op.a, binary_element(op)), bytes_of(&op.b, binary_element(op))],
        Op::Table { input, .. } | Op::Mean { input, .. } | Op::Dequantize { input, .. } => {
            [bytes_of(input, Element::I8), 0..0]
        }
        Op::Activate { input, .. } | Op::Quantize { input, .. } => [bytes_of(input, Element::F32), 0..0],
        Op::Softmax { input, numbers, .. } => [bytes_of(input, softmax_element(numbers)), 0..0],
        Op::Resize { input, element, .. } => [bytes_of(input, *element), 0..0],
        Op::Copy(copy) => [range_of(&copy.input), 0..0],
        Op::Fill { .. } | Op::Constant { .. } => [0..0, 0..0],
    };
    others.iter().map(|range| range.end).fold(output_of(op).end, usize::max)
}

const fn conv_element(conv: &Conv) -> Element {
    match conv.numbers {
        ConvNumbers::I8(_) => Element::I8,
        ConvNumbers::F32(_) => Element::F32,
    }
}

const fn binary_element(op: &Binary) -> Element {
    match op.numbers {
        BinaryNumbers::I8 { .. } => Element::I8,
        BinaryNumbers::F32(_) => Element::F32,
    }
}

const fn softmax_element(numbers: &SoftmaxNumbers) -> Element {
    match numbers {
        SoftmaxNumbers::I8 { .. } => Element::I8,
        SoftmaxNumbers::F32 => Element::F32,
    }
}

/// Two places of the arena. One copy: most operators ask for them, once per layer.
#[inline(never)]
fn apart(arena: &mut [u8], places: [Range<usize>; 2]) -> Option<[&mut [u8]; 2]> {
    arena.get_disjoint_mut(places).ok()
}

/// Makes the output's place hold the input's values, unless it does already.
#[inline(never)]
pub(crate) fn move_to(arena: &mut [u8], input: Range<usize>, output: &Range<usize>) -> Option<()> {
    if input != *output {
        let [input, output] = apart(arena, [input, output.clone()])?;
        output.copy_from_slice(input);
    }
    Some(())
}

pub(crate) fn words(bytes: &[u8]) -> &[[u8; 4]] {
    bytes.as_chunks::<4>().0
}

pub(crate) fn run_op<K: Kernels>(op: &Op, arena: &mut [u8], weights: &[u8]) -> Option<()> {
    let constants = |span: &Span| weights.get(range_of(span));
    match op {
        Op::Conv(conv) => run_conv::<K>(conv, arena, weights)?,
        Op::Pool(pool) => run_pool(pool, arena)?,
        Op::ConvPool { conv, pool } => run_conv_pool::<K>(conv, pool, arena, weights)?,
        Op::Mean { input, output, input_zero, rescale } if OPERATORS => {
            let ranges = [bytes_of(input, Element::I8), bytes_of(output, Element::I8)];
            let [from, to] = apart(arena, ranges)?;
            kernels::mean_i8(input.shape, *input_zero, rescale, cast_slice(from), cast_slice_mut(to));
        }
        Op::Binary(op) if OPERATORS => run_binary(op, arena)?,
        Op::Table { input, output, table } => {
            let to = bytes_of(output, Element::I8);
            move_to(arena, bytes_of(input, Element::I8), &to)?;
            let (table, values) = (cast_slice(constants(table)?), cast_slice_mut(arena.get_mut(to)?));
            if table.len() == 256 {
                kernels::table(table, values);
            } else {
                kernels::channel_tables(table, values);
            }
        }
        Op::Activate { input, output, activation } if FLOAT => {
            let to = bytes_of(output, Element::F32);
            move_to(arena, bytes_of(input, Element::F32), &to)?;
            kernels::activate(*activation, cast_slice_mut(arena.get_mut(to)?));
        }
        Op::Softmax { input, output, numbers } => {
            let element = softmax_element(numbers);
            let to = bytes_of(output, element);
            move_to(arena, bytes_of(input, element), &to)?;
            let (values, channels) = (arena.get_mut(to)?, output.shape.c as usize);
            match *numbers {
                SoftmaxNumbers::I8 { multiplier, shift, diff_min } => {
                    kernels::softmax_i8(multiplier, shift, diff_min, cast_slice_mut(values), channels);
                }
                SoftmaxNumbers::F32 if FLOAT => kernels::softmax_f32(cast_slice_mut(values), channels),
                SoftmaxNumbers::F32 => return None,
            }
        }
        Op::Copy(copy) if OPERATORS => {
            let table = match &copy.table {
                Some(table) => Some(cast_slice(constants(table)?)),
                None => None,
            };
            let ranges = [range_of(&copy.input), range_of(&copy.output)];
            let [from, to] = apart(arena, ranges)?;
            kernels::copy(&copy.axes, copy.element.bytes(), table, from, to);
        }
        Op::Fill { output, value } if OPERATORS => arena.get_mut(range_of(output))?.fill(*value),
        Op::Constant { output, data } if OPERATORS => {
            arena.get_mut(range_of(output))?.copy_from_slice(constants(data)?);
        }
        Op::Resize { input, output, element, align_corners, half_pixel } if OPERATORS => {
            let ranges = [bytes_of(input, *element), bytes_of(output, *element)];
            let [from, to] = apart(arena, ranges)?;
            let sampling = kernels::Sampling { align_corners: *align_corners, half_pixel: *half_pixel };
            let (a, b) = (input.shape, output.shape);
            match element {
                Element::I8 => kernels::resize_i8(sampling, a, b, cast_slice(from), cast_slice_mut(to)),
                Element::F32 if FLOAT => {
                    kernels::resize_f32(sampling, a, b, cast_slice(from), cast_slice_mut(to));
                }
                Element::F32 => return None,
            }
        }
        Op::Quantize { input, output, scale, zero } if FLOAT => {
            let ranges = [bytes_of(input, Element::F32), bytes_of(output, Element::I8)];
            let [from, to] = apart(arena, ranges)?;
            kernels::quantize(*scale, *zero, cast_slice(from), cast_slice_mut(to));
        }
        Op::Dequantize { input, output, scale, zero } if FLOAT => {
            let ranges = [bytes_of(input, Element::I8), bytes_of(output, Element::F32)];
            let [from, to] = apart(arena, ranges)?;
            kernels::dequantize(*scale, *zero, cast_slice(from), cast_slice_mut(to));
        }
        // What a feature has switched off; no model with it is loaded.
        _ => return None,
    }
    Some(())
}

/// A convolution with its constants.
pub(crate) enum Resolved<'a> {
    I8(ConvI8<'a>),
    F32(ConvF32<'a>),
}

pub(crate) fn resolve<'a>(conv: &Conv, weights: &'a [u8]) -> Option<Resolved<'a>> {
    let bytes = |span: &Span| weights.get(range_of(span));
    let (window, input, output) = (conv.window, conv.input.shape, conv.output.shape);
    let bias = words(bytes(&conv.bias)?);
    Some(match &conv.numbers {
        ConvNumbers::I8(quant) => Resolved::I8(ConvI8 {
            window,
            input,
            output,
            weights: cast_slice(bytes(&conv.weights)?),
            bias,
            multipliers: words(bytes(&quant.multipliers)?),
            shifts: cast_slice(bytes(&quant.shifts)?),
            input_zero: quant.input_zero,
            output_zero: quant.output_zero,
            weight_zero: quant.weight_zero,
            clamp: quant.clamp,
        }),
        ConvNumbers::F32(activation) if FLOAT => Resolved::F32(ConvF32 {
            window,
            input,
            output,
            weights: words(bytes(&conv.weights)?),
            bias,
            activation: *activation,
        }),
        ConvNumbers::F32(_) => return None,
    })
}

fn run_conv<K: Kernels>(conv: &Conv, arena: &mut [u8], weights: &[u8]) -> Option<()> {
    let element = conv_element(conv);
    let ranges = [bytes_of(&conv.input, element), bytes_of(&conv.output, element), range_of(&conv.scratch)];
    let [input, output, scratch] = arena.get_disjoint_mut(ranges).ok()?;
    match resolve(conv, weights)? {
        Resolved::I8(resolved) => {
            let (input, output) = (cast_slice(input), cast_slice_mut(output));
            if conv.depthwise {
                K::depthwise_i8(&resolved, input, 0, output);
            } else {
                K::conv_i8(&resolved, input, 0, output, cast_slice_mut::<u8, [i16; 4]>(scratch));
            }
        }
        Resolved::F32(resolved) if FLOAT => {
            let (input, output) = (cast_slice(input), cast_slice_mut(output));
            if conv.depthwise {
                kernels::depthwise_f32(&resolved, input, 0, output);
            } else {
                kernels::conv_f32(&resolved, input, 0, output, cast_slice_mut(scratch));
            }
        }
        Resolved::F32(_) => return None,
    }
    Some(())
}

fn run_conv_pool<K: Kernels>(conv: &Conv, pool: &Pool, arena: &mut [u8], weights: &[u8]) -> Option<()> {
    let element = conv_element(conv);
    let ranges = [
        bytes_of(&conv.input, element),
        ring_of(conv, pool, element),
        bytes_of(&pool.output, element),
        range_of(&conv.scratch),
    ];
    let [input, ring, output, scratch] = arena.get_disjoint_mut(ranges).ok()?;
    match (resolve(conv, weights)?, pool.numbers) {
        (Resolved::I8(resolved), PoolNumbers::I8(quant)) => {
            let (input, scratch) = (cast_slice(input), cast_slice_mut::<u8, [i16; 4]>(scratch));
            let row = |y: usize, out: &mut [i8]| {
                if conv.depthwise {
                    K::depthwise_i8(&resolved, input, y, out);
                } else {
                    K::conv_i8(&resolved, input, y, out, scratch);
                }
            };
            let finish = |out: &mut [i8]| {
                for value in out {
                    *value = (*value).min(quant.clamp[1]);
                }
            };
            let least = quant.clamp[0];
            let (ring, output) = (cast_slice_mut(ring), cast_slice_mut(output));
            kernels::through_ring((conv, pool), least, ring, output, row, finish);
        }
        (Resolved::F32(resolved), PoolNumbers::F32(activation)) if FLOAT => {
            let (input, scratch) = (cast_slice(input), cast_slice_mut(scratch));
            let row = |y: usize, out: &mut [f32]| {
                if conv.depthwise {
                    kernels::depthwise_f32(&resolved, input, y, out);
                } else {
                    kernels::conv_f32(&resolved, input, y, out, scratch);
                }
            };
            let finish = |out: &mut [f32]| kernels::activate(activation, out);
            let (ring, output) = (cast_slice_mut(ring), cast_slice_mut(output));
            kernels::through_ring((conv, pool), f32::NEG_INFINITY, ring, output, row, finish);
        }
        _ => return None,
    }
    Some(())
}

fn run_pool(pool: &Pool, arena: &mut [u8]) -> Option<()> {
    let element = element_of(&pool.numbers);
    let ranges = [bytes_of(&pool.input, element), bytes_of(&pool.output, element)];
    let [input, output] = apart(arena, ranges)?;
    match (pool.numbers, pool.kind) {
        (PoolNumbers::I8(quant), PoolKind::Max) => {
            kernels::max_i8(pool, &quant, cast_slice(input), cast_slice_mut(output));
        }
        (PoolNumbers::I8(quant), _) => {
            kernels::average_i8(pool, &quant, cast_slice(input), cast_slice_mut(output));
        }
        (PoolNumbers::F32(activation), PoolKind::Max) if FLOAT => {
            kernels::max_f32(pool, activation, cast_slice(input), cast_slice_mut(output));
        }
        (PoolNumbers::F32(activation), _) if FLOAT => {
            kernels::average_f32(pool, activation, cast_slice(input), cast_slice_mut(output));
        }
        _ => return None,
    }
    Some(())
}

fn run_binary(op: &Binary, arena: &mut [u8]) -> Option<()> {
    let element = binary_element(op);
    let to = bytes_of(&op.output, element);
    move_to(arena, bytes_of(&op.a, element), &to)?;
    let [a, b] = apart(arena, [to, bytes_of(&op.b, element)])?;
    let shapes = (op.a.shape, op.b.shape);
    match op.numbers {
        BinaryNumbers::I8 { a: left, b: right, output, left_shift, clamp } => {
            let quant = kernels::BinaryQuant { a: left, b: right, output, left_shift, clamp };
            kernels::binary_i8(op.kind, &quant, shapes, cast_slice_mut(a), cast_slice(b));
        }
        BinaryNumbers::F32(activation) if FLOAT => {
            kernels::binary_f32(op.kind, activation, shapes, cast_slice_mut(a), cast_slice(b));
        }
        BinaryNumbers::F32(_) => return None,
    }
    Some(())
}
