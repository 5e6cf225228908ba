#![doc = include_str!("../README.md")]

mod blocks;
mod model;
mod variant;

pub use model::Osnet;
pub use variant::{Config, ParseVariantError, Variant};

/// The published weights: where they are, what they are called and what they are made for.
pub const MANIFEST: &str = include_str!("../manifest.json");
