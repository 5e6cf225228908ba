//! What can go wrong in a prediction.

use eyespot_core::{Error, ErrorKind, InputSize};
use eyespot_decode::DecodeError;
use eyespot_image::ResizeError;

/// A prediction failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BurnError {
    /// The model can't take an input of this size.
    #[error(
        "the input size must be a multiple of {multiple} from {multiple} to {limit} each way but is {}x{}",
        size.width, size.height
    )]
    InputSize {
        /// The size.
        size: InputSize,
        /// What width and height must be multiples of.
        multiple: u16,
        /// Their limit.
        limit: u16,
    },
    /// The image does not fit the model's input.
    #[error(transparent)]
    Image(#[from] ResizeError),
    /// The network's output is not what the model promised.
    #[error(transparent)]
    Head(#[from] DecodeError),
    /// The network can't be made ready for a size of its input.
    #[error("the network can't be planned: {reason}")]
    Plan {
        /// Why.
        reason: String,
    },
    /// The device failed.
    #[error("the device failed: {reason}")]
    Execution {
        /// What the device says.
        reason: String,
    },
}

impl Error for BurnError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::InputSize { .. } => ErrorKind::InvalidInput,
            Self::Image(error) => error.kind(),
            Self::Head(error) => error.kind(),
            Self::Plan { .. } => ErrorKind::Unsupported,
            Self::Execution { .. } => ErrorKind::Device,
        }
    }
}

#[cfg(feature = "flex")]
impl From<crate::PlanError> for BurnError {
    fn from(error: crate::PlanError) -> Self {
        Self::Plan { reason: error.to_string() }
    }
}
