#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(any(feature = "std", test))]
extern crate std;

mod decoder;
mod encoder;
mod hello;
mod mask;
mod results;
mod schema;
mod sink;
#[cfg(feature = "std")]
mod stream;

pub use decoder::{Counts, Decoder, Message, VersionMismatch};
pub use hello::{Hello, Labels};
pub use results::Results;
pub use schema::VERSION;
pub use sink::{WireError, WireSink};
#[cfg(feature = "std")]
pub use stream::{DeviceInfo, Event, Stream, StreamError};
