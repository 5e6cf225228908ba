#![doc = include_str!("../README.md")]

mod attention;
mod backbone;
mod blocks;
mod config;
mod decoder;
mod encoder;
mod model;

pub use config::{Config, Variant};
pub use model::{RtDetr, RtDetrHead};

/// The published weights: where they are, what they are called and what they are made for.
pub const MANIFEST: &str = include_str!("../manifest.json");
