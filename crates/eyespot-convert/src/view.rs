//! Logical tensors as strided views of physical ones: reshaping, transposing and slicing move no data until an
//! operator needs them dense.

use crate::ir::Id;

/// The number of values of a shape; the largest number where there is no such number.
pub(crate) fn count(shape: &[usize]) -> usize {
    shape.iter().fold(1, |count, &size| count.saturating_mul(size))
}

/// A logical tensor: shape and strides (in values) over a physical tensor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct View {
    pub(crate) tensor: Id,
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Vec<usize>,
    pub(crate) offset: usize,
}

impl View {
    /// A view in row-major order.
    pub(crate) fn dense(tensor: Id, shape: Vec<usize>) -> Self {
        let mut strides = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis];
        }
        Self { tensor, shape, strides, offset: 0 }
    }

    /// `[1, channels, height, width]` over a tensor in memory order.
    pub(crate) fn channels_first(tensor: Id, [h, w, c]: [usize; 3]) -> Self {
        Self { tensor, shape: vec![1, c, h, w], strides: vec![h * w * c, 1, w * c, c], offset: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        count(&self.shape)
    }

    pub(crate) fn transposed(&self, order: &[usize]) -> Option<Self> {
        let mut seen = vec![false; self.shape.len()];
        for &axis in order {
            if std::mem::replace(seen.get_mut(axis)?, true) {
                return None;
            }
        }
        (order.len() == self.shape.len()).then(|| Self {
            tensor: self.tensor,
            shape: order.iter().map(|&axis| self.shape[axis]).collect(),
            strides: order.iter().map(|&axis| self.strides[axis]).collect(),
            offset: self.offset,
        })
    }

    /// A view whose axes were put in an order, as it was before.
    pub(crate) fn restored(&self, order: &[usize]) -> Option<Self> {
        let mut back = vec![0; order.len()];
        for (place, &axis) in order.iter().enumerate() {
            *back.get_mut(axis)? = place;
        }
        self.transposed(&back)
    }

    /// The entries of an axis from `start` to `end`, `step` apart. Negative places count from the end; those outside are
    /// the ends. `None` where there are none, or backwards.
    pub(crate) fn between(&self, axis: usize, start: i64, end: i64, step: i64) -> Option<Self> {
        let size = *self.shape.get(axis)? as i64;
        let bound = |at: i64| (if at < 0 { at.saturating_add(size) } else { at }).clamp(0, size);
        let (start, step) = (bound(start) as usize, usize::try_from(step).ok().filter(|&step| step > 0)?);
        let count = (bound(end) as usize).saturating_sub(start).div_ceil(step);
        self.sliced(axis, start, count, step)
    }

    /// `count` entries of an axis from `start`, `step` apart.
    pub(crate) fn sliced(&self, axis: usize, start: usize, count: usize, step: usize) -> Option<Self> {
        let last = count.checked_sub(1)?.checked_mul(step)?.checked_add(start)?;
        if last >= *self.shape.get(axis)? {
            return None;
        }
        let mut view = self.clone();
        view.offset += start * view.strides[axis];
        // The step to an entry that is not there may be any.
        view.strides[axis] *= if count > 1 { step } else { 1 };
        view.shape[axis] = count;
        Some(view)
    }

    /// Parts of an axis, which they fill.
    pub(crate) fn parts(&self, axis: usize, sizes: &[usize]) -> Option<Vec<Self>> {
        let mut start = 0_usize;
        let mut parts = Vec::with_capacity(sizes.len());
        for &size in sizes {
            parts.push(self.sliced(axis, start, size, 1)?);
            start += size;
        }
        (start == *self.shape.get(axis)?).then_some(parts)
    }

    /// The same values again and again along axes of size 1, and along axes that are missing in front.
    pub(crate) fn broadcast(&self, shape: &[usize]) -> Option<Self> {
        let mut strides = vec![0; shape.len().checked_sub(self.shape.len())?];
        let front = strides.len();
        for ((&size, &stride), &wanted) in self.shape.iter().zip(&self.strides).zip(&shape[front..]) {
            match size {
                _ if size == wanted => strides.push(stride),
                1 => strides.push(0),
                _ => return None,
            }
        }
        Some(Self { shape: shape.to_vec(), strides, ..self.clone() })
    }

    /// Without an axis of size 1.
    pub(crate) fn without(&self, axis: usize) -> Option<Self> {
        if *self.shape.get(axis)? != 1 {
            return None;
        }
        let mut view = self.clone();
        view.shape.remove(axis);
        view.strides.remove(axis);
        Some(view)
    }

    /// Another shape over the same values, if no data has to move.
    pub(crate) fn reshaped(&self, shape: &[usize]) -> Option<Self> {
        if count(shape) != self.len() {
            return None;
        }
        // Runs of old axes that lie one after the other in memory, without axes of size 1.
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for (&size, &stride) in self.shape.iter().zip(&self.strides).filter(|(size, _)| **size != 1) {
            match runs.last_mut() {
                Some((run, last)) if *last == stride * size => (*run, *last) = (*run * size, stride),
                _ => runs.push((size, stride)),
            }
        }
        // Each new axis takes its size from the current run; a run must end where an axis ends.
        let mut strides = Vec::with_capacity(shape.len());
        let mut runs = runs.into_iter();
        let (mut left, mut stride) = (1, 1);
        for &size in shape {
            if size == 1 {
                strides.push(left * stride);
                continue;
            }
            if left == 1 {
                (left, stride) = runs.next()?;
            }
            if left % size != 0 {
                return None;
            }
            left /= size;
            strides.push(left * stride);
        }
        Some(Self { tensor: self.tensor, shape: shape.to_vec(), strides, offset: self.offset })
    }

    /// The view's values are all values of a tensor of `len` values, each once, in any order.
    pub(crate) fn covers(&self, len: usize) -> bool {
        if self.offset != 0 || self.len() != len {
            return false;
        }
        let mut axes: Vec<_> = self
            .shape
            .iter()
            .zip(&self.strides)
            .filter(|(size, _)| **size != 1)
            .map(|(a, b)| (*b, *a))
            .collect();
        axes.sort_unstable();
        let mut expected = 1;
        axes.iter().all(|&(stride, size)| {
            let fits = stride == expected;
            expected *= size;
            fits
        })
    }

    /// The view's values follow one another in row-major order from the start of the tensor.
    pub(crate) fn is_dense(&self) -> bool {
        let mut expected = 1;
        self.offset == 0
            && self.shape.iter().zip(&self.strides).rev().filter(|(size, _)| **size != 1).all(
                |(size, stride)| {
                    let fits = *stride == expected;
                    expected *= size;
                    fits
                },
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_shuffle_moves_nothing() {
        let image = View::channels_first(0, [4, 4, 6]);
        let split = image.reshaped(&[3, 2, 16]).unwrap();
        assert_eq!(split.strides, [2, 1, 6]);
        let swapped = split.transposed(&[1, 0, 2]).unwrap().reshaped(&[2, 1, 3, 4, 4]).unwrap();
        let second = swapped.sliced(0, 1, 1, 1).unwrap().without(0).unwrap();
        assert_eq!((second.offset, second.strides[1..].to_vec()), (1, vec![2, 24, 6]));
        assert!(!second.is_dense() && !second.covers(96) && image.covers(96));
    }

    #[test]
    fn what_has_to_move_is_said() {
        let image = View::channels_first(0, [2, 2, 3]);
        assert_eq!(image.reshaped(&[12]), None);
        assert_eq!(image.reshaped(&[1, 3, 4]).unwrap().strides, [1, 1, 3]);
        assert_eq!(image.transposed(&[0, 2, 3, 1]).unwrap().reshaped(&[12]).unwrap().strides, [1]);
        assert_eq!(image.transposed(&[0, 0, 1, 2]), None);
        assert_eq!(image.sliced(1, 2, 2, 1), None);
    }
}
