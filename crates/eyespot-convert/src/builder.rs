//! What both readers share: views become tensors, shapes become windows.

use eyespot_nn::graph::{Axis, Element, Shape, Window};

use crate::ConvertError;
use crate::ir::{CopyOp, Graph, Id, Op, Quant};
use crate::view::{View, count};

/// Most values of a tensor: places in the arena are numbers of 32 bits.
const MOST: usize = 1 << 29;

/// A shape from sizes; `None` where one is too large, or all are together.
pub(crate) fn shape_of([h, w, c]: [usize; 3]) -> Option<Shape> {
    let side = |size: usize| u32::try_from(size).ok().filter(|size| (1..=1 << 20).contains(size));
    let shape = Shape::new(side(h)?, side(w)?, side(c)?);
    (shape.len() <= MOST).then_some(shape)
}

/// The sizes of a shape of any rank as height, width and channels: the last axis are the channels.
pub(crate) fn image_sizes(shape: &[usize]) -> [usize; 3] {
    match *shape {
        [] => [1, 1, 1],
        [c] => [1, 1, c],
        [w, c] => [1, w, c],
        [ref front @ .., h, w, c] => [count(front).saturating_mul(h), w, c],
    }
}

/// The axes of a copy between two views of one shape; the innermost last. `None` where there are more than five.
pub(crate) fn axes(from: &View, to: &View) -> Option<[Axis; 5]> {
    let mut sides: Vec<(usize, usize, usize)> = from
        .shape
        .iter()
        .zip(from.strides.iter().zip(&to.strides))
        .filter(|(size, _)| **size != 1)
        .map(|(&size, (&from, &to))| (to, from, size))
        .collect();
    // In the order of the output's memory, so that runs are found.
    sides.sort_unstable_by(|a, b| b.cmp(a));
    let mut merged: Vec<Axis> = Vec::new();
    for (to, from, size) in sides {
        let (count, from, to) =
            (u32::try_from(size).ok()?, u32::try_from(from).ok()?, u32::try_from(to).ok()?);
        match merged.last_mut() {
            Some(last) if last.from == from * count && last.to == to * count => {
                *last = Axis { count: last.count * count, from, to };
            }
            _ => merged.push(Axis { count, from, to }),
        }
    }
    if merged.len() > 5 {
        return None;
    }
    let mut axes = [Axis { count: 1, from: 1, to: 1 }; 5];
    let skip = 5 - merged.len();
    for (axis, merged) in axes.iter_mut().skip(skip).zip(merged) {
        *axis = merged;
    }
    Some(axes)
}

impl Graph {
    /// Copies a view's values to those of another view of the same shape.
    pub(crate) fn copy(&mut self, name: &str, from: &View, to: &View) -> Result<(), ConvertError> {
        let axes = axes(from, to)
            .ok_or_else(|| ConvertError::layer(name, "values move between more than five dimensions"))?;
        let (input, output) = (from.tensor, to.tensor);
        let op = CopyOp { input, output, from: from.offset, to: to.offset, axes, table: None };
        self.push(name, Op::Copy(op));
        Ok(())
    }

    /// The view as a tensor in row-major order of `sizes` (height, width, channels), copied only if it has to be.
    pub(crate) fn dense(&mut self, name: &str, view: &View, sizes: [usize; 3]) -> Result<Id, ConvertError> {
        let shape =
            shape_of(sizes).ok_or_else(|| ConvertError::layer(name, "a tensor is empty or too large"))?;
        let source = &self.tensors[view.tensor];
        if view.is_dense() && view.len() == source.shape.len() {
            return Ok(self.with_shape(view.tensor, shape));
        }
        let (element, quant) = (source.element, source.quant);
        let id = self.tensor(name, shape, element, quant);
        self.copy(name, view, &View::dense(id, view.shape.clone()))?;
        Ok(id)
    }

    /// A tensor under another shape of as many values: itself, where it has that shape.
    pub(crate) fn with_shape(&mut self, id: Id, shape: Shape) -> Id {
        if self.tensors[id].shape == shape {
            return id;
        }
        let mut alias = self.tensors[id].clone();
        (alias.shape, alias.alias) = (shape, Some(id));
        self.tensors.push(alias);
        self.tensors.len() - 1
    }

    /// A view with another shape, copied only if it has to be.
    pub(crate) fn reshaped(
        &mut self,
        name: &str,
        view: &View,
        shape: Vec<usize>,
    ) -> Result<View, ConvertError> {
        if let Some(reshaped) = view.reshaped(&shape) {
            return Ok(reshaped);
        }
        let id = self.dense(name, view, image_sizes(&view.shape))?;
        Ok(View::dense(id, shape))
    }

    /// A view whose values are all of a tensor in some order: the tensor itself, or a copy.
    pub(crate) fn whole(&mut self, name: &str, view: &View) -> Result<View, ConvertError> {
        if view.covers(self.tensors[view.tensor].shape.len()) {
            return Ok(view.clone());
        }
        let id = self.dense(name, view, image_sizes(&view.shape))?;
        Ok(View::dense(id, view.shape.clone()))
    }

    /// A new tensor of the shape and order of a whole view.
    pub(crate) fn like(&mut self, name: &str, view: &View, element: Element, quant: Option<Quant>) -> View {
        let shape = self.tensors[view.tensor].shape;
        let tensor = self.tensor(name, shape, element, quant);
        View { tensor, ..view.clone() }
    }

