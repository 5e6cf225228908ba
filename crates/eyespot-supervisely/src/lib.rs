#![doc = include_str!("../README.md")]

pub mod client;
mod convert;
pub mod format;
mod item;
mod plan;
mod upload;

pub use convert::{COCO_KEYPOINTS, Converter, ToAnnotation, VideoBuilder, track_ids};
pub use item::{Deliver, DeliverError, Delivery, Item, Pixels, Source};
pub use plan::{ModeError, Operation, SourceKind, UploadMode, plan};
pub use upload::Uploader;
