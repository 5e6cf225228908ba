//! From a frame in any format to the grey working image: an average over blocks of whole pixels.

use eyespot_core::{ImageView, PixelFormat};

use crate::level::Level;

/// Pixels of a block that are averaged, per axis. A larger block is sampled at this many places, so that sums stay
/// within 16 bits.
const TAPS: usize = 8;

/// Sums of columns that are worked on at once: 2 KiB, whatever the width of the frame.
const COLUMNS: usize = 1024;

/// How a frame is brought to the working size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Geometry {
    /// Size of the frame.
    frame: (u16, u16),
    /// Side of the square of pixels that becomes one working pixel.
    pub(crate) factor: usize,
    /// Width of the working image.
    pub(crate) width: usize,
    /// Height of the working image.
    pub(crate) height: usize,
}

impl Geometry {
    pub(crate) const NONE: Self = Self { frame: (0, 0), factor: 0, width: 0, height: 0 };

    /// The smallest whole factor with which the frame takes at most `pixels`.
    pub(crate) fn new(image: &ImageView<'_>, pixels: usize) -> Self {
        let (full_width, full_height) = (usize::from(image.width()), usize::from(image.height()));
        let mut factor = (full_width * full_height / pixels.max(1)).isqrt().max(1);
        while (full_width / factor) * (full_height / factor) > pixels {
            factor += 1;
        }
        let frame = (image.width(), image.height());
        Self { frame, factor, width: full_width / factor, height: full_height / factor }
    }

    /// Is it the geometry of a frame of this size?
    pub(crate) const fn fits(&self, image: &ImageView<'_>) -> bool {
        self.frame.0 == image.width() && self.frame.1 == image.height()
    }
}

/// Fills `out` (`width * height` pixels) with the working image.
#[cfg_attr(feature = "host", inline(always))]
pub(crate) fn shrink(image: &ImageView<'_>, geometry: &Geometry, out: &mut [u8]) {
    match image.format() {
        PixelFormat::Gray8 | PixelFormat::Nv12 | PixelFormat::Yuv420 => {
            shrink_rows::<1>(geometry, out, |y| image.luma_row(y));
        }
        PixelFormat::Rgb8 | PixelFormat::Bgr8 => shrink_rows::<3>(geometry, out, |y| image.row(y)),
        PixelFormat::Rgba8 => shrink_rows::<4>(geometry, out, |y| image.row(y)),
        _ => shrink_pixels(image, geometry, out),
    }
}

/// Where the averaged rows or columns of a block lie: `(first, step, count)`.
fn taps(factor: usize) -> (usize, usize, usize) {
    let count = factor.clamp(1, TAPS);
    let step = (factor / count).max(1);
    (factor.saturating_sub((count - 1) * step + 1) / 2, step, count)
}

#[cfg_attr(feature = "host", inline(always))]
fn shrink_rows<'a, const CHANNELS: usize>(
    geometry: &Geometry,
    out: &mut [u8],
    row: impl Fn(u16) -> Option<&'a [u8]>,
) {
    let Geometry { factor, width, height, .. } = *geometry;
    let block = factor * CHANNELS;
    let (first, step, count) = taps(factor);
    let source = |y: usize, tap: usize| {
        u16::try_from(y * factor + first + tap * step).ok().and_then(&row).unwrap_or(&[])
    };
    if block > COLUMNS {
        // Blocks this large are too few to matter; a part of a block is as good as all of it.
        return shrink_giants::<CHANNELS>(geometry, out, |y| source(y, 0));
    }
    let per_chunk = COLUMNS / block;
    let mut sums = [0u16; COLUMNS];
    for (y, out) in out.chunks_exact_mut(width.max(1)).take(height).enumerate() {
        for (chunk, out) in out.chunks_mut(per_chunk).enumerate() {
            let start = chunk * per_chunk * block;
            let bytes = out.len() * block;
            let part = |tap| source(y, tap).get(start..start + bytes).unwrap_or(&[]);
            let Some(sums) = sums.get_mut(..bytes) else { continue };
            add_rows(sums, count, part);
            match (factor, CHANNELS) {
                (1, 1) => collapse::<1, CHANNELS>(sums, out),
                (2, _) => collapse::<2, CHANNELS>(sums, out),
                (3, 3) => collapse_colour::<3>(sums, out),
                (3, _) => collapse::<3, CHANNELS>(sums, out),
                (4, _) => collapse::<4, CHANNELS>(sums, out),
                (6, _) => collapse::<6, CHANNELS>(sums, out),
                _ => collapse_any::<CHANNELS>(sums, out, factor),
            }
        }
    }
}

