#![doc = include_str!("../README.md")]

pub mod client;
mod convert;
pub mod format;
mod input;
mod item;
mod plan;
pub mod project;
mod upload;

pub use convert::{COCO_KEYPOINTS, Converter, ToAnnotation, VideoBuilder, track_ids};
pub use input::{
    FetchAhead, PlatformImages, PlatformInput, PlatformVideo, image_name, load_image, platform_source,
};
pub use item::{Deliver, DeliverError, Delivery, Item, Pixels, Source};
pub use plan::{Additions, ModeError, Operation, SourceKind, UploadMode, plan};
pub use upload::{Uploader, Videos};
