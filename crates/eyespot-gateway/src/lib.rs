#![doc = include_str!("../README.md")]

mod endpoint;
mod gateway;
mod hub;
mod line;
#[cfg(feature = "mqtt")]
mod mqtt;
mod pump;
#[cfg(unix)]
mod serial;

pub use endpoint::{Endpoint, EndpointError};
pub use gateway::{Event, Gateway, GatewayCounts, GatewayError, Notice, Options, Retry, Stop};
pub use hub::{BoardId, Hub, HubCounts, HubOptions};
#[cfg(feature = "mqtt")]
pub use mqtt::Broker;
pub use pump::pump;