/// The sum of `count` rows, column by column.
#[cfg_attr(feature = "host", inline(always))]
#[cfg_attr(not(feature = "host"), inline)]
fn add_rows<'a>(sums: &mut [u16], count: usize, row: impl Fn(usize) -> &'a [u8]) {
    let mut tap = 0;
    if count == 3 {
        for (((sum, &a), &b), &c) in sums.iter_mut().zip(row(0)).zip(row(1)).zip(row(2)) {
            *sum = u16::from(a) + u16::from(b) + u16::from(c);
        }
        return;
    }
    if count % 2 == 1 {
        for (sum, &a) in sums.iter_mut().zip(row(0)) {
            *sum = u16::from(a);
        }
        tap = 1;
    }
    while tap < count {
        let pair = row(tap).iter().zip(row(tap + 1));
        if tap == 0 {
            for (sum, (&a, &b)) in sums.iter_mut().zip(pair) {
                *sum = u16::from(a) + u16::from(b);
            }
        } else {
            for (sum, (&a, &b)) in sums.iter_mut().zip(pair) {
                *sum += u16::from(a) + u16::from(b);
            }
        }
        tap += 2;
    }
}

/// Grey of one pixel times the weight of a pixel: first and third colour count once, the second, green, twice. The
/// order of red and blue doesn't matter then.
#[inline]
fn gray<const CHANNELS: usize>(pixel: &[u16]) -> u16 {
    if CHANNELS == 1 { pixel[0] } else { pixel[0] + 2 * pixel[1] + pixel[2] }
}

const fn weight(channels: usize) -> u32 {
    if channels == 1 { 1 } else { 4 }
}

#[cfg_attr(feature = "host", inline(always))]
#[cfg_attr(not(feature = "host"), inline)]
fn collapse<const FACTOR: usize, const CHANNELS: usize>(sums: &[u16], out: &mut [u8]) {
    let total = (FACTOR * FACTOR) as u32 * weight(CHANNELS);
    for (out, block) in out.iter_mut().zip(sums.chunks_exact(FACTOR * CHANNELS)) {
        let mut sum = 0;
        for pixel in block.chunks_exact(CHANNELS) {
            sum += gray::<CHANNELS>(pixel);
        }
        *out = ((u32::from(sum) + total / 2) / total) as u8;
    }
}

/// As [`collapse`] for three channels: the grey of all places, also between pixels, in one sweep, then every
/// `FACTOR`-th. Twice as fast as picking the channels apart.
#[cfg_attr(feature = "host", inline(always))]
#[cfg_attr(not(feature = "host"), inline)]
fn collapse_colour<const FACTOR: usize>(sums: &mut [u16], out: &mut [u8]) {
    let total = (FACTOR * FACTOR) as u32 * weight(3);
    for index in 0..sums.len().saturating_sub(2) {
        sums[index] += 2 * sums[index + 1] + sums[index + 2];
    }
    for (out, block) in out.iter_mut().zip(sums.chunks_exact(FACTOR * 3)) {
        let sum: u16 = block.iter().step_by(3).sum();
        *out = ((u32::from(sum) + total / 2) / total) as u8;
    }
}

