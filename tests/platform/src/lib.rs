#![doc = include_str!("../README.md")]

mod fault;
mod fields;
mod files;
mod methods;
mod mp4;
mod platform;
mod server;
mod shape;
mod snapshot;
mod store;

pub use fault::{Fault, Faults, Rule};
pub use files::{hash_of, png};
pub use platform::{Call, Line, Options, Platform};
pub use store::Store;
