#![doc = include_str!("../README.md")]

mod batch;
mod device;
mod embedder;
mod error;
mod layers;
mod loader;
mod model;
mod predictor;
mod weights;

pub use burn;
pub use device::{BurnDevice, DeviceChoice, DeviceError, ParseDeviceError};
pub use embedder::{BurnEmbedder, EmbedTimings};
pub use error::BurnError;
pub use eyespot_core::coco::LABELS as COCO;
pub use layers::{
    LayerNorm, average_pool, average_pool_by, concat, hard_sigmoid, max_pool, max_pool_by, mean, relu, relu6,
    resize, sigmoid, silu, upsample2,
};
pub use loader::{Conv, Loader, Norm};
pub use model::{BurnModel, FeatureModel, FromWeights, InputFormat, convert, labels, leak_labels, load};
pub use predictor::{BurnPredictor, Timings};
pub use weights::{WeightError, WeightFormat, Weights};