#[cfg_attr(feature = "host", inline(always))]
fn collapse_any<const CHANNELS: usize>(sums: &[u16], out: &mut [u8], factor: usize) {
    let (first, step, count) = taps(factor);
    let total = (count * count) as u32 * weight(CHANNELS);
    for (out, block) in out.iter_mut().zip(sums.chunks_exact(factor * CHANNELS)) {
        let pixels = block.chunks_exact(CHANNELS).skip(first).step_by(step).take(count);
        let sum: u32 = pixels.map(|pixel| u32::from(gray::<CHANNELS>(pixel))).sum();
        *out = ((sum + total / 2) / total) as u8;
    }
}

fn shrink_giants<'a, const CHANNELS: usize>(
    geometry: &Geometry,
    out: &mut [u8],
    row: impl Fn(usize) -> &'a [u8],
) {
    let (first, step, count) = taps(geometry.factor);
    let total = count as u32 * weight(CHANNELS);
    for (y, out) in out.chunks_exact_mut(geometry.width.max(1)).take(geometry.height).enumerate() {
        for (out, block) in out.iter_mut().zip(row(y).chunks_exact(geometry.factor * CHANNELS)) {
            let pixels = block.chunks_exact(CHANNELS).skip(first).step_by(step).take(count);
            let wide = |pixel: &[u8]| match *pixel {
                [a, b, c, ..] => u32::from(a) + 2 * u32::from(b) + u32::from(c),
                [a, ..] => u32::from(a),
                [] => 0,
            };
            *out = ((pixels.map(wide).sum::<u32>() + total / 2) / total) as u8;
        }
    }
}

fn shrink_pixels(image: &ImageView<'_>, geometry: &Geometry, out: &mut [u8]) {
    let Geometry { factor, width, height, .. } = *geometry;
    let (first, step, count) = taps(factor);
    let at =
        |block: usize, tap: usize| u16::try_from(block * factor + first + tap * step).unwrap_or(u16::MAX);
    let total = (count * count) as u32;
    for (y, out) in out.chunks_exact_mut(width.max(1)).take(height).enumerate() {
        for (x, out) in out.iter_mut().enumerate() {
            let mut sum = 0;
            for row in 0..count {
                for column in 0..count {
                    sum += u32::from(image.gray(at(x, column), at(y, row)));
                }
            }
            *out = ((sum + total / 2) / total) as u8;
        }
    }
}

/// The next pyramid level: means of 2x2 pixels.
#[cfg_attr(feature = "host", inline(always))]
pub(crate) fn halve(from: &Level<'_>, out: &mut [u8]) {
    let width = from.width / 2;
    let rows = from.data.chunks_exact(2 * from.width.max(1));
    for (out, rows) in out.chunks_exact_mut(width.max(1)).zip(rows) {
        let (upper, lower) = rows.split_at(from.width);
        for ((out, a), b) in out.iter_mut().zip(upper.as_chunks::<2>().0).zip(lower.as_chunks::<2>().0) {
            let sum = u16::from(a[0]) + u16::from(a[1]) + u16::from(b[0]) + u16::from(b[1]);
            *out = ((sum + 2) >> 2) as u8;
        }
    }
}

/// Blurs by the mean of each pixel with its right, lower and lower right neighbour, in place. The picture moves by
/// half a pixel to the left and up.
///
/// Bilinear interpolation shifts the finest structures, which would draw all matches towards whole pixels by several
/// hundredths of a pixel; after this blur there are none.
#[cfg_attr(feature = "host", inline(always))]
pub(crate) fn soften(image: &mut [u8], width: usize) {
    let mut rest = image;
    while let Some((row, after)) = rest.split_at_mut_checked(width.max(1)) {
        rest = after;
        let Some(below) = rest.get(..width) else { break };
        for x in 0..width.saturating_sub(1) {
            let sum =
                u16::from(row[x]) + u16::from(row[x + 1]) + u16::from(below[x]) + u16::from(below[x + 1]);
            row[x] = ((sum + 2) >> 2) as u8;
        }
    }
}
