//! Why an image can't be resized.

use eyespot_core::ErrorKind;

/// Why an image can't be resized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResizeError {
    /// A width or height is zero.
    Empty,
    /// The image has another size than the letterbox was made for.
    Source {
        /// Width and height that the letterbox was made for.
        expected: (u16, u16),
        /// Width and height of the image.
        actual: (u16, u16),
    },
    /// The output buffer has another length than the target asks for.
    Output {
        /// The length that the target asks for.
        expected: usize,
        /// The length of the buffer.
        actual: usize,
    },
    /// The scratch memory is made for fewer columns.
    Scratch {
        /// Columns that are needed.
        needed: usize,
        /// Columns that the scratch memory has.
        available: usize,
    },
    /// The scale of a quantisation is zero, negative or not finite.
    Scale,
}

impl core::fmt::Display for ResizeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::Empty => f.write_str("a width or height is zero: give at least one pixel each way"),
            Self::Source { expected, actual } => write!(
                f,
                "the letterbox was made for {}x{} but the image has {}x{}: make one for this image",
                expected.0, expected.1, actual.0, actual.1
            ),
            Self::Output { expected, actual } => {
                write!(f, "the output needs {expected} values but the buffer has {actual}")
            }
            Self::Scratch { needed, available } => {
                write!(f, "the scratch has {available} columns but {needed} are needed: lend a larger one")
            }
            Self::Scale => f.write_str("the scale of a quantisation must be finite and above zero"),
        }
    }
}

impl core::error::Error for ResizeError {}

impl eyespot_core::Error for ResizeError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Output { .. } | Self::Scratch { .. } => ErrorKind::Capacity,
            Self::Empty | Self::Source { .. } | Self::Scale => ErrorKind::InvalidInput,
        }
    }
}
