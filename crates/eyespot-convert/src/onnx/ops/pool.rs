//! Largest values and means.

use eyespot_nn::graph::{Activation, PoolKind, PoolNumbers};

use super::super::Reader;
use super::super::model::Node;
use super::layers::pads;
use super::{Done, NO_IMAGE, set};
use crate::builder::{positions, touches, window};
use crate::ir::{Op, Pool};

pub(super) fn pool(reader: &mut Reader, node: &Node, kind: PoolKind) -> Done {
    let Some(&[kh, kw]) = node.integers("kernel_shape") else {
        return Err(node.error("it has no window of two dimensions"));
    };
    let kernel = [usize::try_from(kh).unwrap_or(0), usize::try_from(kw).unwrap_or(0)];
    let stride = node.pair("strides", 1)?;
    if node.pair("dilations", 1)? != [1, 1] {
        return Err(node.error("dilated pooling is not supported"));
    }
    let view = reader.view(node.input(0)?)?;
    let &[1, _, h, w] = view.shape.as_slice() else { return Err(node.error(NO_IMAGE)) };
    let pads = pads(node, [h, w], kernel, stride, [1, 1])?;
    let counted = pads != [0; 4] && node.integer("count_include_pad", 0) != 0;
    let (view, pads) = if touches(pads, kernel, [1, 1]) {
        (view, pads)
    } else if kind == PoolKind::Average && counted {
        (reader.write_padding(&node.name, &view, pads)?, [0; 4])
    } else {
        return Err(node.error("its padding is wider than its window"));
    };
    let (input, [h, w, c]) = reader.image_of(node, &view)?;
    let kind = if kind == PoolKind::Average && counted { PoolKind::AverageWithPadding } else { kind };
    let wrong = || node.error("its window is empty, does not move or is larger than the image");
    let window = window(kernel, stride, [1, 1], [pads[0], pads[1]]).ok_or_else(wrong)?;
    let side = |size: usize, axis: usize| -> Option<usize> {
        let total = pads[axis] + pads[axis + 2];
        let floor = positions(size, kernel[axis], stride[axis], 1, total)?;
        if node.integer("ceil_mode", 0) == 0 {
            return Some(floor);
        }
        let ceil = (size + total - kernel[axis]).div_ceil(stride[axis]) + 1;
        // A window must not start in the padding at the end.
        Some(if (ceil - 1) * stride[axis] >= size + pads[axis] { floor } else { ceil })
    };
    let (rows, columns) = (side(h, 0).ok_or_else(wrong)?, side(w, 1).ok_or_else(wrong)?);
    let output = reader.new_image(node, [rows, columns, c])?;
    let numbers = PoolNumbers::F32(Activation::None);
    reader.graph.push(&node.name, Op::Pool(Pool { kind, window, input, output, numbers }));
    Ok(())
}

pub(super) fn global_average(reader: &mut Reader, node: &Node) -> Done {
    let (input, [h, w, c]) = reader.image(node, 0)?;
    let output = reader.new_image(node, [1, 1, c])?;
    let window =
        window([h, w], [1, 1], [1, 1], [0, 0]).ok_or_else(|| node.error("its image is too large"))?;
    let numbers = PoolNumbers::F32(Activation::None);
    reader.graph.push(&node.name, Op::Pool(Pool { kind: PoolKind::Average, window, input, output, numbers }));
    Ok(())
}

/// The mean over height and width.
pub(super) fn reduce_mean(reader: &mut Reader, node: &Node) -> Done {
    let axes = reader.fixed(node, 1, "axes")?.unwrap_or_default();
    let mut axes = axes.iter().map(|&axis| node.axis(axis, 4)).collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    if axes != [2, 3] {
        return Err(node.error("only means over height and width of an image are supported"));
    }
    global_average(reader, node)?;
    if node.integer("keepdims", 1) == 0 {
        let view = reader.view(node.output(0)?)?;
        let row = view.without(3).and_then(|view| view.without(2));
        set(reader, node, 0, row.ok_or_else(|| node.error("its input is not an image"))?)?;
    }
    Ok(())
}
