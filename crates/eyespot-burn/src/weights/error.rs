//! What can be wrong with a file of weights.

use std::path::PathBuf;

use eyespot_core::ErrorKind;

use super::WeightFormat;

/// A file of weights can't be read or written, or does not fit the model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightError {
    /// The file can't be opened, read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The file is none of the known formats.
    #[error("{path} is no file of weights: give a PyTorch .pth, .safetensors, .onnx or .bpk file")]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged or uses a feature of its format that is not supported.
    #[error("{path} can't be read as {format}: {reason}. Download or export it again")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The format that it seems to have.
        format: WeightFormat,
        /// What is wrong.
        reason: String,
    },
    /// The bytes of a saved model are not those that were written.
    #[error(
        "{path} is damaged (checksum {found:08x} instead of {expected:08x}): delete it and convert again"
    )]
    Checksum {
        /// The file.
        path: PathBuf,
        /// CRC-32 in the file.
        expected: u32,
        /// CRC-32 of its tensors.
        found: u32,
    },
    /// A saved model was written by another version of the format.
    #[error("{path} has version {found} but this build reads {expected}: delete it and convert again")]
    Version {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: String,
        /// The version that this build writes and reads.
        expected: &'static str,
    },
    /// The model needs a tensor that the file does not have.
    #[error("the weights have no tensor {name} {}: these are weights of another model", show(.expected))]
    Missing {
        /// Name of the tensor.
        name: String,
        /// The shape that it should have; 0 where any size would do.
        expected: Vec<usize>,
    },
    /// A tensor has another shape than the model asks for.
    #[error("{name} has the shape {found:?} instead of {}: these are weights of another model", show(.expected))]
    Shape {
        /// Name of the tensor.
        name: String,
        /// Its shape in the file.
        found: Vec<usize>,
        /// The shape that it should have; 0 where any size would do.
        expected: Vec<usize>,
    },
    /// The file has tensors that the model does not use.
    #[error(
        "the model has no place for {name} {shape:?} ({count} such tensors): these are weights of another model"
    )]
    Unexpected {
        /// Name of the first such tensor.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// How many there are.
        count: usize,
    },
    /// A weight is NaN or infinite.
    #[error("{name} holds a number that is not finite: the training diverged or the file is damaged")]
    NonFinite {
        /// Name of the tensor.
        name: String,
    },
    /// The values of a tensor can't be read.
    #[error("{name}: {reason}")]
    Values {
        /// Name of the tensor.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

/// A shape to show, `_` where any size would do.
fn show(shape: &[usize]) -> String {
    let sizes = shape.iter().map(|&size| if size == 0 { "_".to_owned() } else { size.to_string() });
    format!("[{}]", sizes.collect::<Vec<_>>().join(", "))
}

impl eyespot_core::Error for WeightError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            Self::Io { .. } => ErrorKind::Io,
            Self::UnknownFormat { .. } | Self::Version { .. } => ErrorKind::Unsupported,
            _ => ErrorKind::InvalidInput,
        }
    }
}
