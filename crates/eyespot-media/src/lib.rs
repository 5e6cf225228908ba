#![doc = include_str!("../README.md")]

mod annotate;
mod canvas;
mod coco;
mod color;
mod decoder;
mod draw;
mod error;
mod fetch;
mod ffmpeg;
mod h264;
mod i420;
mod image_file;
mod image_source;
mod input;
mod json_lines;
mod memory_image;
mod mp4;
#[cfg(feature = "mqtt")]
mod mqtt;
mod natural;
mod open;
mod planes;
mod platform;
mod save;
mod sniff;
mod source;
mod tables;
mod terminal;
#[cfg(test)]
mod tests;
mod text;
mod trails;
mod video_options;
mod video_source;
mod video_writer;
mod webhook;
mod window;
mod zones;

pub use annotate::{Annotator, ImageSink, VideoSink};
pub use canvas::{Canvas, Rgb};
pub use coco::CocoSink;
pub use color::color_of;
pub use decoder::{VideoDecoder, VideoDecoderError};
pub use draw::{ColorBy, DrawOptions, draw};
pub use error::MediaError;
pub use fetch::UrlOptions;
pub use ffmpeg::{FfmpegSource, Stopper, StreamOptions, StreamSource};
pub use image_source::{ImageOptions, ImageSource};
pub use input::Input;
pub use json_lines::JsonLines;
pub use memory_image::MemoryImage;
#[cfg(feature = "mqtt")]
pub use mqtt::{MqttOptions, MqttSink};
pub use open::{open, open_all, open_each, read_frame};
pub use platform::PlatformIds;
pub use save::{encode_jpeg, encode_png, save_image};
pub use source::{MediaSource, SourceOptions, StreamStats};
pub use tables::{CsvSink, MotSink};
pub use terminal::TerminalView;
pub use trails::Trails;
pub use video_options::{VideoOptionError, VideoOptions};
pub use video_source::VideoSource;
pub use video_writer::VideoWriter;
pub use webhook::{WebhookOptions, WebhookSink};
pub use window::WindowView;
pub use zones::{CountedLine, PlaceError, Zone, Zones};
