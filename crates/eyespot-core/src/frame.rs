//! A frame: an image and when and where it was taken.

use crate::ImageView;

/// Which camera, file or stream a frame comes from. Names and paths live in a table beside it, so that firmware
/// carries no strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SourceId(pub u16);

/// What is known about a frame besides its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FrameInfo {
    /// Number of the frame in its source, from 0. With a stride or dropped frames the numbers have gaps.
    pub index: u64,
    /// Time of the frame in microseconds, from any fixed moment of its source.
    pub timestamp_us: u64,
    /// Where it comes from.
    pub source: SourceId,
    /// Width of the whole frame in pixels.
    pub width: u16,
    /// Height of the whole frame in pixels.
    pub height: u16,
}

/// A frame, borrowed from its source.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Its pixels, or those of the part that is looked at.
    pub image: ImageView<'a>,
    /// Number, time and source.
    pub info: FrameInfo,
    /// Path or address of where it comes from; `None` where nobody keeps one, as in firmware.
    pub name: Option<&'a str>,
}

impl<'a> Frame<'a> {
    /// A frame with number and time 0: a single photo.
    #[must_use]
    pub const fn still(image: ImageView<'a>) -> Self {
        Self::new(image, 0, 0)
    }

    /// A frame of a sequence: its number from 0 and its time in microseconds.
    #[must_use]
    pub const fn new(image: ImageView<'a>, index: u64, timestamp_us: u64) -> Self {
        let (width, height) = (image.width(), image.height());
        let info = FrameInfo { index, timestamp_us, source: SourceId(0), width, height };
        Self { image, info, name: None }
    }

    /// The same frame with the path or address of where it comes from.
    #[must_use]
    pub const fn named(self, name: &'a str) -> Self {
        Self { name: Some(name), ..self }
    }

    /// The same moment, another part of the image.
    #[must_use]
    pub const fn with_image(&self, image: ImageView<'a>) -> Self {
        Self { image, ..*self }
    }
}
