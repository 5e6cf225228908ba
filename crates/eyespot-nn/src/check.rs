//! What must hold before a model runs, so that no kernel meets anything that it can't do.

use core::ops::Range;

use crate::graph::{
    Axis, Binary, Conv, ConvNumbers, Copy, Element, Op, Pool, PoolKind, PoolNumbers, Port, Shape, Slot, Span,
    Window,
};
use crate::{LayerName, LoadError};

type Check = Result<(), &'static str>;

fn ensure(condition: bool, reason: &'static str) -> Check {
    if condition { Ok(()) } else { Err(reason) }
}

/// The bytes of a tensor. One copy: it is asked for all over, once per layer.
#[inline(never)]
pub(crate) fn bytes_of(slot: &Slot, element: Element) -> Range<usize> {
    let start = slot.offset as usize;
    start..start.saturating_add(slot.shape.len().saturating_mul(element.bytes()))
}

/// The bytes of a span; an empty one lies at 0, so that it overlaps nothing.
#[inline(never)]
pub(crate) fn range_of(span: &Span) -> Range<usize> {
    if span.len == 0 {
        return 0..0;
    }
    let start = span.offset as usize;
    start..start.saturating_add(span.len as usize)
}

/// The bytes of the ring of a convolution that feeds a pooling.
pub(crate) fn ring_of(conv: &Conv, pool: &Pool, element: Element) -> Range<usize> {
    let Shape { w, c, .. } = conv.output.shape;
    bytes_of(&Slot { shape: Shape::new(u32::from(pool.window.kernel[0]), w, c), ..conv.output }, element)
}

/// Floating point can be left out, for flash.
pub(crate) const FLOAT: bool = cfg!(feature = "float");

/// And so can all operators but convolution, pooling, functions of single values and softmax.
pub(crate) const OPERATORS: bool = cfg!(feature = "operators");

const OUTSIDE: &str = "a tensor reaches outside the arena";
const WEIGHTS: &str = "weights have another length than the shapes ask for";
const SHAPES: &str = "the shapes of its tensors don't fit together";
const OVERLAP: &str = "its tensors overlap in the arena";

pub(crate) fn port(port: &Port<'_>, arena: u32) -> Result<(), LoadError> {
    let error = |reason| LoadError::Layer { layer: LayerName::new(port.name), reason };
    slot(&port.slot, port.element, arena).map_err(error)?;
    ensure(port.scale.is_finite() && port.scale > 0.0, "a scale is not a positive number").map_err(error)
}

/// No size is zero, and all are far below what overflows in the kernels' index arithmetic.
fn sides(shape: Shape) -> bool {
    [shape.h, shape.w, shape.c].iter().all(|side| (1..=1 << 20).contains(side))
}

fn slot(slot: &Slot, element: Element, arena: u32) -> Check {
    ensure(
        FLOAT || element == Element::I8,
        "floating point is switched off: build with the feature `float`",
    )?;
    ensure(sides(slot.shape), "a tensor is empty or too large")?;
    ensure((slot.offset as usize).is_multiple_of(element.bytes()), "a tensor is not aligned")?;
    ensure(bytes_of(slot, element).end <= arena as usize, OUTSIDE)
}

fn arena_span(span: &Span, arena: u32) -> Check {
    ensure(range_of(span).end <= arena as usize, OUTSIDE)
}

fn weight_span(span: &Span, len: usize, weights: usize) -> Check {
    ensure(span.len as usize == len && range_of(span).end <= weights, WEIGHTS)
}

fn disjoint(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.end <= b.start || b.end <= a.start
}

/// Input and output are the same bytes or have none in common.
fn in_place(input: &Range<usize>, output: &Range<usize>) -> Check {
    ensure(input == output || disjoint(input, output), OVERLAP)
}

