//! What can be wrong with an ONNX model.

use std::path::PathBuf;

use eyespot_core::{Error, ErrorKind};
use eyespot_decode::DecodeError;
use eyespot_image::ResizeError;

/// A model can't be loaded or run. Each error says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// A file can't be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The file is no ONNX file, or a part of one.
    #[error("it is no ONNX file, or a damaged one: {reason}")]
    Damaged {
        /// What does not fit.
        reason: String,
    },
    /// The manifest beside the model is not usable.
    #[error("{}: {reason}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting that stands for a field of the manifest is not usable.
    #[error("the settings: {reason}")]
    Setting {
        /// What is wrong with it.
        reason: String,
    },
    /// An input of the graph is of a form that no image fits.
    #[error("the graph's input {port}: {reason}")]
    Input {
        /// Name and shape.
        port: String,
        /// What does not fit.
        reason: String,
    },
    /// What the outputs mean can't be told from the graph.
    #[error(
        "what its outputs mean can't be told from the graph: {outputs}. Write into {}: {}", path.display(),
        lines.join(" or ")
    )]
    Unrecognised {
        /// Names and shapes of the outputs.
        outputs: String,
        /// The manifest to write.
        path: PathBuf,
        /// Lines for it; which is right depends on the network.
        lines: Vec<String>,
    },
    /// The outputs do not have the shapes of the head.
    #[error("the outputs do not fit the head `{head}`: {reason}. The outputs are {outputs}")]
    Head {
        /// The head.
        head: &'static str,
        /// What does not fit.
        reason: String,
        /// Names and shapes of the outputs.
        outputs: String,
    },
    /// There is no engine of that name in this build.
    #[error("`{name}` is no engine for ONNX models in this build: there {}", known(names))]
    UnknownEngine {
        /// The name, as given.
        name: String,
        /// The engines that there are.
        names: Vec<&'static str>,
    },
    /// The library of ONNX Runtime can't be used.
    #[error(
        "ONNX Runtime: {reason}. Install its shared library (version 1.18 or later) or set ORT_DYLIB_PATH to it"
    )]
    Library {
        /// What went wrong.
        reason: String,
    },
    /// The engine can't run the graph.
    #[error("{engine} can't run this graph: {reason}")]
    Engine {
        /// The engine.
        engine: &'static str,
        /// What it says.
        reason: String,
    },
    /// Another size of the input than the graph has.
    #[error(
        "the graph takes images of {width} x {height} pixels and no others: leave `img_size` out, or export it with \
         sizes that are left open"
    )]
    FixedSize {
        /// Width in pixels.
        width: u16,
        /// Height in pixels.
        height: u16,
    },
    /// A larger input than memory is for.
    #[error("`img_size`: width and height must be from 1 to {limit}")]
    Size {
        /// The largest width and height.
        limit: u16,
    },
    /// An image can't be resized.
    #[error(transparent)]
    Resize(#[from] ResizeError),
    /// An output changed its shape.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

fn known(names: &[&str]) -> String {
    if names.is_empty() {
        "is none; build it with the feature `ort`".to_owned()
    } else {
        format!("are {}", names.join(" and "))
    }
}

impl Error for OnnxError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Read { .. } => ErrorKind::Io,
            Self::Size { .. }
            | Self::Damaged { .. }
            | Self::Manifest { .. }
            | Self::Setting { .. }
            | Self::Input { .. }
            | Self::Head { .. } => ErrorKind::InvalidInput,
            Self::Unrecognised { .. } | Self::Engine { .. } | Self::FixedSize { .. } => {
                ErrorKind::Unsupported
            }
            Self::UnknownEngine { .. } | Self::Library { .. } => ErrorKind::NotFound,
            Self::Resize(error) => error.kind(),
            Self::Decode(error) => error.kind(),
        }
    }
}
