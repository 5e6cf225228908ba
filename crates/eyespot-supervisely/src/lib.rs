#![doc = include_str!("../README.md")]

mod convert;
pub mod format;
mod item;

pub use convert::{COCO_KEYPOINTS, Converter, ToAnnotation, VideoBuilder, track_ids};
pub use item::{Deliver, DeliverError, Delivery, Item, Pixels, Source};
