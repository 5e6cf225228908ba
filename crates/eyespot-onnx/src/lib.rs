#![doc = include_str!("../README.md")]

mod engine;
mod error;
mod graph;
mod head;
mod input;
mod kind;
mod labels;
mod manifest;
mod outputs;
mod predictor;
mod recognise;
mod resolve;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;

pub use engine::{Engine, EngineChoice, Input, Tensor};
pub use error::OnnxError;
pub use graph::{Element, Graph, Port};
pub use kind::Kind;
pub use manifest::{InputManifest, Manifest};
pub use predictor::OnnxPredictor;
