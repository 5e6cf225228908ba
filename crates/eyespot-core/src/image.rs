//! Borrowed images with stride, in the formats that cameras and decoders deliver.

use crate::yuv::{YuvEncoding, gray_of_rgb, rgb_row};

/// How pixels lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PixelFormat {
    /// One byte of grey per pixel.
    Gray8,
    /// Red, green, blue.
    Rgb8,
    /// Blue, green, red.
    Bgr8,
    /// Red, green, blue, alpha; alpha is ignored.
    Rgba8,
    /// Two pixels in four bytes: Y0 U Y1 V.
    Yuyv,
    /// A plane of Y, then a plane of U V pairs at half the width and height.
    Nv12,
    /// Planes of Y, U and V; U and V at half the width and height.
    Yuv420,
}

impl PixelFormat {
    /// Are its values luma and chroma?
    #[must_use]
    pub const fn is_yuv(self) -> bool {
        matches!(self, Self::Yuyv | Self::Nv12 | Self::Yuv420)
    }

    /// Bytes per row of the first plane for a width without padding.
    #[must_use]
    pub const fn row_bytes(self, width: u16) -> usize {
        let width = width as usize;
        match self {
            Self::Gray8 | Self::Nv12 | Self::Yuv420 => width,
            Self::Rgb8 | Self::Bgr8 => width * 3,
            Self::Rgba8 => width * 4,
            Self::Yuyv => width.div_ceil(2) * 4,
        }
    }

    /// Bytes of a whole image without padding, the planes one after the other.
    #[must_use]
    pub const fn image_bytes(self, width: u16, height: u16) -> usize {
        let first = self.row_bytes(width) * height as usize;
        let chroma = (width as usize).div_ceil(2) * (height as usize).div_ceil(2);
        match self {
            Self::Nv12 | Self::Yuv420 => first + 2 * chroma,
            _ => first,
        }
    }
}

/// Why an image view can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ImageError {
    /// The width or the height is zero.
    Empty,
    /// A row does not fit its stride.
    Stride {
        /// Bytes from one row to the next, as given.
        stride: u32,
        /// Bytes that a row needs.
        needed: u32,
    },
    /// A plane is shorter than width, height and stride ask for.
    TooShort {
        /// Which plane, from 0.
        plane: u8,
        /// Its length in bytes.
        len: usize,
        /// The length that it must have at least.
        needed: usize,
    },
    /// The format has another number of planes.
    Planes {
        /// The format.
        format: PixelFormat,
    },
    /// A crop reaches outside the image.
    Crop,
}

impl core::fmt::Display for ImageError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::Empty => f.write_str("the image has no pixels: width and height must be at least 1"),
            Self::Stride { stride, needed } => {
                write!(f, "a row needs {needed} bytes but the stride is {stride}: give the stride in bytes")
            }
            Self::TooShort { plane, len, needed } => {
                write!(f, "plane {plane} has {len} bytes but needs {needed}: check width, height and stride")
            }
            Self::Planes { format } => {
                write!(f, "{format:?} is made with another constructor: packed, nv12 or yuv420")
            }
            Self::Crop => f.write_str("the crop reaches outside the image: clip it first"),
        }
    }
}

impl core::error::Error for ImageError {}

impl crate::Error for ImageError {
    fn kind(&self) -> crate::ErrorKind {
        crate::ErrorKind::InvalidInput
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Plane<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) stride: u32,
}

impl<'a> Plane<'a> {
    fn check(self, index: u8, row: usize, rows: usize) -> Result<Self, ImageError> {
        let stride = self.stride as usize;
        if stride < row {
            return Err(ImageError::Stride { stride: self.stride, needed: row as u32 });
        }
        // The last row may end without its padding. A product that overflows asks for more than any slice has.
        let needed = stride.saturating_mul(rows - 1).saturating_add(row);
        if self.data.len() < needed {
            return Err(ImageError::TooShort { plane: index, len: self.data.len(), needed });
        }
        Ok(self)
    }

