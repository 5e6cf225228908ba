#![doc = include_str!("../README.md")]

mod answer;
mod app;
mod auth;
mod call;
mod connection;
mod error;
mod follow;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod info;
mod job;
mod jobs;
mod linger;
mod live;
mod memory;
mod metrics;
mod options;
mod platform;
mod platform_source;
mod running;
mod server;
mod settings;
mod signals;
mod start;
mod supervisely;
#[cfg(feature = "tls")]
mod tls;
mod upload;

pub use auth::Token;
pub use error::ServeError;
pub use options::{Limits, Models, ServeOptions};
pub use platform::{Credentials, Platform, PlatformImage, PlatformVideo, Upload, Uploading};
pub use server::Server;
pub use signals::Signals;
pub use supervisely::Supervisely;
#[cfg(feature = "tls")]
pub use tls::TlsFiles;
