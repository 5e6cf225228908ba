#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(test)]
extern crate std;

mod actor;
mod backdrop;
mod camera;
mod canvas;
mod config;
mod figure;
mod math;
mod scene;
mod source;

pub use camera::Affine;
pub use config::{CameraMotion, SceneConfig, SceneError, SceneFormat};
pub use scene::{LABELS, MAX_OBJECTS, Scene, Truth};
pub use source::SceneSource;
