#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(any(test, feature = "host"))]
extern crate std;

mod check;
mod error;
mod format;
pub mod graph;
#[cfg(feature = "host")]
pub mod host;
mod kernels;
mod model;
mod network;
mod predictor;
mod reader;

pub use check::scratch_bytes;
pub use error::{ArenaError, LayerName, LoadError};
pub use format::{VERSION, arena_bytes, arena_words, crc32};
pub use model::{Description, Layer, Model};
pub use network::{Network, Values, ValuesMut};
pub use predictor::{NnError, NnPredictor, NnStorage, classes};

/// `value * multiplier / 2^31 * 2^shift` with TensorFlow Lite's rounding: what quantised layers do with their sums.
#[must_use]
pub const fn scale_by(value: i32, multiplier: i32, shift: i8) -> i32 {
    kernels::requant::scale(value, multiplier, shift)
}
