//! Where the values of pixels lie, for code that reads them itself: shaders, image processors.

use crate::image::Plane;
use crate::{ImageView, PixelFormat};

/// Where one value of each pixel lies: red, green, blue, or Y, U, V.
///
/// The value of pixel `(x, y)` of the view is byte `rows(y) + columns(x)` of plane [`plane`](Self::plane).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Samples {
    plane: u8,
    stride: u32,
    /// Pixels that share a value, as a power of two.
    halved: (u8, u8),
    /// Bytes from a value to the next one.
    step: u8,
    first: u8,
    origin: (u16, u16),
}

impl Samples {
    /// Which plane of [`ImageView::plane`] holds them.
    #[must_use]
    pub const fn plane(&self) -> usize {
        self.plane as usize
    }

    /// Where the row of pixel row `y` starts.
    #[must_use]
    pub const fn rows(&self, y: u16) -> usize {
        ((self.origin.1 as usize + y as usize) >> self.halved.1) * self.stride as usize
    }

    /// Where the value of pixel column `x` lies in its row.
    #[must_use]
    pub const fn columns(&self, x: u16) -> usize {
        ((self.origin.0 as usize + x as usize) >> self.halved.0) * self.step as usize + self.first as usize
    }
}

impl<'a> ImageView<'a> {
    /// All bytes of a plane of the image that this view is a part of; empty where the format has no such plane.
    #[must_use]
    pub fn plane(&self, index: usize) -> &'a [u8] {
        self.planes.get(index).map_or(&[], |plane| plane.data)
    }

    /// Where the values of the pixels lie: of red, green and blue, or of Y, U and V (formats of that kind:
    /// [`PixelFormat::is_yuv`]). Those of grey are all three the same.
    #[must_use]
    pub fn samples(&self) -> [Samples; 3] {
        let of = |plane: u8, halved, step, first| {
            let stride = self.planes.get(usize::from(plane)).map_or(0, |plane: &Plane<'_>| plane.stride);
            Samples { plane, stride, halved, step, first, origin: self.origin() }
        };
        let packed = |step: u8, order: [u8; 3]| order.map(|first| of(0, (0, 0), step, first));
        match self.format() {
            PixelFormat::Gray8 => packed(1, [0; 3]),
            PixelFormat::Rgb8 => packed(3, [0, 1, 2]),
            PixelFormat::Bgr8 => packed(3, [2, 1, 0]),
            PixelFormat::Rgba8 => packed(4, [0, 1, 2]),
            PixelFormat::Yuyv => [of(0, (0, 0), 2, 0), of(0, (1, 0), 4, 1), of(0, (1, 0), 4, 3)],
            PixelFormat::Nv12 => [of(0, (0, 0), 1, 0), of(1, (1, 1), 2, 0), of(1, (1, 1), 2, 1)],
            PixelFormat::Yuv420 => [of(0, (0, 0), 1, 0), of(1, (1, 1), 1, 0), of(2, (1, 1), 1, 0)],
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// In every format, strided and cropped, the bytes are those that [`ImageView::rgb`] reads.
    #[test]
    fn the_values_of_every_format_are_where_they_are_said_to_be() {
        let bytes: Vec<u8> = (0..4000_u32).map(|at| (at * 37 % 251) as u8).collect();
        let (width, height) = (15, 11);
        let packed =
            |stride, format| ImageView::packed_with_stride(&bytes, width, height, stride, format).unwrap();
        let views = [
            packed(17, PixelFormat::Gray8),
            packed(50, PixelFormat::Rgb8),
            packed(45, PixelFormat::Bgr8),
            packed(61, PixelFormat::Rgba8),
            packed(33, PixelFormat::Yuyv),
            ImageView::nv12((&bytes, 16), (&bytes[500..], 18), width, height).unwrap(),
            ImageView::yuv420((&bytes, 16), (&bytes[500..], 9), (&bytes[900..], 10), width, height).unwrap(),
        ];
        for whole in views {
            for view in [whole, whole.crop(3, 5, 7, 4).unwrap(), whole.crop(4, 2, 11, 9).unwrap()] {
                let samples = view.samples();
                for (x, y) in (0..view.width()).flat_map(|x| (0..view.height()).map(move |y| (x, y))) {
                    let [a, b, c] = samples
                        .map(|samples| view.plane(samples.plane())[samples.rows(y) + samples.columns(x)]);
                    let rgb =
                        if view.format().is_yuv() { view.encoding().to_rgb(a, b, c) } else { [a, b, c] };
                    assert_eq!(rgb, view.rgb(x, y), "{:?} {x} {y}", view.format());
                }
            }
        }
    }
}
