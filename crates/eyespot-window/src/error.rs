//! What can go wrong.

use eyespot_core::{Error, ErrorKind};

/// Tiles can't be laid over a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum WindowError {
    /// The window (or the frame) has a width or height of zero.
    Empty,
    /// Neither the tiles nor the model have a size.
    NoSize,
    /// The overlap as a part of the window is not in `0..1`.
    Fraction {
        /// The overlap, as given.
        overlap: f32,
    },
    /// The overlap in pixels is as large as the window or larger.
    Pixels {
        /// The overlap, as given.
        overlap: u16,
        /// The smaller side of the window.
        window: u16,
    },
}

impl core::fmt::Display for WindowError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Empty => f.write_str("the window must have at least one pixel each way"),
            Self::NoSize => f.write_str(
                "the model takes frames of any size: give the window a size, Tiles::new or Tiles::square",
            ),
            Self::Fraction { overlap } => {
                write!(f, "the overlap must be at least 0 and less than 1, but is {overlap}")
            }
            Self::Pixels { overlap, window } => {
                write!(f, "an overlap of {overlap} pixels must be smaller than the window, {window} pixels")
            }
        }
    }
}

impl core::error::Error for WindowError {}

impl Error for WindowError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }
}

/// What goes wrong in a sliding window: the tiles or the predictor inside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SlidingWindowError<E> {
    /// Tiles can't be laid over the frame.
    Window(WindowError),
    /// The predictor failed on a tile.
    Predictor(E),
}

impl<E: core::fmt::Display> core::fmt::Display for SlidingWindowError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Window(error) => error.fmt(f),
            Self::Predictor(error) => error.fmt(f),
        }
    }
}

impl<E: core::error::Error> core::error::Error for SlidingWindowError<E> {}

impl<E: Error> Error for SlidingWindowError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Window(error) => error.kind(),
            Self::Predictor(error) => error.kind(),
        }
    }
}
