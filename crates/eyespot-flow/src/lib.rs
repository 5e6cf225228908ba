#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(test)]
extern crate std;

mod coarse;
mod config;
mod corner;
mod estimate;
mod fit;
mod level;
mod shrink;
mod sparse;
mod storage;
mod window;

pub use config::{FlowConfig, FlowStats};
pub use sparse::SparseFlow;
pub use storage::FlowStorage;
