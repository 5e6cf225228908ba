#![doc = include_str!("../README.md")]
#![no_std]

mod error;
mod sliding;
mod tiles;

pub use error::{SlidingWindowError, WindowError};
pub use sliding::SlidingWindow;
pub use tiles::{Tile, TilePlan, Tiles};
