//! Masks as text: base64 of zlib of a PNG.

use std::io::{Cursor, Read as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eyespot_core::MaskView;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Deserializer, Serialize};

use super::FormatError;

/// The most pixels that a mask may have: 2^28, more than any camera's.
pub const MAX_MASK_PIXELS: u64 = 1 << 28;

/// The most bytes of a PNG in a mask. A PNG without compression of so many pixels would have more; none is written so.
const MAX_PNG_BYTES: u64 = 64 << 20;

/// A mask as the format carries it. [`decode`](Self::decode) gives its pixels; reading and writing files needs
/// none of that, and leaves the text as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bitmap {
    /// Where its first pixel lies in the image, `x, y`.
    #[serde(deserialize_with = "floored")]
    pub origin: [i64; 2],
    /// Base64 of zlib of a PNG.
    pub data: String,
}

/// Origins with a fraction are of no use to pixels.
fn floored<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[i64; 2], D::Error> {
    Ok(<[f64; 2]>::deserialize(deserializer)?.map(|value| value.floor() as i64))
}

/// The pixels of a mask, one bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BitMask {
    /// Where its first pixel lies in the image, `x, y`.
    pub origin: [i64; 2],
    width: u32,
    height: u32,
    bits: Vec<u8>,
}

impl BitMask {
    /// A mask of rows from top to bottom, each padded to a byte, the leftmost pixel in the most significant bit. `None`
    /// where the size is zero or beyond [`MAX_MASK_PIXELS`], or there are too few bits.
    #[must_use]
    pub fn new(origin: [i64; 2], width: u32, height: u32, mut bits: Vec<u8>) -> Option<Self> {
        let pixels = u64::from(width) * u64::from(height);
        if pixels == 0 || pixels > MAX_MASK_PIXELS {
            return None;
        }
        let stride = (width as usize).div_ceil(8);
        let len = stride.checked_mul(height as usize)?;
        if bits.len() < len {
            return None;
        }
        bits.truncate(len);
        // Padding is zero, so that equal masks are equal.
        let padding = 0xff_u8.checked_shl(8 - (width - 1) % 8 - 1).unwrap_or(0);
        for last in bits.chunks_exact_mut(stride).filter_map(<[u8]>::last_mut) {
            *last &= padding;
        }
        Some(Self { origin, width, height, bits })
    }

    /// A mask from a function of the pixels, `x, y` from its corner.
    #[must_use]
    pub fn from_fn(
        origin: [i64; 2],
        width: u32,
        height: u32,
        set: impl Fn(u32, u32) -> bool,
    ) -> Option<Self> {
        let stride = (width as usize).div_ceil(8);
        let mut bits = vec![0; stride.checked_mul(height as usize)?];
        for (y, row) in (0..height).zip(bits.chunks_exact_mut(stride.max(1))) {
            for x in 0..width {
                if set(x, y)
                    && let Some(byte) = row.get_mut((x / 8) as usize)
                {
                    *byte |= 0x80 >> (x % 8);
                }
            }
        }
        Self::new(origin, width, height, bits)
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// The bits, as [`new`](Self::new) takes them; padding is zero.
    #[must_use]
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// Bytes of a row.
    const fn stride(&self) -> usize {
        (self.width as usize).div_ceil(8)
    }

    /// Is the pixel of the image at `x, y` set?
    #[must_use]
    pub fn contains(&self, x: i64, y: i64) -> bool {
        let place = |at: i64, origin: i64, len: u32| {
            at.checked_sub(origin).and_then(|at| u32::try_from(at).ok()).filter(|&at| at < len)
        };
        let (Some(x), Some(y)) =
            (place(x, self.origin[0], self.width), place(y, self.origin[1], self.height))
        else {
            return false;
        };
        let byte = self.bits.get(y as usize * self.stride() + (x / 8) as usize);
        byte.is_some_and(|byte| byte << (x % 8) & 0x80 != 0)
    }

    /// Number of pixels that are set.
    #[must_use]
    pub fn area(&self) -> u64 {
        self.bits.iter().map(|byte| u64::from(byte.count_ones())).sum()
    }

    /// Number of pixels of the image that are set in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> u64 {
        let range = |axis: usize, len: u32, other_len: u32| {
            let (a, b) = (self.origin[axis], other.origin[axis]);
            let end = a.saturating_add(i64::from(len)).min(b.saturating_add(i64::from(other_len)));
            a.max(b)..end
        };
        let columns = range(0, self.width, other.width);
        let rows = range(1, self.height, other.height);
        let both = |x, y| self.contains(x, y) && other.contains(x, y);
        rows.map(|y| columns.clone().filter(|&x| both(x, y)).count() as u64).sum()
    }

    /// Intersection over union, `0..=1`; 0 where both are empty.
    #[must_use]
    pub fn iou(&self, other: &Self) -> f64 {
        let intersection = self.intersection(other);
        let union = self.area() + other.area() - intersection;
        if union > 0 { intersection as f64 / union as f64 } else { 0.0 }
    }

