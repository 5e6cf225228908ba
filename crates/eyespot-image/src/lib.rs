#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(test)]
extern crate std;

mod area;
mod encoding;
mod error;
mod letterbox;
mod resize;
mod row;
mod tensor;
mod yuv;

pub use area::{gray_resized, rgb_resized};
pub use encoding::{Encoding, Levels, Normalize, Quantize};
pub use error::ResizeError;
pub use letterbox::{Fit, Letterbox};
pub use resize::{ResizeScratch, Scratch, Tap};
pub use tensor::{Channels, Layout, TensorFormat};
