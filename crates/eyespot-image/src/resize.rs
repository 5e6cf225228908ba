//! Bilinear resizing in the fixed-point arithmetic of OpenCV's `INTER_LINEAR` for 8-bit images.
//!
//! Weights have 11 bits. A row is resized horizontally to 15 bits (`level * weight >> 4`); two rows are blended
//! vertically by `(row * weight >> 16)`, summed and rounded. Both fit 16-bit lanes, so the vertical pass vectorises.

use eyespot_core::InputSize;

use crate::{Letterbox, ResizeError};

/// 1.0 in weights.
const ONE: f32 = 2048.0;

/// The two source pixels that a target pixel lies between, and their weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tap {
    pub(crate) first: u16,
    pub(crate) second: u16,
    pub(crate) weights: Weights,
}

impl Tap {
    /// The two source pixels.
    #[must_use]
    pub const fn pixels(&self) -> [u16; 2] {
        [self.first, self.second]
    }

    /// Their weights, in 2048ths.
    #[must_use]
    pub const fn weights(&self) -> [u16; 2] {
        [self.weights.first, self.weights.second]
    }
}

impl Letterbox {
    /// The columns of the resized image, from left to right, for code that resizes by itself. From two levels and their
    /// weights, a value is `(level * weight + level * weight) >> 4`.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = Tap> + use<> {
        let axis = Axis::new(self.source().width, self.resized().width);
        (0..self.resized().width).map(move |column| axis.column(column))
    }

    /// The rows of the resized image, from the top. From the values of two rows (see [`columns`](Self::columns)) and their
    /// weights, a level is `((value * weight >> 16) + (value * weight >> 16) + 2) >> 2`.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = Tap> + use<> {
        let axis = Axis::new(self.source().height, self.resized().height);
        (0..self.resized().height).map(move |row| axis.row(row))
    }
}

/// Weights of two neighbours, together 2048 (give or take one).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Weights {
    first: u16,
    second: u16,
}

impl Weights {
    fn new(fraction: f32) -> Self {
        let weight = |share: f32| libm::rintf(share * ONE) as u16;
        Self { first: weight(1.0 - fraction), second: weight(fraction) }
    }

    /// Between two levels, horizontally: 15 bits.
    #[inline]
    pub(crate) const fn mix(self, first: u8, second: u8) -> u16 {
        ((first as u32 * self.first as u32 + second as u32 * self.second as u32) >> 4) as u16
    }

    /// Between two rows, vertically: a level.
    #[inline]
    pub(crate) fn blend(self, first: u16, second: u16) -> u8 {
        let part = |value: u16, weight: u16| ((u32::from(value) * u32::from(weight)) >> 16) as u16;
        ((part(first, self.first) + part(second, self.second) + 2) >> 2) as u8
    }
}

/// Where a target pixel lies: the source pixel at or before its centre (-1 before the first one) and the way to the
/// next, `0..1`.
struct Axis {
    scale: f64,
    last: u16,
}

impl Axis {
    fn new(source: u16, target: u16) -> Self {
        // In the order of OpenCV's divisions: the last bit counts.
        Self { scale: 1.0 / (f64::from(target) / f64::from(source)), last: source - 1 }
    }

    fn at(&self, index: u16) -> (i32, f32) {
        let position = ((f64::from(index) + 0.5) * self.scale - 0.5) as f32;
        let whole = libm::floorf(position);
        (whole as i32, position - whole)
    }

    /// Pixels beyond an edge are the pixel at the edge.
    fn clamp(&self, index: i32) -> u16 {
        index.clamp(0, i32::from(self.last)) as u16
    }

    /// Columns: at the edges OpenCV takes the edge pixel alone.
    fn column(&self, index: u16) -> Tap {
        let (whole, fraction) = self.at(index);
        let inside = whole >= 0 && whole < i32::from(self.last);
        let (first, second) = (self.clamp(whole), self.clamp(whole.saturating_add(1)));
        Tap { first, second, weights: Weights::new(if inside { fraction } else { 0.0 }) }
    }

