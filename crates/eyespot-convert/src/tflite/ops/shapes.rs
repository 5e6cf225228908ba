//! Values at other places: parts, joints, shapes and sizes.

use super::super::reader::{Node, Reader};
use super::{Done, set};
use crate::ConvertError;
use crate::ir::Op;
use crate::view::count;

pub(super) fn concat(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    let shape = reader.output_shape(node)?;
    let axis = axis_of(node, node.option(0, 0)?, shape.len())?;
    if node.flag(1)? != 0 {
        return Err(node.error("a concatenation with an activation"));
    }
    let first = reader.view(node.input(0)?)?;
    let whole = reader.output_in_order(node, &shape, &first)?;
    let quant = reader.graph.tensors[whole.tensor].quant;
    let mut start = 0;
    for &index in &node.inputs {
        let view = reader.view(index)?;
        let fits = view.shape.len() == shape.len()
            && view.shape.iter().zip(&shape).enumerate().all(|(at, (a, b))| at == axis || a == b);
        let size = view.shape.get(axis).copied().unwrap_or(0);
        let part = whole.sliced(axis, start, size, 1).filter(|_| fits);
        let part = part.ok_or_else(|| node.error("its inputs don't fit its output"))?;
        if reader.graph.tensors[view.tensor].quant != quant {
            return Err(node.error("its inputs are quantised differently from its output"));
        }
        reader.graph.copy(&node.name, &view, &part)?;
        start += size;
    }
    if start != shape[axis] {
        return Err(node.error("its inputs don't fill its output"));
    }
    Ok(())
}

fn axis_of(node: &Node<'_>, axis: i32, rank: usize) -> Result<usize, ConvertError> {
    let axis = if axis < 0 { i64::from(axis) + rank as i64 } else { i64::from(axis) };
    usize::try_from(axis)
        .ok()
        .filter(|&axis| axis < rank)
        .ok_or_else(|| node.error("an axis that is not there"))
}

pub(super) fn reshape(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    let view = reader.view(node.input(0)?)?;
    let shape = reader.output_shape(node)?;
    if count(&shape) != view.len() {
        return Err(node.error("it changes the number of values"));
    }
    let reshaped = reader.graph.reshaped(&node.name, &view, shape)?;
    set(reader, node, 0, reshaped)
}

pub(super) fn transpose(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    let view = reader.view(node.input(0)?)?;
    let order = reader.source(node.input(1)?)?.integers().unwrap_or_default();
    let order: Vec<usize> = order.iter().map(|&axis| usize::try_from(axis).unwrap_or(usize::MAX)).collect();
    let view = view.transposed(&order).ok_or_else(|| node.error("its order of axes is not fixed"))?;
    set(reader, node, 0, view)
}

pub(super) fn slice(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    let mut view = reader.view(node.input(0)?)?;
    let starts = reader.source(node.input(1)?)?.integers().unwrap_or_default();
    let shape = reader.output_shape(node)?;
    if starts.len() != view.shape.len() || shape.len() != view.shape.len() {
        return Err(node.error("its place is not fixed"));
    }
    for (axis, (&start, &count)) in starts.iter().zip(&shape).enumerate() {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        view =
            view.sliced(axis, start, count, 1).ok_or_else(|| node.error("it reaches outside its input"))?;
    }
    set(reader, node, 0, view)
}

/// Entries of each axis, some distance apart.
pub(super) fn strided_slice(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    let mut view = reader.view(node.input(0)?)?;
    let list = |index| Ok(reader.source(node.input(index)?)?.integers().unwrap_or_default());
    let (starts, ends, steps): (Vec<i64>, Vec<i64>, Vec<i64>) = (list(1)?, list(2)?, list(3)?);
    let mask = |index| node.option(index, 0);
    let has = |mask: i32, axis: usize| 1_i32.checked_shl(axis as u32).is_some_and(|bit| mask & bit != 0);
    let (open_start, open_end, dropped) = (mask(0)?, mask(1)?, mask(4)?);
    if mask(2)? != 0 || mask(3)? != 0 || steps.len() > view.shape.len() {
        return Err(node.error("new axes and ellipses are not supported"));
    }
    if starts.len() != steps.len() || ends.len() != steps.len() {
        return Err(node.error("its place is not fixed"));
    }
    for (axis, ((&start, &end), &step)) in starts.iter().zip(&ends).zip(&steps).enumerate() {
        let start = if has(open_start, axis) { 0 } else { start };
        let part = if has(dropped, axis) {
            let place = if start < 0 { start.saturating_add(view.shape[axis] as i64) } else { start };
            let place = usize::try_from(place).ok().filter(|_| step > 0);
            place.and_then(|place| view.sliced(axis, place, 1, 1))
        } else {
            view.between(axis, start, if has(open_end, axis) { i64::MAX } else { end }, step)
        };
        view = part.ok_or_else(|| node.error("it is empty, outside its input or goes backwards"))?;
    }
    for axis in (0..steps.len()).rev().filter(|&axis| has(dropped, axis)) {
        view = view.without(axis).ok_or_else(|| node.error("an axis that it drops is not 1"))?;
    }
    set(reader, node, 0, view)
}

