//! Windows, and the largest values and means in them.

use eyespot_nn::graph::{Activation, Element, PoolKind, PoolNumbers, PoolQuant, Shape, Window};

use super::super::reader::{Node, Reader, Type};
use super::{Done, clamp, fused};
use crate::ConvertError;
use crate::builder::{positions, same, window};
use crate::fixed::mean_rescale;
use crate::ir::{Op, Pool};

pub(super) struct Placing {
    pub(super) window: Window,
    pub(super) output: [usize; 2],
}

pub(super) fn placing(
    node: &Node<'_>,
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    padding: u8,
) -> Result<Placing, ConvertError> {
    let wrong = || node.error("its window is empty, does not move or is larger than the image");
    // Checks for zeros first.
    window(kernel, stride, dilation, [0, 0]).ok_or_else(wrong)?;
    let (output, pad) = if padding == 0 {
        same(size, kernel, stride, dilation)
    } else {
        let side = |axis: usize| positions(size[axis], kernel[axis], stride[axis], dilation[axis], 0);
        ([side(0).ok_or_else(wrong)?, side(1).ok_or_else(wrong)?], [0, 0])
    };
    Ok(Placing { window: window(kernel, stride, dilation, pad).ok_or_else(wrong)?, output })
}

pub(super) fn pool(reader: &mut Reader<'_>, node: &Node<'_>, kind: PoolKind) -> Done {
    let input = reader.image(node, 0)?;
    let Shape { h, w, c } = reader.shape(input);
    let side = |index| node.option(index, 0).map(|value| usize::try_from(value).unwrap_or(0));
    let (stride, kernel) = ([side(2)?, side(1)?], [side(4)?, side(3)?]);
    let place = placing(node, [h as usize, w as usize], kernel, stride, [1, 1], node.flag(0)?)?;
    let output = reader.output(node, &[1, place.output[0], place.output[1], c as usize])?;
    let activation = node.flag(5)?;
    let numbers = match reader.element(input) {
        Element::F32 => PoolNumbers::F32(fused(node, activation)?),
        Element::I8 => {
            let quant = reader.quant(node, output)?;
            if reader.quant(node, input)? != quant {
                return Err(node.error("its output is quantised differently from its input"));
            }
            let half_up = reader.source(node.input(0)?)?.kind == Type::U8;
            PoolNumbers::I8(PoolQuant { zero: quant.zero, clamp: clamp(node, activation, quant)?, half_up })
        }
    };
    reader.graph.push(&node.name, Op::Pool(Pool { kind, window: place.window, input, output, numbers }));
    Ok(())
}

pub(super) fn mean(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    let input = reader.image(node, 0)?;
    let mut axes = reader.source(node.input(1)?)?.integers().unwrap_or_default();
    axes.sort_unstable();
    if axes != [1, 2] {
        return Err(node.error("a mean over other axes than height and width"));
    }
    let shape = reader.output_shape(node)?;
    let output = reader.output(node, &shape)?;
    let Shape { h, w, c } = reader.shape(input);
    reader.graph.tensors[output].shape = Shape::new(1, 1, c);
    let op = match reader.element(input) {
        Element::F32 => {
            let window = window([h as usize, w as usize], [1, 1], [1, 1], [0, 0]);
            let window = window.ok_or_else(|| node.error("its image is too large"))?;
            let numbers = PoolNumbers::F32(Activation::None);
            Op::Pool(Pool { kind: PoolKind::Average, window, input, output, numbers })
        }
        Element::I8 => {
            let (from, to) = (reader.quant(node, input)?, reader.quant(node, output)?);
            let rescale = mean_rescale(from, to, h * w);
            Op::Mean { input, output, rescale }
        }
    };
    reader.graph.push(&node.name, op);
    Ok(())
}
