#![doc = include_str!("../README.md")]

mod builtin;
mod classes;
mod error;
mod model;
mod prediction;
mod registry;
mod session;
mod settings;
mod timed;
mod tracking;

pub use classes::{Classes, classes};
pub use error::{RuntimeError, SessionError};
pub use model::{Loader, Model};
pub use prediction::Prediction;
pub use registry::{BoxedPredictor, Family, LoadOptions, Loaded, Registry, Weights};
pub use session::{Session, is_fatal};
pub use settings::{Settings, WindowSettings};
pub use timed::{StageTimes, Timed};
pub use tracking::{CameraMotionMethod, TrackerKind, Tracking};
