//! What can be wrong with a network's output.

use eyespot_core::ErrorKind;

/// The output of a network does not have the shape of the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The number of values differs from what input size, strides and classes ask for.
    Length {
        /// Values that the head has.
        expected: usize,
        /// Values that were given.
        actual: usize,
    },
    /// The output has another number of rows: of boxes, or of cells of a grid.
    Rows {
        /// Rows that the head has.
        expected: usize,
        /// Rows that were given.
        actual: usize,
    },
    /// The rows of the output have another number of values.
    Columns {
        /// Values that a row of the head has.
        expected: usize,
        /// Values of the rows that were given.
        actual: usize,
    },
}

impl core::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Length { expected, actual } => write!(
                f,
                "the head has {expected} values but {actual} were given: check input size, strides and classes"
            ),
            Self::Rows { expected, actual } => write!(
                f,
                "the head has {expected} rows but {actual} were given: check input size, strides and layout"
            ),
            Self::Columns { expected, actual } => write!(
                f,
                "a row of the head has {expected} values but {actual} were given: check classes and layout"
            ),
        }
    }
}

impl core::error::Error for DecodeError {}

impl eyespot_core::Error for DecodeError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }
}
