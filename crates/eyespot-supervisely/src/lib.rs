#![doc = include_str!("../README.md")]

mod convert;
pub mod format;

pub use convert::{COCO_KEYPOINTS, Converter, ToAnnotation, VideoBuilder, track_ids};