/// Every position of the window has a tap inside the image.
fn window(window: &Window, input: Shape, output: Shape) -> Check {
    let sides = [(input.h, output.h), (input.w, output.w)];
    for (axis, (input, output)) in sides.into_iter().enumerate() {
        let [kernel, stride, dilation, pad] =
            [window.kernel, window.stride, window.dilation, window.pad].map(|pair| u64::from(pair[axis]));
        ensure(kernel > 0 && stride > 0 && dilation > 0, "a window has no size or does not move")?;
        ensure(pad < kernel * dilation, "the padding is wider than the window")?;
        let last = u64::from(output).saturating_sub(1) * stride;
        ensure(last < u64::from(input) + pad, "a window lies outside the image")?;
    }
    Ok(())
}

/// The checks of a convolution except its output's place.
fn conv_inputs(conv: &Conv, arena: u32, weights: usize) -> Result<Element, &'static str> {
    let (input, output) = (conv.input.shape, conv.output.shape);
    let element = match conv.numbers {
        ConvNumbers::I8(_) => Element::I8,
        ConvNumbers::F32(_) => Element::F32,
    };
    slot(&conv.input, element, arena)?;
    ensure(sides(output), "a tensor is empty or too large")?;
    window(&conv.window, input, output)?;
    arena_span(&conv.scratch, arena)?;
    let channels = output.c as usize;
    let taps = conv.window.taps();
    let depth = if conv.depthwise { 1 } else { input.c as usize };
    if conv.depthwise {
        ensure(output.c.is_multiple_of(input.c), SHAPES)?;
    } else {
        let needed = scratch_bytes(false, &conv.window, input.c as usize, element);
        ensure(conv.scratch.len as usize >= needed, "its scratch memory is too small")?;
        ensure((conv.scratch.offset | conv.scratch.len).is_multiple_of(8), "its scratch is not aligned")?;
    }
    let count = taps.checked_mul(depth).and_then(|count| count.checked_mul(channels)).ok_or(WEIGHTS)?;
    weight_span(&conv.weights, count.saturating_mul(element.bytes()), weights)?;
    weight_span(&conv.bias, channels * 4, weights)?;
    if let ConvNumbers::I8(quant) = conv.numbers {
        clamp(quant.clamp)?;
        weight_span(&quant.multipliers, channels * 4, weights)?;
        weight_span(&quant.shifts, channels, weights)?;
    }
    Ok(element)
}

/// Taps in the largest group that a kernel works on at once: columns are whole groups.
pub(crate) const WIDEST: usize = 16;

/// Bytes of scratch memory that a convolution needs, a multiple of 8.
///
/// Quantised: two columns of gathered taps as 16-bit numbers in whole groups, and the bytes of one unless a tap is all.
/// Floating point: two columns of gathered taps, unless a tap is all.
#[must_use]
pub const fn scratch_bytes(depthwise: bool, window: &Window, depth: usize, element: Element) -> usize {
    let Window { kernel, pad, .. } = window;
    let point = kernel[0] == 1 && kernel[1] == 1 && pad[0] == 0 && pad[1] == 0;
    let len = window.taps().saturating_mul(depth);
    match element {
        _ if depthwise => 0,
        Element::I8 => {
            let column = len.div_ceil(WIDEST).saturating_mul(2 * WIDEST);
            let gathered = if point { 0 } else { len.next_multiple_of(8) };
            column.saturating_mul(2).saturating_add(gathered)
        }
        Element::F32 if point => 0,
        Element::F32 => len.saturating_mul(8),
    }
}

fn conv(conv: &Conv, arena: u32, weights: usize) -> Check {
    let element = conv_inputs(conv, arena, weights)?;
    slot(&conv.output, element, arena)?;
    let (input, output) = (bytes_of(&conv.input, element), bytes_of(&conv.output, element));
    let scratch = range_of(&conv.scratch);
    ensure(disjoint(&input, &output) && disjoint(&input, &scratch) && disjoint(&output, &scratch), OVERLAP)
}

fn clamp([low, high]: [i8; 2]) -> Check {
    ensure(low <= high, "its smallest output is above its largest")
}

