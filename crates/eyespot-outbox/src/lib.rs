#![doc = include_str!("../README.md")]

mod checkpoint;
mod error;
mod gate;
mod limits;
mod outbox;
mod sampling;
mod sink;
mod status;
mod store;
mod target;
mod upload;
mod worker;

pub use error::OutboxError;
pub use limits::{Limits, WhenFull};
pub use outbox::{Committed, Outbox, Pending};
pub use sampling::Sampling;
pub use sink::SuperviselySink;
pub use status::{Counts, LaneStatus, Parked, Status};
pub use target::{Destination, Target, ToTarget};
pub use upload::{Found, Upload, UploadError, UploadInput, Uploading, predict};
pub use worker::{Drained, Worker, WorkerOptions};
