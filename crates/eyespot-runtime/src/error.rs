//! What can go wrong between a caller's wish and its first result.

use std::path::PathBuf;

use eyespot_core::{AnyError, Error, ErrorKind, OptionError, PipelineError};
use eyespot_media::MediaError;
use eyespot_models::{ManifestError, StoreError, UnknownModel};
use eyespot_window::WindowError;

/// An error of the runtime. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// No model of that name.
    #[error(transparent)]
    UnknownModel(#[from] UnknownModel),
    /// A file of weights that is not there.
    #[error("{}: no such file of weights: check the path, or use a name from `models list`", path.display())]
    MissingWeights {
        /// The file.
        path: PathBuf,
    },
    /// A file of weights that no model family can read.
    #[error("{}: no model family takes this file: use a name from `models list`, or a .pth, .onnx, .safetensors or .bpk file", path.display())]
    UnknownWeights {
        /// The file.
        path: PathBuf,
    },
    /// A class that the model does not have.
    #[error("the model has no class `{name}`{}", suggestion(nearest))]
    UnknownClass {
        /// The name, as given.
        name: String,
        /// The model's classes that are spelt most like it.
        nearest: Vec<String>,
    },
    /// An option outside its range.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// A setting of the tracker that does not exist or has a wrong value.
    #[error("tracking setting `{setting}`: {reason}")]
    Tracking {
        /// The setting, as given.
        setting: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting of the sliding window is outside its range.
    #[error("sliding window: {0}")]
    Window(#[from] WindowError),
    /// The model's manifest is broken.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Weights could not be fetched or checked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Input could not be opened.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The model could not be loaded.
    #[error("model `{model}`: {error}")]
    Load {
        /// The model.
        model: String,
        /// What its family says.
        error: AnyError,
    },
}

fn suggestion(nearest: &[String]) -> String {
    if nearest.is_empty() {
        ": see `models info` for its classes".to_owned()
    } else {
        format!(": did you mean {}?", nearest.join(" or "))
    }
}

impl Error for RuntimeError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownModel(_) | Self::UnknownClass { .. } | Self::MissingWeights { .. } => {
                ErrorKind::NotFound
            }
            Self::UnknownWeights { .. } => ErrorKind::Unsupported,
            Self::Option(_) | Self::Tracking { .. } | Self::Window(_) | Self::Manifest(_) => {
                ErrorKind::InvalidInput
            }
            Self::Store(error) => error.kind(),
            Self::Media(error) => error.kind(),
            Self::Load { error, .. } => error.kind(),
        }
    }
}

/// Which stage of a session failed. A failed source or predictor costs one frame; the session can go on.
pub type SessionError = PipelineError<MediaError, AnyError, AnyError, AnyError>;
