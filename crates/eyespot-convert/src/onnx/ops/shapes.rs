//! Values at other places: parts, joints, shapes and sizes.

use eyespot_nn::graph::Element;

use super::super::model::Node;
use super::super::{Reader, shuffle};
use super::{Done, set};
use crate::ir::Op;
use crate::view::{View, count};

pub(super) fn reshape(reader: &mut Reader, node: &Node) -> Done {
    let source = node.input(0)?.to_owned();
    let view = reader.view(&source)?;
    let target: Vec<i64> = if node.operator == "Flatten" {
        let axis = usize::try_from(node.integer("axis", 1)).unwrap_or(0).min(view.shape.len());
        let (front, back) = view.shape.split_at(axis);
        vec![count(front) as i64, count(back) as i64]
    } else {
        reader.fixed(node, 1, "shape")?.ok_or_else(|| node.error("its shape is not fixed"))?
    };
    let mut shape = Vec::with_capacity(target.len());
    let mut open = None;
    for (at, &size) in target.iter().enumerate() {
        match size {
            -1 => {
                open = Some(at);
                shape.push(1);
            }
            0 => shape.push(*view.shape.get(at).ok_or_else(|| node.error("its shape is wrong"))?),
            size => shape.push(usize::try_from(size).map_err(|_| node.error("its shape is wrong"))?),
        }
    }
    let known = count(&shape);
    if let Some(at) = open
        && known > 0
    {
        shape[at] = view.len() / known;
    }
    if count(&shape) != view.len() {
        // The shape was written for another size of the input.
        let original = reader.original.as_ref().and_then(|original| {
            let (from, to) = (original.shapes.get(&source)?, original.shapes.get(node.outputs.first()?)?);
            shuffle::resized(original, from, to, &view.shape)
        });
        shape =
            original.ok_or_else(|| node.error("its shape has another number of values than its input"))?;
    }
    let reshaped = reader.graph.reshaped(&node.name, &view, shape)?;
    set(reader, node, 0, reshaped)
}

