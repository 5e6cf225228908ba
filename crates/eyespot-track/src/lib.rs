#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(test)]
extern crate std;

mod affine;
mod assign;
mod associate;
mod botsort;
mod candidate;
mod config;
mod kalman;
mod lifecycle;
mod motion;
mod noise;
mod storage;
mod track;

pub use affine::{Affine, MotionLineError};
pub use botsort::BotSort;
pub use config::{BotSortConfig, ClassPolicy, Clock, ConfigError};
pub use motion::{CameraMotion, KnownMotion, NoMotion};
pub use storage::{TrackLosses, TrackStorage};
pub use track::{TrackInfo, TrackState};
