//! Masks of objects, and maps of classes over the whole image.

use eyespot_core::{BBox, MaskRect, PredictionsMut};

use crate::{DecodeError, Matrix};

/// Numbers over an area of the model's input: the logits of a mask, for example. Between them it is bilinear, beyond them
/// the nearest counts; the numbers stand for the centres of equal cells, as in resizing without aligned corners.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    values: &'a [f32],
    width: usize,
    height: usize,
    area: BBox,
}

impl<'a> Field<'a> {
    /// A field of `width` by `height` numbers, line by line, over an area of the model's input in its pixels.
    ///
    /// # Errors
    /// [`DecodeError::Length`] unless there are `width * height` values and at least one.
    pub const fn new(
        values: &'a [f32],
        (width, height): (usize, usize),
        area: BBox,
    ) -> Result<Self, DecodeError> {
        let expected = width.saturating_mul(height);
        if values.len() != expected || expected == 0 {
            return Err(DecodeError::Length {
                expected: if expected == 0 { 1 } else { expected },
                actual: values.len(),
            });
        }
        Ok(Self { values, width, height, area })
    }

    /// The value at a point of the model's input. NaN where the numbers around it or the point are not finite.
    #[must_use]
    pub fn at(&self, x: f32, y: f32) -> f32 {
        let x = Tap::of(x, self.area.x1, self.area.width(), self.width);
        let y = Tap::of(y, self.area.y1, self.area.height(), self.height);
        let value = |x: usize, y: usize| self.values.get(y * self.width + x).copied().unwrap_or(f32::NAN);
        y.mix(
            x.mix(value(x.first, y.first), value(x.second, y.first)),
            x.mix(value(x.first, y.second), value(x.second, y.second)),
        )
    }

    /// Gives a detection as its mask the pixels within its box where the field is above `threshold`. `bbox` is the box
    /// in the pixels of `out`, and `to_input` maps a point there to one of the model's input.
    ///
    /// Returns whether there was room; if not, the detection keeps its box and the loss is counted.
    pub fn set_mask(
        &self,
        out: &mut PredictionsMut<'_>,
        index: usize,
        bbox: &BBox,
        threshold: f32,
        to_input: impl Fn(f32, f32) -> (f32, f32),
    ) -> bool {
        set_mask(out, index, bbox, |x, y| {
            let (x, y) = to_input(x, y);
            self.at(x, y) > threshold
        })
    }
}

/// Gives a detection as its mask the pixels whose centres lie within a box and that `set` takes.
pub(crate) fn set_mask(
    out: &mut PredictionsMut<'_>,
    index: usize,
    bbox: &BBox,
    set: impl Fn(f32, f32) -> bool,
) -> bool {
    // Casts saturate. A pixel belongs to the box if its centre does.
    let first = |edge: f32| libm::ceilf(edge - 0.5) as u16;
    let (x, y, right, bottom) = (first(bbox.x1), first(bbox.y1), first(bbox.x2), first(bbox.y2));
    let rect = MaskRect { x, y, width: right.saturating_sub(x), height: bottom.saturating_sub(y) };
    out.set_mask_with(index, rect, |column, row| {
        set(f32::from(x) + f32::from(column) + 0.5, f32::from(y) + f32::from(row) + 0.5)
    })
}

/// The two numbers that a place lies between, and how near it is to the second.
#[derive(Clone, Copy)]
pub(crate) struct Tap {
    pub(crate) first: usize,
    pub(crate) second: usize,
    pub(crate) share: f32,
}

impl Tap {
    pub(crate) fn of(at: f32, start: f32, extent: f32, len: usize) -> Self {
        let place = (at - start) / extent * len as f32 - 0.5;
        let whole = libm::floorf(place);
        let last = len.saturating_sub(1);
        // A cast of a negative number or of NaN is 0.
        let first = (whole as usize).min(last);
        let second = ((whole + 1.0) as usize).min(last);
        Self { first, second, share: place - whole }
    }

    pub(crate) const fn mix(&self, first: f32, second: f32) -> f32 {
        first + (second - first) * self.share
    }
}

/// Prototype masks: the mask of an object is their sum, each times a coefficient of the object's row (Bolya et al.,
/// "YOLACT", arXiv:1904.02689). Shape `[count, height, width]`, over the whole of the model's input.
#[derive(Debug, Clone, Copy)]
pub struct Prototypes<'a> {
    maps: Matrix<'a>,
    width: usize,
    height: usize,
}

impl<'a> Prototypes<'a> {
    /// Prototypes of this size.
    ///
    /// # Errors
    /// [`DecodeError::Length`] unless there are `count * height * width` values.
    pub fn new(
        values: &'a [f32],
        count: usize,
        (width, height): (usize, usize),
    ) -> Result<Self, DecodeError> {
        Ok(Self { maps: Matrix::new(values, count, width.saturating_mul(height))?, width, height })
    }

    /// Values of scratch memory that [`mask`](Self::mask) needs.
    #[must_use]
    pub const fn scratch_len(&self) -> usize {
        self.maps.columns()
    }

    /// The mask of an object as logits over the model's input of size `input`: above 0 is inside. Only the part that the
    /// box (in pixels of the model's input) needs is computed.
    ///
    /// # Errors
    /// [`DecodeError::Length`] where the scratch memory is too small, and [`DecodeError::Columns`] unless there is a
    /// coefficient for each prototype.
    pub fn mask<'s>(
        &self,
        coefficients: impl ExactSizeIterator<Item = f32>,
        bbox: &BBox,
        [input_width, input_height]: [f32; 2],
        scratch: &'s mut [f32],
    ) -> Result<Field<'s>, DecodeError> {
        if coefficients.len() != self.maps.rows() {
            return Err(DecodeError::Columns { expected: self.maps.rows(), actual: coefficients.len() });
        }
        let (expected, actual) = (self.scratch_len(), scratch.len());
        let logits = scratch.get_mut(..expected).ok_or(DecodeError::Length { expected, actual })?;
        let lines = range(bbox.y1, bbox.y2, input_height, self.height);
        let columns = range(bbox.x1, bbox.x2, input_width, self.width);
        let runs =
            || lines.clone().map(|line| line * self.width + columns.start..line * self.width + columns.end);
        for run in runs() {
            logits.get_mut(run).unwrap_or_default().fill(0.0);
        }
        for (map, coefficient) in coefficients.enumerate() {
            let map = self.maps.rows_at(map, 1);
            for run in runs() {
                let part = logits.get_mut(run.clone()).unwrap_or_default();
                for (logit, value) in part.iter_mut().zip(map.columns_at(run.start, run.len()).row(0)) {
                    *logit += coefficient * value;
                }
            }
        }
        Field::new(logits, (self.width, self.height), BBox::new(0.0, 0.0, input_width, input_height))
    }
}

/// The cells that a bilinear read between two places touches.
fn range(from: f32, to: f32, extent: f32, len: usize) -> core::ops::Range<usize> {
    let cell = |at: f32| at / extent * len as f32;
    let end = (libm::ceilf(cell(to) + 0.5) as usize).saturating_add(1).min(len);
    (libm::floorf(cell(from) - 0.5) as usize).min(end)..end
}
