#![doc = include_str!("../README.md")]

mod error;
mod h264;
mod image_file;
mod image_source;
mod mp4;
mod natural;
mod sniff;
mod source;
#[cfg(test)]
mod tests;
mod video_options;
mod video_source;

pub use error::MediaError;
pub use image_source::{ImageOptions, ImageSource};
pub use source::{Source, SourceOptions, open};
pub use video_options::{VideoOptionError, VideoOptions};
pub use video_source::VideoSource;
