//! Packing of weights: layer by layer, so that no more memory than that of one layer holds them as they come.

use core::convert::Infallible;
use core::ops::Range;
use std::boxed::Box;
use std::vec::Vec;

use bytemuck::cast_slice;

use super::conv::Conv;
use super::simd::{self, Depthwise, Level};
use super::winograd::Winograd;
use super::{Kernel, Step, int8, int8_maps};
use crate::check::range_of;
use crate::graph::{
    Binary, BinaryNumbers, Conv as ConvOp, ConvNumbers, Element, Op, Pool, PoolKind, PoolNumbers, Shape,
    SoftmaxNumbers, Span,
};
use crate::kernels::BinaryQuant;
use crate::network::{Resolved, words};
use crate::{Description, Layer, network};

/// Where a model's constants come from.
pub(crate) trait Constants {
    /// They can't be read.
    type Error;

    /// Reads a range of the weights' bytes, as long as `to`.
    fn read(&mut self, from: Range<usize>, to: &mut [u8]) -> Result<(), Self::Error>;
}

impl Constants for &[u8] {
    type Error = Infallible;

    fn read(&mut self, from: Range<usize>, to: &mut [u8]) -> Result<(), Infallible> {
        to.copy_from_slice(&self[from]);
        Ok(())
    }
}

/// What an operator names of the weights.
fn constants(op: &mut Op) -> impl Iterator<Item = &mut Span> {
    let spans = match op {
        Op::Conv(conv) | Op::ConvPool { conv, .. } => {
            let [multipliers, shifts] = match &mut conv.numbers {
                ConvNumbers::I8(quant) => [Some(&mut quant.multipliers), Some(&mut quant.shifts)],
                ConvNumbers::F32(_) => [None, None],
            };
            [Some(&mut conv.weights), Some(&mut conv.bias), multipliers, shifts]
        }
        Op::Table { table, .. } => [Some(table), None, None, None],
        Op::Copy(copy) => [copy.table.as_mut(), None, None, None],
        Op::Constant { data, .. } => [Some(data), None, None, None],
        Op::Pool(_)
        | Op::Mean { .. }
        | Op::Binary(_)
        | Op::Activate { .. }
        | Op::Softmax { .. }
        | Op::Fill { .. }
        | Op::Resize { .. }
        | Op::Quantize { .. }
        | Op::Dequantize { .. } => [None, None, None, None],
    };
    spans.into_iter().flatten()
}

/// The layers of a model with packed weights.
pub(super) fn steps<'m, C: Constants>(
    description: &Description<'m>,
    weights: &mut C,
    level: Level,
) -> Result<Vec<Step<'m>>, C::Error> {
    // Of one layer after the other.
    let mut bytes = Vec::new();
    let step = |layer: Layer<'m>| {
        let (mut op, mut len) = (layer.op, 0);
        for span in constants(&mut op) {
            let (from, to) = (range_of(span), len..len + span.len as usize);
            if bytes.len() < to.end {
                bytes.resize(to.end, 0);
            }
            (span.offset, len) = (len as u32, to.end);
            weights.read(from, &mut bytes[to])?;
        }
        let constants = &bytes[..len];
        Ok(match kernel(&op, constants, level) {
            Some(kernel) => Step { layer, op, kernel, constants: Box::default() },
            None => Step { layer, op, kernel: Kernel::Common, constants: constants.into() },
        })
    };
    description.layers().map(step).collect()
}

