#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(test)]
extern crate std;

mod coarse;
mod config;
mod corner;
mod estimate;
mod fit;
mod keypoint;
mod level;
mod orb;
mod shrink;
mod sparse;
mod storage;
mod window;

pub use config::{FlowConfig, FlowStats};
pub use orb::OrbFlow;
pub use sparse::SparseFlow;
pub use storage::{FlowStorage, OrbStorage};
