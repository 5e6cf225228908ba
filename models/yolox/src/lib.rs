#![doc = include_str!("../README.md")]

mod backbone;
mod blocks;
mod head;
mod model;
mod neck;
mod variant;

pub use eyespot_burn::COCO;
pub use model::{LabelError, Yolox, YoloxHead};
pub use variant::{Config, ParseVariantError, Variant};

/// The published weights: where they are, what they are called and what they are made for.
pub const MANIFEST: &str = include_str!("../manifest.json");
