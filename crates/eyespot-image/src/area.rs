//! Resizing by the area that a target pixel covers: what trackers, motion and thumbnails want, where bilinear resizing
//! would skip pixels.

use eyespot_core::ImageView;

use crate::ResizeError;

/// Pixels of a row that are worked on together, on the stack.
const CHUNK: usize = 128;

/// An image as grey levels of another size: the mean of the area that each target pixel covers, exact and rounded to
/// nearest. Downscaling gives the values of OpenCV's `INTER_AREA` (but for the rounding of halves).
///
/// `out` takes `width * height` levels, row by row. Costs one pass over the pixels.
///
/// # Errors
/// [`ResizeError`] where the width or height is zero or `out` has another length.
pub fn gray_resized(
    view: &ImageView<'_>,
    width: u16,
    height: u16,
    out: &mut [u8],
) -> Result<(), ResizeError> {
    let out = checked(width, height, out.as_chunks_mut::<1>())?;
    resize(view, width, height, out, |part, row| part.read_gray_row(0, row.as_flattened_mut()));
    Ok(())
}

/// An image as red, green and blue of another size, for thumbnails; otherwise as [`gray_resized`].
///
/// `out` takes `width * height * 3` levels, the channels of a pixel together.
///
/// # Errors
/// [`ResizeError`] where the width or height is zero or `out` has another length.
pub fn rgb_resized(view: &ImageView<'_>, width: u16, height: u16, out: &mut [u8]) -> Result<(), ResizeError> {
    let out = checked(width, height, out.as_chunks_mut::<3>())?;
    resize(view, width, height, out, |part, row| part.read_rgb_row(0, row));
    Ok(())
}

fn checked<'a, const C: usize>(
    width: u16,
    height: u16,
    (pixels, rest): (&'a mut [[u8; C]], &mut [u8]),
) -> Result<&'a mut [[u8; C]], ResizeError> {
    if width == 0 || height == 0 {
        return Err(ResizeError::Empty);
    }
    let expected = usize::from(width) * usize::from(height);
    if pixels.len() != expected || !rest.is_empty() {
        let actual = pixels.len() * C + rest.len();
        return Err(ResizeError::Output { expected: expected * C, actual });
    }
    Ok(pixels)
}

/// One side of an image in units of which a source pixel has `source` and a target pixel `target`, without common
/// factors: an integer ratio gives weights of 1.
#[derive(Clone, Copy)]
struct Units {
    source: u32,
    target: u32,
}

impl Units {
    fn new(source: u16, target: u16) -> Self {
        let (mut a, mut b) = (source, target);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Self { source: u32::from(target / a), target: u32::from(source / a) }
    }
}

fn resize<const C: usize>(
    view: &ImageView<'_>,
    width: u16,
    height: u16,
    out: &mut [[u8; C]],
    read: impl Fn(&ImageView<'_>, &mut [[u8; C]]),
) {
    let columns = Units::new(view.width(), width);
    let rows = Units::new(view.height(), height);
    let mean = Mean::new(u64::from(columns.target) * u64::from(rows.target));
    for (line, index) in out.chunks_exact_mut(usize::from(width)).zip(0u32..) {
        let span = index * rows.target..(index + 1) * rows.target;
        let mut pixels = line.iter_mut();
        let (mut sum, mut missing) = ([0u64; C], columns.target);
        for start in (0..view.width()).step_by(CHUNK) {
            let len = (view.width() - start).min(CHUNK as u16);
            let sums = column_sums(view, start, len, &span, rows.source, &read);
            for column in sums.iter().take(usize::from(len)) {
                let mut left = columns.source;
                while left >= missing {
                    add(&mut sum, column, missing);
                    left -= missing;
                    if let Some(pixel) = pixels.next() {
                        *pixel = sum.map(|sum| mean.of(sum));
                    }
                    (sum, missing) = ([0; C], columns.target);
                }
                add(&mut sum, column, left);
                missing -= left;
            }
        }
    }
}

#[inline]
fn add<const C: usize>(sum: &mut [u64; C], column: &[u32; C], weight: u32) {
    for (sum, &column) in sum.iter_mut().zip(column) {
        *sum += u64::from(column) * u64::from(weight);
    }
}

/// Weighted sums of the pixels of each column over a span of rows, for a chunk of columns.
fn column_sums<const C: usize>(
    view: &ImageView<'_>,
    start: u16,
    len: u16,
    span: &core::ops::Range<u32>,
    row_units: u32,
    read: impl Fn(&ImageView<'_>, &mut [[u8; C]]),
) -> [[u32; C]; CHUNK] {
    let mut sums = [[0u32; C]; CHUNK];
    let mut pixels = [[0u8; C]; CHUNK];
    for y in span.start / row_units..span.end.div_ceil(row_units) {
        // The part of the row that lies in the span.
        let weight = ((y + 1) * row_units).min(span.end) - (y * row_units).max(span.start);
        let Ok(part) = view.crop(start, y as u16, len, 1) else { continue };
        read(&part, &mut pixels);
        for (sum, &level) in sums.as_flattened_mut().iter_mut().zip(pixels.as_flattened()) {
            *sum += u32::from(level) * weight;
        }
    }
    sums
}

/// Division by the area of a target pixel, to nearest.
#[derive(Clone, Copy)]
struct Mean {
    area: u64,
    /// The area where a sum fits 32 bits: a far cheaper division, most of all on a microcontroller.
    small: Option<u32>,
}

impl Mean {
    fn new(area: u64) -> Self {
        Self { area, small: u32::try_from(area).ok().filter(|area| *area <= u32::MAX / 256) }
    }

    #[inline]
    fn of(self, sum: u64) -> u8 {
        match self.small {
            Some(area) => ((sum as u32 + area / 2) / area) as u8,
            None => ((sum + self.area / 2) / self.area) as u8,
        }
    }
}
