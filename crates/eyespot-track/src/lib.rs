#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(test)]
extern crate std;

mod appearance;
mod assign;
mod associate;
mod botsort;
mod bytetrack;
mod candidate;
mod config;
mod history;
mod kalman;
mod lifecycle;
mod motion;
mod ocsort;
mod shape;
mod sort;
mod storage;
mod track;

pub use appearance::Feature;
pub use botsort::BotSort;
pub use bytetrack::{ByteTrack, ByteTrackConfig};
pub use config::{BotSortConfig, BoxFilter, ClassPolicy, Clock, ConfigError};
pub use motion::KnownMotion;
pub use ocsort::{OcSort, OcSortConfig, OcSortStorage};
pub use sort::{Sort, SortConfig};
pub use storage::{TrackLosses, TrackStorage};
pub use track::{TrackInfo, TrackState};
