//! Why a model can't be converted.

use eyespot_core::ErrorKind;
use eyespot_nn::LoadError;

/// Why a model can't be converted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// The bytes are no model of this kind.
    #[error("this is no {0} file: give a .tflite or an .onnx model")]
    Format(&'static str),
    /// The file ends too early or an offset in it points outside.
    #[error("the model is damaged: {0}: copy it again")]
    Damaged(&'static str),
    /// An operator that the engine doesn't have.
    #[error("layer {layer}: the operator {operator} is not supported: change the model or ask for it")]
    Operator {
        /// The layer.
        layer: String,
        /// The operator.
        operator: String,
    },
    /// An operator that is used in a way that the engine doesn't have.
    #[error("layer {layer}: {reason}")]
    Layer {
        /// The layer.
        layer: String,
        /// What is not supported or wrong.
        reason: String,
    },
    /// The input has no fixed size, or another than asked for.
    #[error("the input {name}: {reason}")]
    Input {
        /// Name of the input.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// Calibration without a single sample, or with one of the wrong length.
    #[error("calibration: {0}")]
    Calibration(String),
    /// The model came out wrong: a mistake in this library.
    #[error("the converted model does not load: {0}: please report it")]
    Load(LoadError),
}

impl eyespot_core::Error for ConvertError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Operator { .. } | Self::Layer { .. } => ErrorKind::Unsupported,
            Self::Load(_) => ErrorKind::Other,
            _ => ErrorKind::InvalidInput,
        }
    }
}

impl ConvertError {
    pub(crate) fn layer(layer: &str, reason: impl Into<String>) -> Self {
        Self::Layer { layer: layer.to_owned(), reason: reason.into() }
    }
}
