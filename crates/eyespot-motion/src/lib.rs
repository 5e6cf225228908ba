#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(test)]
extern crate std;

mod blob;
mod cell;
mod color;
mod components;
mod filter;
mod grid;
mod light;
mod motion;
mod pass;
mod random;

pub use color::{ColorBlobConfig, ColorBlobPredictor, ColorBlobStorage, ColorClass, ColorError};
pub use components::{Component, ComponentStorage, Labeler, Stats};
pub use motion::{MotionConfig, MotionError, MotionPredictor, MotionStorage};
