//! The two sides of arithmetic, one of which may be repeated along some axes.

use crate::ConvertError;
use crate::builder::image_sizes;
use crate::ir::{Graph, Id};
use crate::view::View;

/// What an operator of two sides reads.
pub(crate) struct Sides {
    pub(crate) left: Id,
    /// Of the left side's shape, or with sizes of 1 that the engine repeats.
    pub(crate) right: Id,
    /// The left side as the result is seen.
    pub(crate) view: View,
}

/// How a view lies in memory when it is copied: axes in another order, and back.
pub(crate) trait Layout {
    /// Channels last.
    fn memory(view: &View) -> Option<View>;
    /// A tensor that was made so, with a shape.
    fn logical(tensor: Id, shape: &[usize]) -> View;
}

/// As it is.
pub(crate) struct RowMajor;

impl Layout for RowMajor {
    fn memory(view: &View) -> Option<View> {
        Some(view.clone())
    }

    fn logical(tensor: Id, shape: &[usize]) -> View {
        View::dense(tensor, shape.to_vec())
    }
}

/// Images of `[1, channels, height, width]` lie with the channels last.
pub(crate) struct ChannelsFirst;

impl Layout for ChannelsFirst {
    fn memory(view: &View) -> Option<View> {
        match *view.shape {
            [1, _, _, _] => view.transposed(&[0, 2, 3, 1]),
            _ => Some(view.clone()),
        }
    }

    fn logical(tensor: Id, shape: &[usize]) -> View {
        match *shape {
            [1, c, h, w] => View::channels_first(tensor, [h, w, c]),
            _ => View::dense(tensor, shape.to_vec()),
        }
    }
}

impl Graph {
    /// Both sides of arithmetic: axes of size 1 and missing ones in front are repeated. Sides that `commute` may be exchanged.
    pub(crate) fn sides<L: Layout>(
        &mut self,
        name: &str,
        [mut a, mut b]: [View; 2],
        commute: bool,
    ) -> Result<Sides, ConvertError> {
        let wrong = || ConvertError::layer(name, "its sides don't fit each other");
        let shape = common(&a.shape, &b.shape).ok_or_else(wrong)?;
        if a.shape != shape && commute {
            std::mem::swap(&mut a, &mut b);
        }
        if a.shape != shape {
            a = self.repeated::<L>(name, &a, &shape)?;
        }
        let mut all = vec![1; shape.len() - b.shape.len()];
        all.extend(&b.shape);
        b = b.reshaped(&all).ok_or_else(wrong)?;
        // The engine repeats rows, columns and channels of the second side.
        let sizes = |view: &View| L::memory(view).map(|view| image_sizes(&view.shape)).ok_or_else(wrong);
        let repeats = sizes(&b)?.iter().zip(sizes(&a)?).all(|(&b, a)| b == a || b == 1);
        if b.shape != shape && !repeats {
            b = self.repeated::<L>(name, &b, &shape)?;
        }
        if b.shape == shape {
            let view = self.whole(name, &a)?;
            let right = self.in_order_of(name, &view, &b)?;
            return Ok(Sides { left: view.tensor, right, view });
        }
        let (a, b) = (L::memory(&a).ok_or_else(wrong)?, L::memory(&b).ok_or_else(wrong)?);
        let left = self.dense(name, &a, image_sizes(&a.shape))?;
        let right = self.dense(name, &b, image_sizes(&b.shape))?;
        Ok(Sides { left, right, view: L::logical(left, &shape) })
    }

    /// A tensor with all values of a shape that a view's are repeated to.
    fn repeated<L: Layout>(
        &mut self,
        name: &str,
        view: &View,
        shape: &[usize],
    ) -> Result<View, ConvertError> {
        let view = view.broadcast(shape).and_then(|view| L::memory(&view));
        let view = view.ok_or_else(|| ConvertError::layer(name, "its sides don't fit each other"))?;
        let id = self.dense(name, &view, image_sizes(&view.shape))?;
        Ok(L::logical(id, shape))
    }

    /// The values of `b` in the order in which those of `a` lie in memory, with the shape that the tensor of `a` has.
    fn in_order_of(&mut self, name: &str, a: &View, b: &View) -> Result<Id, ConvertError> {
        let shape = self.tensors[a.tensor].shape;
        let mut axes = a.shape.iter().zip(a.strides.iter().zip(&b.strides));
        if axes.any(|(&size, (a, b))| size != 1 && a != b) || !b.covers(shape.len()) {
            let (element, quant) = (self.tensors[b.tensor].element, self.tensors[b.tensor].quant);
            let same = self.like(name, a, element, quant);
            self.copy(name, b, &same)?;
            return Ok(same.tensor);
        }
        Ok(self.with_shape(b.tensor, shape))
    }
}

/// The shape that two shapes have when axes of size 1 are repeated.
fn common(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let side =
        |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |at| shape[at]);
    let axis = |axis| match (side(a, axis), side(b, axis)) {
        (a, b) if a == b || b == 1 => Some(a),
        (1, b) => Some(b),
        _ => None,
    };
    (0..rank).map(axis).collect()
}
