#![doc = include_str!("../README.md")]

mod config;
mod embeddings;
mod head;
mod layer;
mod masks;
mod model;

pub use config::{Config, Variant};
pub use head::EomtHead;
pub use model::Eomt;

/// The published weights: where they are, what they are called and what they are made for.
pub const MANIFEST: &str = include_str!("../manifest.json");