/// Parts of an axis: equal ones, or of given sizes.
pub(super) fn split(reader: &mut Reader<'_>, node: &Node<'_>, sizes: bool) -> Done {
    let (source, place) = if sizes { (0, 2) } else { (1, 0) };
    let view = reader.view(node.input(source)?)?;
    let fixed = || node.error("its axis or its sizes are not fixed");
    let axis = reader.source(node.input(place)?)?.integers();
    let axis = axis.and_then(|axis| i32::try_from(*axis.first()?).ok()).ok_or_else(fixed)?;
    let axis = axis_of(node, axis, view.shape.len())?;
    let (size, count) = (view.shape[axis], node.outputs.len().max(1));
    let sizes = if sizes {
        let sizes = reader.source(node.input(1)?)?.integers().ok_or_else(fixed)?;
        // One may be what the others leave.
        let known: i64 =
            sizes.iter().filter(|&&size| size > 0).fold(0, |sum, &size| sum.saturating_add(size));
        let rest = (size as i64).saturating_sub(known);
        let part = |&size: &i64| usize::try_from(if size < 0 { rest } else { size }).unwrap_or(0);
        sizes.iter().map(part).collect::<Vec<_>>()
    } else {
        vec![size / count; count]
    };
    let parts = view.parts(axis, &sizes).filter(|parts| parts.len() == node.outputs.len());
    let parts = parts.ok_or_else(|| node.error("its parts don't fit its input"))?;
    parts.into_iter().enumerate().try_for_each(|(index, part)| set(reader, node, index, part))
}

pub(super) fn pad(reader: &mut Reader<'_>, node: &Node<'_>) -> Done {
    let view = reader.view(node.input(0)?)?;
    let pads = reader.source(node.input(1)?)?.integers().unwrap_or_default();
    if node.inputs.len() > 2 {
        return Err(node.error("padding with other values than zero"));
    }
    if pads.len() != 2 * view.shape.len() {
        return Err(node.error("its widths are not fixed"));
    }
    let shape = reader.output_shape(node)?;
    if shape.len() != view.shape.len() {
        return Err(node.error("its widths don't fit"));
    }
    let whole = reader.output_in_order(node, &shape, &view)?;
    let before = pads.iter().step_by(2).map(|&width| usize::try_from(width).unwrap_or(usize::MAX));
    reader.graph.surround(&node.name, &view, &whole, &before.collect::<Vec<_>>())
}

pub(super) fn resize(reader: &mut Reader<'_>, node: &Node<'_>, bilinear: bool) -> Done {
    let input = reader.image(node, 0)?;
    let shape = reader.output_shape(node)?;
    let output = reader.output(node, &shape)?;
    let first = if bilinear { 2 } else { 0 };
    let (align_corners, half_pixel) = (node.flag(first)? != 0, node.flag(first + 1)? != 0);
    if reader.graph.tensors[input].quant != reader.graph.tensors[output].quant {
        return Err(node.error("its output is quantised differently from its input"));
    }
    if bilinear {
        reader.graph.push(&node.name, Op::Resize { input, output, align_corners, half_pixel });
        return Ok(());
    }
    let (from, to) = (reader.shape(input), reader.shape(output));
    reader
        .graph
        .repeat(&node.name, (input, from), (output, to))
        .filter(|()| !align_corners)
        .ok_or_else(|| node.error("nearest neighbours only for a whole factor, without aligned corners"))
}
