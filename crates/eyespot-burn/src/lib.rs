#![doc = include_str!("../README.md")]

mod batch;
#[cfg(feature = "flex")]
mod cpu;
mod device;
mod embedder;
mod error;
mod gpu;
mod head;
mod layers;
mod loader;
mod maps;
mod model;
mod predictor;
mod weights;

pub use burn;
#[cfg(feature = "flex")]
pub use cpu::{CpuEmbedder, CpuPredictor, PlanError};
pub use device::{BurnDevice, DeviceChoice, DeviceError, ParseDeviceError};
pub use embedder::{BurnEmbedder, EmbedTimings};
pub use error::BurnError;
pub use eyespot_core::coco::LABELS as COCO;
#[cfg(feature = "flex")]
pub use eyespot_nn::host::Host;
pub use head::{DetectorHead, FeatureHead, InputFormat};
pub use layers::{LayerNorm, relu, sigmoid, silu};
pub use loader::{Conv, Loader, Norm};
pub use maps::FeatureMap;
pub use model::{BurnModel, FromWeights, PortableModel, convert, labels, leak_labels, load, record};
pub use predictor::{BurnPredictor, Timings};
pub use weights::{WeightError, WeightFormat, Weights};