fn pool(pool: &Pool) -> Check {
    if let PoolNumbers::I8(quant) = pool.numbers {
        clamp(quant.clamp)?;
    }
    let Window { kernel, stride, dilation, .. } = pool.window;
    ensure(dilation == [1, 1] && kernel[0] > 0 && kernel[1] > 0 && stride[0] > 0, "dilated pooling")?;
    window(&pool.window, pool.input.shape, pool.output.shape)?;
    // Sums of values of a byte must fit 32 bits.
    ensure(pool.window.taps() <= 1 << 23, "a window is too large")?;
    ensure(pool.input.shape.c == pool.output.shape.c, SHAPES)
}

fn binary(op: &Binary, element: Element, arena: u32) -> Check {
    let (a, b, output) = (&op.a, &op.b, &op.output);
    if let crate::graph::BinaryNumbers::I8 { clamp: range, .. } = op.numbers {
        clamp(range)?;
    }
    for side in [a, b, output] {
        slot(side, element, arena)?;
    }
    let repeats = |b: u32, a: u32| b == a || b == 1;
    let (x, y) = (a.shape, b.shape);
    ensure(x == output.shape, SHAPES)?;
    ensure(repeats(y.h, x.h) && repeats(y.w, x.w) && repeats(y.c, x.c), SHAPES)?;
    let [a, b, output] = [a, b, output].map(|side| bytes_of(side, element));
    in_place(&a, &output)?;
    ensure(disjoint(&b, &output), OVERLAP)
}

fn copy(copy: &Copy, arena: u32, weights: usize) -> Check {
    arena_span(&copy.input, arena)?;
    arena_span(&copy.output, arena)?;
    let bytes = copy.element.bytes() as u64;
    let reach = |stride: fn(&Axis) -> u32| {
        copy.axes
            .iter()
            .map(|axis| u64::from(axis.count.saturating_sub(1)).saturating_mul(u64::from(stride(axis))))
            .fold(1u64, u64::saturating_add)
            .saturating_mul(bytes)
    };
    ensure(copy.axes.iter().all(|axis| axis.count > 0), "a copy of nothing")?;
    // Values are read again and again where one is repeated, but each is written once.
    let count = copy.axes.iter().fold(1u64, |count, axis| count.saturating_mul(u64::from(axis.count)));
    ensure(count.saturating_mul(bytes) <= u64::from(copy.output.len), "a copy that does not end")?;
    ensure(reach(|axis| axis.from) <= u64::from(copy.input.len), OUTSIDE)?;
    ensure(reach(|axis| axis.to) <= u64::from(copy.output.len), OUTSIDE)?;
    if let Some(table) = &copy.table {
        ensure(copy.element == Element::I8, "a table for floats")?;
        weight_span(table, 256, weights)?;
    }
    ensure(disjoint(&range_of(&copy.input), &range_of(&copy.output)), OVERLAP)
}

