#![doc = include_str!("../README.md")]

mod builtin;
mod camera;
mod classes;
mod error;
mod model;
mod prediction;
mod registry;
mod session;
mod settings;
mod timed;
mod tracker_config;
mod tracking;

pub use camera::CameraMotionMethod;
pub use classes::{Classes, classes};
pub use error::{RuntimeError, SessionError};
pub use model::{Loader, Model};
pub use prediction::Prediction;
pub use registry::{BoxedEmbedder, BoxedPredictor, Family, LoadOptions, Loaded, Registry, Weights};
pub use session::{Session, is_fatal};
pub use settings::{Settings, WindowSettings};
pub use timed::{StageTimes, Timed};
pub use tracker_config::TrackerConfig;
pub use tracking::Tracking;
