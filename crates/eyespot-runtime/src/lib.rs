#![doc = include_str!("../README.md")]

mod builtin;
mod camera;
mod classes;
mod error;
#[cfg(feature = "nn")]
mod fixed_memory;
mod heap;
mod model;
#[cfg(feature = "onnx")]
mod onnx;
mod prediction;
mod registry;
mod session;
mod settings;
mod shared_embedder;
mod timed;
mod tracker_config;
mod tracking;
mod turns;

pub use camera::CameraMotionMethod;
pub use classes::{Classes, classes};
pub use eyespot_models::NoProgress;

pub use error::{RuntimeError, SessionError, StageError};
pub use model::{Loader, Model};
pub use prediction::Prediction;
pub use registry::{BoxedEmbedder, BoxedPredictor, Family, LoadOptions, Loaded, Registry, Weights};
pub use session::{Progress, Session, SourceInfo, Sources, Status, TimedOut};
pub use settings::{Settings, WindowSettings};
pub use timed::StageTimes;
pub use tracker_config::TrackerConfig;
pub use tracking::Tracking;
