#![doc = include_str!("../README.md")]
#![no_std]

use eyespot_nn::{LoadError, Model, arena_words};

/// The network and its weights, quantised: an `.eye` file.
pub static EYE: &[u8] = include_bytes!("../spotter.eye");

/// Words of arena that the network needs.
pub const ARENA_WORDS: usize = arena_words(include_bytes!("../spotter.eye"));

/// Width and height of its input in pixels.
pub const SIDE: usize = 96;

/// What it can see, class by class.
pub const LABELS: &[&str] = &["person", "car", "ball"];

/// Reads the network.
///
/// # Errors
/// [`LoadError`]; the file in this crate has none.
pub fn model() -> Result<Model<'static>, LoadError> {
    Model::load(EYE)
}
