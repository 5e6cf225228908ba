#![doc = include_str!("../README.md")]

mod connect;
mod decode;
mod description;
mod encode;
mod endpoint;
mod error;
mod fallback;
mod http;
mod options;
mod remote;

pub use connect::Connect;
pub use endpoint::Endpoint;
pub use error::RemoteError;
pub use fallback::{FallbackCounts, WithFallback};
pub use options::{Encoding, RemoteOptions};
pub use remote::Remote;
