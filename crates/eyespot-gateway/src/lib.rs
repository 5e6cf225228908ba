#![doc = include_str!("../README.md")]

mod endpoint;
mod gateway;
mod line;
mod pump;
#[cfg(unix)]
mod serial;

pub use endpoint::{Endpoint, EndpointError};
pub use gateway::{Event, Gateway, GatewayCounts, GatewayError, Notice, Options, Retry, Stop};
pub use pump::pump;