pub(super) fn squeeze(reader: &mut Reader, node: &Node) -> Done {
    let view = reader.view(node.input(0)?)?;
    let axes = reader.fixed(node, 1, "axes")?;
    let mut shape = view.shape.clone();
    if node.operator == "Squeeze" {
        let axes = match axes {
            Some(axes) => {
                axes.iter().map(|&axis| node.axis(axis, shape.len())).collect::<Result<Vec<_>, _>>()?
            }
            None => (0..shape.len()).filter(|&at| shape[at] == 1).collect(),
        };
        let mut at = 0;
        shape.retain(|_| {
            at += 1;
            !axes.contains(&(at - 1))
        });
    } else {
        let axes = axes.ok_or_else(|| node.error("its axes are not fixed"))?;
        let rank = shape.len() + axes.len();
        let mut axes = axes.iter().map(|&axis| node.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
        axes.sort_unstable();
        for axis in axes {
            shape.insert(axis.min(shape.len()), 1);
        }
    }
    let view = view.reshaped(&shape).ok_or_else(|| node.error("an axis that it drops is not 1"))?;
    set(reader, node, 0, view)
}

pub(super) fn gather(reader: &mut Reader, node: &Node) -> Done {
    let view = reader.view(node.input(0)?)?;
    let axis = node.axis(node.integer("axis", 0), view.shape.len())?;
    let index = reader.constants.get(node.input(1)?);
    let Some((shape, &[index])) = index.and_then(|index| Some((index.shape.len(), index.integers()?))) else {
        return Err(node.error("only a single fixed index is supported"));
    };
    let size = view.shape[axis] as i64;
    let index = usize::try_from(if index < 0 { index + size } else { index }).unwrap_or(usize::MAX);
    let wrong = || node.error("its index is not there");
    let part = view.sliced(axis, index, 1, 1).ok_or_else(wrong)?;
    let part = if shape == 0 { part.without(axis).ok_or_else(wrong)? } else { part };
    set(reader, node, 0, part)
}

pub(super) fn slice(reader: &mut Reader, node: &Node) -> Done {
    let mut view = reader.view(node.input(0)?)?;
    let starts = reader.fixed(node, 1, "starts")?.unwrap_or_default();
    let ends = reader.fixed(node, 2, "ends")?.unwrap_or_default();
    let axes = reader.fixed(node, 3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = reader.fixed(node, 4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    if starts.len() != ends.len() || starts.len() != axes.len() || starts.len() != steps.len() {
        return Err(node.error("its bounds don't fit each other"));
    }
    for (((&start, &end), &axis), &step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
        let axis = node.axis(axis, view.shape.len())?;
        let part = view.between(axis, start, end, step);
        view = part.ok_or_else(|| node.error("it is empty or goes backwards"))?;
    }
    set(reader, node, 0, view)
}

pub(super) fn split(reader: &mut Reader, node: &Node) -> Done {
    let view = reader.view(node.input(0)?)?;
    let axis = node.axis(node.integer("axis", 0), view.shape.len())?;
    let (size, count) = (view.shape[axis], node.outputs.len().max(1));
    let sizes = match reader.fixed(node, 1, "split")? {
        Some(sizes) => sizes.iter().map(|&size| usize::try_from(size).unwrap_or(0)).collect(),
        // The last part has what is left.
        None => {
            let part = size.div_ceil(count);
            (0..count).map(|at| part.min(size.saturating_sub(at * part))).collect::<Vec<_>>()
        }
    };
    let parts = view.parts(axis, &sizes).ok_or_else(|| node.error("its parts don't fit its input"))?;
    parts.into_iter().enumerate().try_for_each(|(index, part)| set(reader, node, index, part))
}

pub(super) fn concat(reader: &mut Reader, node: &Node) -> Done {
    let views = node.inputs.iter().map(|name| reader.view(name)).collect::<Result<Vec<_>, _>>()?;
    let first = views.first().ok_or_else(|| node.error("it has no input"))?;
    let rank = first.shape.len();
    let axis = node.axis(node.integer("axis", 0), rank)?;
    let fits = |view: &View| {
        view.shape.len() == rank && (0..rank).all(|at| at == axis || view.shape[at] == first.shape[at])
    };
    if !views.iter().all(fits) {
        return Err(node.error("its inputs don't fit each other"));
    }
    let mut shape = first.shape.clone();
    shape[axis] = views.iter().map(|view| view.shape[axis]).sum();
    let whole = if let [1, c, h, w] = *shape {
        let output = reader.new_image(node, [h, w, c])?;
        View::channels_first(output, [h, w, c])
    } else {
        let whole = reader.graph.in_order(node.output(0)?, &shape, first, Element::F32, None);
        whole.ok_or_else(|| node.error("its output is empty or too large"))?
    };
    let mut start = 0;
    for view in &views {
        let size = view.shape[axis];
        let part = whole.sliced(axis, start, size, 1).ok_or_else(|| node.error("its inputs are empty"))?;
        reader.graph.copy(&node.name, view, &part)?;
        start += size;
    }
    set(reader, node, 0, whole)
}

pub(super) fn pad(reader: &mut Reader, node: &Node) -> Done {
    let view = reader.view(node.input(0)?)?;
    let widths = reader.fixed(node, 1, "pads")?.unwrap_or_default();
    let mode = node.text("mode");
    let value = node.optional(2).and_then(|name| reader.constants.get(name)?.floats()?.first().copied());
    if !(mode.is_empty() || mode == "constant") || value.unwrap_or(node.float("value", 0.0)) != 0.0 {
        return Err(node.error("padding with other values than zero is not supported"));
    }
    let &[0, 0, top, left, 0, 0, bottom, right] = widths.as_slice() else {
        return Err(node.error("padding is only supported around images"));
    };
    let pads = [top, left, bottom, right];
    if view.shape.len() != 4 || pads.iter().any(|pad| !(0..1 << 16).contains(pad)) {
        return Err(node.error("padding is only supported around images"));
    }
    let padded = reader.write_padding(&node.name, &view, pads.map(|pad| pad as usize))?;
    set(reader, node, 0, padded)
}

pub(super) fn resize(reader: &mut Reader, node: &Node) -> Done {
    let (input, [h, w, c]) = reader.image(node, 0)?;
    let scales = [2, 1].iter().find_map(|&index| {
        let scales = reader.constants.get(node.optional(index)?)?.floats()?;
        (scales.len() == 4).then(|| scales.to_vec())
    });
    let sizes = node.optional(3).and_then(|name| reader.constants.get(name)?.integers());
    let (rows, columns) = match (scales, sizes, &reader.original) {
        (Some(scales), _, _) => ((h as f32 * scales[2]) as usize, (w as f32 * scales[3]) as usize),
        (None, Some(&[_, _, rows, columns]), None) => (rows as usize, columns as usize),
        (None, Some(&[_, _, rows, columns]), Some(original)) => {
            let ([own_h, own_w], [wanted_h, wanted_w]) = (original.size, original.wanted);
            (rows as usize * wanted_h / own_h, columns as usize * wanted_w / own_w)
        }
        _ => return Err(node.error("its size is not fixed")),
    };
    let output = reader.new_image(node, [rows, columns, c])?;
    let coordinates = node.text("coordinate_transformation_mode").to_owned();
    match node.text("mode") {
        "linear" => {
            let (align_corners, half_pixel) = match coordinates.as_str() {
                "align_corners" => (true, false),
                "asymmetric" => (false, false),
                "half_pixel" | "pytorch_half_pixel" | "" => (false, true),
                _ => return Err(node.error("its coordinates are not supported")),
            };
            reader.graph.push(&node.name, Op::Resize { input, output, align_corners, half_pixel });
            Ok(())
        }
        "nearest" | "" => {
            let shape = |id: usize| reader.graph.tensors[id].shape;
            let (from, to) = (shape(input), shape(output));
            // Upwards by a whole factor all other modes give the same pixels.
            let whole = coordinates != "align_corners" && coordinates != "tf_crop_and_resize";
            let repeated =
                if whole { reader.graph.repeat(&node.name, (input, from), (output, to)) } else { None };
            repeated.ok_or_else(|| node.error("nearest neighbours only for a whole factor"))
        }
        _ => Err(node.error("cubic resizing is not supported")),
    }
}
