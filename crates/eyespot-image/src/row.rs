//! A row of an image, resized horizontally.

use eyespot_core::{ImageView, PixelFormat};

use crate::{Layout, Tap};

/// A row as grey.
pub(crate) fn read_gray(view: &ImageView<'_>, y: u16, taps: &[Tap], out: &mut [u16]) {
    match view.row(y) {
        Some(row) if view.format() == PixelFormat::Gray8 => {
            mix(taps, Layout::Interleaved, out, |x| [level(row, x)]);
        }
        _ => mix(taps, Layout::Interleaved, out, |x| [view.gray(x, y)]),
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
        PixelFormat::Gray8 => mix(taps, layout, out, |x| [level(row, x); 3]),
        PixelFormat::Rgb8 | PixelFormat::Bgr8 => {
            let row = row.as_chunks::<3>().0;
            if reversed == (view.format() == PixelFormat::Bgr8) {
                mix(taps, layout, out, |x| pixel(row, x));
            } else {
                mix(taps, layout, out, |x| swapped(pixel(row, x)));
            }
        }
        PixelFormat::Rgba8 => {
            let row = row.as_chunks::<4>().0;
            let rgb = |x| {
                let [r, g, b, _] = pixel(row, x);
                [r, g, b]
            };
            if reversed {
                mix(taps, layout, out, |x| swapped(rgb(x)));
            } else {
                mix(taps, layout, out, rgb);
            }
        }
        _ if reversed => mix(taps, layout, out, |x| swapped(view.rgb(x, y))),
        _ => mix(taps, layout, out, |x| view.rgb(x, y)),
    }
}

#[inline]
fn level(row: &[u8], x: u16) -> u8 {
    row.get(usize::from(x)).copied().unwrap_or(0)
}

#[inline]
fn pixel<const N: usize>(row: &[[u8; N]], x: u16) -> [u8; N] {
    row.get(usize::from(x)).copied().unwrap_or([0; N])
}

#[inline]
fn swapped([a, b, c]: [u8; 3]) -> [u8; 3] {
    [c, b, a]
}

#[inline]
fn mix<const N: usize>(taps: &[Tap], layout: Layout, out: &mut [u16], sample: impl Fn(u16) -> [u8; N]) {
    let mixed = |tap: &Tap| -> [u16; N] {
        let (first, second) = (sample(tap.first), sample(tap.second));
        core::array::from_fn(|at| tap.weights.mix(first[at], second[at]))
    };
    match layout {
        Layout::Interleaved => {
            for (pixel, tap) in out.as_chunks_mut::<N>().0.iter_mut().zip(taps) {
                *pixel = mixed(tap);
            }
        }
        Layout::Planar => {
            let mut planes = out.chunks_exact_mut(taps.len().max(1));
            let mut planes: [&mut [u16]; N] = core::array::from_fn(|_| planes.next().unwrap_or_default());
            for (x, tap) in taps.iter().enumerate() {
                for (plane, value) in planes.iter_mut().zip(mixed(tap)) {
                    if let Some(slot) = plane.get_mut(x) {
                        *slot = value;
                    }
                }
            }
        }
    }
}
