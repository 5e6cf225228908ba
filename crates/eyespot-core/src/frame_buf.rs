//! Frames that outlive the next call of their source.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use crate::image::Layout;
use crate::{Frame, FrameInfo};

/// An owned copy of a frame. Its memory is kept for the next copy.
///
/// Of a part of an image only the rows are kept that it needs.
#[derive(Debug, Clone, Default)]
pub struct FrameBuf {
    bytes: Vec<u8>,
    layout: Option<Layout>,
    info: FrameInfo,
    name: Option<String>,
}

impl FrameBuf {
    /// Holds no frame yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            layout: None,
            info: FrameInfo { index: 0, timestamp_us: 0, source: crate::SourceId(0), width: 0, height: 0 },
            name: None,
        }
    }

    /// Copies a frame into this memory.
    pub fn copy_from(&mut self, frame: &Frame<'_>) {
        self.bytes.clear();
        self.layout = Some(frame.image.copy_to(&mut self.bytes));
        self.info = frame.info;
        match (&mut self.name, frame.name) {
            (Some(old), Some(new)) => new.clone_into(old),
            (old, new) => *old = new.map(Into::into),
        }
    }

    /// The frame; `None` before the first copy.
    #[must_use]
    pub fn frame(&self) -> Option<Frame<'_>> {
        let image = self.layout?.view(&self.bytes);
        Some(Frame { image, info: self.info, name: self.name.as_deref() })
    }
}

impl From<&Frame<'_>> for FrameBuf {
    fn from(frame: &Frame<'_>) -> Self {
        let mut copy = Self::new();
        copy.copy_from(frame);
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ImageView, PixelFormat, YuvEncoding};
    use std::vec;

    /// All pixels of a view, also those of a part that starts between chroma samples.
    fn same(view: &ImageView<'_>) {
        let original = Frame::new(*view, 3, 4).named("a.png");
        let copy = FrameBuf::from(&original);
        let frame = copy.frame().unwrap();
        assert_eq!((frame.info, frame.name), (original.info, original.name));
        assert_eq!((frame.image.format(), frame.image.encoding()), (view.format(), view.encoding()));
        assert_eq!((frame.image.width(), frame.image.height()), (view.width(), view.height()));
        for y in 0..view.height() {
            for x in 0..view.width() {
                assert_eq!(frame.image.rgb(x, y), view.rgb(x, y), "{:?} {x}, {y}", view.format());
            }
        }
    }

    #[test]
    fn copies_have_the_same_pixels() {
        let data: Vec<u8> = (0..4000u32).map(|i| (i * 7919 % 251) as u8).collect();
        let packed =
            [PixelFormat::Gray8, PixelFormat::Rgb8, PixelFormat::Bgr8, PixelFormat::Rgba8, PixelFormat::Yuyv];
        let mut views = vec![
            ImageView::nv12((&data, 24), (&data[1000..], 26), 21, 15)
                .unwrap()
                .with_encoding(YuvEncoding::default()),
            ImageView::yuv420((&data, 24), (&data[1000..], 13), (&data[2000..], 12), 21, 15).unwrap(),
        ];
        views.extend(packed.map(|format| ImageView::packed_with_stride(&data, 21, 15, 100, format).unwrap()));
        for view in views {
            same(&view);
            same(&view.crop(3, 5, 10, 7).unwrap());
            same(&view.crop(20, 14, 1, 1).unwrap());
        }
    }

    #[test]
    fn memory_is_kept() {
        let data = [5; 600];
        let large = ImageView::packed(&data, 20, 10, PixelFormat::Rgb8).unwrap();
        let mut copy = FrameBuf::from(&Frame::still(large));
        let capacity = copy.bytes.capacity();
        copy.copy_from(&Frame::still(large.crop(0, 0, 3, 2).unwrap()));
        assert_eq!(copy.bytes.capacity(), capacity);
        assert!(FrameBuf::new().frame().is_none());
    }
}
