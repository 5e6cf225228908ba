#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(test)]
extern crate std;

mod anchor;
mod counter;
mod line;
mod polygon;
mod presence;
mod tracks;

pub use anchor::{Anchor, Point};
pub use counter::{ZoneConfig, ZoneCounter, ZoneCounts, ZoneEvent};
pub use line::{Crossing, Direction, Line, LineCounter, LineCounts};
pub use polygon::{Polygon, ZoneError};
pub use presence::{Presence, PresenceConfig};
