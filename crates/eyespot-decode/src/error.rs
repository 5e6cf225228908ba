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
}

impl core::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Length { expected, actual } => write!(
                f,
                "the head has {expected} values but {actual} were given: check input size, strides and classes"
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