    /// A new tensor of a shape, in memory in the order of a view, so that most copies between them move runs. `None` where
    /// it is empty or too large.
    pub(crate) fn in_order(
        &mut self,
        name: &str,
        shape: &[usize],
        view: &View,
        element: Element,
        quant: Option<Quant>,
    ) -> Option<View> {
        let mut order: Vec<usize> = (0..shape.len()).collect();
        order.sort_by_key(|&axis| std::cmp::Reverse(view.strides.get(axis)));
        let ordered: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
        let tensor = self.tensor(name, shape_of(image_sizes(&ordered))?, element, quant);
        View::dense(tensor, ordered).restored(&order)
    }

    /// Writes a view into the middle of a larger one, and zeros around it. `before` are the widths in front on each axis.
    pub(crate) fn surround(
        &mut self,
        name: &str,
        view: &View,
        whole: &View,
        before: &[usize],
    ) -> Result<(), ConvertError> {
        self.push(name, Op::Fill { output: whole.tensor });
        let mut inner = whole.clone();
        for (axis, (&size, &before)) in view.shape.iter().zip(before).enumerate() {
            inner = inner
                .sliced(axis, before, size, 1)
                .ok_or_else(|| ConvertError::layer(name, "its widths don't fit"))?;
        }
        self.copy(name, view, &inner)
    }

    /// A tensor of constants.
    pub(crate) fn constant(
        &mut self,
        name: &str,
        sizes: [usize; 3],
        element: Element,
        quant: Option<Quant>,
        data: Vec<u8>,
    ) -> Result<Id, ConvertError> {
        let shape =
            shape_of(sizes).ok_or_else(|| ConvertError::layer(name, "a constant is empty or too large"))?;
        if shape.len() * element.bytes() != data.len() {
            return Err(ConvertError::layer(name, "a constant has another length than its shape"));
        }
        let output = self.tensor(name, shape, element, quant);
        self.push(name, Op::Constant { output, data });
        Ok(output)
    }
}

/// The values of a matrix with so many columns, column by column.
pub(crate) fn turned<T: Copy>(values: &[T], columns: usize) -> Vec<T> {
    (0..columns).flat_map(|column| values.iter().skip(column).step_by(columns.max(1)).copied()).collect()
}

/// Zeros around an image: above, left, below, right.
pub(crate) type Pads = [usize; 4];

/// Does a window touch the image wherever it lies?
pub(crate) fn touches(pads: Pads, kernel: [usize; 2], dilation: [usize; 2]) -> bool {
    let reach = |axis: usize| kernel[axis].saturating_sub(1) * dilation[axis] + 1;
    (0..4).all(|side| pads[side] < reach(side % 2))
}

/// Padding as TensorFlow's SAME does it: the output has `ceil(input / stride)` positions, the larger half of an odd
/// padding lies below and to the right. Gives output sizes and the padding above and to the left.
pub(crate) fn same(
    input: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
) -> ([usize; 2], [usize; 2]) {
    let mut output = [0; 2];
    let mut pad = [0; 2];
    for axis in 0..2 {
        output[axis] = input[axis].div_ceil(stride[axis]);
        let reach = (kernel[axis] - 1) * dilation[axis] + 1;
        let needed = ((output[axis] - 1) * stride[axis] + reach).saturating_sub(input[axis]);
        pad[axis] = needed / 2;
    }
    (output, pad)
}

/// Number of positions of a window with padding on both ends.
pub(crate) fn positions(
    input: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    pads: usize,
) -> Option<usize> {
    let reach = kernel.checked_sub(1)?.checked_mul(dilation)?.checked_add(1)?;
    Some((input + pads).checked_sub(reach)? / stride + 1)
}

/// A window; `None` where a number is zero or too large.
pub(crate) fn window(
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    pad: [usize; 2],
) -> Option<Window> {
    let pair = |pair: [usize; 2]| -> Option<[u16; 2]> {
        Some([u16::try_from(pair[0]).ok()?, u16::try_from(pair[1]).ok()?])
    };
    let positive = |pair: [usize; 2]| pair[0] > 0 && pair[1] > 0;
    if !(positive(kernel) && positive(stride) && positive(dilation)) {
        return None;
    }
    Some(Window { kernel: pair(kernel)?, stride: pair(stride)?, dilation: pair(dilation)?, pad: pair(pad)? })
}

impl Graph {
    /// Nearest neighbours by a whole factor, as a copy that reads each pixel several times. `None` for other factors.
    pub(crate) fn repeat(
        &mut self,
        name: &str,
        (input, from): (Id, Shape),
        (output, to): (Id, Shape),
    ) -> Option<()> {
        let whole = |from: u32, to: u32| to.is_multiple_of(from).then(|| to / from);
        let (y, x) = (whole(from.h, to.h)?, whole(from.w, to.w)?);
        let axis = |count: u32, from: u32, to: u32| Axis { count, from, to };
        let axes = [
            axis(from.h, from.w * from.c, y * to.w * to.c),
            axis(y, 0, to.w * to.c),
            axis(from.w, from.c, x * to.c),
            axis(x, 0, to.c),
            axis(from.c, 1, 1),
        ];
        self.push(name, Op::Copy(CopyOp { input, output, from: 0, to: 0, axes, table: None }));
        Some(())
    }
}
