#![doc = include_str!("../README.md")]
#![no_std]

pub use eyespot_core as core;
pub use eyespot_decode as decode;
#[cfg(feature = "flow")]
pub use eyespot_flow as flow;
pub use eyespot_image as image;
#[cfg(feature = "media")]
pub use eyespot_media as media;
#[cfg(feature = "motion")]
pub use eyespot_motion as motion;
#[cfg(feature = "nn")]
pub use eyespot_nn as nn;
#[cfg(feature = "runtime")]
pub use eyespot_runtime as runtime;
#[cfg(feature = "scene")]
pub use eyespot_scene as scene;
#[cfg(feature = "track")]
pub use eyespot_track as track;
#[cfg(feature = "window")]
pub use eyespot_window as window;
#[cfg(feature = "wire")]
pub use eyespot_wire as wire;
#[cfg(feature = "zones")]
pub use eyespot_zones as zones;

/// What most programs use.
pub mod prelude {
    pub use eyespot_core::{
        BBox, ClassId, ClassSet, Detection, Error, ErrorKind, ErrorType, Frame, FrameInfo, FrameSource,
        ImageView, InputSize, NoTracker, NullSink, Pipeline, PixelFormat, PredictOptions, Predictions,
        PredictionsMut, PredictionsRef, PredictionsStorage, Predictor, Record, Sink, TrackId, Tracker,
        ram_budget,
    };
    #[cfg(feature = "motion")]
    pub use eyespot_motion::{MotionConfig, MotionPredictor, MotionStorage};
    #[cfg(feature = "runtime")]
    pub use eyespot_runtime::{Model, Prediction, Session, Settings};
    #[cfg(feature = "track")]
    pub use eyespot_track::{BotSort, BotSortConfig, TrackStorage};
    #[cfg(feature = "window")]
    pub use eyespot_window::{SlidingWindow, Tiles};
}
