#![doc = include_str!("../README.md")]

mod assignment;
pub mod coco;
mod error;
pub mod mot;

pub use error::{Error, LineProblem};