    #[inline]
    fn row(&self, y: usize) -> &'a [u8] {
        let start = y * self.stride as usize;
        self.data.get(start..).unwrap_or(&[])
    }

    #[inline]
    fn at(&self, x: usize, y: usize) -> u8 {
        self.data.get(y * self.stride as usize + x).copied().unwrap_or(0)
    }
}

/// A borrowed image or a part of one.
///
/// Cropping is free: a view keeps the planes of the whole image and an origin, so a part of any format can start at
/// any pixel, also between the samples of a chroma plane.
///
/// Sizes are `1..=65535` pixels each way. Every view is valid by construction, and no accessor panics: coordinates
/// beyond the edge give the pixel at the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageView<'a> {
    pub(crate) planes: [Plane<'a>; 3],
    format: PixelFormat,
    encoding: YuvEncoding,
    x: u16,
    y: u16,
    width: u16,
    height: u16,
}

/// How a copied image lies in memory.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// Where each plane ends.
    ends: [usize; 3],
    strides: [u32; 3],
    format: PixelFormat,
    encoding: YuvEncoding,
    x: u16,
    y: u16,
    width: u16,
    height: u16,
}

#[cfg(feature = "alloc")]
impl Layout {
    /// The image in the bytes that [`ImageView::copy_to`] wrote.
    pub(crate) fn view<'a>(&self, bytes: &'a [u8]) -> ImageView<'a> {
        let Self { ends, strides, format, encoding, x, y, width, height } = *self;
        let plane = |index: usize, start: usize| Plane {
            data: bytes.get(start..ends[index]).unwrap_or_default(),
            stride: strides[index],
        };
        let planes = [plane(0, 0), plane(1, ends[0]), plane(2, ends[1])];
        ImageView { planes, format, encoding, x, y, width, height }
    }
}

impl<'a> ImageView<'a> {
    /// A packed image (any format with a single plane) whose rows follow one another without padding.
    ///
    /// # Errors
    /// [`ImageError`] where the size is zero, the data too short or the format has several planes.
    pub fn packed(data: &'a [u8], width: u16, height: u16, format: PixelFormat) -> Result<Self, ImageError> {
        Self::packed_with_stride(data, width, height, format.row_bytes(width) as u32, format)
    }

    /// A packed image with `stride` bytes from one row to the next.
    ///
    /// # Errors
    /// As [`packed`](Self::packed), and [`ImageError::Stride`] where a row does not fit.
    pub fn packed_with_stride(
        data: &'a [u8],
        width: u16,
        height: u16,
        stride: u32,
        format: PixelFormat,
    ) -> Result<Self, ImageError> {
        if matches!(format, PixelFormat::Nv12 | PixelFormat::Yuv420) {
            return Err(ImageError::Planes { format });
        }
        Self::from_planes(width, height, format, [Plane { data, stride }, Plane::default(), Plane::default()])
    }

