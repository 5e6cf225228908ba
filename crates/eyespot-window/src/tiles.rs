//! Which tiles cover a frame.

use core::iter::FusedIterator;

use eyespot_core::InputSize;

use crate::WindowError;

/// How a frame is cut into tiles: the size of the window and how much neighbours share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tiles {
    window: Option<InputSize>,
    overlap: Overlap,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Overlap {
    Fraction(f32),
    Pixels(u16),
}

impl Tiles {
    /// Tiles of this size, side by side.
    #[must_use]
    pub const fn new(window: InputSize) -> Self {
        Self { window: Some(window), overlap: Overlap::Pixels(0) }
    }

    /// Square tiles, side by side.
    #[must_use]
    pub const fn square(side: u16) -> Self {
        Self::new(InputSize::square(side))
    }

    /// Tiles as large as the model's input, side by side.
    #[must_use]
    pub const fn of_model() -> Self {
        Self { window: None, overlap: Overlap::Pixels(0) }
    }

    /// Neighbours share this part of the window's width and height, rounded down to pixels.
    ///
    /// # Errors
    /// [`WindowError::Fraction`] unless `0 <= overlap < 1`.
    pub fn with_overlap(mut self, overlap: f32) -> Result<Self, WindowError> {
        if !(0.0..1.0).contains(&overlap) {
            return Err(WindowError::Fraction { overlap });
        }
        self.overlap = Overlap::Fraction(overlap);
        Ok(self)
    }

    /// Neighbours share so many pixels each way. Whether that is less than the window is checked by
    /// [`plan`](Self::plan), since the window may be the model's.
    #[must_use]
    pub const fn with_overlap_px(mut self, overlap: u16) -> Self {
        self.overlap = Overlap::Pixels(overlap);
        self
    }

    /// The tiles of a frame. `model` is the model's input size, if it has one.
    ///
    /// # Errors
    /// [`WindowError`] where no size is known, a width or height is zero or the overlap as large as the window.
    pub fn plan(&self, frame: InputSize, model: Option<InputSize>) -> Result<TilePlan, WindowError> {
        let window = self.window.or(model).ok_or(WindowError::NoSize)?;
        if window.width == 0 || window.height == 0 || frame.width == 0 || frame.height == 0 {
            return Err(WindowError::Empty);
        }
        if let Overlap::Pixels(overlap) = self.overlap {
            let window = window.width.min(window.height);
            if overlap >= window {
                return Err(WindowError::Pixels { overlap, window });
            }
        }
        let step = |window: u16| {
            let shared = match self.overlap {
                Overlap::Fraction(overlap) => (f32::from(window) * overlap) as u16,
                Overlap::Pixels(overlap) => overlap,
            };
            // A fraction just below 1 can round up to the whole window.
            window.saturating_sub(shared).max(1)
        };
        let columns = Axis::new(frame.width, window.width, step(window.width));
        let rows = Axis::new(frame.height, window.height, step(window.height));
        Ok(TilePlan { columns, rows, column: 0, row: 0 })
    }
}

/// A tile: a rectangle inside the frame, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Left edge.
    pub x: u16,
    /// Top edge.
    pub y: u16,
    /// Width.
    pub width: u16,
    /// Height.
    pub height: u16,
}

/// Windows along one side of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Axis {
    window: u16,
    step: u16,
    /// Where the last window starts.
    last: u16,
    count: u32,
}

impl Axis {
    fn new(frame: u16, window: u16, step: u16) -> Self {
        let window = window.min(frame);
        let last = frame - window;
        Self { window, step, last, count: u32::from(last.div_ceil(step)) + 1 }
    }

    fn start(&self, index: u32) -> u16 {
        let start = index.saturating_mul(u32::from(self.step));
        u16::try_from(start).map_or(self.last, |start| start.min(self.last))
    }
}

/// The tiles of a frame, row by row, as an iterator of known length. All have the same size; the last ones of a row or
/// column are moved inward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TilePlan {
    columns: Axis,
    rows: Axis,
    column: u32,
    row: u32,
}

impl Iterator for TilePlan {
    type Item = Tile;

    fn next(&mut self) -> Option<Tile> {
        if self.row >= self.rows.count {
            return None;
        }
        let tile = Tile {
            x: self.columns.start(self.column),
            y: self.rows.start(self.row),
            width: self.columns.window,
            height: self.rows.window,
        };
        self.column += 1;
        if self.column == self.columns.count {
            self.column = 0;
            self.row += 1;
        }
        Some(tile)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // At most 65535 x 65535 tiles, which fits 32 bits.
        let left = (self.rows.count - self.row) * self.columns.count - self.column;
        (left as usize, Some(left as usize))
    }
}

impl ExactSizeIterator for TilePlan {}
impl FusedIterator for TilePlan {}