/// Checks an operator of a layer; `arena` and `weights` are numbers of bytes.
pub(crate) fn op(op: &Op, arena: u32, weights: usize) -> Check {
    let same = |input: &Slot, output: &Slot, from: Element, to: Element| {
        slot(input, from, arena)?;
        slot(output, to, arena)?;
        ensure(input.shape.len() == output.shape.len(), SHAPES)?;
        let (from_bytes, to_bytes) = (bytes_of(input, from), bytes_of(output, to));
        if from == to {
            in_place(&from_bytes, &to_bytes)
        } else {
            ensure(disjoint(&from_bytes, &to_bytes), OVERLAP)
        }
    };
    let always =
        matches!(op, Op::Conv(_) | Op::Pool(_) | Op::ConvPool { .. } | Op::Table { .. } | Op::Softmax { .. });
    ensure(OPERATORS || always, "its operator is switched off: build with the feature `operators`")?;
    match op {
        Op::Conv(op) => conv(op, arena, weights),
        Op::Pool(op) => {
            let element = element_of(&op.numbers);
            slot(&op.input, element, arena)?;
            slot(&op.output, element, arena)?;
            pool(op)?;
            ensure(disjoint(&bytes_of(&op.input, element), &bytes_of(&op.output, element)), OVERLAP)
        }
        Op::ConvPool { conv, pool: op } => {
            let element = conv_inputs(conv, arena, weights)?;
            ensure(element_of(&op.numbers) == element && op.kind == PoolKind::Max, "not a max pooling")?;
            ensure(conv.output == op.input, SHAPES)?;
            slot(&op.output, element, arena)?;
            pool(op)?;
            let ring = ring_of(conv, op, element);
            ensure((ring.start).is_multiple_of(element.bytes()), "a tensor is not aligned")?;
            ensure(ring.end <= arena as usize, OUTSIDE)?;
            let parts = [
                bytes_of(&conv.input, element),
                ring,
                bytes_of(&op.output, element),
                range_of(&conv.scratch),
            ];
            let apart = (0..4).all(|a| (0..a).all(|b| disjoint(&parts[a], &parts[b])));
            ensure(apart, OVERLAP)
        }
        Op::Mean { input, output, .. } => {
            slot(input, Element::I8, arena)?;
            slot(output, Element::I8, arena)?;
            ensure(output.shape == Shape::new(1, 1, input.shape.c), SHAPES)?;
            ensure(u64::from(input.shape.h) * u64::from(input.shape.w) <= 1 << 23, "an image is too large")?;
            ensure(disjoint(&bytes_of(input, Element::I8), &bytes_of(output, Element::I8)), OVERLAP)
        }
        Op::Binary(op) => {
            let element = match op.numbers {
                crate::graph::BinaryNumbers::I8 { .. } => Element::I8,
                crate::graph::BinaryNumbers::F32(_) => Element::F32,
            };
            binary(op, element, arena)
        }
        Op::Table { input, output, table } => {
            // One for all channels, or one for each.
            let channels = if table.len as usize == 256 { 1 } else { output.shape.c as usize };
            weight_span(table, 256 * channels, weights)?;
            same(input, output, Element::I8, Element::I8)
        }
        Op::Activate { input, output, .. } => same(input, output, Element::F32, Element::F32),
        Op::Softmax { input, output, numbers } => {
            let element = match numbers {
                crate::graph::SoftmaxNumbers::I8 { .. } => Element::I8,
                crate::graph::SoftmaxNumbers::F32 => Element::F32,
            };
            ensure(input.shape.c == output.shape.c, SHAPES)?;
            // The sum of 2^12 exponentials fits the 32 bits of the fixed-point sum.
            ensure(element == Element::F32 || input.shape.c <= 1 << 12, "too many classes")?;
            same(input, output, element, element)
        }
        Op::Copy(op) => copy(op, arena, weights),
        Op::Fill { output, .. } => arena_span(output, arena),
        Op::Constant { output, data } => {
            arena_span(output, arena)?;
            weight_span(data, output.len as usize, weights)
        }
        Op::Resize { input, output, element, .. } => {
            slot(input, *element, arena)?;
            slot(output, *element, arena)?;
            ensure(input.shape.c == output.shape.c, SHAPES)?;
            ensure(disjoint(&bytes_of(input, *element), &bytes_of(output, *element)), OVERLAP)
        }
        Op::Quantize { input, output, scale, .. } => {
            ensure(scale.is_finite() && *scale > 0.0, "a scale is not a positive number")?;
            same(input, output, Element::F32, Element::I8)
        }
        Op::Dequantize { input, output, .. } => same(input, output, Element::I8, Element::F32),
    }
}

pub(crate) const fn element_of(numbers: &PoolNumbers) -> Element {
    match numbers {
        PoolNumbers::I8(_) => Element::I8,
        PoolNumbers::F32(_) => Element::F32,
    }
}
