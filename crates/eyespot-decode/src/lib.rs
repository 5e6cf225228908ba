#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(test)]
extern crate std;

mod boxes;
mod candidates;
pub mod distances;
mod error;
pub mod fastestdet;
pub mod keypoints;
mod masks;
mod matrix;
mod merge;
pub mod movenet;
mod nms;
mod options;
pub mod oriented;
mod queries;
mod scores;
mod semantic;
pub mod yolox;

pub use boxes::{BoxFormat, Boxes};
pub use candidates::{Candidate, Candidates};
pub use error::DecodeError;
pub use keypoints::KeypointLayout;
pub use masks::{Field, Prototypes};
pub use matrix::Matrix;
pub use merge::{Merge, MergeMethod, Merged, Overlap};
pub use nms::Nms;
pub use options::{DecodeOptions, LabelMode};
pub use oriented::OrientedBox;
pub use queries::{Placed, Queries};
pub use scores::{Activation, Background, Scores};
pub use semantic::ClassMap;
