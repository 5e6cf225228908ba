//! Frames that outlive the next call of their source.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use crate::image::Layout;
use crate::{Frame, FrameInfo, ImageError, ImageView, YuvEncoding};

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
        self.rename(frame.name);
    }

    /// Takes a planar 4:2:0 picture without copying it: `bytes` are its planes Y, U and V, one behind the other without gaps.
    /// They are exchanged for the memory of the frame that was held before. The size is that of `info`.
    ///
    /// # Errors
    /// [`ImageError`] where the size is zero or `bytes` too short; nothing is exchanged then.
    pub fn exchange_yuv420(
        &mut self,
        bytes: &mut Vec<u8>,
        encoding: YuvEncoding,
        info: FrameInfo,
        name: &str,
    ) -> Result<(), ImageError> {
        let view = ImageView::yuv420_packed(bytes, info.width, info.height)?.with_encoding(encoding);
        self.layout = Some(view.layout());
        core::mem::swap(&mut self.bytes, bytes);
        self.info = info;
        self.rename(Some(name));
        Ok(())
    }

    fn rename(&mut self, name: Option<&str>) {
        match (&mut self.name, name) {
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
    fn pictures_are_exchanged_without_a_copy() {
        let picture: Vec<u8> = (0..5 * 3 + 2 * 3 * 2).collect();
        let (mut bytes, mut buf) = (picture.clone(), FrameBuf::new());
        let info = FrameInfo { index: 7, width: 5, height: 3, ..FrameInfo::default() };
        assert!(buf.exchange_yuv420(&mut bytes, YuvEncoding::Bt709, info, "a.mp4").is_ok());
        assert!(bytes.is_empty());
        let frame = buf.frame().unwrap();
        let expected = ImageView::yuv420_packed(&picture, 5, 3).unwrap().with_encoding(YuvEncoding::Bt709);
        assert_eq!((frame.info, frame.name), (info, Some("a.mp4")));
        assert!((0..3).all(|y| (0..5).all(|x| frame.image.rgb(x, y) == expected.rgb(x, y))));
        // Too short: nothing changes hands.
        let mut short = vec![1; 26];
        assert!(buf.exchange_yuv420(&mut short, YuvEncoding::Bt709, info, "b.mp4").is_err());
        assert_eq!((short.len(), buf.frame().unwrap().name), (26, Some("a.mp4")));
        let place = picture.as_ptr();
        let mut bytes = picture;
        assert!(buf.exchange_yuv420(&mut bytes, YuvEncoding::Bt709, info, "c.mp4").is_ok());
        assert_eq!(buf.bytes.as_ptr(), place);
        assert_eq!(bytes.len(), 27);
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
