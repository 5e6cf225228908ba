#![doc = include_str!("../README.md")]

mod backbone;
mod blocks;
mod head;
mod model;

pub use model::{FastestDet, FastestDetHead};

/// The published weights: where they are, what they are called and what they are made for.
pub const MANIFEST: &str = include_str!("../manifest.json");