    /// Rows: at the edges OpenCV blends the edge row with itself.
    fn row(&self, index: u16) -> Tap {
        let (whole, fraction) = self.at(index);
        let (first, second) = (self.clamp(whole), self.clamp(whole.saturating_add(1)));
        Tap { first, second, weights: Weights::new(fraction) }
    }
}

/// Scratch memory to resize to images of at most `COLUMNS` pixels width: 20 bytes per column.
#[derive(Debug, Clone)]
pub struct ResizeScratch<const COLUMNS: usize> {
    taps: [Tap; COLUMNS],
    rows: [[[u16; COLUMNS]; 3]; 2],
}

impl<const COLUMNS: usize> ResizeScratch<COLUMNS> {
    /// Bytes of RAM.
    pub const RAM: usize = size_of::<Self>();

    /// Scratch memory, all zeros.
    #[must_use]
    pub const fn new() -> Self {
        let tap = Tap { first: 0, second: 0, weights: Weights { first: 0, second: 0 } };
        Self { taps: [tap; COLUMNS], rows: [[[0; COLUMNS]; 3]; 2] }
    }

    /// Lends the memory for one call.
    pub const fn lend(&mut self) -> Scratch<'_> {
        let [top, bottom] = &mut self.rows;
        Scratch { taps: &mut self.taps, top: top.as_flattened_mut(), bottom: bottom.as_flattened_mut() }
    }
}

impl<const COLUMNS: usize> Default for ResizeScratch<COLUMNS> {
    fn default() -> Self {
        Self::new()
    }
}

/// Lent scratch memory.
#[derive(Debug)]
pub struct Scratch<'a> {
    taps: &'a mut [Tap],
    top: &'a mut [u16],
    bottom: &'a mut [u16],
}

impl<'a> Scratch<'a> {
    /// Scratch memory of a size known at run time: for a width of `columns`, `columns` taps (of any content) and
    /// `6 * columns` row values. What is less of the two counts.
    #[must_use]
    pub fn new(taps: &'a mut [Tap], rows: &'a mut [u16]) -> Self {
        let (top, bottom) = rows.split_at_mut(rows.len() / 2);
        Self { taps, top, bottom }
    }
}

/// Resizes row by row.
pub(crate) struct Resizer<'a> {
    taps: &'a [Tap],
    rows: Axis,
    top: (Option<u16>, &'a mut [u16]),
    bottom: (Option<u16>, &'a mut [u16]),
}

impl<'a> Resizer<'a> {
    pub(crate) fn new(
        source: InputSize,
        target: InputSize,
        channels: usize,
        scratch: Scratch<'a>,
    ) -> Result<Self, ResizeError> {
        let columns = usize::from(target.width);
        let Scratch { taps, top, bottom } = scratch;
        let available = taps.len().min(top.len() / channels).min(bottom.len() / channels);
        let (Some(taps), Some(top), Some(bottom)) = (
            taps.get_mut(..columns),
            top.get_mut(..columns * channels),
            bottom.get_mut(..columns * channels),
        ) else {
            return Err(ResizeError::Scratch { needed: columns, available });
        };
        let axis = Axis::new(source.width, target.width);
        for (tap, column) in taps.iter_mut().zip(0..target.width) {
            *tap = axis.column(column);
        }
        let rows = Axis::new(source.height, target.height);
        Ok(Self { taps, rows, top: (None, top), bottom: (None, bottom) })
    }

    /// The two horizontally resized rows that a target row lies between, and their weights. `read` resizes a row of
    /// the source; rows that are still there from the call before are not read again.
    pub(crate) fn row(
        &mut self,
        row: u16,
        read: impl Fn(u16, &[Tap], &mut [u16]),
    ) -> ((&[u16], &[u16]), Weights) {
        let Tap { first, second, weights } = self.rows.row(row);
        if self.top.0 != Some(first) && self.bottom.0 == Some(first) {
            core::mem::swap(&mut self.top, &mut self.bottom);
        }
        for (wanted, (have, buffer)) in [(first, &mut self.top), (second, &mut self.bottom)] {
            if *have != Some(wanted) {
                read(wanted, self.taps, buffer);
                *have = Some(wanted);
            }
        }
        ((self.top.1, self.bottom.1), weights)
    }
}
