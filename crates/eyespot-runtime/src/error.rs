//! What can go wrong between a caller's wish and its first result.

use std::path::PathBuf;

use eyespot_core::{AnyError, Error, ErrorKind, OptionError, PipelineError};
use eyespot_image::ResizeError;
use eyespot_media::{MediaError, VideoOptionError};
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
    /// Settings of which frames to take contradict each other.
    #[error("video: {0}")]
    Video(#[from] VideoOptionError),
    /// The model's manifest is broken.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Weights could not be fetched or checked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Input could not be opened.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// A size of the input was asked of a model that takes frames as they are.
    #[error(
        "`img_size`: the model `{model}` has no input size, it takes frames as they are: leave it out, or use a sliding window"
    )]
    NoInputSize {
        /// The model.
        model: String,
    },
    /// A frame can't be resized as asked.
    #[error("`img_size`: {0}")]
    Resize(#[from] ResizeError),
    /// The system gives no thread.
    #[error("no thread for the session: {0}")]
    Thread(std::io::Error),
    /// A setting that the model does not know.
    #[error("model `{model}` has no setting `{setting}`{}", settings(known))]
    UnknownSetting {
        /// The model.
        model: String,
        /// The setting, as given.
        setting: String,
        /// Those that it has.
        known: Vec<&'static str>,
    },
    /// The model could not be loaded.
    #[error("model `{model}`: {error}")]
    Load {
        /// The model.
        model: String,
        /// What its family says.
        error: AnyError,
    },
}

fn settings(known: &[&str]) -> String {
    if known.is_empty() { ": it has none".to_owned() } else { format!(": it has {}", known.join(", ")) }
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
            Self::UnknownModel(_)
            | Self::UnknownClass { .. }
            | Self::UnknownSetting { .. }
            | Self::MissingWeights { .. } => ErrorKind::NotFound,
            Self::UnknownWeights { .. } => ErrorKind::Unsupported,
            Self::Option(_)
            | Self::Tracking { .. }
            | Self::Window(_)
            | Self::Manifest(_)
            | Self::Video(_)
            | Self::Resize(_) => ErrorKind::InvalidInput,
            Self::NoInputSize { .. } => ErrorKind::Unsupported,
            Self::Thread(_) => ErrorKind::Other,
            Self::Store(error) => error.kind(),
            Self::Media(error) => error.kind(),
            Self::Load { error, .. } => error.kind(),
        }
    }
}

/// Which stage failed, and how.
pub type StageError = PipelineError<MediaError, AnyError, AnyError, AnyError>;

/// An item of a session that failed. The others are not touched by it, unless it [is fatal](Self::is_fatal).
#[derive(Debug)]
pub struct SessionError {
    /// Path or address of the image or video; empty where the error itself names it.
    pub item: String,
    /// Which stage failed, and how.
    pub error: StageError,
}

impl SessionError {
    /// A thread of the session panicked.
    pub(crate) fn crashed() -> Self {
        Self { item: String::new(), error: PipelineError::Predictor(AnyError::new(Crashed)) }
    }

    /// Does it end the session? A broken item does not; a lost device and a sink that can't write do.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        match &self.error {
            PipelineError::Source(_) => false,
            PipelineError::Predictor(error) | PipelineError::Tracker(error) => {
                error.kind() == ErrorKind::Device
            }
            PipelineError::Sink(_) => true,
        }
    }
}

impl std::fmt::Display for SessionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.error, self.item.as_str()) {
            (PipelineError::Source(error), _) => error.fmt(f),
            (error, "") => error.fmt(f),
            (error, item) => write!(f, "{item}: {error}"),
        }
    }
}

impl std::error::Error for SessionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.error {
            PipelineError::Source(error) => error.source(),
            PipelineError::Predictor(error) | PipelineError::Tracker(error) | PipelineError::Sink(error) => {
                error.source()
            }
        }
    }
}

impl Error for SessionError {
    fn kind(&self) -> ErrorKind {
        self.error.kind()
    }
}

/// A thread of a session panicked: a bug in a plugin.
#[derive(Debug, thiserror::Error)]
#[error("a stage of the session broke down, see the message of its panic: please report it to its author")]
struct Crashed;

impl Error for Crashed {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Device
    }
}
