//! A row of an image, resized horizontally.

use eyespot_core::{ImageView, PixelFormat};

use crate::{Layout, Tap, yuv};

/// A row as grey.
pub(crate) fn read_gray(view: &ImageView<'_>, y: u16, taps: &[Tap], out: &mut [u16]) {
    match view.row(y) {
        Some(row) if view.format() == PixelFormat::Gray8 => {
            mix(taps, out, |x| [row.get(usize::from(x)).copied().unwrap_or(0)]);
        }
        _ if sparse(view, taps) => mix(taps, out, |x| [view.gray(x, y)]),
        _ => mix(taps, out, windowed(view, y)),
    }
}

/// A row as three channels: red, green, blue or reversed.
pub(crate) fn read_color(
    view: &ImageView<'_>,
    y: u16,
    reversed: bool,
    layout: Layout,
    taps: &[Tap],
    out: &mut [u16],
) {
    let row = view.row(y).unwrap_or(&[]);
    match view.format() {
        PixelFormat::Gray8 => {
            ordered(taps, layout, false, out, |x| [row.get(usize::from(x)).copied().unwrap_or(0); 3]);
        }
        PixelFormat::Rgb8 | PixelFormat::Bgr8 => {
            let reversed = reversed != (view.format() == PixelFormat::Bgr8);
            let row = row.as_chunks::<3>().0;
            ordered(taps, layout, reversed, out, |x| pixel(row, x));
        }
        PixelFormat::Rgba8 => {
            let row = row.as_chunks::<4>().0;
            ordered(taps, layout, reversed, out, |x| {
                let [r, g, b, _] = pixel(row, x);
                [r, g, b]
            });
        }
        // The others have luma and chroma.
        _ => yuv::read(view, y, reversed, layout, taps, out),
    }
}

/// Are so few pixels of a row needed that converting each alone is cheaper than converting the row?
fn sparse(view: &ImageView<'_>, taps: &[Tap]) -> bool {
    usize::from(view.width()) > 8 * taps.len()
}

#[inline]
fn pixel<const N: usize>(row: &[[u8; N]], x: u16) -> [u8; N] {
    row.get(usize::from(x)).copied().unwrap_or([0; N])
}

/// Grey of a row that must be converted first, a window at a time. Cheap for positions that seldom step back by more than
/// one.
#[inline]
fn windowed(view: &ImageView<'_>, y: u16) -> impl FnMut(u16) -> [u8; 1] {
    const WINDOW: u16 = 128;
    let mut window = [[0]; WINDOW as usize];
    let mut start = None;
    move |x| {
        let from = match start {
            Some(start) if x >= start && x - start < WINDOW => start,
            _ => {
                let from = x.saturating_sub(1);
                if let Ok(part) = view.crop(from, y, WINDOW.min(view.width().saturating_sub(from)), 1) {
                    part.read_gray_row(0, window.as_flattened_mut());
                }
                start = Some(from);
                from
            }
        };
        pixel(&window, x - from)
    }
}

/// Mixes three channels, in the order of the samples or reversed.
#[inline]
fn ordered(
    taps: &[Tap],
    layout: Layout,
    reversed: bool,
    out: &mut [u16],
    mut sample: impl FnMut(u16) -> [u8; 3],
) {
    match (layout, reversed) {
        (Layout::Interleaved, false) => mix(taps, out, sample),
        (Layout::Interleaved, true) => mix(taps, out, |x| {
            let [a, b, c] = sample(x);
            [c, b, a]
        }),
        (Layout::Planar, _) => {
            // Reversed is a matter of which plane comes first.
            let (first, rest) = out.split_at_mut(taps.len().min(out.len()));
            let (second, third) = rest.split_at_mut(taps.len().min(rest.len()));
            let (first, third) = if reversed { (third, first) } else { (first, third) };
            for (((first, second), third), tap) in first.iter_mut().zip(second).zip(third).zip(taps) {
                [*first, *second, *third] = mixed(tap, &mut sample);
            }
        }
    }
}

#[inline]
fn mix<const N: usize>(taps: &[Tap], out: &mut [u16], mut sample: impl FnMut(u16) -> [u8; N]) {
    for (pixel, tap) in out.as_chunks_mut::<N>().0.iter_mut().zip(taps) {
        *pixel = mixed(tap, &mut sample);
    }
}

#[inline]
fn mixed<const N: usize>(tap: &Tap, mut sample: impl FnMut(u16) -> [u8; N]) -> [u16; N] {
    let (first, second) = (sample(tap.first), sample(tap.second));
    core::array::from_fn(|at| tap.weights.mix(first[at], second[at]))
}
