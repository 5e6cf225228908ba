#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod affine;
mod camera;
mod class;
pub mod coco;
mod detection;
mod embedder;
mod error;
mod frame;
#[cfg(feature = "alloc")]
mod frame_buf;
mod geometry;
mod image;
mod mask;
mod options;
mod pipeline;
mod placement;
mod predictions;
mod predictor;
mod ram;
mod samples;
mod sink;
mod source;
mod tracker;
mod wide;
mod yuv;

#[cfg(feature = "alloc")]
mod boxed;

pub use affine::{Affine, MotionLineError};
#[cfg(feature = "alloc")]
pub use boxed::{AnyError, Boxed, PredictionsBuf};
pub use camera::{CameraMotion, NoMotion};
pub use class::{ClassFilter, ClassId, ClassSet, ClassSetFull};
pub use detection::{Angle, Detection, Keypoint, Mask, Span, TrackId};
pub use embedder::{Embedder, NoEmbedder};
pub use error::{Error, ErrorKind, ErrorType};
pub use frame::{Frame, FrameInfo, SourceId};
#[cfg(feature = "alloc")]
pub use frame_buf::FrameBuf;
pub use geometry::BBox;
pub use image::{ImageError, ImageView, PixelFormat};
pub use mask::MaskView;
pub use options::{OptionError, PredictOptions};
pub use pipeline::{Pipeline, PipelineError};
pub use predictions::{Losses, MaskRect, Predictions, PredictionsMut, PredictionsRef, PredictionsStorage};
pub use predictor::{BatchOutput, InputSize, ModelSpec, Outputs, Predictor};
pub use samples::Samples;
pub use sink::{NullSink, Record, Sink, SinkPairError};
pub use source::FrameSource;
pub use tracker::{NoTracker, Tracker};
pub use wide::{Wide, wide};
pub use yuv::{YuvCoefficients, YuvEncoding};