    /// The same pixels in the smallest rectangle around those that are set and lie in an image of this size; `None`
    /// where there are none.
    #[must_use]
    pub fn cropped(&self, width: u32, height: u32) -> Option<Self> {
        let [x0, y0] = self.origin;
        let inside = |x: u32, y: u32| {
            let (x, y) = (x0.saturating_add(i64::from(x)), y0.saturating_add(i64::from(y)));
            (0..i64::from(width)).contains(&x) && (0..i64::from(height)).contains(&y) && self.contains(x, y)
        };
        let rows = || (0..self.height).filter(|&y| (0..self.width).any(|x| inside(x, y)));
        let columns = || (0..self.width).filter(|&x| (0..self.height).any(|y| inside(x, y)));
        let (top, bottom) = (rows().next()?, rows().next_back()?);
        let (left, right) = (columns().next()?, columns().next_back()?);
        if (left, top, right + 1, bottom + 1) == (0, 0, self.width, self.height) {
            return Some(self.clone());
        }
        let origin = [x0.saturating_add(i64::from(left)), y0.saturating_add(i64::from(top))];
        Self::from_fn(origin, right - left + 1, bottom - top + 1, |x, y| inside(x + left, y + top))
    }
}

impl From<&MaskView<'_>> for BitMask {
    fn from(mask: &MaskView<'_>) -> Self {
        let origin = [mask.x(), mask.y()].map(i64::from);
        let (width, height) = (u32::from(mask.width()), u32::from(mask.height()));
        // A view has at least one pixel and all of its bits.
        let stride = (width as usize).div_ceil(8);
        let bits = mask.bits().to_vec();
        Self::new(origin, width, height, bits).unwrap_or(Self {
            origin,
            width: 1,
            height: 1,
            bits: vec![0; stride],
        })
    }
}

impl Bitmap {
    /// A mask as text: a PNG of one bit per pixel, black and transparent where nothing is, white where the object is,
    /// as the SDK writes it.
    ///
    /// # Errors
    /// [`FormatError::Bitmap`] where the PNG can't be made, which needs a lack of memory.
    pub fn encode(mask: &BitMask) -> Result<Self, FormatError> {
        let failed = |reason: String| FormatError::Bitmap { reason };
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
        let mut encoder = png::Encoder::new(&mut packed, mask.width, mask.height);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::One);
        encoder.set_palette(&[0, 0, 0, 255, 255, 255][..]);
        encoder.set_trns(&[0][..]);
        let mut writer = encoder.write_header().map_err(|error| failed(error.to_string()))?;
        writer.write_image_data(&mask.bits).map_err(|error| failed(error.to_string()))?;
        writer.finish().map_err(|error| failed(error.to_string()))?;
        let packed = packed.finish().map_err(|error| failed(error.to_string()))?;
        Ok(Self { origin: mask.origin, data: STANDARD.encode(packed) })
    }

    /// The PNG.
    fn png(&self) -> Result<Vec<u8>, FormatError> {
        let failed = |reason: String| FormatError::Bitmap { reason };
        let packed =
            STANDARD.decode(self.data.trim()).map_err(|error| failed(format!("no base64: {error}")))?;
        // Old masks are a PNG without zlib around it.
        if packed.starts_with(b"\x89PNG") {
            return Ok(packed);
        }
        let mut png = Vec::new();
        let mut limited = ZlibDecoder::new(packed.as_slice()).take(MAX_PNG_BYTES + 1);
        limited.read_to_end(&mut png).map_err(|error| failed(format!("no zlib: {error}")))?;
        if png.len() as u64 > MAX_PNG_BYTES {
            return Err(failed(format!("the PNG has more than {MAX_PNG_BYTES} bytes")));
        }
        Ok(png)
    }

    /// Width and height in pixels, from the head of the PNG.
    ///
    /// # Errors
    /// [`FormatError::Bitmap`] for data that is no mask.
    pub fn size(&self) -> Result<(u32, u32), FormatError> {
        let png = self.png()?;
        let reader = png::Decoder::new(Cursor::new(&png)).read_info();
        let reader = reader.map_err(|error| FormatError::Bitmap { reason: error.to_string() })?;
        Ok(reader.info().size())
    }

    /// The pixels. Of an image with transparency what is opaque counts, of any other what is not black, whatever the
    /// number of bits.
    ///
    /// # Errors
    /// [`FormatError::Bitmap`] for data that is no mask.
    pub fn decode(&self) -> Result<BitMask, FormatError> {
        let failed = |reason: String| FormatError::Bitmap { reason };
        let png = self.png()?;
        let mut decoder = png::Decoder::new(Cursor::new(&png));
        decoder.set_limits(png::Limits { bytes: 4 * MAX_MASK_PIXELS as usize });
        // Palettes and transparent colours become channels of 8 bits.
        decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
        let mut reader = decoder.read_info().map_err(|error| failed(error.to_string()))?;
        let (width, height) = reader.info().size();
        if u64::from(width) * u64::from(height) > MAX_MASK_PIXELS {
            return Err(failed(format!("{width} x {height} pixels are too many")));
        }
        let len = reader.output_buffer_size().ok_or_else(|| failed("too large".into()))?;
        let mut pixels = vec![0; len];
        let info = reader.next_frame(&mut pixels).map_err(|error| failed(error.to_string()))?;
        let samples = info.color_type.samples();
        let alpha = matches!(info.color_type, png::ColorType::GrayscaleAlpha | png::ColorType::Rgba);
        let set = |x: u32, y: u32| {
            let at = y as usize * info.line_size + x as usize * samples;
            let pixel = pixels.get(at..at + samples).unwrap_or_default();
            if alpha {
                pixel.last().is_some_and(|&alpha| alpha != 0)
            } else {
                pixel.iter().any(|&value| value != 0)
            }
        };
        BitMask::from_fn(self.origin, width, height, set).ok_or_else(|| failed("it has no pixels".into()))
    }
}
