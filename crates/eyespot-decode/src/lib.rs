#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(test)]
extern crate std;

mod candidates;
mod error;
pub mod fastestdet;
mod merge;
mod nms;
mod options;
pub mod yolox;

pub use candidates::{Candidate, Candidates};
pub use error::DecodeError;
pub use merge::{Merge, MergeMethod, Merged, Overlap};
pub use nms::Nms;
pub use options::{DecodeOptions, LabelMode};
