#![doc = include_str!("../README.md")]

mod catalog;
mod error;
mod fetch;
mod manifest;
mod nearest;
mod part;
mod store;

pub use catalog::{Catalog, UnknownModel};
pub use error::StoreError;
pub use fetch::{NoProgress, Progress, PullOptions};
pub use manifest::{Manifest, ManifestError, Model};
pub use nearest::nearest;
pub use store::{Entry, Store, Trust};