/// The kernel of an operator; `None` where the common ones do it.
fn kernel(op: &Op, constants: &[u8], level: Level) -> Option<Kernel> {
    let quantised = |conv: &ConvOp| match network::resolve(conv, constants)? {
        Resolved::I8(resolved) => int8::Conv::new(level, &resolved, conv.depthwise).map(Box::new),
        Resolved::F32(_) => None,
    };
    let floats = |conv: &ConvOp| {
        Some([constants.get(range_of(&conv.weights))?, constants.get(range_of(&conv.bias))?].map(words))
    };
    let shapes = |conv: &ConvOp| [conv.input.shape, conv.output.shape];
    let dense = |conv: &ConvOp| -> Option<Conv> {
        let ConvNumbers::F32(activation) = conv.numbers else { return None };
        Some(Conv::new(level, conv.window, shapes(conv), floats(conv)?, activation))
    };
    let mapping = |span: &Span| -> Option<Box<[i8; 256]>> {
        let table: &[i8] = cast_slice(constants.get(range_of(span))?);
        Some(Box::new(*table.first_chunk()?))
    };
    match op {
        Op::Conv(conv) => match (conv.numbers, conv.depthwise) {
            (ConvNumbers::F32(activation), false) => {
                match Winograd::new(level, conv.window, shapes(conv), floats(conv)?, activation) {
                    Some(conv) => Some(Kernel::Winograd(Box::new(conv))),
                    None => dense(conv).map(Kernel::Conv),
                }
            }
            (ConvNumbers::F32(activation), true) => {
                let [taps, bias] = floats(conv)?;
                let shapes = (conv.input.shape, conv.output.shape);
                let conv = Depthwise::new(level, conv.window, shapes, taps, bias)?;
                Some(Kernel::Depthwise(conv, activation))
            }
            (ConvNumbers::I8(_), true) if conv.input.shape.c > 1 => {
                let Resolved::I8(resolved) = network::resolve(conv, constants)? else { return None };
                int8::Separate::new(level, &resolved).map(|conv| Kernel::DepthwiseI8(Box::new(conv)))
            }
            (ConvNumbers::I8(_), _) => quantised(conv).map(Kernel::ConvI8),
        },
        Op::ConvPool { conv, pool } => match pool.numbers {
            PoolNumbers::F32(activation) if !conv.depthwise => {
                Some(Kernel::ConvPool(dense(conv)?, activation))
            }
            PoolNumbers::F32(_) => None,
            PoolNumbers::I8(quant) => Some(Kernel::ConvPoolI8(quantised(conv)?, quant.clamp)),
        },
        Op::Pool(pool) if pool.kind != PoolKind::Max => match pool.numbers {
            PoolNumbers::I8(quant) => int8_maps::has_means(pool).then_some(Kernel::AveragePoolI8(quant)),
            PoolNumbers::F32(_) => None,
        },
        Op::Pool(Pool { numbers, .. }) => Some(match numbers {
            PoolNumbers::F32(activation) => Kernel::MaxPool(*activation),
            PoolNumbers::I8(quant) => Kernel::MaxPoolI8(quant.clamp),
        }),
        Op::Binary(Binary { kind, numbers, a, b, .. }) => {
            let (a, b) = (a.shape, b.shape);
            (a == b || b == Shape::new(1, 1, a.c)).then_some(())?;
            match *numbers {
                BinaryNumbers::F32(activation) => Some(Kernel::Binary(activation)),
                BinaryNumbers::I8 { a, b, output, left_shift, clamp } => {
                    let quant = BinaryQuant { a, b, output, left_shift, clamp };
                    let binary = simd::int8::Binary::new(level, *kind, quant)?;
                    Some(Kernel::BinaryI8(Box::new(binary)))
                }
            }
        }
        Op::Activate { activation, .. } => Some(Kernel::Activate(*activation)),
        Op::Softmax { numbers, .. } => Some(match *numbers {
            SoftmaxNumbers::F32 => Kernel::Softmax,
            SoftmaxNumbers::I8 { multiplier, shift, diff_min } => {
                Kernel::SoftmaxI8(int8_maps::Softmax::new(multiplier, shift, diff_min))
            }
        }),
        Op::Table { table, .. } if table.len > 256 => {
            let tables: &[i8] = cast_slice(constants.get(range_of(table))?);
            Some(Kernel::ChannelTables(tables.into()))
        }
        Op::Table { table, .. } => Some(Kernel::Table(mapping(table)?)),
        Op::Copy(copy) if copy.element == Element::I8 => Some(Kernel::CopyI8(match &copy.table {
            Some(table) => Some(mapping(table)?),
            None => None,
        })),
        Op::Mean { .. } => Some(Kernel::MeanI8),
        _ => None,
    }
}
