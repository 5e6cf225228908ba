#![doc = include_str!("../README.md")]

mod device;
mod error;
mod layers;
mod loader;
mod model;
mod predictor;
mod weights;

pub use burn;
pub use device::{BurnDevice, DeviceChoice, DeviceError, ParseDeviceError};
pub use error::BurnError;
pub use layers::{concat, max_pool, sigmoid, silu, upsample2};
pub use loader::{Conv, Loader, Norm};
pub use model::{BurnModel, InputFormat, convert, leak_labels, load};
pub use predictor::{BurnPredictor, Timings};
pub use weights::{WeightError, WeightFormat, Weights};