    /// An NV12 image: `luma` and interleaved `chroma` (U V pairs), each with its stride in bytes.
    ///
    /// # Errors
    /// [`ImageError`] where the size is zero, a plane too short or a stride too small.
    pub fn nv12(
        luma: (&'a [u8], u32),
        chroma: (&'a [u8], u32),
        width: u16,
        height: u16,
    ) -> Result<Self, ImageError> {
        let plane = |(data, stride)| Plane { data, stride };
        Self::from_planes(width, height, PixelFormat::Nv12, [plane(luma), plane(chroma), Plane::default()])
    }

    /// A planar 4:2:0 image: `y`, `u` and `v`, each with its stride in bytes.
    ///
    /// # Errors
    /// [`ImageError`] where the size is zero, a plane too short or a stride too small.
    pub fn yuv420(
        y: (&'a [u8], u32),
        u: (&'a [u8], u32),
        v: (&'a [u8], u32),
        width: u16,
        height: u16,
    ) -> Result<Self, ImageError> {
        let plane = |(data, stride)| Plane { data, stride };
        Self::from_planes(width, height, PixelFormat::Yuv420, [plane(y), plane(u), plane(v)])
    }

    /// A planar 4:2:0 image whose planes Y, U and V lie one behind the other, without gaps.
    ///
    /// # Errors
    /// [`ImageError`] where the size is zero or `bytes` too short.
    pub fn yuv420_packed(bytes: &'a [u8], width: u16, height: u16) -> Result<Self, ImageError> {
        let (row, half) = (u32::from(width), u32::from(width).div_ceil(2));
        let luma = usize::from(width) * usize::from(height);
        let chroma = usize::from(width).div_ceil(2) * usize::from(height).div_ceil(2);
        let (y, colour) = bytes.split_at(luma.min(bytes.len()));
        let (u, v) = colour.split_at(chroma.min(colour.len()));
        Self::yuv420((y, row), (u, half), (v, half), width, height)
    }

    fn from_planes(
        width: u16,
        height: u16,
        format: PixelFormat,
        planes: [Plane<'a>; 3],
    ) -> Result<Self, ImageError> {
        if width == 0 || height == 0 {
            return Err(ImageError::Empty);
        }
        let (rows, half_rows) = (usize::from(height), usize::from(height).div_ceil(2));
        let half_row = usize::from(width).div_ceil(2);
        planes[0].check(0, format.row_bytes(width), rows)?;
        match format {
            PixelFormat::Nv12 => {
                planes[1].check(1, 2 * half_row, half_rows)?;
            }
            PixelFormat::Yuv420 => {
                planes[1].check(1, half_row, half_rows)?;
                planes[2].check(2, half_row, half_rows)?;
            }
            _ => {}
        }
        Ok(Self { planes, format, encoding: YuvEncoding::default(), x: 0, y: 0, width, height })
    }

    /// The same image with another meaning of its YUV values (ignored by the RGB and grey formats).
    #[must_use]
    pub const fn with_encoding(mut self, encoding: YuvEncoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Width in pixels, at least 1.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Height in pixels, at least 1.
    #[must_use]
    pub const fn height(&self) -> u16 {
        self.height
    }

    /// How the pixels lie in memory.
    #[must_use]
    pub const fn format(&self) -> PixelFormat {
        self.format
    }

    /// What the YUV values mean.
    #[must_use]
    pub const fn encoding(&self) -> YuvEncoding {
        self.encoding
    }

    /// Where this view starts in the image that it was cropped from: `(x, y)`.
    #[must_use]
    pub const fn origin(&self) -> (u16, u16) {
        (self.x, self.y)
    }

    /// A part of the image. Copies nothing.
    ///
    /// # Errors
    /// [`ImageError::Crop`] where it reaches outside, [`ImageError::Empty`] where it has no pixels.
    pub fn crop(&self, x: u16, y: u16, width: u16, height: u16) -> Result<Self, ImageError> {
        if width == 0 || height == 0 {
            return Err(ImageError::Empty);
        }
        let fits = |start: u16, len: u16, total: u16| start.checked_add(len).is_some_and(|end| end <= total);
        if !fits(x, width, self.width) || !fits(y, height, self.height) {
            return Err(ImageError::Crop);
        }
        Ok(Self { x: self.x + x, y: self.y + y, width, height, ..*self })
    }

    /// Appends the rows that this view needs to `out`, plane by plane, and tells how they lie there.
    #[cfg(feature = "alloc")]
    pub(crate) fn copy_to(&self, out: &mut alloc::vec::Vec<u8>) -> Layout {
        // An even first row keeps luma and chroma together.
        let first = usize::from(self.y & !1);
        let last = usize::from(self.y) + usize::from(self.height);
        let start = out.len();
        let mut ends = [0; 3];
        for (index, plane) in self.planes.iter().enumerate() {
            let (first, last) = if index == 0 { (first, last) } else { (first / 2, last.div_ceil(2)) };
            let stride = plane.stride as usize;
            let end = plane.data.len().min(last * stride);
            out.extend_from_slice(plane.data.get(first * stride..end).unwrap_or_default());
            ends[index] = out.len() - start;
        }
        let Self { format, encoding, x, width, height, .. } = *self;
        let strides = self.planes.map(|plane| plane.stride);
        Layout { ends, strides, format, encoding, x, y: self.y & 1, width, height }
    }

    /// How the image lies in bytes that hold its planes one behind the other, and nothing else.
    #[cfg(feature = "alloc")]
    pub(crate) fn layout(&self) -> Layout {
        let Self { planes, format, encoding, x, y, width, height } = *self;
        let mut end = 0;
        let ends = planes.map(|plane| {
            end += plane.data.len();
            end
        });
        Layout { ends, strides: planes.map(|plane| plane.stride), format, encoding, x, y, width, height }
    }

    /// The bytes of row `y`, for the formats with whole bytes per pixel and a single plane; `None` for the others
    /// and below the image.
    #[must_use]
    pub fn row(&self, y: u16) -> Option<&'a [u8]> {
        let bytes = match self.format {
            PixelFormat::Gray8 => 1,
            PixelFormat::Rgb8 | PixelFormat::Bgr8 => 3,
            PixelFormat::Rgba8 => 4,
            PixelFormat::Yuyv | PixelFormat::Nv12 | PixelFormat::Yuv420 => return None,
        };
        if y >= self.height {
            return None;
        }
        let start = usize::from(self.x) * bytes;
        self.planes[0]
            .row(usize::from(self.y) + usize::from(y))
            .get(start..start + usize::from(self.width) * bytes)
    }

    /// The bytes of row `y` of the luma plane, for Gray8, Nv12 and Yuv420; `None` for the others and below the
    /// image. Limited-range luma is not stretched.
    #[must_use]
    pub fn luma_row(&self, y: u16) -> Option<&'a [u8]> {
        if y >= self.height
            || !matches!(self.format, PixelFormat::Gray8 | PixelFormat::Nv12 | PixelFormat::Yuv420)
        {
            return None;
        }
        let start = usize::from(self.x);
        self.planes[0].row(usize::from(self.y) + usize::from(y)).get(start..start + usize::from(self.width))
    }

    /// One pixel as RGB.
    #[inline]
    #[must_use]
    pub fn rgb(&self, x: u16, y: u16) -> [u8; 3] {
        let x = usize::from(self.x) + usize::from(x.min(self.width - 1));
        let y = usize::from(self.y) + usize::from(y.min(self.height - 1));
        let [first, second, third] = &self.planes;
        match self.format {
            PixelFormat::Gray8 => [first.at(x, y); 3],
            PixelFormat::Rgb8 => [first.at(3 * x, y), first.at(3 * x + 1, y), first.at(3 * x + 2, y)],
            PixelFormat::Bgr8 => [first.at(3 * x + 2, y), first.at(3 * x + 1, y), first.at(3 * x, y)],
            PixelFormat::Rgba8 => [first.at(4 * x, y), first.at(4 * x + 1, y), first.at(4 * x + 2, y)],
            PixelFormat::Yuyv => {
                let pair = x / 2 * 4;
                self.encoding.to_rgb(first.at(2 * x, y), first.at(pair + 1, y), first.at(pair + 3, y))
            }
            PixelFormat::Nv12 => {
                let (u, v) = (second.at(x & !1, y / 2), second.at((x & !1) + 1, y / 2));
                self.encoding.to_rgb(first.at(x, y), u, v)
            }
            PixelFormat::Yuv420 => {
                let (u, v) = (second.at(x / 2, y / 2), third.at(x / 2, y / 2));
                self.encoding.to_rgb(first.at(x, y), u, v)
            }
        }
    }

    /// One pixel as a grey level: BT.601 weights for colour, luma stretched to `0..=255` for YUV.
    #[inline]
    #[must_use]
    pub fn gray(&self, x: u16, y: u16) -> u8 {
        let (column, row) = (
            usize::from(self.x) + usize::from(x.min(self.width - 1)),
            usize::from(self.y) + usize::from(y.min(self.height - 1)),
        );
        match self.format {
            PixelFormat::Gray8 => self.planes[0].at(column, row),
            PixelFormat::Rgb8 | PixelFormat::Bgr8 | PixelFormat::Rgba8 => gray_of_rgb(self.rgb(x, y)),
            PixelFormat::Yuyv => self.encoding.to_gray(self.planes[0].at(2 * column, row)),
            PixelFormat::Nv12 | PixelFormat::Yuv420 => self.encoding.to_gray(self.planes[0].at(column, row)),
        }
    }

    /// Row `y` as RGB into `out`, from the left; stops at the shorter of the two. Rows below the image repeat the
    /// last one.
    pub fn read_rgb_row(&self, y: u16, out: &mut [[u8; 3]]) {
        let y = y.min(self.height - 1);
        match (self.format, self.row(y)) {
            (PixelFormat::Rgb8, Some(row)) => {
                for (out, pixel) in out.iter_mut().zip(row.as_chunks::<3>().0) {
                    *out = *pixel;
                }
            }
            (PixelFormat::Bgr8, Some(row)) => {
                for (out, &[b, g, r]) in out.iter_mut().zip(row.as_chunks::<3>().0) {
                    *out = [r, g, b];
                }
            }
            (PixelFormat::Rgba8, Some(row)) => {
                for (out, &[r, g, b, _]) in out.iter_mut().zip(row.as_chunks::<4>().0) {
                    *out = [r, g, b];
                }
            }
            (PixelFormat::Gray8, Some(row)) => {
                for (out, &gray) in out.iter_mut().zip(row) {
                    *out = [gray; 3];
                }
            }
            _ => self.read_yuv_row(y, out),
        }
    }

    fn read_yuv_row(&self, y: u16, out: &mut [[u8; 3]]) {
        let (x, width) = (usize::from(self.x), usize::from(self.width));
        let row = usize::from(self.y) + usize::from(y);
        let luma = self.planes[0].row(row);
        let from = |row: &'a [u8], start: usize| row.get(start..).unwrap_or(&[]);
        let odd = x % 2 == 1;
        match self.format {
            PixelFormat::Yuyv => {
                let pairs = from(luma, x / 2 * 4).as_chunks::<4>().0;
                let mut pixels =
                    pairs.iter().flat_map(|&[y0, u, y1, v]| [[y0, u, v], [y1, u, v]]).skip(x % 2);
                for out in out.iter_mut().take(width) {
                    let Some([y, u, v]) = pixels.next() else { break };
                    *out = self.encoding.to_rgb(y, u, v);
                }
            }
            PixelFormat::Nv12 => {
                let pairs = from(self.planes[1].row(row / 2), x & !1).as_chunks::<2>().0;
                let chroma = pairs.iter().map(|[u, v]| (u, v));
                rgb_row(self.encoding, luma.get(x..x + width).unwrap_or(&[]), chroma, odd, out);
            }
            _ => {
                let u = from(self.planes[1].row(row / 2), x / 2);
                let v = from(self.planes[2].row(row / 2), x / 2);
                rgb_row(self.encoding, luma.get(x..x + width).unwrap_or(&[]), u.iter().zip(v), odd, out);
            }
        }
    }

    /// Row `y` as grey levels into `out`, from the left; stops at the shorter of the two. Rows below the image
    /// repeat the last one.
    pub fn read_gray_row(&self, y: u16, out: &mut [u8]) {
        let y = y.min(self.height - 1);
        match (self.format, self.row(y), self.luma_row(y)) {
            (PixelFormat::Gray8, Some(row), _) => {
                for (out, &gray) in out.iter_mut().zip(row) {
                    *out = gray;
                }
            }
            (PixelFormat::Rgb8, Some(row), _) => {
                for (out, &pixel) in out.iter_mut().zip(row.as_chunks::<3>().0) {
                    *out = gray_of_rgb(pixel);
                }
            }
            (PixelFormat::Bgr8, Some(row), _) => {
                for (out, &[b, g, r]) in out.iter_mut().zip(row.as_chunks::<3>().0) {
                    *out = gray_of_rgb([r, g, b]);
                }
            }
            (_, _, Some(row)) => {
                for (out, &luma) in out.iter_mut().zip(row) {
                    *out = self.encoding.to_gray(luma);
                }
            }
            _ => {
                for (out, x) in out.iter_mut().zip(0..self.width) {
                    *out = self.gray(x, y);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn short_data_small_strides_and_empty_images_are_refused() {
        let data = [0; 12];
        assert!(ImageView::packed(&data, 2, 2, PixelFormat::Rgb8).is_ok());
        assert_eq!(
            ImageView::packed(&data[..11], 2, 2, PixelFormat::Rgb8),
            Err(ImageError::TooShort { plane: 0, len: 11, needed: 12 })
        );
        assert_eq!(
            ImageView::packed_with_stride(&data, 2, 2, 5, PixelFormat::Rgb8),
            Err(ImageError::Stride { stride: 5, needed: 6 })
        );
        assert_eq!(ImageView::packed(&data, 0, 2, PixelFormat::Rgb8), Err(ImageError::Empty));
        assert!(matches!(ImageView::packed(&data, 2, 2, PixelFormat::Nv12), Err(ImageError::Planes { .. })));
        // The last row needs no padding.
        assert!(ImageView::packed_with_stride(&data[..11], 1, 2, 8, PixelFormat::Rgb8).is_ok());
    }

    /// Every row reader agrees with the pixel accessors, for every format and for crops at odd origins.
    #[test]
    fn rows_and_pixels_agree_in_every_format_and_crop() {
        let (width, height) = (7u16, 6u16);
        let bytes: Vec<u8> = (0..400u32).map(|i| (i * 37 % 251) as u8).collect();
        let chroma = (&bytes[100..], 9);
        let mut views = Vec::new();
        for format in
            [PixelFormat::Gray8, PixelFormat::Rgb8, PixelFormat::Bgr8, PixelFormat::Rgba8, PixelFormat::Yuyv]
        {
            let stride = format.row_bytes(width) as u32 + 3;
            views.push(ImageView::packed_with_stride(&bytes, width, height, stride, format).unwrap());
        }
        views.push(ImageView::nv12((&bytes, 8), chroma, width, height).unwrap());
        views.push(
            ImageView::yuv420((&bytes, 8), chroma, (&bytes[200..], 5), width, height)
                .unwrap()
                .with_encoding(YuvEncoding::Bt709),
        );
        for view in views {
            for (x, y) in [(0, 0), (1, 1), (2, 3), (3, 2)] {
                let part = view.crop(x, y, width - x - 1, height - y).unwrap();
                let mut rgb = [[0; 3]; 8];
                let mut gray = [0; 8];
                for row in 0..part.height() {
                    part.read_rgb_row(row, &mut rgb);
                    part.read_gray_row(row, &mut gray);
                    for column in 0..part.width() {
                        let at = usize::from(column);
                        assert_eq!(rgb[at], part.rgb(column, row), "{:?}", view.format());
                        assert_eq!(rgb[at], view.rgb(column + x, row + y), "{:?}", view.format());
                        assert_eq!(gray[at], part.gray(column, row), "{:?}", view.format());
                    }
                }
            }
        }
    }

    #[test]
    fn crops_stay_inside() {
        let data = [0; 16];
        let view = ImageView::packed(&data, 4, 4, PixelFormat::Gray8).unwrap();
        assert_eq!(view.crop(2, 2, 3, 1), Err(ImageError::Crop));
        assert_eq!(view.crop(u16::MAX, 0, 2, 1), Err(ImageError::Crop));
        assert_eq!(view.crop(1, 1, 0, 1), Err(ImageError::Empty));
        let inner = view.crop(1, 1, 3, 3).unwrap().crop(1, 0, 2, 2).unwrap();
        assert_eq!(inner.origin(), (2, 1));
    }
}
